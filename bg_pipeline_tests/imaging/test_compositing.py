"""Whose colours are published, at which size, under which alpha."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from bg_pipeline.core.checks import CheckLimits
from bg_pipeline.core.recipe import Rendition
from bg_pipeline.core.records import Use
from bg_pipeline.imaging import rendering
from bg_pipeline.imaging.alpha import packed
from bg_pipeline.imaging.pictures import prepare, validate_answer
from bg_pipeline_tests.pictures import cutout_of, encoded, opened, render

SIZES = [pytest.param((300, 200), id="as large as sent"), pytest.param((900, 600), id="larger than sent")]
SENT_PX = 300


def picture(size: tuple[int, int]) -> Image.Image:
    """A box in three colours on grey."""
    image = Image.new("RGB", size, (200, 200, 200))
    width, height = size
    for n, colour in enumerate(((180, 40, 30), (30, 140, 60), (40, 50, 170))):
        left = width // 4 + n * width // 6
        ImageDraw.Draw(image).rectangle((left, height // 4, left + width // 6, height * 3 // 4), fill=colour)
    return image


def tinted(master: bytes) -> bytes:
    """The answer with a watermark across its subject, and a shadow below it."""
    image = opened(master)
    ImageDraw.Draw(image).line((0, 0, *image.size), (255, 255, 255, 255), 9)
    width, height = image.size
    ImageDraw.Draw(image).rectangle((width // 4, height * 4 // 5, width * 3 // 4, height * 5 // 6), fill=(0, 0, 0, 90))
    return encoded(image)


def published(size: tuple[int, int], use: Use) -> tuple[Image.Image, Image.Image]:
    source = encoded(picture(size))
    master = tinted(cutout_of(prepare(source, SENT_PX).image))
    return opened(render(source, master, Rendition(), use)), opened(master)


@pytest.mark.parametrize("size", SIZES)
def test_the_alpha_of_an_answer_is_put_on_the_source_s_own_colours(size: tuple[int, int]) -> None:
    image, _ = published(size, Use.ALPHA)
    solid = np.asarray(image.getchannel("A")) == 255

    assert image.size == size
    assert solid.mean() > 0.2
    assert (np.asarray(image)[solid][:, :3] == np.asarray(picture(size))[solid]).all()


@pytest.mark.parametrize("size", SIZES)
def test_the_colours_of_an_answer_that_were_bought_are_published(size: tuple[int, int]) -> None:
    image, master = published(size, Use.PICTURE)
    below = (size[0] // 2, round(size[1] * 0.815))

    assert image.size == size
    assert image.getpixel((size[0] // 2, size[1] // 2)) == (255, 255, 255, 255)
    assert image.getpixel(below) == (0, 0, 0, 90)
    if size == master.size:
        seen = np.asarray(master)[..., 3] > 0
        assert (np.asarray(image)[seen] == np.asarray(master)[seen]).all()


@pytest.mark.parametrize("size", SIZES)
def test_an_answer_that_is_used_whole_keeps_its_own_size(size: tuple[int, int]) -> None:
    image, master = published(size, Use.WHOLE)

    assert image.size == master.size
    assert image.getpixel((150, 100)) == (255, 255, 255, 255)


def test_an_answer_of_an_unknown_cut_keeps_its_colours_unless_detail_would_be_lost() -> None:
    same, larger = (published(size, Use.UNDECLARED)[0] for size in ((300, 200), (900, 600)))

    assert same.getpixel((150, 100)) == (255, 255, 255, 255)
    assert larger.size == (900, 600)
    assert larger.getpixel((450, 300))[:3] == picture((900, 600)).getpixel((450, 300))  # type: ignore[index]


@pytest.mark.parametrize("size", SIZES)
def test_transparency_that_the_source_has_is_kept(size: tuple[int, int]) -> None:
    image = picture(size)
    clear = Image.new("L", size, 255)
    width, height = size
    ImageDraw.Draw(clear).rectangle((width // 3, height // 3, width // 2, height // 2), fill=0)
    ImageDraw.Draw(clear).rectangle((width // 2 + 9, height // 3, width * 2 // 3, height // 2), fill=100)
    image.putalpha(clear)
    source = encoded(image)
    cut = np.asarray(opened(render(source, cutout_of(prepare(source, SENT_PX).image), Rendition(), Use.ALPHA)))

    assert cut[height * 2 // 5, width * 2 // 5, 3] == 0
    assert (cut[height * 2 // 5, width * 3 // 5] == (*picture(size).getpixel((width * 3 // 5, height // 2)), 100)).all()  # type: ignore[misc]
    assert cut[height * 3 // 5, width // 2, 3] == 255


@pytest.mark.parametrize("size", SIZES)
def test_the_alpha_of_a_checked_answer_gives_the_same_output_as_the_answer(size: tuple[int, int]) -> None:
    source = encoded(picture(size))
    sent = prepare(source, SENT_PX)
    answer = cutout_of(sent.image)
    alpha = validate_answer(answer, sent, CheckLimits()).alpha

    (made,) = rendering.render(source, b"not opened", [Rendition()], Use.ALPHA, alpha)

    assert made == render(source, answer, Rendition(), Use.ALPHA)


@pytest.mark.parametrize("use", [use for use in Use if use is not Use.ALPHA])
def test_where_colours_of_an_answer_count_its_alpha_alone_is_not_used(use: Use) -> None:
    source, alpha = encoded(picture((300, 200))), packed(Image.new("L", (300, 200), 99))
    answer = tinted(cutout_of(source))

    (made,) = rendering.render(source, answer, [Rendition()], use, alpha)

    assert made == render(source, answer, Rendition(), use)


def test_an_answer_that_rounding_gave_another_shape_is_used_whole() -> None:
    source, answer = encoded(picture((1000, 8))), encoded(Image.new("RGBA", (300, 2), (9, 8, 7, 200)))

    (made,) = rendering.render(source, answer, [Rendition()], Use.ALPHA, packed(opened(answer).getchannel("A")))

    assert made == render(source, answer, Rendition(), Use.ALPHA)
    assert opened(made).size == (300, 2)
