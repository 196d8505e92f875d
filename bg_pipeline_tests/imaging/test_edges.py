"""Alpha at full size follows the original, and half transparent pixels lose the backdrop's colour."""

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from bg_pipeline.imaging.foreground import own_colours
from bg_pipeline.imaging.tiles import tiles
from bg_pipeline.imaging.upsampling import upsample

SIZE, SENT = (1200, 800), (500, 333)
BROWN = (80, 50, 35)


def strands(seed: int = 3) -> Image.Image:
    """The alpha of hair, drawn at twice the size."""
    rng = np.random.default_rng(seed)
    alpha = Image.new("L", (2 * SIZE[0], 2 * SIZE[1]), 0)
    draw = ImageDraw.Draw(alpha)
    for _ in range(120):
        end = rng.uniform((200, 100), (2200, 1500))
        draw.line((1200, 800, *end), fill=255, width=int(rng.integers(2, 9)))
    return alpha.resize(SIZE, Image.Resampling.BOX)


def backdrop(kind: str) -> Image.Image:
    if kind == "green":
        return Image.new("RGB", SIZE, (20, 175, 70))
    rng = np.random.default_rng(4)
    pixels = rng.integers(0, 255, (SIZE[1], SIZE[0], 3)).astype(np.uint8)
    return Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(1.2))


def shot(alpha: Image.Image, kind: str) -> Image.Image:
    image = backdrop(kind)
    image.paste(BROWN, mask=alpha)
    grain = np.random.default_rng(5).normal(0, 1.5, (SIZE[1], SIZE[0], 1))
    return Image.fromarray((np.asarray(image) + grain).clip(0, 255).astype(np.uint8))


def errors(alpha: Image.Image, guide: Image.Image) -> tuple[float, float]:
    """Mean error in the soft band, of 255: ours, and bicubic interpolation's."""
    small = alpha.resize(SENT, Image.Resampling.BOX)
    truth, ours, bicubic = (
        np.asarray(each, np.float64)
        for each in (alpha, upsample(small, guide), small.resize(SIZE, Image.Resampling.BICUBIC))
    )
    band = ((truth > 0) & (truth < 255)) | ((bicubic > 0) & (bicubic < 255))
    return np.abs(ours - truth)[band].mean(), np.abs(bicubic - truth)[band].mean()


def test_hair_at_full_size_follows_the_original() -> None:
    ours, bicubic = errors(strands(), shot(strands(), "green"))

    assert ours <= 8
    assert ours < bicubic / 3


def test_hair_that_the_frame_cuts_follows_the_original_up_to_the_frame() -> None:
    within = (450, 300, 750, 500)
    alpha, guide = strands().crop(within), shot(strands(), "green").crop(within)
    full = np.asarray(upsample(alpha.resize((125, 83), Image.Resampling.BOX), guide), np.float64)
    off = np.abs(full - np.asarray(alpha))
    inner = off[8:-8, 8:-8].mean()

    for side in (off[:8], off[-8:], off[:, :8].T, off[:, -8:].T):
        assert side.mean() <= 1.5 * inner


def test_where_the_original_explains_nothing_bicubic_interpolation_is_used() -> None:
    """A picture whose colours have nothing to do with the alpha, as where a subject has the colours of its backdrop."""
    ours, bicubic = errors(strands(), shot(Image.new("L", SIZE, 0), "noise"))

    assert ours <= 1.05 * bicubic


def test_what_is_solid_or_clear_in_the_answer_stays_so() -> None:
    for level in (0, 255):
        small = Image.new("L", SENT, level)

        assert upsample(small, shot(strands(), "noise")).getextrema() == (level, level)


def test_the_backdrop_s_colour_is_taken_out_of_the_soft_edge() -> None:
    alpha = strands()
    picture = shot(alpha, "green")
    levels, before = np.asarray(alpha), np.asarray(picture).astype(float)
    after = np.asarray(own_colours(picture, alpha)).astype(float)
    soft, solid = (levels > 100) & (levels < 156), (levels == 0) | (levels == 255)

    assert np.abs(after - BROWN)[soft].mean() < np.abs(before - BROWN)[soft].mean() / 4
    assert (after == before)[solid].all()


def test_a_shadow_does_not_take_the_colour_of_its_subject() -> None:
    alpha = Image.new("L", SIZE, 0)
    ImageDraw.Draw(alpha).ellipse((250, 500, 950, 700), fill=140)
    alpha = alpha.filter(ImageFilter.GaussianBlur(15))
    picture = Image.new("RGB", SIZE, (235, 235, 235))
    picture.paste((0, 0, 0), mask=alpha)
    for image, colour in ((alpha, 255), (picture, (170, 60, 50))):
        ImageDraw.Draw(image).ellipse((400, 100, 800, 560), fill=colour)
    levels = np.asarray(alpha)
    shadow = np.asarray(own_colours(picture, alpha)).astype(float)[(levels > 60) & (levels < 140)]

    assert (shadow.max(axis=1) - shadow.min(axis=1)).mean() < 12
    assert shadow.mean() < 40


def test_the_whole_of_a_glass_loses_the_backdrop_s_colour() -> None:
    """Also its middle, far from anything solid and anything clear."""
    alpha = Image.new("L", SIZE, 0)
    ImageDraw.Draw(alpha).ellipse((200, 50, 1000, 750), fill=230)
    ImageDraw.Draw(alpha).ellipse((240, 85, 960, 715), fill=90)
    picture = Image.new("RGB", SIZE, (150, 190, 120))
    picture.paste((110, 130, 135), mask=alpha)
    middle = np.asarray(own_colours(picture, alpha)).astype(float)[350:450, 550:650]

    assert np.abs(middle - (110, 130, 135)).mean() < 12


def test_a_pixel_that_is_no_mixture_of_both_sides_stays() -> None:
    """A wrong alpha must not repaint the subject."""
    alpha = Image.new("L", SIZE, 0)
    alpha.paste(255, (300, 200, 900, 600))
    alpha.paste(128, (590, 390, 610, 410))
    picture = Image.new("RGB", SIZE, (230, 230, 230))
    picture.paste((200, 40, 40), (300, 200, 900, 600))
    picture.putpixel((600, 400), (20, 220, 20))

    assert own_colours(picture, alpha).getpixel((600, 400)) == (20, 220, 20)


@pytest.mark.parametrize(("small", "large"), [((500, 333), (1200, 800)), ((1, 1), (3, 3)), ((97, 400), (101, 417))])
def test_tiles_cover_every_pixel_once(small: tuple[int, int], large: tuple[int, int]) -> None:
    count = np.zeros((large[1], large[0]), int)
    for tile in tiles(small, large, 6):
        left, top, right, bottom = tile.full
        count[top:bottom, left:right] += 1
        assert 0 <= tile.around[0] <= tile.around[2] <= small[0]
        assert 0 <= tile.around[1] <= tile.around[3] <= small[1]

    assert (count == 1).all()


def test_no_seam_shows_between_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """With its margin, a tile has the values that one tile over the whole picture has."""
    small, guide = strands().resize(SENT, Image.Resampling.BOX), shot(strands(), "green")
    tiled = np.asarray(upsample(small, guide)).astype(int)
    monkeypatch.setattr("bg_pipeline.imaging.tiles._SIDE_PX", 2 * SIZE[0])

    assert np.abs(np.asarray(upsample(small, guide)).astype(int) - tiled).max() <= 1
