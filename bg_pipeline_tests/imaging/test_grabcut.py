"""The local engine, measured against outlines that are known exactly."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from bg_pipeline.demo.products import STYLES, shoot
from bg_pipeline.errors import ConfigurationError
from bg_pipeline.imaging.grabcut import cut_alpha

GREY = (196, 197, 199)


def overlap(alpha: Image.Image, truth: Image.Image) -> float:
    """Intersection over union of what is more than half there."""
    found, real = np.asarray(alpha) > 127, np.asarray(truth) > 127
    return float((found & real).sum() / (found | real).sum())


def disc(size: tuple[int, int], colour: tuple[int, int, int], paper: tuple[int, int, int] = GREY) -> Image.Image:
    """A disc in the middle, smooth at its edge."""
    image = Image.new("RGB", size, paper)
    image.paste(colour, (0, 0), disc_mask(size))
    return image


def disc_mask(size: tuple[int, int]) -> Image.Image:
    fine = Image.new("L", (size[0] * 4, size[1] * 4))
    reach = min(size)
    x, y = size[0] * 2, size[1] * 2
    ImageDraw.Draw(fine).ellipse((x - reach, y - reach, x + reach, y + reach), 255)
    return fine.reduce(4)


@pytest.mark.parametrize("family", STYLES)
def test_products_on_studio_paper_are_cut_along_their_true_outline(family: str) -> None:
    """The whole catalogue reaches 0.99; single pictures may lose a shoelace."""
    styles = STYLES[family][1]
    found = []
    for number, colour in enumerate(("teal", "red")):
        picture, truth = shoot(family, colour, styles[number], (480, 520), np.random.default_rng(number))
        found.append(overlap(cut_alpha(picture), truth))
    assert sum(found) / len(found) >= 0.95


@pytest.mark.parametrize("paper", [(255, 255, 255), GREY, (30, 32, 40), (170, 205, 190)], ids=str)
@pytest.mark.parametrize("colour", [(180, 40, 40), (120, 121, 122)], ids=str)
def test_a_disc_is_found_on_paper_of_any_tint(paper: tuple[int, int, int], colour: tuple[int, int, int]) -> None:
    assert overlap(cut_alpha(disc((400, 300), colour, paper)), disc_mask((400, 300))) > 0.97


def test_a_soft_shadow_is_no_part_of_the_subject() -> None:
    """A service leaves it out too; a shop puts its own shadow under the cutout."""
    truth = Image.new("L", (420, 420))
    ImageDraw.Draw(truth).rectangle((140, 90, 280, 320), 255)
    pool = Image.new("L", truth.size)
    ImageDraw.Draw(pool).ellipse((110, 295, 330, 345), 130)
    picture = Image.new("RGB", truth.size, (238, 236, 232))
    picture.paste((0, 0, 0), (0, 0), pool.filter(ImageFilter.GaussianBlur(12)))
    picture.paste((40, 90, 150), (0, 0), truth)
    alpha = cut_alpha(picture)
    assert overlap(alpha, truth) > 0.97
    assert alpha.crop((0, 330, 420, 420)).getextrema() == (0, 0)


def test_paper_seen_through_a_handle_is_cut_out_and_white_print_is_not() -> None:
    truth = Image.new("L", (400, 400))
    draw = ImageDraw.Draw(truth)
    draw.rectangle((120, 180, 280, 340), 255)
    draw.arc((150, 80, 250, 280), 180, 360, 255, 16)
    picture = Image.new("RGB", truth.size, (240, 239, 237))
    picture.paste((150, 40, 60), (0, 0), truth)
    ImageDraw.Draw(picture).ellipse((170, 230, 230, 290), (252, 252, 250))
    alpha = cut_alpha(picture)
    assert alpha.getpixel((200, 150)) == 0
    assert alpha.getpixel((200, 260)) == 255
    assert overlap(alpha, truth) > 0.95


def test_a_cluttered_backdrop_gives_an_answer_where_colours_differ() -> None:
    rng = np.random.default_rng(3)
    speckle = Image.fromarray(rng.integers(60, 130, (300, 300, 3), np.uint8))
    truth = disc_mask((300, 300))
    speckle.paste((250, 210, 40), (0, 0), truth)
    assert overlap(cut_alpha(speckle), truth) > 0.9


def test_the_outline_follows_the_full_picture_and_not_the_working_copy() -> None:
    """Off by 7 of 255 along the outline; enlarging the small mask instead would be off by 50."""
    size = (1500, 1200)
    alpha, truth = cut_alpha(disc(size, (150, 40, 60))), disc_mask(size)
    assert alpha.size == size
    edge = np.asarray(truth.filter(ImageFilter.GaussianBlur(4)))
    near = (edge > 2) & (edge < 253)
    assert np.abs(np.asarray(alpha, int) - np.asarray(truth, int))[near].mean() < 15
    assert overlap(alpha, truth) > 0.995


def test_the_same_picture_gives_the_same_alpha() -> None:
    """Or a rebuilt cutout would look like a changed one."""
    picture, _ = shoot("mug", "navy", "striped", (360, 320), np.random.default_rng(5))
    first = cut_alpha(picture).tobytes()
    cut_alpha(disc((200, 200), (1, 2, 3)))
    assert cut_alpha(picture).tobytes() == first


@pytest.mark.parametrize("noise", [0, 2, 8])
def test_a_picture_of_nothing_gives_an_empty_alpha(noise: int) -> None:
    flat = np.random.default_rng(0).normal(180, noise, (300, 400, 3)).clip(0, 255).astype(np.uint8)
    assert cut_alpha(Image.fromarray(flat)).getextrema() == (0, 0)


def test_an_empty_sweep_with_a_gradient_gives_an_empty_alpha() -> None:
    light = Image.linear_gradient("L").resize((500, 400))
    assert cut_alpha(Image.merge("RGB", (light, light, light))).getextrema() == (0, 0)


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (15, 400), (16, 16), (16, 400), (40, 3000)], ids=str)
@pytest.mark.parametrize("kind", ["flat", "noise"])
def test_no_size_is_too_odd(size: tuple[int, int], kind: str) -> None:
    pixels = np.full((size[1], size[0], 3), 128, np.uint8)
    if kind == "noise":
        pixels = np.random.default_rng(0).integers(0, 255, pixels.shape, np.uint8)
    alpha = cut_alpha(Image.fromarray(pixels))
    assert (alpha.mode, alpha.size) == ("L", size)


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "CMYK"])
def test_every_mode_is_read_as_colour(mode: str) -> None:
    assert overlap(cut_alpha(disc((300, 300), (40, 60, 120)).convert(mode)), disc_mask((300, 300))) > 0.95


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'bg-pipeline\[local\]'"):
        cut_alpha(disc((64, 64), (1, 2, 3)))


def test_importing_it_loads_neither_opencv_nor_numpy() -> None:
    """They are optional, and take longer to import than all the rest."""
    code = "import sys, bg_pipeline.imaging.grabcut; print([m for m in ('cv2', 'numpy') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
