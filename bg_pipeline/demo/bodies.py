"""
Solid bodies with exact normals and alpha: turned, swept and padded.

Screen coordinates throughout: x to the right, y down, z towards the camera, in pixels.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from bg_pipeline.demo.arrays import Array, blur, resample, spline

# Far above every canvas, but finite: np.interp fails on infinity.
_NOWHERE = -1e6


@dataclass(frozen=True)
class Surface:
    """The side of a body that faces the camera: arrays of one height and width, placed at (left, top) of the canvas."""

    left: int
    top: int
    alpha: Array
    normal: Array
    """Unit vectors, height x width x 3; y points up here, as light comes from above."""
    u: Array
    """Around the body, radians for a turned one, px from the middle for a panel; along the path, px, for a tube."""
    v: Array
    """Up the body, px from its foot; down a panel, px from its top."""
    inside: Array
    """1 where the inner wall of an open vessel is visible."""


def _unit(x: Array, y: Array, z: Array) -> Array:
    normal = np.stack([x, y, z], axis=-1)
    return np.asarray(normal / np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-6), np.float32)


def tilt(normal: Array, height: Array, depth_px: float) -> Array:
    """Tilt normals by a relief of `height` (-1 to 1) that is `depth_px` deep: grain, weave, ribs, creases."""
    down, right = np.gradient(height)
    return _unit(normal[..., 0] - right * depth_px, normal[..., 1] + down * depth_px, normal[..., 2])


def lathe(profile: Array, foot: tuple[float, float], pitch: float, rim: tuple[int, int] | None = None) -> Surface:
    """
    Make a body turned on a wheel, seen from `pitch` radians above.

    Args:
        profile: (radius, height) pairs in px, from the foot up; dense, about one per pixel. A closed body ends at
            radius 0; an open vessel goes over its rim and down inside.
        foot: point on the canvas where the axis meets the ground.
        rim: first and last index of the rim of an open vessel; None for a closed body.
    """
    radius, height = profile.T
    sin, cos = float(np.sin(pitch)), float(np.cos(pitch))
    left, right = int(foot[0] - radius.max()) - 2, int(foot[0] + radius.max()) + 3
    top = int(foot[1] - (height * cos + radius * sin).max()) - 2
    bottom = int(foot[1] + (radius * sin - height * cos).max()) + 3
    x = np.arange(left, right, dtype=np.float32) + 0.5 - foot[0]
    y = np.arange(top, bottom, dtype=np.float32) + 0.5 - foot[1]

    # Follow the meridian from the front foot over the top to the far side; later points hide earlier ones.
    last = len(profile)
    ahead = np.arange(last if rim is None else rim[1] + 1)
    behind = np.arange(last - 1, -1 if rim is None else rim[0] - 1, -1)
    walk = np.concatenate([ahead, behind])
    side = np.concatenate([np.ones(len(ahead)), -np.ones(len(behind))]).astype(np.float32)
    reach = np.minimum(np.abs(x), radius.max() * 0.999)
    square = radius[walk, None] ** 2 - reach[None] ** 2
    seen = side[:, None] * np.sqrt(np.maximum(square, 0)) * sin - height[walk, None] * cos
    seen[square < 0] = _NOWHERE
    if rim is None:
        peak = np.where(square < 0, np.inf, seen).argmin(axis=0)
        seen[np.arange(len(walk))[:, None] > peak[None]] = _NOWHERE
    else:
        seen[len(ahead) :] = np.minimum(seen[len(ahead) :], seen[len(ahead) - 1])
    seen = np.maximum.accumulate(seen[::-1], axis=0)
    order = np.arange(len(walk) - 1, -1, -1, dtype=np.float32)
    at = np.stack([np.interp(y, seen[:, i], order) for i in range(len(x))], axis=1)

    low = np.clip(at.astype(np.int32), 0, len(walk) - 2)
    part = (at - low).astype(np.float32)

    def along(values: Array) -> Array:
        return np.asarray(values[walk][low] * (1 - part) + values[walk][low + 1] * part, np.float32)

    # Averaged over a few samples: a lip two pixels wide would glitter otherwise.
    run, rise = (
        np.convolve(np.pad(np.gradient(line), 3, "edge"), np.full(7, 1 / 7), "valid") for line in (radius, height)
    )
    size = np.maximum(np.hypot(run, rise), 1e-6)
    out, up, r, h = along(rise / size), along(-run / size), np.maximum(along(radius), 1e-3), along(height)
    far = np.where(part < 0.5, side[low], side[low + 1])
    across = np.clip(x[None] / r, -1, 1)
    depth = far * np.sqrt(1 - across**2)
    # A lip turns away from the camera within a pixel; its visible rest must not become black.
    facing = np.maximum(out * depth * cos + up * sin, 0.08)
    normal = _unit(out * across, up * cos - out * depth * sin, facing)
    inside = ((walk[low] > (rim[1] if rim else last)) & (far < 0)).astype(np.float32)
    return Surface(
        left, top, _turned_alpha(radius, height, x, y, sin, cos), normal, np.arctan2(across, depth), h, inside
    )


def turned(points: Sequence[tuple[float, float]], scale: float, *, per_span: int = 48, smooth: bool = True) -> Array:
    """Make a dense profile, about one sample per pixel, from (radius, height) points in units of `scale` px."""
    path = (spline(points, closed=False, per_span=per_span) if smooth else np.asarray(points, np.float32)) * np.float32(
        scale
    )
    path[:, 0] = np.maximum(path[:, 0], 0)
    return resample(path, 1.0)


def _turned_alpha(radius: Array, height: Array, x: Array, y: Array, sin: float, cos: float) -> Array:
    """Compute the exact coverage: each row of a turned body is one interval around the axis."""
    rows = (y[:, None] + (np.arange(4, dtype=np.float32) - 1.5) / 4).reshape(-1, 1)
    flat = np.maximum(radius * sin, 0.6)
    reach = (radius * np.sqrt(np.maximum(1 - ((rows + height * cos) / flat) ** 2, 0))).max(axis=1)
    coverage = np.clip(reach[:, None] - np.abs(x)[None] + 0.5, 0, 1) * np.minimum(reach, 1)[:, None]
    return np.asarray(coverage.reshape(len(y), 4, len(x)).mean(axis=1), np.float32)


def tube(path: Array, radius_px: float | Array, *, flatten: float = 0.0) -> Surface:
    """Sweep a round bar along a path of (x, y, z); `flatten` 0 to 1 turns it into a strap."""
    spacing = max(0.8, float(np.min(radius_px)) * 0.15)
    count = len(path)
    path = resample(path, spacing)
    radii = np.interp(np.linspace(0, 1, len(path)), np.linspace(0, 1, count), np.broadcast_to(radius_px, count))
    reach = int(radii.max()) + 2
    left, top = int(path[:, 0].min()) - reach, int(path[:, 1].min()) - reach
    shape = (int(path[:, 1].max()) + reach + 2 - top, int(path[:, 0].max()) + reach + 2 - left)
    alpha, nx, ny, u = (np.zeros(shape, np.float32) for _ in range(4))
    nz, front = np.ones(shape, np.float32), np.full(shape, -1e9, np.float32)
    for index, ((px, py, pz), r) in enumerate(zip(path, radii, strict=True)):
        row, col = int(py) - top - reach, int(px) - left - reach
        window = np.s_[max(row, 0) : row + 2 * reach + 2, max(col, 0) : col + 2 * reach + 2]
        rows, cols = np.ogrid[window]
        dx, dy = cols + (left + 0.5 - px), rows + (top + 0.5 - py)
        distance = np.sqrt(dx * dx + dy * dy)
        lift = np.sqrt(np.maximum(r * r - distance * distance, 0))
        nearer = (distance < r + 0.7) & (pz + lift > front[window])
        alpha[window] = np.maximum(alpha[window], np.clip(r - distance + 0.5, 0, 1))
        front[window] = np.where(nearer, pz + lift, front[window])
        for target, value in ((nx, dx / r), (ny, -dy / r), (nz, lift / r + flatten), (u, index * spacing)):
            target[window] = np.where(nearer, value, target[window])
    zero = np.zeros(shape, np.float32)
    return Surface(left, top, alpha, _unit(nx, ny, nz), u, zero, zero)


def panel(outline: Array, *, puff_px: float, bulge: float = 0.0) -> Surface:
    """Make a padded shape: flat in the middle, rounded at its outline within `puff_px`, domed as a whole by `bulge`."""
    margin, fine = 3, 4
    left, top = int(outline[:, 0].min()) - margin, int(outline[:, 1].min()) - margin
    width, height = (
        int(outline[:, 0].max()) + margin + 1 - left,
        int(outline[:, 1].max()) + margin + 1 - top,
    )
    mask = Image.new("L", (width * fine, height * fine))
    ImageDraw.Draw(mask).polygon([((px - left) * fine, (py - top) * fine) for px, py in outline], fill=255)
    alpha = np.asarray(mask.reduce(fine), np.float32) / 255
    relief = _dome(alpha, puff_px) * puff_px
    if bulge:
        wide = min(width, height) * 0.3
        relief = relief + _dome(alpha, wide) * wide * bulge
    down, right = np.gradient(np.asarray(relief, np.float32))
    rows, cols = np.mgrid[0:height, 0:width].astype(np.float32)
    normal = _unit(np.negative(right), np.asarray(down), np.ones_like(alpha))
    return Surface(left, top, alpha, normal, cols - width / 2, rows, np.zeros_like(alpha))


def _dome(alpha: Array, radius_px: float) -> Array:
    # A straight edge is at 0.5 and a corner near 0.25; starting below both leaves no crease where they meet.
    inward = np.clip((blur(alpha, radius_px * 0.55) - 0.2) / 0.8, 0, 1)
    return np.sqrt(np.maximum(1 - (1 - inward) ** 2, 0)).astype(np.float32)
