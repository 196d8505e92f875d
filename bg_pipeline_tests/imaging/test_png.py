"""PNG of our own hand, read by programs of others."""

import io
import struct

import cv2
import numpy as np
import pytest
from PIL import Image

from bg_pipeline.imaging.png import png

BANDS = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4}


def grain(mode: str, size: tuple[int, int]) -> Image.Image:
    pixels = np.random.default_rng(6).integers(0, 256, (size[1], size[0], BANDS[mode])).astype(np.uint8)
    return Image.fromarray(pixels.squeeze(-1) if mode == "L" else pixels, mode)


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (70, 127), (70, 128), (70, 129), (640, 480)])
@pytest.mark.parametrize("mode", BANDS)
def test_every_reader_sees_the_same_pixels(mode: str, size: tuple[int, int]) -> None:
    """Pillow has its own decoder, OpenCV that of libpng. Both check every sum."""
    image = grain(mode, size)
    data = png(image)
    by_libpng = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)

    with Image.open(io.BytesIO(data)) as opened:
        opened.verify()
    with Image.open(io.BytesIO(data)) as opened:
        assert (opened.mode, opened.tobytes()) == (mode, image.tobytes())
    swapped = {"L": None, "LA": None, "RGB": cv2.COLOR_BGR2RGB, "RGBA": cv2.COLOR_BGRA2RGBA}[mode]
    if swapped is not None:
        assert (cv2.cvtColor(by_libpng, swapped) == np.asarray(image)).all()
    else:
        assert (np.asarray(by_libpng)[..., 0] if mode == "LA" else by_libpng).shape == size[::-1]


def test_a_file_has_nothing_but_the_picture() -> None:
    image = grain("RGBA", (300, 300))
    image.info = {"comment": "secret", "icc_profile": b"profile", "dpi": (300, 300)}
    data, at, names = png(image), 8, []
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        names.append(data[at + 4 : at + 8])
        at += 12 + length

    assert (names[0], set(names[1:-1]), names[-1]) == (b"IHDR", {b"IDAT"}, b"IEND")


def test_a_photograph_is_as_small_as_from_pillow() -> None:
    rng = np.random.default_rng(1)
    smooth = Image.fromarray(rng.integers(0, 256, (30, 45, 4)).astype(np.uint8)).resize((900, 600))
    image = Image.fromarray((np.asarray(smooth) + rng.normal(0, 1.5, (600, 900, 1))).clip(0, 255).astype(np.uint8))
    plain = io.BytesIO()
    image.save(plain, "PNG", compress_level=1)

    assert len(png(image)) < 1.1 * len(plain.getvalue())
