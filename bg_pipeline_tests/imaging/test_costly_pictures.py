"""A small file that asks for much work is refused at once, and says why."""

import io
import struct
import time
from contextlib import suppress

import pytest
from PIL import Image

from bg_pipeline.errors import ItemUnreadable
from bg_pipeline.imaging.jpeg import MAX_SCANS
from bg_pipeline.imaging.pictures import prepare, thumbnail
from bg_pipeline_tests.pictures import product


def progressive(scans: int, size: tuple[int, int] = (640, 480)) -> bytes:
    """A progressive JPEG whose last scan is repeated up to so many."""
    out = io.BytesIO()
    Image.effect_noise(size, 60).save(out, "JPEG", progressive=True)
    data = out.getvalue()
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * (scans - data.count(b"\xff\xda") + 1) + data[-2:]


def directories(count: int) -> bytes:
    """A TIFF with so many pictures of one pixel."""
    entries = [(256, 3, 1, 1), (257, 3, 1, 1), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 1, 8)]
    entries += [(277, 3, 1, 1), (278, 3, 1, 1), (279, 4, 1, 1)]
    size = 2 + 12 * len(entries) + 4
    body = b"".join(
        struct.pack("<H", len(entries))
        + b"".join(struct.pack("<HHII", *entry) for entry in entries)
        + struct.pack("<I", 12 + (n + 1) * size if n + 1 < count else 0)
        for n in range(count)
    )
    return struct.pack("<2sHI4x", b"II", 42, 12) + body


def frames(kind: str, count: int) -> bytes:
    out = io.BytesIO()
    pictures = [Image.new("L", (1, 1), n % 2 * 255) for n in range(count)]
    pictures[0].save(out, kind, save_all=True, append_images=pictures[1:])
    return out.getvalue()


@pytest.mark.parametrize(
    ("source", "said"),
    [
        pytest.param(progressive(5000), f"more than {MAX_SCANS} scans", id="JPEG of 5,000 scans"),
        pytest.param(directories(100_000), "more than one picture", id="TIFF of 100,000 directories"),
        pytest.param(frames("GIF", 20_000), "more than one picture", id="GIF of 20,000 frames"),
        pytest.param(frames("PNG", 5_000), "more than one picture", id="APNG of 5,000 frames"),
        pytest.param(frames("WEBP", 5_000), "more than one picture", id="WebP of 5,000 frames"),
    ],
)
def test_it_is_refused_without_the_work(source: bytes, said: str) -> None:
    before = time.process_time()
    with pytest.raises(ItemUnreadable, match=said):
        prepare(source, 2500)
    with suppress(ItemUnreadable):  # of many pictures, a page shows the first
        thumbnail(source, 320)

    # The processor's time, not the wall's: all of these took many seconds to be read to their end.
    assert time.process_time() - before < 2


def test_a_jpeg_of_few_scans_and_a_film_behind_it_is_a_picture() -> None:
    film = b"\x00\xff\xda" * 10_000

    assert prepare(progressive(20) + film, 2500).width_px == 640
    assert prepare(product(1, kind="JPEG") + film, 2500).width_px


def test_a_tiff_of_one_directory_is_a_picture() -> None:
    assert prepare(directories(1), 2500).width_px == 1
