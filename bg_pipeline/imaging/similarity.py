"""Check that a file from another tool is the cutout of a picture."""

import io

from PIL import Image, ImageChops, ImageStat

from bg_pipeline.errors import UnusableAnswer
from bg_pipeline.imaging.pictures import ValidatedAnswer, inspect, prepare

_UNLIKE = 6
"""Mean difference per channel under the opaque part, of 255. Right cutouts stay below 4.5, also shrunk or as JPEG;
the same product photographed again starts at 7.8 (`test_a_cutout_of_an_earlier_photograph_is_told_apart`). Stricter
than for an answer to a request: only a name connects this file with the picture."""

_SIZE = (64, 64)


def check_similarity(candidate: bytes, source: bytes) -> ValidatedAnswer:
    """
    Compare a whole file with a picture: same frame, perhaps smaller, and the same colours where it is opaque.

    Raises:
        UnusableAnswer: it is not a cutout of this picture; the text gives the reason.
        ItemUnreadable: the picture cannot be read.
    """
    checked = inspect(candidate)
    if checked.suspicion:
        raise UnusableAnswer(checked.suspicion)
    side_px = max(checked.width_px, checked.height_px)
    sent = prepare(source, side_px)
    apart_px = max(abs(sent.width_px - checked.width_px), abs(sent.height_px - checked.height_px))
    if apart_px > 1 or max(sent.width_px, sent.height_px) != side_px:
        raise UnusableAnswer(
            f"it measures {checked.width_px}×{checked.height_px}, the picture {sent.width_px}×{sent.height_px}: "
            "it is larger, cropped or turned"
        )
    with Image.open(io.BytesIO(sent.image)) as picture, Image.open(io.BytesIO(candidate)) as cutout:
        small = cutout.convert("RGBA").resize(_SIZE, Image.Resampling.BOX)
        apart = ImageChops.difference(picture.convert("RGB").resize(_SIZE, Image.Resampling.BOX), small.convert("RGB"))
    solid = small.getchannel("A").point(lambda a: 255 if a > 200 else 0)
    if solid.getbbox() is None:
        raise UnusableAnswer("too little of it is opaque to compare it with the picture")
    unlike = sum(ImageStat.Stat(apart, solid).mean) / 3
    if unlike > _UNLIKE:
        raise UnusableAnswer(f"it shows another picture (mean difference {unlike:.0f} of 255)")
    return checked


def refuse_preview(cutout: ValidatedAnswer, source: bytes, max_side_px: int, max_pixels: int) -> str:
    """
    Return why a cutout is smaller than a bought one would be; empty if it is not.

    Args:
        cutout: of this picture.
        source: the picture.
        max_side_px, max_pixels: limits of what would be sent; 0 pixels for no limit.
    """
    sent = prepare(source, max_side_px, max_pixels)
    if max(cutout.width_px, cutout.height_px) >= max(sent.width_px, sent.height_px) - 1:
        return ""
    return (
        f"it is a preview, {cutout.width_px}×{cutout.height_px}; a bought one would measure "
        f"{sent.width_px}×{sent.height_px}"
    )
