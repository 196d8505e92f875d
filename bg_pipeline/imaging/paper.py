"""A plain backdrop, and what differs from it."""

from typing import NamedTuple

import numpy as np

from bg_pipeline.imaging.labels import Flags, Numbers
from bg_pipeline.imaging.outline import Tones, frame_of

_EVERY = 3
"""Each so many pixels in both directions are compared: the areas in question are large."""

_PLAIN = 6.0
"""Unevenness of the frame up to which a backdrop is plain, in per cent of black to white."""

_STANDS_OUT = 12.0
"""Difference from the backdrop from which a pixel surely shows something else."""

_SHADOW = (35.0, 6.0)
"""Largest difference in lightness and in colour of a soft shadow."""


class Areas(NamedTuple):
    """Areas, of which 1 is that of the subject."""

    backdrop: float = 0.0
    """What was kept in the colours of the backdrop."""
    missing: float = 0.0
    """What stands out from the backdrop, is no shadow, and was removed."""


def areas(tones: Tones, solid: Flags, removed: Flags) -> Areas:
    """
    Compare what was kept, and what was removed, with the backdrop; both areas are 0 where it is not plain.

    Args:
        tones: the picture.
        solid: what was kept.
        removed: what was removed, at some distance from the subject.
    """
    near = slice(_EVERY // 2, None, _EVERY)
    tones_, solid, removed = tones.values[near, near], solid[near, near], removed[near, near]
    fitted, uneven = _fit(tones_)
    kept = np.count_nonzero(solid)
    if uneven > _PLAIN or not kept:
        return Areas()
    offset = tones_ - fitted
    distance = np.sqrt(np.einsum("yxc,yxc->yx", offset, offset))
    darker, tinted = -offset[..., 0], np.hypot(offset[..., 1], offset[..., 2])
    shadow = (darker > 0) & (darker < _SHADOW[0]) & (tinted < _SHADOW[1])
    stands_out = removed & ~shadow & (distance > max(_STANDS_OUT, 4 * uneven))
    like_backdrop = solid & (distance < max(2.5, 1.2 * uneven))
    return Areas(np.count_nonzero(like_backdrop) / kept, np.count_nonzero(stands_out) / kept)


def has_plain_border(tones: Tones, opaque: Flags) -> bool:
    """Return True if what lies along the sides of an opaque part is plain, and something else stands out inside."""
    rows, columns = (np.flatnonzero(opaque.any(axis=axis)) for axis in (1, 0))
    inset = 3 + max(len(rows), len(columns)) // 25  # a photo that was turned by a little has corners outside
    part = (slice(rows[0] + inset, rows[-1] + 1 - inset), slice(columns[0] + inset, columns[-1] + 1 - inset))
    inside = tones.values[part]
    if min(inside.shape[:2]) < 8:
        return False
    fitted, uneven = _fit(inside)
    distance = np.linalg.norm(inside - fitted, axis=-1)
    return uneven <= _PLAIN and bool(np.mean(distance > max(_STANDS_OUT, 4 * uneven)) > 0.05)


def _fit(tones: Numbers) -> tuple[Numbers, float]:
    """Fit a surface of the second degree to the frame; return it, and how far the frame is from it."""
    height, width = tones.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32) / max(height, width)
    terms = np.stack([np.ones_like(y), y, x, y * y, x * x, y * x], axis=-1)
    frame = frame_of((height, width), min(2, height // 2, width // 2))
    at, colours = terms[frame], tones[frame]
    near = np.ones(len(at), bool)
    for _ in range(3):  # a subject that reaches the frame is not the backdrop
        # Normal equations by einsum: BLAS would start a thread per core for this, and leave them spinning.
        square = np.einsum("ni,nj->ij", at[near], at[near]) + 1e-3 * np.eye(6)
        factors = np.linalg.solve(square, np.einsum("ni,nj->ij", at[near], colours[near]))
        off = np.linalg.norm(colours - np.einsum("ni,ij->nj", at, factors), axis=1)
        near = off <= max(2.0, 2.5 * float(np.median(off)))
    return np.einsum("yxi,ij->yxj", terms, factors), float(np.percentile(off, 80))
