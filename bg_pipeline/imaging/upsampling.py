"""
The alpha of a small answer at the size of its original, whose edges it follows.

Where a few colours mix, as along an edge, through hair and in glass, alpha is a linear function of the colour. That
function is the same at every size. It is fitted to the small picture and applied to the large one: a guided filter
(He, Sun, Tang, "Guided image filtering", 2013; He, Sun, "Fast guided filter", 2015).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from bg_pipeline.imaging.tiles import Floats, Tile, between, planes, tiles

_RADIUS = 2
_WINDOW = np.float32((2 * _RADIUS + 1) ** 2)
_SMOOTHNESS = 1e-4
"""Variance of a colour, of 1, below which it is noise: that of about 2.5 of 255."""
_MARGIN_PX = 2 * _RADIUS + 2
"""Pixels around a tile that it depends on: those of a fit, those of the mean over fits, and those between pixels."""
_GOOD, _BAD = 0.05, 0.35
"""Share of alpha's variance that colour leaves unexplained: up to the first the fit is used alone, from the second on
bicubic interpolation is."""
_PAIRS = ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))


def upsample(alpha: Image.Image, guide: Image.Image) -> Image.Image:
    """
    Return the alpha in the size of the guide.

    Args:
        alpha: L, smaller than the guide and of the same shape.
        guide: RGB, the original as it was sent.
    """
    smooth = alpha.resize(guide.size, Image.Resampling.BICUBIC)
    full = smooth.copy()
    for tile in tiles(alpha.size, guide.size, _MARGIN_PX):
        known = alpha.crop(tile.around)
        level, highest = known.getextrema()
        if level != highest:
            small = guide.resize(known.size, Image.Resampling.BOX, box=tile.seen)
            shown = np.concatenate([planes(small), planes(known)])
            line = _fit(np.pad(shown, ((0, 0), *tile.missing), mode="symmetric"))
            full.paste(_apply(line, smooth.crop(tile.full), guide.crop(tile.full), tile), tile.full[:2])
    return full


def _fit(shown: Floats) -> Floats:
    """
    Fit alpha to the colours, in each window.

    Args:
        shown: R, G, B and alpha.

    Returns:
        Five planes: alpha is R, G, B times the first three plus the fourth; the fifth is the trust in it. They are
        smaller by twice the radius on each side.
    """
    guide, alpha = shown[:3], shown[3]
    terms = np.empty((14, *alpha.shape), np.float32)
    terms[:4] = shown
    for at, (i, j) in enumerate(_PAIRS, 4):
        np.multiply(guide[i], guide[j], out=terms[at])
    np.multiply(guide, alpha, out=terms[10:13])
    np.multiply(alpha, alpha, out=terms[13])
    means = _mean(terms)
    mean, of_alpha = means[:3], means[3]
    spread = [square - mean[i] * mean[j] for square, (i, j) in zip(means[4:10], _PAIRS, strict=True)]
    shared = means[10:13] - mean * of_alpha
    variance = means[13] - of_alpha**2
    fits = np.empty((6, *variance.shape), np.float32)
    slope = fits[:3]
    slope[:] = _solve(spread, shared)
    explained = (slope * shared).sum(axis=0)
    # Four values were fitted to the pixels of the window.
    left = np.maximum(variance - explained, 0) * (_WINDOW / (_WINDOW - 4)) + np.float32(1e-6)
    fits[3] = of_alpha - (slope * mean).sum(axis=0)
    fits[4] = 1 - between(left / (variance + np.float32(1e-5)), _GOOD, _BAD)
    fits[5] = 1
    # A pixel is in many windows: the better one explains alpha, the more it counts.
    fits /= left
    weighted = _mean(fits)
    weighted[:5] /= weighted[5]
    return weighted[:5]


def _solve(spread: Sequence[Floats], shared: Floats) -> list[Floats]:
    """Solve a symmetric system of three for each pixel, by its adjugate matrix."""
    a, b, c, d, e, f = spread
    a, d, f = (each + np.float32(_SMOOTHNESS) for each in (a, d, f))
    aa, bb, cc = d * f - e * e, c * e - b * f, b * e - c * d
    dd, ee, ff = a * f - c * c, b * c - a * e, a * d - b * b
    scale = 1 / np.maximum(a * aa + b * bb + c * cc, np.float32(1e-14))
    x, y, z = (each * scale for each in shared)
    return [aa * x + bb * y + cc * z, bb * x + dd * y + ee * z, cc * x + ee * y + ff * z]


def _mean(values: Floats) -> Floats:
    """Return the mean of each window that lies within, of each plane."""
    height, width = (side - 2 * _RADIUS for side in values.shape[1:])
    rows = values[:, :height] + values[:, 1 : 1 + height]
    for n in range(2, 2 * _RADIUS + 1):
        rows += values[:, n : n + height]
    total: Floats = rows[:, :, :width] + rows[:, :, 1 : 1 + width]
    for n in range(2, 2 * _RADIUS + 1):
        total += rows[:, :, n : n + width]
    total *= 1 / _WINDOW
    return total


def _apply(line: Floats, smooth: Image.Image, guide: Image.Image, tile: Tile) -> Image.Image:
    (above, _), (before, _) = tile.missing
    across, down = before - 2 * _RADIUS, above - 2 * _RADIUS
    box = tile.box[0] + across, tile.box[1] + down, tile.box[2] + across, tile.box[3] + down

    def enlarged(plane: Floats) -> Any:
        return np.asarray(Image.fromarray(plane).resize(guide.size, Image.Resampling.BILINEAR, box=box))

    alpha = enlarged(line[3]) * np.float32(255)
    for slope, channel in zip(line[:3], guide.split(), strict=True):
        alpha += enlarged(slope) * np.asarray(channel)
    alpha = alpha.clip(0, 255)
    bicubic = np.asarray(smooth)
    alpha = bicubic + (alpha - bicubic) * enlarged(line[4])
    return Image.fromarray((alpha + np.float32(0.5)).astype(np.uint8))
