"""Conversion of source bytes to an upload, of an answer to a master, and of a master to a rendition."""

import io
import math
import re
import warnings
from dataclasses import dataclass

from PIL import Image, ImageChops, ImageCms, ImageColor, ImageOps, ImageStat

from bg_pipeline.core.formats import Format
from bg_pipeline.core.media import MAX_PIXELS
from bg_pipeline.core.recipe import Rendition
from bg_pipeline.errors import ItemUnreadable, QualityDropped, UnusableAnswer
from bg_pipeline.imaging.encoding import ENCODERS, encode, require_fitting

FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "AVIF")
"""Accepted formats. Pillow opens some forty; each additional one is attack surface."""

MAX_SCANS = 100
"""Most scans of a JPEG: each costs the decoder a pass over the whole picture, and twenty bytes can ask for one.
Encoders make about ten."""

_SENT_QUALITY = 95
_UNLIKE = 24
"""Mean difference per channel under the alpha, of 255, from which the answer shows another picture. The right one
differs by a few: `test_a_cutout_of_another_product_is_told_apart` checks both sides with pictures of products."""

_SRGB = ImageCms.createProfile("sRGB")


@dataclass(frozen=True, slots=True)
class PreparedImage:
    """A picture ready to send: upright, sRGB, no metadata, within the size limits."""

    image: bytes
    media_type: str
    width_px: int
    height_px: int
    is_cutout: bool = False
    """True if the source is a cutout already: its frame is transparent, its middle is not."""


@dataclass(frozen=True, slots=True)
class ValidatedAnswer:
    """An answer that is a cutout of the picture that was sent."""

    width_px: int
    height_px: int
    suspicion: str


def unseen(error: Exception) -> ValidatedAnswer:
    """Return an answer that could not be checked: its picture may be good, and was paid for."""
    return ValidatedAnswer(0, 0, f"the answer could not be checked: {error}")


def prepare(source: bytes, max_side_px: int, max_pixels: int = 0, rendition: Rendition | None = None) -> PreparedImage:
    """
    Make the picture to send: no longer than `max_side_px` on any side, no more than `max_pixels` (0: no such limit).

    Args:
        source: bytes of the source.
        max_side_px: longest side to send.
        max_pixels: most pixels to send; 0 for no such limit.
        rendition: the wanted output, so that nothing is bought for a picture that its format cannot hold.

    Raises:
        ItemUnreadable: corrupt, too large, or more than one picture.
    """
    image = _open_source(source, max_side_px, rendition)
    width, height = _fitting(image.size, max_side_px, max_pixels)
    image.thumbnail((width, height), Image.Resampling.LANCZOS, reducing_gap=2.0)
    is_cutout = False
    if "A" in image.getbands():
        is_cutout = _is_cutout(image.getchannel("A"))
        white = Image.new("RGB", image.size, "white")
        white.paste(image, mask=image.getchannel("A"))
        image = white
    sent = encode(image, format="JPEG", quality=_SENT_QUALITY, subsampling=0)
    return PreparedImage(sent, "image/jpeg", image.width, image.height, is_cutout)


def _fitting(size: tuple[int, int], max_side_px: int, max_pixels: int) -> tuple[int, int]:
    scale = min(1.0, max_side_px / max(size))
    if max_pixels:
        scale = min(scale, math.sqrt(max_pixels / (size[0] * size[1])))
    # Rounded down: one more pixel would be another size tier.
    return max(1, int(size[0] * scale)), max(1, int(size[1] * scale))


def as_master(source: bytes) -> bytes:
    """
    Return a source that is a cutout already, in the form of a vendor's answer.

    Raises:
        ItemUnreadable: it cannot be decoded.
    """
    return encode(_open_source(source, None).convert("RGBA"), **ENCODERS[Format.PNG])


def _is_cutout(alpha: Image.Image) -> bool:
    """Return True if the frame is mostly transparent and something is opaque: rounded corners alone are no cutout."""
    width, height = alpha.size
    frame = [
        value
        for box in ((0, 0, width, 1), (0, height - 1, width, height), (0, 0, 1, height), (width - 1, 0, width, height))
        for value in alpha.crop(box).tobytes()
    ]
    transparent = sum(value < 16 for value in frame)
    solid = sum(alpha.histogram()[240:])
    return transparent * 2 >= len(frame) and solid * 100 >= width * height


def inspect(answer: bytes) -> ValidatedAnswer:
    """
    Decode an answer to its last byte.

    Raises:
        UnusableAnswer: it is not a complete picture, or has no alpha.
    """
    alpha = _cutout(answer).getchannel("A")
    levels = [level for level, count in enumerate(alpha.histogram()) if count]
    if levels[-1] < 16:  # noise in the alpha does not count as a subject
        return ValidatedAnswer(*alpha.size, suspicion="the cutout is empty: no subject was found")
    if levels[0] > 239:
        return ValidatedAnswer(*alpha.size, suspicion="nothing was removed: the whole frame was kept")
    return ValidatedAnswer(*alpha.size, suspicion="")


def validate_answer(answer: bytes, prepared: PreparedImage) -> ValidatedAnswer:
    """
    Run `inspect`, and compare the answer with the picture that was sent.

    Raises:
        QualityDropped: it is the same picture, but smaller.
        UnusableAnswer: it is no cutout, has another size, or shows another picture.
    """
    checked = inspect(answer)
    if (checked.width_px, checked.height_px) != (prepared.width_px, prepared.height_px):
        message = (
            f"the answer measures {checked.width_px}×{checked.height_px}, "
            f"the picture sent {prepared.width_px}×{prepared.height_px}"
        )
        raise QualityDropped(message) if _is_smaller_copy(checked, prepared) else UnusableAnswer(message)
    if not checked.suspicion:
        with Image.open(io.BytesIO(prepared.image)) as sent:
            unlike = _difference(sent.convert("RGB"), _cutout(answer))
        if unlike > _UNLIKE:
            raise UnusableAnswer(f"the answer shows another picture (mean difference {unlike:.0f} of 255)")
    return checked


def render(source: bytes, master: bytes, rendition: Rendition, reshaped: bool = False) -> bytes:
    """
    Render the published bytes of an item.

    If the master is smaller than the source, only its alpha is used, and the colours come from the source. A master
    that further tools reshaped is used whole, since its frame or colours differ from the source's.

    Raises:
        ItemUnreadable: the source cannot be decoded, or the format cannot hold a picture of this size.
    """
    # In place where possible: a copy of 24 megapixels takes 96 MB, and several processes run this.
    cutout = _as(_open(master, _MASTER_FORMATS), "RGBA")
    alpha = cutout.getchannel("A")
    if not reshaped:
        original = _as(_open_source(source, None), "RGB")
        if original.width > cutout.width and _same_shape(original.size, cutout.size):
            cutout = original
        del original
    if rendition.canvas:
        cutout = _on_canvas(_with_alpha(cutout, alpha), rendition.canvas, rendition.padding)
        alpha = cutout.getchannel("A")
    if rendition.background:
        see_through = _fitted(ImageChops.invert(alpha), cutout.size)
        cutout.paste(ImageColor.getrgb(rendition.background)[:3], mask=see_through)
        cutout = _as(cutout, "RGB")
    else:
        cutout = _with_alpha(cutout, alpha)
    require_fitting(cutout.size, rendition.format)
    return encode(cutout, **ENCODERS[rendition.format])


_DISPLAY_QUALITY = 86
"""Of a WebP on the screen: edges stay sharp, and a thumbnail takes about 20 KB."""


def thumbnail(data: bytes, max_side_px: int) -> Image.Image:
    """
    Make a small upright copy in RGB or RGBA, for display.

    Raises:
        ItemUnreadable: it cannot be decoded.
    """
    image = _open_source(data, max_side_px)
    image.thumbnail((max_side_px, max_side_px), Image.Resampling.LANCZOS, reducing_gap=2.0)
    return image


def display(data: bytes, max_side_px: int) -> bytes:
    """
    Make an upright WebP in sRGB that any browser shows, not larger than the picture.

    Raises:
        ItemUnreadable: it cannot be decoded.
    """
    return encode(thumbnail(data, max_side_px), format="WEBP", quality=_DISPLAY_QUALITY, method=2)


_MASTER_FORMATS = tuple(ENCODERS[kind]["format"] for kind in Format if kind.has_alpha)


def _open(data: bytes, formats: tuple[str, ...]) -> Image.Image:
    with warnings.catch_warnings():
        # MAX_PIXELS is the limit; Pillow's own limit only warns.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            image = Image.open(io.BytesIO(data), formats=formats)
        except Image.DecompressionBombError as error:
            raise ValueError(f"far more than {MAX_PIXELS / 1e6:.0f} megapixels") from error
    if image.width * image.height > MAX_PIXELS:
        raise ValueError(f"{image.width * image.height / 1e6:.0f} megapixels, at most {MAX_PIXELS / 1e6:.0f}")
    return image


def _cutout(answer: bytes) -> Image.Image:
    try:
        cutout = _open(answer, _MASTER_FORMATS)
        cutout.load()
    except MemoryError:  # says nothing of the answer
        raise
    except Exception as error:
        raise UnusableAnswer(f"the answer is no complete picture: {error}") from error
    if not cutout.has_transparency_data:
        raise UnusableAnswer("the answer has no transparency at all")
    return cutout.convert("RGBA")


def _open_source(data: bytes, max_side_px: int | None, rendition: Rendition | None = None) -> Image.Image:
    """Decode a whole picture: upright, sRGB, 8 bits, RGB or RGBA, without metadata."""
    try:
        image = _open(data, FORMATS)
        # Not the number of pictures: to count them, Pillow reads each one.
        if getattr(image, "is_animated", False) and image.format != "MPO":
            raise ItemUnreadable("the file holds more than one picture; only single pictures can be cut out")
        if image.format in {"JPEG", "MPO"} and _has_too_many_scans(data):
            raise ItemUnreadable(f"the JPEG has more than {MAX_SCANS} scans: save it again")
        if rendition is not None and not rendition.canvas:  # a canvas has its own size
            require_fitting(image.size, rendition.format)
        if max_side_px is not None:
            # JPEG takes down to an eighth of the work to decode when a smaller picture is needed.
            image.draft(None, (2 * max_side_px, 2 * max_side_px))
        profile = image.info.get("icc_profile")
        image.load()
        ImageOps.exif_transpose(image, in_place=True)
        image = _to_srgb(image, profile if isinstance(profile, bytes) else None)  # a text chunk can have this name
    except ItemUnreadable:
        raise
    except Exception as error:  # damaged files make decoders raise any exception, struct.error and TypeError too
        why = str(error).partition("<_io")[0].strip() or type(error).__name__
        raise ItemUnreadable(f"cannot be read as a picture: {why}") from error
    image.info = {}
    return image


_MARKER = re.compile(rb"\xff([\x01-\xcf\xd8-\xfe])")
"""A marker of a JPEG, other than the ones inside its coded data: ITU-T T.81, B.1.1.3."""

_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9


def _has_too_many_scans(jpeg: bytes) -> bool:
    """Count up to the end of the first picture: phones append films, which have any bytes."""
    scans, at = 0, 2
    while scans <= MAX_SCANS and (marker := _MARKER.search(jpeg, at)) and marker[1][0] != _END_OF_IMAGE:
        scans += marker[1][0] == _START_OF_SCAN
        at = marker.end() + int.from_bytes(jpeg[marker.end() : marker.end() + 2], "big")
    return scans > MAX_SCANS


def _to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    if image.mode.startswith("I"):  # 16 bits per pixel: Pillow would clip instead of scaling
        image = image.point(lambda v: v / 257).convert("L")
    transparent = image.has_transparency_data
    if transparent or image.mode == "P":
        image = _as(image, "RGBA" if transparent else "RGB")
    if profile and image.mode in {"RGB", "RGBA", "CMYK", "L"}:
        try:
            return _through_profile(image, profile)
        except (ImageCms.PyCMSError, OSError):
            pass  # damaged profiles are common and no reason to refuse the picture
    return image if transparent else _as(image, "RGB")


def _as(image: Image.Image, mode: str) -> Image.Image:
    """Convert only if the mode differs: `convert` would copy in any case."""
    return image if image.mode == mode and "transparency" not in image.info else image.convert(mode)


def _with_alpha(cutout: Image.Image, alpha: Image.Image) -> Image.Image:
    """Add alpha and clear the colour under full transparency: it is invisible and takes a third of the file."""
    alpha = _fitted(alpha, cutout.size)
    cutout.putalpha(alpha)
    cutout.paste((0, 0, 0, 0), mask=alpha.point(lambda a: 255 if a == 0 else 0))
    return cutout


def _fitted(alpha: Image.Image, size: tuple[int, int]) -> Image.Image:
    return alpha if alpha.size == size else alpha.resize(size, Image.Resampling.BICUBIC)


def _through_profile(image: Image.Image, profile: bytes) -> Image.Image:
    alpha = image.getchannel("A") if image.mode == "RGBA" else None
    colours = image.convert("RGB") if alpha else image
    converted = ImageCms.profileToProfile(
        colours, ImageCms.ImageCmsProfile(io.BytesIO(profile)), _SRGB, outputMode="RGB"
    )
    assert converted is not None
    if alpha:
        converted.putalpha(alpha)
    return converted


def _same_shape(large: tuple[int, int], small: tuple[int, int]) -> bool:
    return abs(large[0] * small[1] / large[1] - small[0]) <= 2


def _is_smaller_copy(checked: ValidatedAnswer, prepared: PreparedImage) -> bool:
    """Return True if the answer is the same picture in a cheaper size, and not an unusable one."""
    across, down = checked.width_px / prepared.width_px, checked.height_px / prepared.height_px
    return across < 1 and abs(across - down) < 0.02 and min(checked.width_px, checked.height_px) >= 32


def _difference(sent: Image.Image, cutout: Image.Image) -> float:
    size = (64, 64)
    small = cutout.resize(size, Image.Resampling.BOX)
    solid = small.getchannel("A").point(lambda a: 255 if a > 200 else 0)
    if solid.getextrema() == (0, 0):
        return 0.0
    apart = ImageChops.difference(sent.resize(size, Image.Resampling.BOX), small.convert("RGB"))
    return sum(ImageStat.Stat(apart, solid).mean) / 3


def _on_canvas(cutout: Image.Image, canvas: tuple[int, int], padding: float) -> Image.Image:
    subject = cutout.crop(cutout.getchannel("A").getbbox() or (0, 0, *cutout.size))
    room = (max(1, round(canvas[0] * (1 - 2 * padding))), max(1, round(canvas[1] * (1 - 2 * padding))))
    fitted = ImageOps.contain(subject, room, Image.Resampling.LANCZOS)
    frame = Image.new("RGBA", canvas, (0, 0, 0, 0))
    frame.paste(fitted, ((canvas[0] - fitted.width) // 2, (canvas[1] - fitted.height) // 2))
    return frame
