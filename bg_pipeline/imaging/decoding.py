"""Decode a source: any accepted format to upright sRGB with 8 bits, as RGB or RGBA, without metadata."""

import io
import re
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from PIL import Image, ImageOps, TiffImagePlugin

from bg_pipeline.core.formats import Format
from bg_pipeline.core.media import HEIC, Animated, sniff
from bg_pipeline.errors import ItemError, ItemSkipped, ItemUnreadable
from bg_pipeline.imaging.colour import stated_profile, to_srgb
from bg_pipeline.imaging.encoding import require_fitting
from bg_pipeline.imaging.jpeg import require_few_scans, require_sound

FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "AVIF", "JPEG2000")
"""Accepted formats, with HEIC, which needs its extra. Pillow opens some forty; each additional one is attack
surface."""

_BIG, _LITTLE = b"MM", b"II"
TiffImagePlugin.OPEN_INFO |= {
    (_BIG, 0, (1,), 1, (16,), ()): ("I;16B", "I;16B"),
    (_BIG, 0, (1,), 1, (32,), ()): ("I", "I;32B"),
    (_BIG, 1, (1,), 1, (32,), ()): ("I", "I;32B"),
    (_LITTLE, 0, (1,), 1, (32,), ()): ("I", "I;32N"),
}
"""Kinds of grey in a TIFF that Pillow 13 can unpack but does not list: byte order, photometric interpretation, sample
format, fill order, bits, extra samples; then mode and raw mode."""

_WIDTH, _HEIGHT = 256, 257
_SUBFILE, _OLD_SUBFILE, _PHOTOMETRIC, _PLANAR, _DNG_VERSION = 254, 255, 262, 284, 50706
_REDUCED, _MASK = 1, 4
"""Bits of NewSubfileType: TIFF 6.0, section 8."""

_SENSOR = frozenset({32803, 34892})
"""Values of PhotometricInterpretation for what a sensor saw: DNG 1.7, chapter 4."""

_PIXELS = re.compile(r"\((\d+) pixels\)")
"""The size of a picture in Pillow's error."""

_MOST_DIRECTORIES = 32
"""Directories that are searched for a second picture: pyramids have one for each size."""


def admit(source: bytes, animated: Animated, formats: Iterable[Format] = ()) -> None:
    """
    Check a source before anything is bought for it, and before it is decoded.

    Args:
        source: its bytes.
        animated: what to do with a file of several pictures.
        formats: each must be able to hold a picture of this size.

    Raises:
        ItemSkipped: it has several pictures, and those are skipped.
        ItemUnreadable: it is no picture, damaged, too large, or has several pictures.
    """
    with opened(source) as image:
        if animated is not Animated.FIRST_FRAME and _has_several(image):
            why = f"the file holds more than one picture, and BG_ANIMATED is {animated}"
            if animated is Animated.SKIP:
                raise ItemSkipped(why)
            raise ItemUnreadable(f"{why}: first_frame takes the first one, after `bg-pipeline retry`")
        for each in formats:
            require_fitting(image.size, each)
        if image.format in {"JPEG", "MPO"}:
            require_sound(source)


def decode(source: bytes, min_side_px: int | None = None) -> Image.Image:
    """
    Decode a whole picture: of a file with several, the first.

    Args:
        source: its bytes.
        min_side_px: longest side that is enough; the result may be larger. None for full size.

    Raises:
        ItemUnreadable: it is no picture, damaged or too large.
    """
    with opened(source) as image:
        if min_side_px is not None:
            # JPEG takes down to an eighth of the work to decode when a smaller picture is needed.
            image.draft(None, (2 * min_side_px, 2 * min_side_px))
        profile = stated_profile(image, source)
        image.load()
        ImageOps.exif_transpose(image, in_place=True)
        converted = to_srgb(image, profile)
        converted.info = {}
        return converted


def open_limited(data: bytes, formats: tuple[str, ...]) -> Image.Image:
    """
    Open a picture of one of these formats, without decoding it.

    The limit is `PIL.Image.MAX_IMAGE_PIXELS`, which `imaging.workers` sets in each worker.

    Raises:
        ItemUnreadable: it has more pixels than allowed.
        Exception: Pillow cannot open it.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            return Image.open(io.BytesIO(data), formats=formats)
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            size, most = _PIXELS.search(str(error)), Image.MAX_IMAGE_PIXELS or 0
            raise ItemUnreadable(
                f"it has {int(size[1]) / 1e6 if size else most / 1e6:,.0f} megapixels, and BG_MAX_MEGAPIXELS is"
                f" {most / 1e6:,.0f}: raise it, then run `bg-pipeline retry`"
            ) from error


@contextmanager
def opened(source: bytes) -> Iterator[Image.Image]:
    """Open a source within the limits; any error inside is about the picture."""
    try:
        is_heic = sniff(source) == HEIC
        if is_heic:
            _register_heic()
        image = open_limited(source, ("HEIF",) if is_heic else FORMATS)
        if image.format in {"JPEG", "MPO"}:
            require_few_scans(source)
        if isinstance(image, TiffImagePlugin.TiffImageFile):
            _require_picture(image, source)
        yield image
    except (ItemError, MemoryError):
        raise
    except Exception as error:  # damaged files make decoders raise any exception, struct.error and TypeError too
        why = str(error).partition("<_io")[0].strip() or type(error).__name__
        raise ItemUnreadable(f"cannot be read as a picture: {why}") from error


def _register_heic() -> None:
    try:
        from pillow_heif import register_heif_opener  # noqa: PLC0415  an optional dependency
    except ImportError as error:
        raise ItemUnreadable(
            "HEIC needs its extra: pip install 'bg-pipeline[heic]', then run `bg-pipeline retry`"
        ) from error
    register_heif_opener(thumbnails=False)


def _require_picture(tiff: TiffImagePlugin.TiffImageFile, source: bytes) -> None:
    """Refuse camera raw files, whose first directory is often a thumbnail, and what Pillow would decode wrongly."""
    tags = tiff.tag_v2
    if _DNG_VERSION in tags or source[8:10] == b"CR" or tags.get(_PHOTOMETRIC) in _SENSOR:
        raise ItemUnreadable("it is a camera raw file: export it as JPEG or TIFF")
    if tags.get(_SUBFILE, 0) & _REDUCED or tags.get(_OLD_SUBFILE) == 2:
        raise ItemUnreadable(
            "its first directory is a reduced copy, as in a camera raw file: export it as JPEG, or as TIFF without one"
        )
    if tags.get(_PLANAR) == 2 and max(tags.get(TiffImagePlugin.BITSPERSAMPLE, (1,))) > 8:
        raise ItemUnreadable("its channels are stored apart, with 16 bits: save it with its channels interleaved")


def _has_several(image: Image.Image) -> bool:
    """Return True for an animation or several pages. Not the number: to count them, Pillow reads each one."""
    if image.format in {"MPO", "HEIF"}:  # one is marked as the picture; the others belong to it
        return False
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        return image.is_animated and _has_pages(image)
    return bool(getattr(image, "is_animated", False))


def _has_pages(tiff: TiffImagePlugin.TiffImageFile) -> bool:
    """Return True if a further directory holds another picture: not a mask, and not a smaller copy of the first."""
    width, height = tiff.tag_v2[_WIDTH], tiff.tag_v2[_HEIGHT]
    for number in range(1, _MOST_DIRECTORIES):
        try:
            tiff.seek(number)
        except EOFError:
            return False
        except SyntaxError:
            pass  # of a kind that Pillow cannot decode, such as a mask; its tags are read
        is_marked = tiff.tag_v2.get(_SUBFILE, 0) & (_REDUCED | _MASK) or tiff.tag_v2.get(_OLD_SUBFILE) == 2
        across, down = tiff.tag_v2.get(_WIDTH, 0), tiff.tag_v2.get(_HEIGHT, 0)
        is_smaller = across < width and abs(across * height / width - down) <= 1
        if not is_marked and not is_smaller:
            return True
    return False
