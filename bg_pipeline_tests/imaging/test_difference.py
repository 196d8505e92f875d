"""How two cutouts of a picture differ: measured on drawn ones, and held against the colours of another library."""

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw

from bg_pipeline.core.canary import Rating, Trial, rating_of
from bg_pipeline.errors import ItemUnreadable
from bg_pipeline.imaging.difference import measure_difference
from bg_pipeline_tests.pictures import encoded, opened


def cutout(
    box: tuple[int, int, int, int] = (100, 100, 300, 300),
    colour: tuple[int, int, int] = (180, 60, 40),
    size: tuple[int, int] = (400, 400),
) -> bytes:
    image = Image.new("RGBA", size, (0, 0, 0, 0))
    ImageDraw.Draw(image).rectangle(box, fill=(*colour, 255))
    return encoded(image)


def test_a_cutout_does_not_differ_from_itself_in_any_size_or_format() -> None:
    same = measure_difference(cutout(), cutout())
    twice = measure_difference(cutout(), cutout((200, 200, 601, 601), size=(800, 800)))
    as_webp = measure_difference(cutout(), encoded(opened(cutout()), "WEBP", lossless=True))

    assert (same.alpha, same.colour, same.changed, same.moved) == (0, 0, 0, 0)
    for each in (same, twice, as_webp):
        assert rating_of(Trial("a", "c", each)) is Rating.AS_BEFORE


def test_a_missing_part_shows_in_alpha_pixels_and_box() -> None:
    half = measure_difference(cutout(), cutout((100, 100, 300, 199)))

    assert half.alpha == pytest.approx(201 * 101 / 160_000)
    assert half.changed == pytest.approx(half.alpha)
    assert half.moved == pytest.approx(101 / 400)
    assert half.colour == 0
    assert rating_of(Trial("a", "c", half)) is Rating.CLEAR


def test_a_colour_cast_is_measured_as_other_libraries_measure_it() -> None:
    cast = measure_difference(cutout(), cutout(colour=(172, 66, 48)))
    both = np.array([[(180, 60, 40), (172, 66, 48)]], dtype=np.float32) / 255
    ((old, new),) = cv2.cvtColor(both, cv2.COLOR_RGB2LAB)

    assert cast.colour == pytest.approx(float(np.linalg.norm(old - new)), abs=0.05)
    assert (cast.alpha, cast.moved) == (0, 0)
    assert cast.changed == pytest.approx(201 * 201 / 160_000)


def test_an_empty_cutout_is_as_far_as_can_be() -> None:
    empty = encoded(Image.new("RGBA", (400, 400), (0, 0, 0, 0)))

    assert measure_difference(cutout(), empty).moved == 1.0
    assert measure_difference(empty, cutout()).moved == 1.0
    assert measure_difference(empty, empty).moved == 0.0


def test_outputs_on_a_background_are_compared_by_their_colours() -> None:
    white, red = (encoded(Image.new("RGB", (60, 40), each), "JPEG") for each in ("white", "red"))

    assert measure_difference(white, red).changed == 1.0
    assert measure_difference(white, red).colour > 50


def test_what_is_no_picture_is_an_error_of_the_item() -> None:
    with pytest.raises(ItemUnreadable):
        measure_difference(cutout(), b"nothing")
