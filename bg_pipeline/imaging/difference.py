"""Measure how two cutouts of one picture differ."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bg_pipeline.core.canary import Difference
from bg_pipeline.imaging.pictures import thumbnail

_SIDE_PX = 1000
"""Both are compared at this size: what does not show there, no customer sees."""

_VISIBLE_ALPHA = 0.1
_VISIBLE_COLOUR = 5.0
"""ΔE from which a pixel counts as changed."""

_TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
"""Linear sRGB to CIE XYZ, D65 (IEC 61966-2-1)."""

_WHITE = np.array([0.9505, 1.0, 1.089])

_Array = NDArray[np.floating[Any]]


def measure_difference(old: bytes, new: bytes) -> Difference:
    """
    Measure how a cutout differs from an earlier one; another size alone is no difference.

    Args:
        old: bytes of the earlier output.
        new: bytes of the new one.

    Raises:
        ItemUnreadable: one cannot be decoded.
    """
    before = thumbnail(old, _SIDE_PX).convert("RGBA")
    after = thumbnail(new, _SIDE_PX).convert("RGBA")
    if after.size != before.size:
        after = after.resize(before.size, Image.Resampling.LANCZOS)
    (alpha, colour), (other_alpha, other_colour) = _parts(before), _parts(after)
    apart = np.abs(alpha - other_alpha)
    solid = (alpha > 0.5) & (other_alpha > 0.5)
    delta_e = np.where(solid, np.sqrt(((_lab(colour) - _lab(other_colour)) ** 2).sum(axis=2)), 0.0)
    changed = (apart > _VISIBLE_ALPHA) | (delta_e > _VISIBLE_COLOUR)
    return Difference(
        alpha=float(apart.mean()),
        colour=float(delta_e[solid].mean()) if solid.any() else 0.0,
        changed=float(changed.mean()),
        moved=_move(alpha > 0.5, other_alpha > 0.5),
    )


def _parts(image: Image.Image) -> tuple[_Array, _Array]:
    """Return alpha and colours, 0 to 1."""
    pixels = np.asarray(image, dtype=np.float32) / 255
    return pixels[..., 3], pixels[..., :3]


def _lab(colour: _Array) -> _Array:
    """Return sRGB as CIE L*a*b* (CIE 15:2004)."""
    linear = np.where(colour <= 0.04045, colour / 12.92, ((colour + 0.055) / 1.055) ** 2.4)
    xyz = linear @ _TO_XYZ.T / _WHITE
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], axis=2)


def _move(solid: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    """Return the largest move of a side of the subject's box; 1 if only one has a subject."""
    if solid.any() != other.any():
        return 1.0
    if not solid.any():
        return 0.0
    moves = (abs(a - b) for a, b in zip(_box(solid), _box(other), strict=True))
    return float(max(moves) / max(solid.shape))


def _box(solid: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero(solid.any(axis=1)), np.flatnonzero(solid.any(axis=0))
    return int(rows[0]), int(rows[-1]), int(columns[0]), int(columns[-1])
