"""Renditions of a master: its frame, its background, its format."""

from collections.abc import Sequence
from functools import lru_cache

from PIL import Image, ImageChops, ImageColor, ImageOps

from bg_pipeline.core.recipe import Rendition
from bg_pipeline.core.records import Use
from bg_pipeline.imaging.alpha import unpacked
from bg_pipeline.imaging.colour import as_mode
from bg_pipeline.imaging.compositing import compose, is_same_shape
from bg_pipeline.imaging.decoding import decode, open_limited
from bg_pipeline.imaging.encoding import ENCODERS, MASTER_FORMATS, encode, require_fitting
from bg_pipeline.imaging.framing import framed
from bg_pipeline.imaging.metadata import kept_metadata
from bg_pipeline.imaging.profiles import srgb_profile


def render(source: bytes, master: bytes, renditions: Sequence[Rendition], use: Use, alpha: bytes = b"") -> list[bytes]:
    """
    Render the published bytes of an item in each of these renditions; source and master are decoded once.

    Args:
        source: bytes of the source.
        master: bytes of its master.
        renditions: the wanted outputs.
        use: the part of the master that is published.
        alpha: that of the master, as in `pictures.ValidatedAnswer`; empty if it is not at hand.

    Raises:
        ItemUnreadable: the source cannot be decoded, or a format cannot hold a picture of this size.
    """
    # In place where possible: a copy of 24 megapixels takes 96 MB, and several processes run this.
    original = None if use.has_own_frame else decode(source)
    cutout = _with_alpha(*compose(_answer(master, alpha, original, use), original, use))
    del original
    return [_rendered(source, cutout, each, is_last=each is renditions[-1]) for each in renditions]


def _answer(master: bytes, alpha: bytes, original: Image.Image | None, use: Use) -> Image.Image:
    """Return the answer, or its alpha alone where that is all that counts."""
    if alpha and original is not None and use is Use.ALPHA:
        alone = unpacked(alpha)
        if is_same_shape(original.size, alone.size):
            return alone
    return as_mode(open_limited(master, MASTER_FORMATS), "RGBA")


def _rendered(source: bytes, cutout: Image.Image, rendition: Rendition, *, is_last: bool) -> bytes:
    frame = framed(cutout, rendition)
    if rendition.background_image:
        frame = _before(_backdrop(rendition.background_image), frame)
    elif rendition.background:
        frame = frame if is_last or frame is not cutout else frame.copy()
        frame.paste(ImageColor.getrgb(rendition.background)[:3], mask=ImageChops.invert(frame.getchannel("A")))
        frame = as_mode(frame, "RGB")
    require_fitting(frame.size, rendition.format)
    options = ENCODERS[rendition.format] | ({"quality": rendition.quality} if rendition.quality else {})
    exif = kept_metadata(source, rendition.metadata, frame.size)
    return encode(frame, **options, icc_profile=srgb_profile(), **({"exif": exif} if exif else {}))


def _with_alpha(colours: Image.Image, alpha: Image.Image) -> Image.Image:
    """Add alpha and clear the colour under full transparency: it is invisible and takes a third of the file."""
    colours.putalpha(alpha)
    # A mask of bits: Pillow pastes under it seven times as fast as under one of bytes.
    colours.paste((0, 0, 0, 0), mask=alpha.point(lambda a: 255 if a == 0 else 0, "1"))
    return colours


@lru_cache(2)
def _backdrop(image: bytes) -> Image.Image:
    return as_mode(decode(image), "RGB")


def _before(backdrop: Image.Image, frame: Image.Image) -> Image.Image:
    """Return a frame (RGBA) on a backdrop that covers it: scaled to its size, and cut to its shape in the middle."""
    behind = ImageOps.fit(backdrop, frame.size, Image.Resampling.LANCZOS)
    behind.paste(frame, mask=frame.getchannel("A"))
    return behind
