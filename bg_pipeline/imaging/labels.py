"""Connected parts of a mask, by its runs of pixels."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Flags = NDArray[np.bool_]
Numbers = NDArray[Any]


class Parts(NamedTuple):
    """Connected parts of a mask."""

    labels: Numbers
    """Number of the part of each pixel; 0 outside of the mask."""
    sizes: Numbers
    """Pixels of each part, by its number; 0 for number 0."""


def parts_of(mask: Flags, *, diagonally: bool) -> Parts:
    """
    Find connected parts.

    Args:
        mask: height x width.
        diagonally: True if pixels that share only a corner are connected.
    """
    height, width = mask.shape
    stride = width + 2  # an empty column on each side, so that no run goes on in the next row
    padded = np.zeros((height, stride), np.int8)
    padded[:, 1:-1] = mask
    change = np.diff(padded.ravel(), prepend=0)
    starts, ends = np.flatnonzero(change == 1), np.flatnonzero(change == -1)
    if not len(starts):
        return Parts(np.zeros(mask.shape, np.int32), np.zeros(1))
    numbers = 1 + _connected(len(starts), *_touching(starts, ends, stride, reach=int(diagonally)))
    lengths = ends - starts
    labels = np.zeros(height * stride, np.int32)
    labels[_expanded(starts, lengths)] = np.repeat(numbers, lengths)
    return Parts(labels.reshape(height, stride)[:, 1:-1], np.bincount(numbers, weights=lengths))


def _touching(starts: Numbers, ends: Numbers, stride: int, reach: int) -> tuple[Numbers, Numbers]:
    """Return all pairs of runs in neighbouring rows that touch."""
    first = np.searchsorted(ends, starts + stride - reach, "right")
    last = np.searchsorted(starts, ends + stride + reach, "left")
    count = np.maximum(last - first, 0)
    return np.repeat(np.arange(len(starts)), count), _expanded(first, count)


def _expanded(first: Numbers, count: Numbers) -> Numbers:
    """Return `first[i]`, `first[i] + 1`, … with `count[i]` numbers for each i, all in one array."""
    before = np.cumsum(count) - count
    return np.asarray(np.arange(count.sum()) - np.repeat(before - first, count))


def _connected(runs: int, left: Numbers, right: Numbers) -> Numbers:
    """Return a number from 0 for each run: equal for runs that pairs connect."""
    root = np.arange(runs)
    while True:
        lowest = np.minimum(root[left], root[right])
        shorter = root.copy()
        np.minimum.at(shorter, root[left], lowest)
        np.minimum.at(shorter, root[right], lowest)
        shorter = shorter[shorter]
        if (shorter == root).all():
            return np.asarray(np.unique(root, return_inverse=True)[1])
        root = shorter


def longest_extent(parts: Parts) -> float:
    """Return the largest diagonal of a box around one of the parts, px; 0 if there is none."""
    y, x = np.nonzero(parts.labels)
    if not len(y):
        return 0.0
    label = parts.labels[y, x]
    low = np.full((2, len(parts.sizes)), np.inf)
    high = np.full((2, len(parts.sizes)), -np.inf)
    for axis, at in enumerate((y, x)):
        np.minimum.at(low[axis], label, at)
        np.maximum.at(high[axis], label, at)
    return float(np.hypot(*(high - low)[:, 1:]).max()) + 1.0
