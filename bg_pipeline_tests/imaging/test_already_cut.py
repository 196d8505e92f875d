"""A photo with a transparent rim is no cutout, and is sent without the edge of its rim."""

import io

import numpy as np
import pytest
from PIL import Image, ImageDraw

from bg_pipeline.imaging.already_cut import Kind, extended, kind_of
from bg_pipeline.imaging.pictures import prepare
from bg_pipeline_tests.corpus.drawn import OUTLINES, backdrop, draw
from bg_pipeline_tests.pictures import encoded


def photo(size: tuple[int, int] = (300, 200), kind: int = 3) -> Image.Image:
    """A product before a backdrop: coloured paper, or what `backdrop` makes besides."""
    behind, _ = backdrop(np.random.default_rng(1), size, kind)
    image = Image.fromarray(np.clip(behind, 0, 255).astype(np.uint8)).convert("RGBA")
    box = (size[0] // 3, size[1] // 4, size[0] * 2 // 3, size[1] * 3 // 4)
    ImageDraw.Draw(image).ellipse(box, fill=(250, 240, 30, 255))
    return image


def padded(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    frame = Image.new("RGBA", size)
    frame.paste(image, ((size[0] - image.width) // 2, (size[1] - image.height) // 2), image)
    return frame


def rounded(image: Image.Image, radius: int) -> Image.Image:
    mask = Image.new("L", image.size)
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, image.width - 1, image.height - 1), radius, fill=255)
    image.putalpha(mask)
    return image


PHOTOS = {
    "padded to a square": lambda: padded(photo(), (300, 300)),
    "with a rim": lambda: padded(photo(), (340, 240)),
    "with a wide rim": lambda: padded(photo(), (600, 500)),
    "straightened by 3 degrees": lambda: photo().rotate(3, expand=True),
    "straightened by -12 degrees": lambda: photo().rotate(-12, expand=True),
    "with rounded corners": lambda: rounded(photo(), 25),
    "of a scene, with a rim": lambda: padded(photo(kind=7), (320, 220)),
}


@pytest.mark.parametrize("name", PHOTOS)
def test_a_photo_with_transparent_parts_is_no_cutout(name: str) -> None:
    image = PHOTOS[name]()

    assert kind_of(image) is Kind.PHOTO
    assert not prepare(encoded(image), 2500).is_cutout


@pytest.mark.parametrize("number", range(len(OUTLINES)))
@pytest.mark.parametrize("radius", [0.25, 0.46])
def test_a_cutout_of_any_outline_is_one(number: int, radius: float) -> None:
    alpha = draw(OUTLINES[number](np.random.default_rng(number)), (240, 240), (0.5, 0.5, radius, 0.0))
    image = Image.new("RGBA", (240, 240), (180, 60, 40, 255))
    image.putalpha(Image.fromarray((alpha * 255).astype(np.uint8)))

    assert kind_of(image) is Kind.CUTOUT


def test_what_is_sent_of_such_a_photo_has_no_edge_at_its_rim() -> None:
    image = PHOTOS["with a rim"]()
    with Image.open(io.BytesIO(prepare(encoded(image), 2500).image)) as sent:
        pixels = np.asarray(sent.convert("RGB"), int)

    assert np.abs(np.diff(pixels[100, :60], axis=0)).max() < 12
    assert np.abs(pixels[100, 2] - pixels[100, 40]).max() < 20


def test_a_photo_keeps_its_own_pixels_when_it_is_extended() -> None:
    image = PHOTOS["with a rim"]()

    assert extended(image).crop((20, 20, 320, 220)).tobytes() == photo().convert("RGB").tobytes()


def test_a_drawing_that_reaches_the_frame_is_neither() -> None:
    image = Image.new("RGBA", (200, 200))
    ImageDraw.Draw(image).polygon([(0, 0), (199, 0), (100, 150), (0, 199)], fill=(1, 2, 3, 255))

    assert kind_of(image) is Kind.OTHER
