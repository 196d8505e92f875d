"""Nothing that a stranger wrote into a picture reaches the vendor, the masters, the shop or a gallery page."""

import base64
import io
import re
from collections.abc import Callable, Mapping

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from bg_pipeline.core.formats import Format
from bg_pipeline.core.recipe import Rendition
from bg_pipeline.core.records import Use
from bg_pipeline.imaging.encoding import encode
from bg_pipeline.imaging.page import sheet_html
from bg_pipeline.imaging.pictures import as_master, prepare, thumbnail
from bg_pipeline.imaging.profiles import srgb_profile
from bg_pipeline.imaging.sheet import Pair
from bg_pipeline_tests.pictures import cutout_of, encoded, heic, opened, product, render

CANARY = "canary of a customer; "
LONG = CANARY * 3500
"""Above 64 KiB, the most that a comment of a JPEG can have."""

OUR_OWN = re.compile("jfif.*|background|loop|duration|timestamp")
"""Facts that Pillow derives from the file itself."""


def picture(mode: str = "RGB", size: tuple[int, int] = (48, 32)) -> Image.Image:
    return opened(product(1, size)).convert(mode)


def exif() -> Image.Exif:
    made = Image.Exif()
    made[0x010E] = LONG[:60_000]
    made[0x9286] = CANARY
    return made


def png(mode: str = "RGB", **chunks: tuple[str, str]) -> bytes:
    """A PNG with text chunks: kind of the chunk, and its text, by name."""
    info = PngInfo()
    for name, (kind, text) in chunks.items():
        if kind == "iTXt":
            info.add_itxt(name, text, zip=False)
        else:
            info.add_text(name, text, zip=kind == "zTXt")
    return encoded(picture(mode), "PNG", pnginfo=info)


XMP = f"<x:xmpmeta>{LONG[:60_000]}</x:xmpmeta>".encode()

SOURCES: Mapping[str, Callable[[], bytes]] = {
    "PNG tEXt": lambda: png(comment=("tEXt", LONG)),
    "PNG iTXt": lambda: png(comment=("iTXt", LONG), photoshop=("iTXt", LONG)),
    "PNG zTXt": lambda: png(comment=("zTXt", LONG), dpi=("zTXt", CANARY)),
    "PNG text that is named like a profile": lambda: png(icc_profile=("tEXt", LONG)),
    "palette PNG with such a text": lambda: png("P", icc_profile=("tEXt", LONG)),
    "PNG with EXIF": lambda: encoded(picture(), "PNG", exif=exif()),
    "PNG with XMP": lambda: png(**{"XML:com.adobe.xmp": ("iTXt", XMP.decode())}),
    "transparent PNG": lambda: png("RGBA", comment=("tEXt", LONG), icc_profile=("iTXt", LONG)),
    "JPEG with everything": lambda: encoded(picture(), "JPEG", comment=LONG[:65_000], exif=exif(), xmp=XMP),
    "GIF": lambda: encoded(picture("P"), "GIF", comment=LONG.encode()),
    "WebP": lambda: encoded(picture(), "WEBP", exif=exif(), xmp=XMP),
    "TIFF": lambda: encoded(picture(), "TIFF", description=LONG, tiffinfo={315: CANARY}),
    "AVIF": lambda: encoded(picture(), "AVIF", exif=exif(), xmp=XMP),
    "HEIC": lambda: heic(picture(), exif=exif().tobytes(), xmp=XMP),
    "JPEG 2000": lambda: encoded(picture(), "JPEG2000", comment=LONG[:60_000]),
    "CMYK JPEG": lambda: encoded(picture("CMYK"), "JPEG", comment=LONG[:65_000], exif=exif()),
    "MPO": lambda: encoded(picture(), "MPO", save_all=True, append_images=[picture()], exif=exif()),
}


def left_in(data: bytes) -> list[str]:
    """What a reader finds in a file beside its picture."""
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        found = [name for name in image.info if not OUR_OWN.fullmatch(name)]
        if image.info.get("icc_profile") == srgb_profile():
            found.remove("icc_profile")
        found += [f"exif {tag}" for tag in image.getexif()]
    return found + ["canary"] * (b"canary" in data)


@pytest.mark.parametrize("kind", SOURCES)
def test_no_metadata_of_a_source_leaves_in_any_way(kind: str) -> None:
    source = SOURCES[kind]()
    assert left_in(source), "the source has none"
    master = cutout_of(prepare(source, 2500).image)
    page = sheet_html([Pair("a", thumbnail(source, 300), None)], title="", facts=[])
    shown = base64.b64decode(page.partition(";base64,")[2].partition('"')[0])
    renditions = [Rendition(Format.PNG), Rendition(Format.WEBP), Rendition(Format.JPG, "white"), Rendition(padding=0.1)]
    leaving = [prepare(source, size).image for size in (2500, 20)]
    # A smaller master lends its alpha to the source; one of the same size is used whole.
    for each in (master, cutout_of(prepare(source, 24).image)):
        leaving += [render(source, each, rendition, Use.ALPHA) for rendition in renditions]

    assert [left_in(data) for data in (*leaving, as_master(source), shown)] == [[]] * (len(leaving) + 2)


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "PNG"])
def test_an_encoder_is_given_nothing_but_the_picture(kind: str) -> None:
    """A picture of a vendor comes here with all that it was sent with."""
    image = picture()
    image.info = {"comment": LONG[:1000], "exif": exif().tobytes(), "xmp": XMP}

    assert left_in(encode(image, format=kind)) == []


def test_no_metadata_of_a_vendor_reaches_the_shop() -> None:
    source = product(1)
    info = PngInfo()
    info.add_text("comment", LONG)
    answer = encoded(opened(cutout_of(prepare(source, 2500).image)), "PNG", pnginfo=info, exif=exif())

    renditions = (Rendition(), Rendition(Format.WEBP), Rendition(Format.JPG, "white"))
    assert [left_in(render(source, answer, each, Use.ALPHA)) for each in renditions] == [[]] * 3
