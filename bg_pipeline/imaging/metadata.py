"""The metadata of a source that an output keeps: never a place, a preview, or what its maker wrote in its own way."""

import html
import re
from contextlib import suppress

from PIL import ExifTags, Image, ImageFile, IptcImagePlugin

from bg_pipeline.core.formats import Metadata
from bg_pipeline.imaging.decoding import opened

_BASE, _IFD = ExifTags.Base, ExifTags.IFD

_RIGHTS = (_BASE.Artist, _BASE.Copyright)
_ABOUT = (
    *(_BASE.ImageDescription, _BASE.Make, _BASE.Model, _BASE.Software, _BASE.DateTime, _BASE.HostComputer),
    *(_BASE.XResolution, _BASE.YResolution, _BASE.ResolutionUnit, _BASE.Rating),
    *(_BASE.XPTitle, _BASE.XPComment, _BASE.XPAuthor, _BASE.XPKeywords, _BASE.XPSubject),
)
"""Tags of the first directory that say nothing of how the pixels are stored: Exif 2.32, 4.6.4 and 4.6.8."""

_OF_THE_PIXELS = (_BASE.MakerNote, _IFD.Interop, _BASE.FlashPixVersion, _BASE.ComponentsConfiguration)
"""Left out of the directory of the exposure: they describe the old pixels, or hide what only their maker can read."""

_LONGEST = 65_000
"""Bytes of EXIF that a segment of a JPEG surely has room for."""

_SRGB = 1
"""ColorSpace: Exif 2.32, 4.6.6."""

_OF_RIGHTS = {
    _BASE.Artist: (re.compile(rb"<dc:creator>.*?<rdf:li[^>]*>(.*?)</rdf:li>", re.DOTALL), (2, 80)),
    _BASE.Copyright: (re.compile(rb"<dc:rights>.*?<rdf:li[^>]*>(.*?)</rdf:li>", re.DOTALL), (2, 116)),
}
"""By tag of Exif, the same in XMP, and the record and data set of IPTC: MWG Guidelines 2.0, 5.4."""


def kept_metadata(source: bytes, keep: Metadata, size: tuple[int, int]) -> bytes:
    """
    Return the metadata of an output as EXIF, with the name of its segment; empty if there is none.

    Rights that only XMP or IPTC state are taken over. What cannot be written, or is too long, is left out: it is no
    reason to publish nothing.

    Args:
        source: bytes of the source, which can be decoded.
        keep: what to keep.
        size: of the output, in px.
    """
    if keep is Metadata.NONE:
        return b""
    with opened(source) as image:
        known, made = image.getexif(), Image.Exif()
        for tag in _RIGHTS:
            if text := _text(known.get(tag)) or _from_elsewhere(image, tag):
                made[tag] = text
        rights = _written(made) if len(made) else b""
        if keep is Metadata.NO_GPS:
            _add_the_rest(known, made, size)
    everything = _written(made) if len(made) else b""
    return everything if len(everything) <= _LONGEST else rights


def _add_the_rest(known: Image.Exif, made: Image.Exif, size: tuple[int, int]) -> None:
    for tag in _ABOUT:
        if tag in known:
            _set(made, tag, known[tag])
    exposure = Image.Exif()
    for number, value in known.get_ifd(_IFD.Exif).items():
        if number not in _OF_THE_PIXELS:
            _set(exposure, number, value)
    if len(exposure):
        exposure[_BASE.ColorSpace] = _SRGB
        exposure[_BASE.ExifImageWidth], exposure[_BASE.ExifImageHeight] = size
        made[_IFD.Exif] = dict(exposure)


def _set(exif: Image.Exif, tag: int, value: object) -> None:
    """Set a tag, unless its value cannot be written."""
    alone = Image.Exif()
    alone[tag] = _text(value) if isinstance(value, str) and tag in _ABOUT else value
    if _written(alone):
        exif[tag] = alone[tag]


def _written(exif: Image.Exif) -> bytes:
    with suppress(Exception):  # a value of another type than its tag's makes Pillow raise any error
        return exif.tobytes()
    return b""


def _text(value: object) -> bytes:
    """Return a text as its bytes: Pillow reads them as Latin-1, and writes other than ASCII as question marks."""
    return value.strip(" \0").encode("latin-1", "replace") if isinstance(value, str) else b""


def _from_elsewhere(image: Image.Image, tag: int) -> bytes:
    in_xmp, in_iptc = _OF_RIGHTS[ExifTags.Base(tag)]
    xmp = image.info.get("xmp", b"")
    if isinstance(xmp, bytes) and (match := in_xmp.search(xmp)):
        return html.unescape(match[1].decode("utf-8", "replace")).strip().encode()
    iptc = None
    if isinstance(image, ImageFile.ImageFile):
        with suppress(Exception):  # damaged metadata is none
            iptc = IptcImagePlugin.getiptcinfo(image)
    value = (iptc or {}).get(in_iptc, b"")
    return b"; ".join(value) if isinstance(value, list) else value
