"""remove.bg's ZIP as one picture: it holds colours and alpha separately, as JPEG and PNG."""

import io
import zipfile

from PIL import Image

from bg_pipeline.errors import ItemUnreadable, UnusableAnswer
from bg_pipeline.imaging.decoding import open_limited
from bg_pipeline.imaging.encoding import encode

COLOURS, ALPHA = "color.jpg", "alpha.png"
"""Exact names of both files (remove.bg/api, read 2026-11). Nothing else is read, and nothing is written to disk."""

_MAX_ENTRIES = 4
_MAX_ENTRY_BYTES = 64 * 2**20
_MAX_RATIO = 100
_SMALL_BYTES = 2**20
"""Size up to which any compression ratio is allowed: the alpha of a plain picture packs well."""


def compose(archive: bytes) -> bytes:
    """
    Return a PNG in RGBA.

    Raises:
        UnusableAnswer: it is not such a ZIP, or its two pictures are damaged, too large, or differ in size.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            if len(opened.infolist()) > _MAX_ENTRIES:
                raise UnusableAnswer(f"the ZIP holds {len(opened.infolist())} entries")
            colours = _picture(_entry(opened, COLOURS), "JPEG").convert("RGB")
            alpha = _picture(_entry(opened, ALPHA), "PNG")
        if alpha.mode not in {"1", "L"}:
            raise UnusableAnswer(f"{ALPHA} is {alpha.mode}, not greyscale")
        if alpha.size != colours.size:
            raise UnusableAnswer(f"{COLOURS} and {ALPHA} differ in size: {colours.size} and {alpha.size}")
        colours.putalpha(alpha.convert("L"))
        return encode(colours, format="PNG")
    except UnusableAnswer:
        raise
    except ItemUnreadable as error:
        raise UnusableAnswer(f"the ZIP holds a picture that is too large: {error}") from error
    except Exception as error:  # zipfile and decoders may raise any exception
        raise UnusableAnswer(f"the ZIP cannot be read: {type(error).__name__}") from error


def _entry(archive: zipfile.ZipFile, name: str) -> bytes:
    entries = [entry for entry in archive.infolist() if entry.filename == name]
    if len(entries) != 1:
        raise UnusableAnswer(f"the ZIP holds {len(entries)} entries named {name}")
    # zipfile unpacks other methods without a limit.
    if entries[0].compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        raise UnusableAnswer(f"{name} is compressed by a method that is not allowed")
    most = min(_MAX_ENTRY_BYTES, max(_SMALL_BYTES, _MAX_RATIO * entries[0].compress_size))
    with archive.open(entries[0]) as stream:
        data = stream.read(most + 1)  # the declared size may be false
    if len(data) > most:
        raise UnusableAnswer(f"{name} unpacks to more than {most:,} bytes")
    return data


def _picture(data: bytes, kind: str) -> Image.Image:
    picture = open_limited(data, (kind,))
    picture.load()
    return picture
