"""Colours of a decoded picture: from what its file states to sRGB with 8 bits."""

import io
import re
import struct
from functools import cache
from importlib.resources import files

from PIL import ExifTags, Image, ImageChops, ImageCms, ImageMath

from bg_pipeline.errors import ItemUnreadable
from bg_pipeline.imaging.profiles import ADOBE_GAMMA, ADOBE_RGB, SRGB, Primaries, gamma, of_codes, rgb_profile

_SRGB = ImageCms.createProfile("sRGB")

_MODES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK", "Lab": "LAB"}
"""Pillow's mode for the colour space of a profile."""

_WHITE_IS_ZERO = 0
_SIGNED = 2
_BITS, _PHOTOMETRIC, _SAMPLE_FORMAT = 258, 262, 339
"""Tags of TIFF 6.0, sections 8 and 19."""

_MOST_FLOAT = 2.0
"""Highest value up to which a picture of floats has its white at 1: a highlight may be brighter."""

_ADOBE_RGB_BY_EXIF = 2
"""Not in the Exif standard, and written by cameras nevertheless: exiftool.org/TagNames/EXIF.html, ColorSpace."""

_LIKE_SRGB = 0.05
"""Difference of an exponent from that of sRGB up to which a PNG has the colours of sRGB: PNG, annex C.1."""

_NCLX = re.compile(rb"colrnclx(....)..(.)", re.DOTALL)
"""Codes of ITU-T H.273 in a file of ISO/IEC 14496-12, 12.1.5: primaries and transfer, matrix, and the range."""


def stated_profile(image: Image.Image, data: bytes) -> bytes | None:
    """
    Return the profile that a picture states, in the order in which its format counts; None for no profile.

    Args:
        image: opened, and not yet turned, because that changes its EXIF.
        data: its file.
    """
    icc = image.info.get("icc_profile")
    profile = icc if isinstance(icc, bytes) else None  # a text chunk can have this name
    if image.format == "PNG":
        codes = _png_codes(data)
        if codes:
            return of_codes(codes[0], codes[1], full_range=bool(codes[3]))
        return profile or ("srgb" not in image.info and _png_profile(image)) or _dcf_profile(image)
    if image.format in {"AVIF", "HEIF"} and not profile and (nclx := _NCLX.search(data, 0, 1 << 16)):
        return of_codes(*struct.unpack(">HH", nclx[1]))  # the range is undone with the matrix
    return profile or _dcf_profile(image)


def to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """
    Return the picture in sRGB with 8 bits, as RGB, or RGBA if it has transparency.

    A profile that is damaged, or that does not fit the picture, is ignored: such ones are common.

    Raises:
        ItemUnreadable: its values have an unknown range.
    """
    image = _with_adobe_inks(image)
    colours, alpha = _apart(_to_8_bits(image))
    converted = (profile and _through(colours, profile)) or _without_profile(colours)
    if alpha is not None:
        converted.putalpha(alpha)
    return converted


def as_mode(image: Image.Image, mode: str) -> Image.Image:
    """Convert only if the mode differs: `convert` would copy in any case."""
    return image if image.mode == mode and "transparency" not in image.info else image.convert(mode)


def _apart(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """Return the colours, in the mode that their profile is for, and the alpha."""
    if image.mode == "1":
        image = image.convert("L") if "transparency" not in image.info else image.convert("RGBA")
    if image.mode == "L" and "transparency" in image.info:
        image = image.convert("LA")
    if image.mode == "LA":
        return image.getchannel("L"), image.getchannel("A")
    if image.has_transparency_data:
        image = as_mode(image, "RGBA")
        return image.convert("RGB"), image.getchannel("A")
    return image if image.mode in {"L", "CMYK", "LAB"} else as_mode(image, "RGB"), None


def _through(colours: Image.Image, profile: bytes) -> Image.Image | None:
    """Return the colours in sRGB; None if the profile is not usable for them."""
    try:
        opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        mode = _MODES.get(opened.profile.xcolor_space.strip())
        if mode is None or (mode != colours.mode and (mode, colours.mode) != ("RGB", "L")):
            return None
        colours = as_mode(colours, mode)
        if mode == "RGB":
            ImageCms.profileToProfile(colours, opened, _SRGB, inPlace=True)
            return colours
        return ImageCms.profileToProfile(colours, opened, _SRGB, outputMode="RGB")
    except (ImageCms.PyCMSError, OSError):
        return None


def _without_profile(colours: Image.Image) -> Image.Image:
    if colours.mode == "LAB":
        lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
        return _through(colours, lab.tobytes()) or colours.convert("RGB")
    if colours.mode == "CMYK":
        return _through(colours, _press()) or colours.convert("RGB")
    return as_mode(colours, "RGB")


@cache
def _press() -> bytes:
    """
    Return the profile for CMYK that states none.

    It is "Chemical proof" by Graeme W. Gill, in the public domain, without its tables for printing. libvips takes the
    same one: libvips/colour/profiles/cmyk.icm.
    """
    return (files("bg_pipeline.imaging") / "press.icc").read_bytes()


def _with_adobe_inks(image: Image.Image) -> Image.Image:
    """Undo Pillow's inversion for a CMYK JPEG without Adobe's marker: only Adobe stores its inks inverted."""
    if image.mode == "CMYK" and image.format == "JPEG" and "adobe" not in image.info:
        return ImageChops.invert(image)
    return image


def _to_8_bits(image: Image.Image) -> Image.Image:
    """Scale grey of more than 8 bits to the range of 8: `convert` would clip it."""
    if not image.mode.startswith(("I", "F")):
        return image
    tags = image.tag_v2 if image.format == "TIFF" else {}  # type: ignore[attr-defined]
    values, top = _grey(image, int(tags.get(_BITS, (16,))[0]), signed=tags.get(_SAMPLE_FORMAT, (1,))[0] == _SIGNED)
    scaled = values.point(lambda v: v * (255 / top) + 0.5).convert("L")
    if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
        scaled = ImageChops.invert(scaled)
    key = image.info.get("transparency")
    return Image.merge("LA", (scaled, _all_but(image, key))) if isinstance(key, int) else scaled


def _grey(image: Image.Image, bits: int, *, signed: bool) -> tuple[Image.Image, float]:
    """Return the values as floats, and the value of white."""
    if image.mode == "F":
        low, high = image.getextrema()
        if not (isinstance(high, float) and high <= _MOST_FLOAT):
            raise ItemUnreadable(f"its floats reach from {low:.5g} to {high:.5g}: black is 0 and white is 1 in a TIFF")
        return image, 1.0
    whole = image.convert("I")  # with a sign, whatever the file says
    if image.mode == "I" and not signed:
        unwrapped = ImageMath.lambda_eval(lambda x: x["float"](x["v"]) + (x["v"] < 0) * float(2**32), v=whole)
        return unwrapped, float(2**bits - 1)
    return whole.convert("F"), float(2 ** (bits - signed) - 1)


def _all_but(image: Image.Image, key: int) -> Image.Image:
    """Return an alpha that is transparent where the picture has this value."""
    alpha: Image.Image = ImageMath.lambda_eval(lambda x: (x["v"] != key) * 255, v=image.convert("I"))
    return alpha.convert("L")


def _png_codes(png: bytes) -> bytes:
    """Return the four bytes of cICP; empty if there is none. PNG, 11.3.2.6: before the picture's data."""
    at = 8
    while len(head := png[at : at + 8]) == 8 and head[4:] not in {b"IDAT", b"IEND"}:
        if head[4:] == b"cICP":
            return png[at + 8 : at + 12]
        at += 12 + int.from_bytes(head[:4], "big")
    return b""


def _png_profile(image: Image.Image) -> bytes | None:
    """Return the profile of gAMA and cHRM; None where they are those of sRGB, or missing or wrong."""
    exponent, points = image.info.get("gamma"), image.info.get("chromaticity")
    if not exponent:
        return None  # without the curve the primaries say too little: PNG, 11.3.2.1
    space = SRGB
    if points:
        white, red, green, blue = ((points[n], points[n + 1]) for n in range(0, 8, 2))
        space = Primaries(red, green, blue, white)
    if space == SRGB and abs(2.2 * exponent - 1) < _LIKE_SRGB:
        return None
    try:
        return rgb_profile(space, gamma(1 / exponent))
    except (ArithmeticError, struct.error):
        return None


def _dcf_profile(image: Image.Image) -> bytes | None:
    """Return Adobe RGB if the EXIF of a camera names it: DCF 2.0 (CIPA DC-009), optional colour space."""
    exif = image.getexif()
    details = exif.get_ifd(ExifTags.IFD.Exif)
    index = exif.get_ifd(ExifTags.IFD.Interop).get(ExifTags.Interop.InteropIndex)
    if index == "R03" or details.get(ExifTags.Base.ColorSpace) == _ADOBE_RGB_BY_EXIF:
        return _adobe_rgb()
    return None


@cache
def _adobe_rgb() -> bytes:
    return rgb_profile(ADOBE_RGB, gamma(ADOBE_GAMMA))
