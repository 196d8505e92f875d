"""Every common format comes in as upright sRGB; the files are made by other software where that is possible."""

import io
import struct
import sys
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms
from simplejpeg import encode_jpeg

from bg_pipeline.core.media import Animated
from bg_pipeline.core.recipe import Rendition
from bg_pipeline.core.records import Use
from bg_pipeline.errors import ItemSkipped, ItemUnreadable
from bg_pipeline.imaging import decoding
from bg_pipeline.imaging.colour import _press
from bg_pipeline.imaging.decoding import admit, decode
from bg_pipeline.imaging.pictures import prepare
from bg_pipeline.imaging.profiles import ADOBE_RGB, Primaries, gamma, of_codes, rgb_profile
from bg_pipeline_tests.pictures import cutout_of, encoded, heic, render

Pixel = tuple[int, ...]

GREY = (51, 51, 51), (204, 204, 204)
COLOURS = (51, 204, 26), (204, 51, 102)
"""Left and right half of a picture, in sRGB."""

SIZE = (32, 16)


def halves(mode: str, *pair: Any) -> Image.Image:
    """A picture of two colours, side by side."""
    image = Image.new(mode, SIZE, pair[0])
    image.paste(pair[1], (SIZE[0] // 2, 0, *SIZE))
    return image


RGB = halves("RGB", *COLOURS)
L = halves("L", 51, 204)
SHARES = np.asarray(L) / 255


def tiff(values: Any, photometric: str = "minisblack", **options: Any) -> bytes:
    out = io.BytesIO()
    tifffile.imwrite(out, values, photometric=photometric, **options)
    return out.getvalue()


def with_chunk(png: bytes, name: bytes, content: bytes) -> bytes:
    """A PNG with one more chunk, behind its header."""
    chunk = struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
    return png[:33] + chunk + png[33:]


def seen(source: bytes) -> tuple[Pixel, Pixel]:
    image = decode(source)
    assert image.size == SIZE
    left, right = image.getpixel((4, 8)), image.getpixel((27, 8))
    assert isinstance(left, tuple)
    assert isinstance(right, tuple)
    return left, right


def near(pair: tuple[Pixel, Pixel], wanted: tuple[Pixel, Pixel], tolerance: int = 4) -> bool:
    apart = [abs(a - b) for one, other in zip(pair, wanted, strict=True) for a, b in zip(one, other, strict=True)]
    return max(apart) <= tolerance


def through(profile: bytes, pair: tuple[Pixel, Pixel], mode: str = "RGB") -> tuple[Pixel, Pixel]:
    """What another program shows for a profile: littleCMS, in floats of its own pipeline."""
    image = ImageCms.profileToProfile(
        halves(mode, *pair), io.BytesIO(profile), ImageCms.createProfile("sRGB"), outputMode="RGB"
    )
    assert image is not None
    left, right = image.getpixel((4, 8)), image.getpixel((27, 8))
    return left, right  # type: ignore[return-value]


DISPLAY_P3 = Primaries((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))
P3 = rgb_profile(DISPLAY_P3, gamma(2.2))

IN_P3 = (0, 208, 0), (222, 24, 101)
"""The two colours in Display P3, in sRGB, by the matrices of CSS Color 4."""


def grey_profile(exponent: float = 1.0) -> bytes:
    """A profile of version 2 for grey, with a pure power."""
    curve = struct.pack(">4s4xIH2x", b"curv", 1, round(exponent * 256))
    white = b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(v * 65536) for v in (0.9642, 1.0, 0.8249)))
    table, at, body = b"", 132 + 24, b""
    for name, content in ((b"wtpt", white), (b"kTRC", curve)):
        table += struct.pack(">4sII", name, at + len(body), len(content))
        body += content
    head = struct.pack(">8xI4s4s4s12x4s", 0x02400000, b"mntr", b"GRAY", b"XYZ ", b"acsp").ljust(68, b"\0")
    rest = (head + white[8:]).ljust(128, b"\0")[4:] + struct.pack(">I", 2) + table + body
    return struct.pack(">I", len(rest) + 4) + rest


LINEAR_GREY = tuple((v, v, v) for v in (124, 231))
"""51 and 204 as light, in sRGB: 12.92 and 1.055 of IEC 61966-2-1."""

INKS = (204, 51, 229, 26), (20, 180, 60, 0)


def inverted(values: Any) -> Any:
    return 1 - values if values.dtype.kind == "f" else np.iinfo(values.dtype).max - values


def wide() -> Image.Image:
    return Image.fromarray(np.asarray(L).astype("u2") * 257)


def as_lab() -> Image.Image:
    lab = ImageCms.profileToProfile(
        RGB, ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
    )
    assert lab is not None
    lab.info = {}
    return lab


def without_adobe() -> bytes:
    """A CMYK JPEG that is not inverted: Pillow inverts, so the inks are given inverted, and the marker is cut out."""
    turned = halves("CMYK", *(tuple(255 - ink for ink in inks) for inks in INKS))
    jpeg = encoded(turned, "JPEG", quality=98)
    at = jpeg.index(b"\xff\xee")
    return jpeg[:at] + jpeg[at + 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big") :]


def dcf() -> Image.Exif:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA001] = 0xFFFF
    exif.get_ifd(0x8769)[0xA005] = {1: "R03", 2: b"0100"}
    return exif


SOURCES: Mapping[str, tuple[Callable[[], bytes], tuple[Any, Any]]] = {
    "JPEG": (lambda: encoded(RGB, "JPEG", quality=95, subsampling=0), COLOURS),
    "progressive JPEG": (lambda: encoded(RGB, "JPEG", quality=95, subsampling=0, progressive=True), COLOURS),
    "grey JPEG": (lambda: encoded(L, "JPEG", quality=95), GREY),
    "JPEG of libjpeg-turbo": (lambda: encode_jpeg(np.asarray(RGB), quality=95, colorsubsampling="444"), COLOURS),
    "CMYK JPEG with a profile": (
        lambda: encoded(halves("CMYK", *INKS), "JPEG", quality=98, icc_profile=_press()),
        through(_press(), INKS, "CMYK"),
    ),
    "CMYK JPEG of Adobe without a profile": (
        lambda: encoded(halves("CMYK", *INKS), "JPEG", quality=98),
        through(_press(), INKS, "CMYK"),
    ),
    "CMYK JPEG without Adobe's marker": (without_adobe, through(_press(), INKS, "CMYK")),
    "CMYK TIFF": (lambda: encoded(halves("CMYK", *INKS), "TIFF"), through(_press(), INKS, "CMYK")),
    "palette PNG": (lambda: encoded(RGB.convert("P", palette=Image.Palette.ADAPTIVE), "PNG"), COLOURS),
    "palette PNG with tRNS": (
        lambda: encoded(RGB.convert("P", palette=Image.Palette.ADAPTIVE), "PNG", transparency=bytes([255, 255, 0])),
        tuple((*colour, 255) for colour in COLOURS),
    ),
    "grey PNG with tRNS": (lambda: encoded(L, "PNG", transparency=51), ((51, 51, 51, 0), (204, 204, 204, 255))),
    "PNG with tRNS": (lambda: encoded(RGB, "PNG", transparency=COLOURS[0]), ((*COLOURS[0], 0), (*COLOURS[1], 255))),
    "grey PNG with alpha": (
        lambda: encoded(Image.merge("LA", (L, L)), "PNG"),
        ((51, 51, 51, 51), (204, 204, 204, 204)),
    ),
    "16-bit grey PNG": (lambda: encoded(wide()), GREY),
    "16-bit grey PNG with tRNS": (
        lambda: encoded(wide(), "PNG", transparency=13107),
        ((51, 51, 51, 0), (204, 204, 204, 255)),
    ),
    "WebP": (lambda: encoded(RGB, "WEBP", lossless=True), COLOURS),
    "AVIF": (lambda: encoded(RGB, "AVIF", quality=100, subsampling="4:4:4"), COLOURS),
    "BMP": (lambda: encoded(RGB, "BMP"), COLOURS),
    "GIF": (lambda: encoded(RGB.convert("P", palette=Image.Palette.ADAPTIVE), "GIF"), COLOURS),
    "MPO": (lambda: encoded(RGB, "MPO", quality=95, subsampling=0, save_all=True, append_images=[L]), COLOURS),
    "JPEG 2000": (lambda: encoded(RGB, "JPEG2000"), COLOURS),
    "HEIC": (lambda: heic(RGB, chroma=444), COLOURS),
    "TIFF": (lambda: tiff(np.asarray(RGB), "rgb"), COLOURS),
    "BigTIFF": (lambda: tiff(np.asarray(RGB), "rgb", bigtiff=True), COLOURS),
    "16-bit TIFF": (lambda: tiff(np.asarray(RGB).astype("u2") * 257, "rgb"), COLOURS),
    "big-endian 16-bit TIFF": (lambda: tiff(np.asarray(RGB).astype("u2") * 257, "rgb", byteorder=">"), COLOURS),
    "Lab TIFF": (lambda: encoded(as_lab(), "TIFF", icc_profile=None), COLOURS),
    **{
        f"{order} {name} TIFF, {photometric}": (
            lambda values=values, order=order, photometric=photometric: tiff(
                values if photometric == "minisblack" else inverted(values), photometric, byteorder=order
            ),
            GREY,
        )
        for name, values in {
            "8-bit grey": np.asarray(L),
            "16-bit grey": np.asarray(L).astype("u2") * 257,
            "32-bit grey": (SHARES * (2**32 - 1)).astype("u4"),
            "float": SHARES.astype("f4"),
        }.items()
        for order in "<>"
        for photometric in ("minisblack", "miniswhite")
    },
    "signed 32-bit grey TIFF": (lambda: tiff((SHARES * (2**31 - 1)).astype("i4")), GREY),
    "wide gamut": (lambda: encoded(RGB, "PNG", icc_profile=P3), through(P3, COLOURS)),
    "wide gamut in a palette": (
        lambda: encoded(RGB.convert("P", palette=Image.Palette.ADAPTIVE), "PNG", icc_profile=P3),
        through(P3, COLOURS),
    ),
    "grey with a profile": (lambda: encoded(L, "PNG", icc_profile=grey_profile()), LINEAR_GREY),
    "grey and alpha with a profile": (
        lambda: encoded(Image.merge("LA", (L, Image.new("L", SIZE, 90))), "PNG", icc_profile=grey_profile()),
        tuple((*pixel, 90) for pixel in LINEAR_GREY),
    ),
    "grey with a profile for colours": (lambda: encoded(L, "JPEG", quality=95, icc_profile=P3), GREY),
    "colours with a profile for grey": (lambda: encoded(RGB, "PNG", icc_profile=grey_profile()), COLOURS),
    "PNG with the gamma of sRGB": (lambda: with_chunk(encoded(RGB), b"gAMA", struct.pack(">I", 45455)), COLOURS),
    "PNG with a linear gamma": (lambda: with_chunk(encoded(L), b"gAMA", struct.pack(">I", 100000)), LINEAR_GREY),
    "PNG with cHRM of Adobe RGB": (
        lambda: with_chunk(
            with_chunk(encoded(RGB), b"gAMA", struct.pack(">I", 45455)),
            b"cHRM",
            struct.pack(">8I", 31270, 32900, 64000, 33000, 21000, 71000, 15000, 6000),
        ),
        through(rgb_profile(ADOBE_RGB, gamma(2.2)), COLOURS),
    ),
    "PNG with cICP of Display P3": (lambda: with_chunk(encoded(RGB), b"cICP", bytes([12, 13, 0, 1])), IN_P3),
    "cICP counts before a profile": (
        lambda: with_chunk(encoded(RGB, "PNG", icc_profile=grey_profile()), b"cICP", bytes([12, 13, 0, 1])),
        IN_P3,
    ),
    "HEIC with nclx of Display P3": (
        lambda: heic(RGB, chroma=444, color_primaries=12, transfer_characteristics=13),
        IN_P3,
    ),
    "Adobe RGB by DCF": (
        lambda: encoded(RGB, "JPEG", quality=98, subsampling=0, exif=dcf()),
        through(rgb_profile(ADOBE_RGB, gamma(563 / 256)), COLOURS),
    ),
}


@pytest.mark.parametrize("kind", SOURCES)
def test_a_picture_comes_in_with_its_true_colours(kind: str) -> None:
    make, wanted = SOURCES[kind]
    assert near(seen(make()), wanted), (seen(make()), wanted)


def test_what_is_brighter_than_white_is_white() -> None:
    """PQ: 203 nits are white (BT.2408), and their signal is 0.58."""
    bright = with_chunk(encoded(halves("RGB", (200,) * 3, (148,) * 3)), b"cICP", bytes([9, 16, 0, 1]))
    assert near(seen(bright), ((255,) * 3, (255,) * 3), 4)


@pytest.mark.parametrize("kind", ["HEIC", "AVIF", "WEBP", "TIFF", "PNG", "JPEG", "MPO"])
def test_a_picture_is_upright_in_every_format(kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = RGB.transpose(Image.Transpose.ROTATE_90)
    assert near(
        seen(heic(stored, exif=exif.tobytes()) if kind == "HEIC" else encoded(stored, kind, exif=exif)), COLOURS, 12
    )


def test_values_of_an_unknown_range_are_refused() -> None:
    with pytest.raises(ItemUnreadable, match="black is 0 and white is 1"):
        decode(tiff((SHARES * 255).astype("f4")))


def pages(*, size: tuple[int, int] = (64, 48), second: tuple[int, int] = (64, 48), subfile: int = 0) -> bytes:
    out = io.BytesIO()
    with tifffile.TiffWriter(out) as made:
        for shape, kind in ((size, 0), (second, subfile)):
            if kind == 4:
                made.write(np.zeros(shape[::-1], bool), photometric="mask", subfiletype=kind)
            else:
                made.write(np.zeros((*shape[::-1], 3), "u1"), photometric="rgb", subfiletype=kind)
    return out.getvalue()


ONE = {
    "a preview as second page": pages(second=(32, 24), subfile=1),
    "a preview that is not marked": pages(second=(32, 24)),
    "a mask": pages(subfile=4),
    "the second picture of an MPO": encoded(RGB, "MPO", save_all=True, append_images=[RGB]),
    "a still GIF": encoded(RGB.convert("P"), "GIF"),
}
SEVERAL = {
    "two pages": pages(),
    "two pages of other shape": pages(second=(32, 32)),
    **{
        kind: encoded(RGB, kind, save_all=True, append_images=[RGB.transpose(Image.Transpose.FLIP_LEFT_RIGHT)])
        for kind in ("GIF", "WEBP", "PNG", "AVIF")
    },
}


@pytest.mark.parametrize("kind", ONE)
def test_what_belongs_to_one_picture_is_one_picture(kind: str) -> None:
    admit(ONE[kind], Animated.FAIL)


@pytest.mark.parametrize("kind", SEVERAL)
def test_several_pictures_are_taken_skipped_or_refused_as_set(kind: str) -> None:
    with pytest.raises(ItemUnreadable, match="BG_ANIMATED is fail"):
        prepare(SEVERAL[kind], 100, animated=Animated.FAIL)
    with pytest.raises(ItemSkipped, match="BG_ANIMATED is skip"):
        prepare(SEVERAL[kind], 100, animated=Animated.SKIP)
    sent = prepare(SEVERAL[kind], 100, animated=Animated.FIRST_FRAME).image
    if "pages" not in kind:
        assert near(seen(sent), COLOURS, 40)
    assert render(SEVERAL[kind], cutout_of(sent), Rendition(), Use.ALPHA)


def raw(**first: Any) -> bytes:
    """As in a camera raw file: a thumbnail first, and the whole picture behind it."""
    out = io.BytesIO()
    with tifffile.TiffWriter(out) as made:
        made.write(np.zeros((12, 16, 3), "u1"), photometric="rgb", subifds=1, **first)
        made.write(np.zeros((48, 64, 3), "u1"), photometric="rgb", subfiletype=0)
    return out.getvalue()


@pytest.mark.parametrize(
    ("source", "said"),
    [
        pytest.param(raw(subfiletype=1), "reduced copy", id="NEF, ARW"),
        pytest.param(raw(extratags=[(50706, "B", 4, b"\x01\x04\0\0", True)]), "camera raw", id="DNG"),
        pytest.param(b"II*\0\x10\0\0\0CR\x02\0" + bytes(4) + tiff(np.asarray(L))[8:], "cannot be read|raw", id="CR2"),
        pytest.param(b"<html>", "cannot be read", id="a page"),
        pytest.param(tiff(np.zeros((3, 8, 8), "u2"), "rgb", planarconfig="separate"), "stored apart", id="planar"),
    ],
)
def test_what_would_be_decoded_wrongly_is_refused(source: bytes, said: str) -> None:
    with pytest.raises(ItemUnreadable, match=said):
        prepare(source, 100)


def noise(**options: Any) -> bytes:
    return encoded(Image.effect_noise((300, 200), 50).convert("RGB"), "JPEG", quality=90, **options)


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}])
def test_a_jpeg_that_its_decoder_calls_corrupt_is_refused(options: Mapping[str, Any]) -> None:
    """Pillow decodes all of these without a word."""
    jpeg = noise(**options)
    middle = len(jpeg) // 2
    damaged = jpeg[:middle] + jpeg[middle + 500 :]
    decode(damaged)
    with pytest.raises(ItemUnreadable, match="damaged: Corrupt JPEG data"):
        prepare(damaged, 100)


def test_a_jpeg_that_is_filled_up_before_or_behind_its_end_is_whole() -> None:
    jpeg = noise()
    for whole in (jpeg, jpeg[:-2] + bytes(16) + jpeg[-2:], jpeg + bytes(5000), jpeg + b"\0\xff\xda" * 1000):
        prepare(whole, 100)


def test_heic_without_its_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    source = heic(RGB)
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(ItemUnreadable, match=r"pip install 'bg-pipeline\[heic\]'"):
        prepare(source, 100)


def test_the_limit_of_pixels_is_named_with_its_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 2_000_000)
    prepare(encoded(Image.new("L", (2000, 1000))), 100)
    for size in ((2000, 1001), (4000, 2000)):
        with pytest.raises(ItemUnreadable, match="BG_MAX_MEGAPIXELS is 2"):
            prepare(encoded(Image.new("L", size)), 100)


@pytest.mark.parametrize("kind", ["EPS", "PCX", "PPM", "SGI"])
def test_only_formats_that_somebody_asked_for_are_opened(kind: str) -> None:
    assert kind not in decoding.FORMATS
    with pytest.raises(ItemUnreadable):
        prepare(encoded(RGB, kind), 100)


def test_the_profile_for_printing_is_part_of_the_package() -> None:
    assert (Path(decoding.__file__).parent / "press.icc").read_bytes() == _press()
    assert of_codes(1, 13) is None
