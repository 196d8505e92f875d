"""Pictures and paths as arrays: edges, noise, curves, blur."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Array = NDArray[Any]
"""float32; numpy's own annotations lose this type in many operations."""
Rgb = tuple[float, float, float]


def smoothstep(edge: float, value: Array, soft: float = 1.0) -> Array:
    """Return 0 below `edge`, 1 above it, smooth over `soft` units on either side, to avoid jagged edges."""
    t = np.clip((value - edge) / (2 * soft) + 0.5, 0, 1)
    return (t * t * (3 - 2 * t)).astype(np.float32)


def mix(first: Array | Rgb, second: Array | Rgb, amount: Array) -> Array:
    """Blend colours by `amount`, height x width x 3."""
    share = amount[..., None]
    return np.asarray(np.asarray(first, np.float32) * (1 - share) + np.asarray(second, np.float32) * share, np.float32)


def noise(rng: np.random.Generator, shape: tuple[int, int], cell_px: float, stretch: float = 1.0) -> Array:
    """Make smooth noise of -1 to 1 with bumps about `cell_px` wide, and `stretch` times as high."""
    height, width = shape
    grid = rng.random((int(height / cell_px / stretch) + 3, int(width / cell_px) + 3), dtype=np.float32)
    return np.asarray(Image.fromarray(grid).resize((width, height), Image.Resampling.BICUBIC), np.float32) * 2 - 1


def spline(points: Sequence[tuple[float, ...]], *, closed: bool, per_span: int = 16) -> Array:
    """Draw a Catmull-Rom curve through the points, with `per_span` samples between two of them."""
    p = np.asarray(points, np.float32)
    p = np.concatenate([p[-1:], p, p[:2]]) if closed else np.concatenate([p[:1], p, p[-1:]])
    a, b, c, d = p[:-3, None], p[1:-2, None], p[2:-1, None], p[3:, None]
    t = np.linspace(0, 1, per_span, endpoint=False, dtype=np.float32)[None, :, None]
    curve = 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
    flat = curve.reshape(-1, p.shape[1])
    return (flat if closed else np.concatenate([flat, p[-1:]])).astype(np.float32)


def resample(path: Array, spacing_px: float) -> Array:
    """Resample a path at points `spacing_px` apart."""
    length = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(path[:, :2], axis=0).T))])
    at = np.linspace(0, length[-1], max(2, int(length[-1] / spacing_px)))
    return np.stack([np.interp(at, length, column) for column in path.T], axis=1).astype(np.float32)


def blur(image: Array, radius_px: float) -> Array:
    """Blur in floating point, near-Gaussian (8-bit blurs leave bands in the shading)."""
    if radius_px > 6:
        height, width = image.shape
        factor = int(radius_px // 3)
        pad = factor * 12
        small = Image.fromarray(np.pad(image, pad)).reduce(factor)
        soft = blur(np.asarray(small, np.float32), radius_px / factor)
        size = (small.width * factor, small.height * factor)
        return np.asarray(Image.fromarray(soft).resize(size, Image.Resampling.BICUBIC), np.float32)[
            pad : pad + height, pad : pad + width
        ]
    reach = max(1, round(radius_px))
    for _ in range(3):
        for axis in (0, 1):
            padding = [(0, 0), (0, 0)]
            padding[axis] = (reach + 1, reach)
            total = np.cumsum(np.pad(image, padding), axis=axis, dtype=np.float64)
            upper = np.take(total, range(2 * reach + 1, total.shape[axis]), axis=axis)
            lower = np.take(total, range(total.shape[axis] - 2 * reach - 1), axis=axis)
            image = ((upper - lower) / (2 * reach + 1)).astype(np.float32)
    return image
