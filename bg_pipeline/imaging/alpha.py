"""A picture combined with its alpha, an alpha on its own, and two alphas compared."""

import io
import struct

from isal import isal_zlib
from PIL import Image, ImageChops

from bg_pipeline.imaging.encoding import encode


def with_alpha(image: bytes, alpha: Image.Image) -> bytes:
    """Return a PNG of a picture with this alpha, both of the same size."""
    with Image.open(io.BytesIO(image)) as opened:
        cutout = opened.convert("RGB")
    cutout.putalpha(alpha.convert("L"))
    return encode(cutout, format="PNG")


_SIZE = struct.Struct(">II")


def packed(alpha: Image.Image) -> bytes:
    """Return an alpha (L) for `unpacked` in another process; as a PNG it would take three times as long."""
    return _SIZE.pack(*alpha.size) + isal_zlib.compress(alpha.tobytes(), 1)


def unpacked(alpha: bytes) -> Image.Image:
    return Image.frombytes("L", _SIZE.unpack_from(alpha), isal_zlib.decompress(alpha[_SIZE.size :]))


_COMPARED_PX = 512


def overlap(one: bytes, other: bytes) -> float:
    """
    Return how far the subjects of two cutouts of a picture are the same: intersection by union, 0 to 1.

    Args:
        one: a cutout, RGBA.
        other: another one, of the same shape.
    """
    masks = [_mask(each) for each in (one, other)]
    shared, both = (join(*masks).histogram()[255] for join in (ImageChops.darker, ImageChops.lighter))
    return shared / both if both else 1.0


def _mask(cutout: bytes) -> Image.Image:
    with Image.open(io.BytesIO(cutout)) as opened:
        alpha = opened.convert("RGBA").getchannel("A").resize((_COMPARED_PX, _COMPARED_PX), Image.Resampling.BOX)
    return alpha.point(lambda level: 255 if level > 127 else 0)
