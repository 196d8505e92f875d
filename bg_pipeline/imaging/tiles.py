"""A large picture and its smaller copy in tiles, so that arithmetic on them needs little memory."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Floats = NDArray[np.float32]
"""Planes x height x width, or height x width; 0 to 1."""

_SIDE_PX = 256
"""Side of a tile in the large picture. Tiles without an edge cost nothing, so they should not be large."""

Box = tuple[int, int, int, int]


class Tile(NamedTuple):
    """One tile; all boxes are left, upper, right, lower, in px."""

    full: Box
    """The tile in the large picture."""
    around: Box
    """The tile in the smaller copy, with a margin."""
    seen: tuple[float, float, float, float]
    """`around` in the large picture."""
    box: tuple[float, float, float, float]
    """The tile within `around`."""
    missing: tuple[tuple[int, int], tuple[int, int]]
    """Pixels of the margin that lie outside of the picture: above and below, left and right."""


def tiles(small: tuple[int, int], large: tuple[int, int], margin_px: int) -> Iterator[Tile]:
    """
    Yield all tiles, row by row.

    Args:
        small: size of the smaller copy.
        large: size of the large picture.
        margin_px: pixels around a tile, as far as the smaller copy goes.
    """
    across, down = small[0] / large[0], small[1] / large[1]
    for top, bottom in _steps(large[1]):
        for left, right in _steps(large[0]):
            exact = left * across, top * down, right * across, bottom * down
            wanted = (
                int(exact[0]) - margin_px,
                int(exact[1]) - margin_px,
                int(exact[2]) + 1 + margin_px,
                int(exact[3]) + 1 + margin_px,
            )
            around = max(0, wanted[0]), max(0, wanted[1]), min(small[0], wanted[2]), min(small[1], wanted[3])
            missing = (
                (around[1] - wanted[1], wanted[3] - around[3]),
                (around[0] - wanted[0], wanted[2] - around[2]),
            )
            seen = (
                around[0] / across,
                around[1] / down,
                min(float(large[0]), around[2] / across),
                min(float(large[1]), around[3] / down),
            )
            box = exact[0] - around[0], exact[1] - around[1], exact[2] - around[0], exact[3] - around[1]
            yield Tile((left, top, right, bottom), around, seen, box, missing)


def _steps(length: int) -> Iterator[tuple[int, int]]:
    for start in range(0, length, _SIDE_PX):
        yield start, min(start + _SIDE_PX, length)


def planes(image: Image.Image) -> Floats:
    """Return the channels of a picture, each contiguous: arithmetic on them is several times faster so."""
    return np.stack([np.asarray(channel, np.float32) for channel in image.split()]) * np.float32(1 / 255)


def between(value: Floats, low: float, high: float) -> Any:
    """Return 0 up to `low`, 1 from `high` on, and a smooth curve between them."""
    share = ((value - np.float32(low)) * np.float32(1 / (high - low))).clip(0, 1)
    return share * share * (3 - 2 * share)
