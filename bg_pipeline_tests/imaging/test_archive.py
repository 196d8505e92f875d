"""remove.bg's ZIP, whole and hostile."""

import io
import struct
import warnings
import zipfile
from collections.abc import Callable

import pytest
from PIL import Image

from bg_pipeline.core.checks import CheckLimits
from bg_pipeline.errors import UnusableAnswer
from bg_pipeline.imaging import archive
from bg_pipeline.imaging.archive import compose
from bg_pipeline.imaging.pictures import prepare, validate_answer
from bg_pipeline_tests.adapters.clients import zipped
from bg_pipeline_tests.pictures import cutout_of, encoded, opened, product

CUTOUT = cutout_of(product(1))


def test_colours_and_alpha_become_the_cutout_of_what_was_sent() -> None:
    sent = prepare(product(1, size=(120, 80)), 2500)

    assert validate_answer(compose(zipped(cutout_of(sent.image))), sent, CheckLimits()).suspicion == ""


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


BAD: dict[str, tuple[Callable[[], bytes], str]] = {
    "nothing": (lambda: b"", "BadZipFile"),
    "no zip": (lambda: b"PK\x03\x04 and nothing else", "BadZipFile"),
    "cut short": (lambda: zipped(CUTOUT)[:-40], "BadZipFile"),
    "a flipped byte": (lambda: zipped(CUTOUT).replace(b"IDAT", b"IDAX"), "BadZipFile"),
    "empty": (lambda: zipped(CUTOUT, color_jpg=None, alpha_png=None), "0 entries"),
    "no alpha": (lambda: zipped(CUTOUT, alpha_png=None), "0 entries"),
    "no colours": (lambda: zipped(CUTOUT, color_jpg=None), "0 entries"),
    "other names": (lambda: zipped(CUTOUT, alpha_png=None, Alpha_png=grey()), "0 entries"),
    "a path": (lambda: zipped(CUTOUT, alpha_png=None, **{"../alpha_png": grey()}), "0 entries"),
    "an absolute path": (lambda: zipped(CUTOUT, alpha_png=None, **{"/alpha_png": grey()}), "0 entries"),
    "a folder": (lambda: zipped(CUTOUT, alpha_png=None, **{"alpha_png/": b""}), "0 entries"),
    "one name twice": (twice, "2 entries"),
    "too many entries": (lambda: zipped(CUTOUT, a=b"", b=b"", c=b""), "holds 5 entries"),
    "a bomb": (lambda: packed(alpha_png=bytes(40_000_000)), "unpacks to more"),
    "another method": (lambda: packed(zipfile.ZIP_LZMA), "not allowed"),
    "a lie about its size": (lying, "BadZipFile"),
    "a password": (locked, "RuntimeError"),
    "sizes that differ": (lambda: zipped(CUTOUT, alpha_png=grey((47, 32))), "differ in size"),
    "an alpha in colour": (lambda: zipped(CUTOUT, alpha_png=grey(mode="RGB")), "not greyscale"),
    "an alpha with alpha": (lambda: zipped(CUTOUT, alpha_png=grey(mode="RGBA")), "not greyscale"),
    "an alpha as JPEG": (lambda: zipped(CUTOUT, alpha_png=product(1, kind="JPEG")), "UnidentifiedImageError"),
    "colours as PNG": (lambda: zipped(CUTOUT, color_jpg=product(1)), "UnidentifiedImageError"),
    "a picture cut short": (lambda: zipped(CUTOUT, color_jpg=product(1, kind="JPEG")[:-200]), "OSError"),
    "a page": (lambda: zipped(CUTOUT, color_jpg=b"<html>"), "UnidentifiedImageError"),
    "too many pixels": (lambda: zipped(CUTOUT, alpha_png=grey((10_000, 10_000))), "100 megapixels"),
}


@pytest.mark.parametrize(("make", "why"), BAD.values(), ids=BAD)
def test_a_bad_zip_is_an_unusable_answer(make: Callable[[], bytes], why: str) -> None:
    with pytest.raises(UnusableAnswer, match=why):
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
