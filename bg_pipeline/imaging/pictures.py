"""Conversion of source bytes to an upload, and of an answer to a master."""

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from PIL import Image

from bg_pipeline.core.checks import NOT_COMPARED, CheckLimits, suspicion
from bg_pipeline.core.formats import Format
from bg_pipeline.core.media import Animated
from bg_pipeline.core.recipe import Rendition
from bg_pipeline.core.swaps import SIDE_PX, Pair
from bg_pipeline.errors import QualityDropped, UnusableAnswer
from bg_pipeline.imaging.alpha import packed
from bg_pipeline.imaging.already_cut import Kind, extended, kind_of
from bg_pipeline.imaging.colour import as_mode
from bg_pipeline.imaging.compositing import is_same_shape
from bg_pipeline.imaging.decoding import admit, decode, open_limited
from bg_pipeline.imaging.encoding import ENCODERS, MASTER_FORMATS, encode
from bg_pipeline.imaging.measures import measure

_SENT_QUALITY = 95


@dataclass(frozen=True, slots=True)
class PreparedImage:
    """A picture ready to send: upright, sRGB, no metadata, within the size limits."""

    image: bytes
    media_type: str
    width_px: int
    height_px: int
    is_cutout: bool = False
    """True if the source is a cutout already; see `already_cut.kind_of`."""


@dataclass(frozen=True, slots=True)
class ValidatedAnswer:
    """An answer that is a complete cutout."""

    width_px: int
    height_px: int
    suspicion: str
    """Reason why a person should look at it; empty if it is sound."""
    other: Pair | None = None
    """Small copies of picture and answer, if the answer has other colours than the picture."""
    alpha: bytes = b""
    """Its alpha (`imaging.alpha.packed`), if that may be all that is published: so it need not be decoded again."""


def unseen(error: Exception) -> ValidatedAnswer:
    """Return an answer that could not be checked: its picture may be good, and was paid for."""
    return ValidatedAnswer(0, 0, f"the answer could not be checked: {error}")


def prepare(
    source: bytes,
    max_side_px: int,
    max_pixels: int = 0,
    renditions: Sequence[Rendition] = (),
    animated: Animated = Animated.FAIL,
) -> PreparedImage:
    """
    Make the picture to send: no longer than `max_side_px` on any side, no more than `max_pixels` (0: no such limit).

    Args:
        source: bytes of the source.
        max_side_px: longest side to send.
        max_pixels: most pixels to send; 0 for no such limit.
        renditions: the wanted outputs, so that nothing is bought for a picture that a format cannot hold.
        animated: what to do with a file of several pictures.

    Raises:
        ItemSkipped, ItemUnreadable: see `decoding.admit`.
    """
    admit(source, animated, [each.format for each in renditions if each.is_as_large_as_its_source])
    image = decode(source, max_side_px)
    width, height = _fitting(image.size, max_side_px, max_pixels)
    image.thumbnail((width, height), Image.Resampling.HAMMING, reducing_gap=2.0)
    cut_already = False
    if "A" in image.getbands():
        kind = kind_of(image)
        cut_already = kind is Kind.CUTOUT
        image = extended(image) if kind is Kind.PHOTO else _on_white(image)
    sent = encode(image, format="JPEG", quality=_SENT_QUALITY, subsampling=0)
    return PreparedImage(sent, "image/jpeg", image.width, image.height, cut_already)


def _on_white(image: Image.Image) -> Image.Image:
    white = Image.new("RGB", image.size, "white")
    white.paste(image, mask=image.getchannel("A"))
    return white


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
    return encode(decode(source).convert("RGBA"), **ENCODERS[Format.PNG])


def inspect(answer: bytes, may_be_opaque: bool = False) -> ValidatedAnswer:
    """
    Decode an answer to its last byte.

    Args:
        answer: a picture.
        may_be_opaque: True if it is a finished picture, which may have a background.

    Raises:
        UnusableAnswer: it is not a complete picture, or has no alpha.
    """
    return inspected(_cutout(answer), may_be_opaque)


def inspect_alone(answer: bytes) -> ValidatedAnswer:
    """Run `inspect` where nothing but the answer is at hand: unless it is empty, it is then `NOT_COMPARED`."""
    checked = inspect(answer, may_be_opaque=True)
    return checked if checked.suspicion else replace(checked, suspicion=NOT_COMPARED)


def inspected(cutout: Image.Image, may_be_opaque: bool = False) -> ValidatedAnswer:
    """Tell an empty cutout, and one of which nothing was removed."""
    levels = [level for level, count in enumerate(cutout.getchannel("A").histogram()) if count]
    if levels[-1] < 16:  # noise in the alpha does not count as a subject
        return ValidatedAnswer(*cutout.size, suspicion="the cutout is empty: no subject was found")
    if levels[0] > 239 and not may_be_opaque:
        return ValidatedAnswer(*cutout.size, suspicion="nothing was removed: the whole frame was kept")
    return ValidatedAnswer(*cutout.size, suspicion="")


def validate_answer(
    answer: bytes, prepared: PreparedImage, limits: CheckLimits, keeps_colours: bool = True
) -> ValidatedAnswer:
    """
    Run `inspect`, and compare the answer with the picture that was sent.

    Args:
        answer: a picture.
        prepared: what was sent.
        limits: the worst that passes without a person.
        keeps_colours: True if its colours have to be those of the picture.

    Raises:
        QualityDropped: it is the same picture, but smaller.
        UnusableAnswer: it is no cutout, or has another size.
    """
    cutout = _cutout(answer)
    checked = inspected(cutout)
    if cutout.size != (prepared.width_px, prepared.height_px):
        message = (
            f"the answer measures {checked.width_px}×{checked.height_px}, "
            f"the picture sent {prepared.width_px}×{prepared.height_px}"
        )
        raise QualityDropped(message) if _is_smaller_copy(checked, prepared) else UnusableAnswer(message)
    return checked if checked.suspicion else _compared(cutout, prepared.image, limits, keeps_colours)


def compare(answer: bytes, source: bytes, limits: CheckLimits, keeps_colours: bool) -> ValidatedAnswer:
    """
    Compare a stored answer with its source, whatever size was sent; see `validate_answer`.

    Raises:
        UnusableAnswer: it is no complete cutout.
        ItemError: the source cannot be decoded.
    """
    cutout = _cutout(answer)
    checked = inspected(cutout)
    if checked.suspicion:
        return checked
    sent = prepare(source, max(cutout.size))
    if not is_same_shape((sent.width_px, sent.height_px), cutout.size):
        why = f"it measures {cutout.width}×{cutout.height}, and the picture {sent.width_px}×{sent.height_px}"
        return ValidatedAnswer(*cutout.size, suspicion=why)
    return _compared(cutout, sent.image, limits, keeps_colours)


def _compared(cutout: Image.Image, sent: bytes, limits: CheckLimits, keeps_colours: bool) -> ValidatedAnswer:
    with Image.open(io.BytesIO(sent)) as opened:
        picture = opened.convert("RGB")
    measures = measure(picture, cutout)
    why = suspicion(measures, limits, keeps_colours=keeps_colours)
    is_other = keeps_colours and measures.colours > limits.colours
    return ValidatedAnswer(
        *cutout.size,
        suspicion=why,
        other=_pair(picture, cutout) if is_other else None,
        alpha=packed(cutout.getchannel("A")) if keeps_colours else b"",
    )


def _pair(picture: Image.Image, cutout: Image.Image) -> Pair:
    size = (SIDE_PX, SIDE_PX)
    small = cutout.resize(size, Image.Resampling.BOX)
    return Pair(
        picture.resize(size, Image.Resampling.BOX).tobytes(),
        small.convert("RGB").tobytes(),
        small.getchannel("A").tobytes(),
    )


_DISPLAY_QUALITY = 86
"""Of a WebP on the screen: edges stay sharp, and a thumbnail takes about 20 KB."""


def thumbnail(data: bytes, max_side_px: int) -> Image.Image:
    """
    Make a small upright copy in RGB or RGBA, for display.

    Raises:
        ItemUnreadable: it cannot be decoded.
    """
    image = decode(data, max_side_px)
    image.thumbnail((max_side_px, max_side_px), Image.Resampling.LANCZOS, reducing_gap=2.0)
    return image


def display(data: bytes, max_side_px: int) -> bytes:
    """
    Make an upright WebP in sRGB that any browser shows, not larger than the picture.

    Raises:
        ItemUnreadable: it cannot be decoded.
    """
    return encode(thumbnail(data, max_side_px), format="WEBP", quality=_DISPLAY_QUALITY, method=2)


def _cutout(answer: bytes) -> Image.Image:
    try:
        cutout = open_limited(answer, MASTER_FORMATS)
        cutout.load()
    except MemoryError:  # says nothing of the answer
        raise
    except Exception as error:
        raise UnusableAnswer(f"the answer is no complete picture: {error}") from error
    if not cutout.has_transparency_data:
        raise UnusableAnswer("the answer has no transparency at all")
    return as_mode(cutout, "RGBA")


def _is_smaller_copy(checked: ValidatedAnswer, prepared: PreparedImage) -> bool:
    """Return True if the answer is the same picture in a cheaper size, and not an unusable one."""
    across, down = checked.width_px / prepared.width_px, checked.height_px / prepared.height_px
    return across < 1 and abs(across - down) < 0.02 and min(checked.width_px, checked.height_px) >= 32
