"""Tell a cutout from a photo with a transparent rim, and give such a photo a backdrop up to its frame."""

from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bg_pipeline.imaging.outline import Tones
from bg_pipeline.imaging.paper import has_plain_border

_SIDE_PX = 128

_RECTANGULAR = 0.93
"""Share of the smallest rectangle around it that a photo covers: rounded corners take a little, and so do pixels."""

_MOST = 0.6
"""Share of the frame from which a rectangle is a photo, whatever it shows."""


class Kind(StrEnum):
    """What a picture with transparent parts is."""

    CUTOUT = "cutout"
    PHOTO = "photo"
    """A photo with a transparent rim or transparent corners: it was padded, straightened or rounded."""
    OTHER = "other"


def kind_of(image: Image.Image) -> Kind:
    """
    Tell what a picture with transparent parts is.

    Of a cutout, most of the frame is transparent. Of a photo, what is opaque is a rectangle, which covers most of the
    frame, or has a plain backdrop along its sides and something on it.

    Args:
        image: RGBA.
    """
    small = image.copy()
    small.thumbnail((_SIDE_PX, _SIDE_PX), Image.Resampling.BOX)
    alpha = np.asarray(image.getchannel("A"))
    frame = np.concatenate([alpha[0], alpha[-1], alpha[:, 0], alpha[:, -1]])
    opaque = np.asarray(small.getchannel("A")) >= 240
    if opaque.mean() < 0.01:
        return Kind.OTHER
    if _rectangularity(opaque) >= _RECTANGULAR and (
        opaque.mean() >= _MOST or has_plain_border(Tones.of(small.convert("RGB")), opaque)
    ):
        return Kind.PHOTO
    return Kind.CUTOUT if np.mean(frame < 16) >= 0.5 else Kind.OTHER


def extended(image: Image.Image) -> Image.Image:
    """Return a photo in RGB, whose transparent parts have the colours of the nearest opaque ones: no edge is left."""
    small = image.copy()
    small.thumbnail((_SIDE_PX, _SIDE_PX), Image.Resampling.BOX)
    pixels = np.asarray(small)
    colours, known = pixels[..., :3], pixels[..., 3] >= 240
    for axis in (1, 0):
        at = _nearest(known, axis)
        colours, known = np.take_along_axis(colours, at[..., None], axis), np.take_along_axis(known, at, axis)
    whole = Image.fromarray(colours).resize(image.size, Image.Resampling.BICUBIC)
    whole.paste(image, mask=image.getchannel("A"))
    return whole


def _nearest(known: NDArray[np.bool_], axis: int) -> NDArray[Any]:
    """Return the nearest known position along an axis, for each pixel; its own where none is."""
    size = known.shape[axis]
    own = np.broadcast_to(np.arange(size) if axis else np.arange(size)[:, None], known.shape)
    before = np.maximum.accumulate(np.where(known, own, -size), axis=axis)
    after = np.flip(np.minimum.accumulate(np.flip(np.where(known, own, 3 * size), axis), axis=axis), axis)
    nearest = np.where(own - before <= after - own, before, after)
    return np.where((nearest >= 0) & (nearest < size), nearest, own)


def _rectangularity(opaque: NDArray[np.bool_]) -> float:
    """Return the share of the smallest rectangle around it, upright or turned, that is opaque."""
    y, x = np.nonzero(opaque)
    ends = np.unique(np.concatenate([_ends(y, x), _ends(x, y)[:, ::-1]]), axis=0).astype(float)
    angles = np.radians(np.arange(-45, 45, 0.5))
    along = ends @ np.array([np.cos(angles), np.sin(angles)])
    across = ends @ np.array([-np.sin(angles), np.cos(angles)])
    area: Any = (np.ptp(along, axis=0) + 1) * (np.ptp(across, axis=0) + 1)
    return float(len(y) / area.min())


def _ends(lines: NDArray[Any], at: NDArray[Any]) -> NDArray[Any]:
    """Return the first and the last position on each line, as pairs of line and position."""
    first, last = np.full(lines.max() + 1, at.max() + 1), np.full(lines.max() + 1, -1)
    np.minimum.at(first, lines, at)
    np.maximum.at(last, lines, at)
    used = np.flatnonzero(last >= 0)
    return np.concatenate([np.stack([used, first[used]], axis=1), np.stack([used, last[used]], axis=1)])
