"""remove.bg's ZIP, whole and hostile."""

import io
import struct
import warnings
import zipfile
from collections.abc import Callable

import pytest
from PIL import Image

from bg_pipeline.errors import UnusableAnswer
from bg_pipeline.imaging import archive
from bg_pipeline.imaging.archive import compose
from bg_pipeline.imaging.pictures import check, prepare
from bg_pipeline_tests.adapters.clients import zipped
from bg_pipeline_tests.pictures import cutout_of, encoded, opened, product

CUTOUT = cutout_of(product(1))


def test_colours_and_alpha_become_the_cutout_of_what_was_sent() -> None:
    sent = prepare(product(1, size=(120, 80)), 2500)

    assert check(compose(zipped(cutout_of(sent.image))), sent).suspicion == ""


@pytest.mark.parametrize("mode", ["1", "L"])
def test_the_alpha_may_have_one_bit_or_eight(mode: str) -> None:
    alpha = encoded(opened(CUTOUT).getchannel("A").convert(mode))

    assert opened(compose(zipped(CUTOUT, alpha_png=alpha))).getchannel("A").getextrema() == (0, 255)


def grey(size: tuple[int, int] = (48, 32), mode: str = "L") -> bytes:
    return encoded(Image.new(mode, size))


def packed(method: int = zipfile.ZIP_DEFLATED, **entries: bytes) -> bytes:
    out = io.BytesIO()
    usual = {"color.jpg": encoded(opened(CUTOUT).convert("RGB"), "JPEG"), "alpha.png": grey()}
    with zipfile.ZipFile(out, "w", method) as made:
        for name, data in {**usual, **{n.replace("_", "."): d for n, d in entries.items()}}.items():
            made.writestr(name, data)
    return out.getvalue()


def twice() -> bytes:
    out = io.BytesIO(zipped(CUTOUT))
    with warnings.catch_warnings(), zipfile.ZipFile(out, "a") as made:
        warnings.simplefilter("ignore")
        made.writestr("alpha.png", grey())
    return out.getvalue()


def lying() -> bytes:
    """It declares that its alpha unpacks to ten bytes."""
    data = bytearray(packed(alpha_png=bytes(100_000)))
    entry = data.rindex(b"PK\x01\x02")
    data[entry + 24 : entry + 28] = struct.pack("<I", 10)
    return bytes(data)


def locked() -> bytes:
    data = bytearray(zipped(CUTOUT))
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    return bytes(data)


BAD: dict[str, Callable[[], bytes]] = {
    "nothing": lambda: b"",
    "no zip": lambda: b"PK\x03\x04 and nothing else",
    "cut short": lambda: zipped(CUTOUT)[:-40],
    "a flipped byte": lambda: zipped(CUTOUT).replace(b"IDAT", b"IDAX"),
    "empty": lambda: zipped(CUTOUT, color_jpg=None, alpha_png=None),
    "no alpha": lambda: zipped(CUTOUT, alpha_png=None),
    "no colours": lambda: zipped(CUTOUT, color_jpg=None),
    "other names": lambda: zipped(CUTOUT, alpha_png=None, Alpha_png=grey()),
    "a path": lambda: zipped(CUTOUT, alpha_png=None, **{"../alpha_png": grey()}),
    "an absolute path": lambda: zipped(CUTOUT, alpha_png=None, **{"/alpha_png": grey()}),
    "a folder": lambda: zipped(CUTOUT, alpha_png=None, **{"alpha_png/": b""}),
    "one name twice": twice,
    "too many entries": lambda: zipped(CUTOUT, a=b"", b=b"", c=b""),
    "a bomb": lambda: packed(alpha_png=bytes(40_000_000)),
    "a bomb by another method": lambda: packed(zipfile.ZIP_LZMA, alpha_png=bytes(2_000_000)),
    "a lie about its size": lying,
    "a password": locked,
    "sizes that differ": lambda: zipped(CUTOUT, alpha_png=grey((47, 32))),
    "an alpha in colour": lambda: zipped(CUTOUT, alpha_png=grey(mode="RGB")),
    "an alpha with alpha": lambda: zipped(CUTOUT, alpha_png=grey(mode="RGBA")),
    "an alpha as JPEG": lambda: zipped(CUTOUT, alpha_png=encoded(Image.new("L", (48, 32)), "JPEG")),
    "colours as PNG": lambda: zipped(CUTOUT, color_jpg=encoded(opened(CUTOUT).convert("RGB"))),
    "a picture cut short": lambda: zipped(CUTOUT, color_jpg=product(1, kind="JPEG")[:-200]),
    "a page": lambda: zipped(CUTOUT, color_jpg=b"<html>"),
    "too many pixels": lambda: zipped(CUTOUT, alpha_png=grey((8000, 8000))),
}


@pytest.mark.parametrize("make", BAD.values(), ids=BAD)
def test_a_bad_zip_is_an_unusable_answer(make: Callable[[], bytes]) -> None:
    with pytest.raises(UnusableAnswer):
        compose(make())


def test_nothing_is_unpacked_beyond_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """40 MB of zeros in 40 KB: what is read stops at the limit."""
    read: list[int] = []
    whole = zipfile.ZipExtFile.read

    def counted(self: zipfile.ZipExtFile, n: int | None = -1) -> bytes:
        data = whole(self, n)
        read.append(len(data))
        return data

    monkeypatch.setattr(zipfile.ZipExtFile, "read", counted)
    with pytest.raises(UnusableAnswer, match="unpacks to more"):
        compose(packed(alpha_png=bytes(40_000_000)))
    assert sum(read) < 10_000_000


def test_a_picture_that_packs_well_is_no_bomb(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "_MAX_RATIO", 2)
    flat = Image.new("RGB", (600, 600), "white")
    packs_well = packed(
        color_jpg=encoded(flat, "JPEG"), alpha_png=encoded(Image.new("L", (600, 600), 255), compress_level=0)
    )

    assert opened(compose(packs_well)).size == (600, 600)
