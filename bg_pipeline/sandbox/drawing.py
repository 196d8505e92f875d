"""
A small product photographer: solid bodies with true normals, studio light, a backdrop, and the exact alpha.

Screen coordinates throughout: x to the right, y down, z towards the camera, in pixels. Colours are linear light,
0 to 1, until a part is put on the scene.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

Array = NDArray[Any]
"""float32; numpy's own annotations lose that at every second step."""
Rgb = tuple[float, float, float]
Shadow = tuple[float, float, float, float, float]
"""(x, y, half width, half height, strength 0 to 1) of one soft pool of shadow on the ground, px."""

# Far above every canvas, yet finite: np.interp must not meet an infinity.
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
    """1 where the inner wall of an open vessel is seen."""


@dataclass(frozen=True)
class Finish:
    """How a material answers light: gloss 0 (cloth) to 1 (wet glaze); spread 0.02 (mirror) to 0.5 (satin)."""

    gloss: float = 0.5
    spread: float = 0.1
    metal: float = 0.0


def linear(red: int, green: int, blue: int) -> Rgb:
    """Linear light of an sRGB colour given as 0 to 255."""
    return ((red / 255) ** 2.2, (green / 255) ** 2.2, (blue / 255) ** 2.2)


CREAM, CHALK, STEEL, GUM = (
    linear(236, 226, 206),
    linear(238, 237, 233),
    linear(176, 178, 182),
    linear(168, 112, 66),
)
CERAMIC, MATTE, CLOTH, LEATHER, RUBBER, CHROME = (
    Finish(0.8, 0.05),
    Finish(0.22, 0.35),
    Finish(0.02, 0.5),
    Finish(0.26, 0.26),
    Finish(0.12, 0.4),
    Finish(0.5, 0.06, metal=0.9),
)


def step(edge: float, value: Array, soft: float = 1.0) -> Array:
    """0 below `edge`, 1 above it, smooth over `soft` units either side: an edge without jaggies."""
    t = np.clip((value - edge) / (2 * soft) + 0.5, 0, 1)
    return (t * t * (3 - 2 * t)).astype(np.float32)


def mix(first: Array | Rgb, second: Array | Rgb, amount: Array) -> Array:
    """Colours blended by `amount`, height x width x 3."""
    share = amount[..., None]
    return np.asarray(np.asarray(first, np.float32) * (1 - share) + np.asarray(second, np.float32) * share, np.float32)


def noise(rng: np.random.Generator, shape: tuple[int, int], cell_px: float, stretch: float = 1.0) -> Array:
    """Smooth noise of -1 to 1 whose bumps are about `cell_px` wide, and `stretch` times as high."""
    height, width = shape
    grid = rng.random((int(height / cell_px / stretch) + 3, int(width / cell_px) + 3), dtype=np.float32)
    return np.asarray(Image.fromarray(grid).resize((width, height), Image.Resampling.BICUBIC), np.float32) * 2 - 1


def spline(points: Sequence[tuple[float, ...]], *, closed: bool, per_span: int = 16) -> Array:
    """A Catmull-Rom curve through the points, `per_span` samples between two of them."""
    p = np.asarray(points, np.float32)
    p = np.concatenate([p[-1:], p, p[:2]]) if closed else np.concatenate([p[:1], p, p[-1:]])
    a, b, c, d = p[:-3, None], p[1:-2, None], p[2:-1, None], p[3:, None]
    t = np.linspace(0, 1, per_span, endpoint=False, dtype=np.float32)[None, :, None]
    curve = 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
    flat = curve.reshape(-1, p.shape[1])
    return (flat if closed else np.concatenate([flat, p[-1:]])).astype(np.float32)


def even(path: Array, spacing_px: float) -> Array:
    """The same path with samples `spacing_px` apart along it."""
    length = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(path[:, :2], axis=0).T))])
    at = np.linspace(0, length[-1], max(2, int(length[-1] / spacing_px)))
    return np.stack([np.interp(at, length, column) for column in path.T], axis=1).astype(np.float32)


def blur(image: Array, radius_px: float) -> Array:
    """A near-Gaussian blur in floating point (8-bit blurs leave bands in the shading)."""
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


def _unit(x: Array, y: Array, z: Array) -> Array:
    normal = np.stack([x, y, z], axis=-1)
    return np.asarray(normal / np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-6), np.float32)


def tilt(normal: Array, height: Array, depth_px: float) -> Array:
    """Normals disturbed by a relief of `height` (-1 to 1) that is `depth_px` deep: grain, weave, ribs, creases."""
    down, right = np.gradient(height)
    return _unit(normal[..., 0] - right * depth_px, normal[..., 1] + down * depth_px, normal[..., 2])


def lathe(profile: Array, foot: tuple[float, float], pitch: float, rim: tuple[int, int] | None = None) -> Surface:
    """
    A body turned on a wheel, seen from `pitch` radians above.

    Args:
        profile: (radius, height) pairs in px, from the foot up; dense, about one a pixel. A closed body ends at
            radius 0; an open vessel goes over its rim and down inside.
        foot: where the axis meets the ground on the canvas.
        rim: of an open vessel, the first and last index of the rim.
    """
    radius, height = profile.T
    sin, cos = float(np.sin(pitch)), float(np.cos(pitch))
    left, right = int(foot[0] - radius.max()) - 2, int(foot[0] + radius.max()) + 3
    top = int(foot[1] - (height * cos + radius * sin).max()) - 2
    bottom = int(foot[1] + (radius * sin - height * cos).max()) + 3
    x = np.arange(left, right, dtype=np.float32) + 0.5 - foot[0]
    y = np.arange(top, bottom, dtype=np.float32) + 0.5 - foot[1]

    # Walk the meridian from the front foot over the top to the far side; what is met later hides what came before.
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
    # A lip turns away from the camera within a pixel; what is left of it must not go black.
    facing = np.maximum(out * depth * cos + up * sin, 0.08)
    normal = _unit(out * across, up * cos - out * depth * sin, facing)
    inside = ((walk[low] > (rim[1] if rim else last)) & (far < 0)).astype(np.float32)
    return Surface(
        left, top, _turned_alpha(radius, height, x, y, sin, cos), normal, np.arctan2(across, depth), h, inside
    )


def turned(points: Sequence[tuple[float, float]], scale: float, *, per_span: int = 48, smooth: bool = True) -> Array:
    """A dense profile, about one sample a pixel, from (radius, height) points in units of `scale` px."""
    path = (spline(points, closed=False, per_span=per_span) if smooth else np.asarray(points, np.float32)) * np.float32(
        scale
    )
    path[:, 0] = np.maximum(path[:, 0], 0)
    return even(path, 1.0)


def _turned_alpha(radius: Array, height: Array, x: Array, y: Array, sin: float, cos: float) -> Array:
    """Exact coverage: a row of a turned body is one interval about the axis, whatever its profile."""
    rows = (y[:, None] + (np.arange(4, dtype=np.float32) - 1.5) / 4).reshape(-1, 1)
    flat = np.maximum(radius * sin, 0.6)
    reach = (radius * np.sqrt(np.maximum(1 - ((rows + height * cos) / flat) ** 2, 0))).max(axis=1)
    coverage = np.clip(reach[:, None] - np.abs(x)[None] + 0.5, 0, 1) * np.minimum(reach, 1)[:, None]
    return np.asarray(coverage.reshape(len(y), 4, len(x)).mean(axis=1), np.float32)


def tube(path: Array, radius_px: float | Array, *, flatten: float = 0.0) -> Surface:
    """A round bar swept along a path of (x, y, z); `flatten` 0 to 1 turns it into a strap."""
    spacing = max(0.8, float(np.min(radius_px)) * 0.15)
    count = len(path)
    path = even(path, spacing)
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
    """A padded shape: flat in the middle, rolled over at its outline within `puff_px`, domed as a whole by `bulge`."""
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


def light(normal: Array, albedo: Array | Rgb, finish: Finish) -> Array:
    """What the camera sees of a lit surface: a large softbox at the upper left, a strip at the right, a bright room."""
    x, y, z = normal[..., 0], normal[..., 1], normal[..., 2]
    key = np.maximum((-0.55 * x + 0.52 * y + 0.65 * z + 0.3) / 1.3, 0)
    fill = np.maximum((0.8 * x + 0.1 * y + 0.55 * z + 0.3) / 1.3, 0)
    diffuse = 0.20 + 0.72 * key**1.3 + 0.16 * fill + 0.10 * y
    rx, ry, rz = 2 * z * x, 2 * z * y, 2 * z * z - 1
    soft = finish.spread
    box = step(-0.80, rx, soft) * (1 - step(-0.42, rx, soft)) * step(-0.35, ry, soft + 0.1) * step(-0.4, rz, 0.3)
    strip = step(0.72, rx, soft) * (1 - step(0.90, rx, soft)) * step(-0.1, ry, soft + 0.2) * step(-0.5, rz, 0.3)
    fresnel = 0.05 + 0.4 * np.clip(1 - z, 0, 0.9) ** 4
    room = 0.35 + 0.35 * ry
    shine = finish.gloss * (box * 0.55 + strip * 0.22 + fresnel * room)
    base = np.asarray(albedo, np.float32)
    dull = base * np.maximum(diffuse, 0.02)[..., None]
    around = 0.34 + 0.30 * ry + 0.24 * np.cos(4.2 * rx + 0.5)
    mirror = base * (np.maximum(around, 0.04) + 1.3 * box + 0.7 * strip)[..., None]
    return np.asarray(dull * (1 - finish.metal) + mirror * finish.metal + shine[..., None], np.float32)


class Scene:
    """A canvas on which parts are put from back to front; it ends as a photograph and the alpha of all parts."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self._rgb = np.zeros((height, width, 3), np.float32)
        self._alpha = np.zeros((height, width), np.float32)

    def _clip(self, surface: Surface) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
        height, width = surface.alpha.shape
        y0, y1 = max(surface.top, 0), min(surface.top + height, self.height)
        x0, x1 = max(surface.left, 0), min(surface.left + width, self.width)
        inner = np.s_[y0 - surface.top : y1 - surface.top, x0 - surface.left : x1 - surface.left]
        return np.s_[y0:y1, x0:x1], inner

    def add(self, surface: Surface, colour: Array, *, drop_px: float = 0.0, drop: float = 0.5) -> None:
        """Put a lit part on the scene; with `drop_px` it first shades what lies beneath it, that far and soft."""
        if drop_px:
            pad = int(drop_px * 3) + 2
            veil = Surface(
                surface.left - pad + round(drop_px * 0.5),
                surface.top - pad + round(drop_px * 0.8),
                blur(np.pad(surface.alpha, pad), drop_px),
                *(surface.normal, surface.u, surface.v, surface.inside),
            )
            outer, inner = self._clip(veil)
            self._rgb[outer] *= 1 - drop * veil.alpha[inner][..., None]
        outer, inner = self._clip(surface)
        share = surface.alpha[inner]
        self._rgb[outer] = self._rgb[outer] * (1 - share[..., None]) + srgb(colour[inner]) * share[..., None]
        self._alpha[outer] = self._alpha[outer] * (1 - share) + share

    def shade(self, amount: Array) -> None:
        """Multiply what has been drawn so far."""
        self._rgb *= amount[..., None]

    def photograph(self, backdrop: Array) -> tuple[Image.Image, Image.Image]:
        """The picture before `backdrop` (height x width x 3, sRGB 0 to 1), and the true alpha (L)."""
        picture = self._rgb + backdrop * (1 - self._alpha[..., None])
        pixels = np.clip(picture * 255 + 0.5, 0, 255).astype(np.uint8)
        return Image.fromarray(pixels), Image.fromarray((self._alpha * 255 + 0.5).astype(np.uint8))


def srgb(colour: Array) -> Array:
    """Linear light to sRGB, highlights rolled off as film does."""
    bright = np.where(colour > 0.75, 0.75 + 0.25 * np.tanh((colour - 0.75) / 0.25), np.maximum(colour, 0))
    return (bright ** (1 / 2.2)).astype(np.float32)


def studio(
    rng: np.random.Generator,
    shape: tuple[int, int],
    tint: tuple[int, int, int],
    shadows: Sequence[tuple[float, float, float, float, float]],
) -> Array:
    """
    A seamless paper sweep with light from the upper left, a vignette, sensor noise and shadows on the ground.

    Args:
        tint: sRGB of the paper, 0 to 255.
        shadows: (x, y, half width, half height, strength 0 to 1) of each soft pool of shadow.
    """
    height, width = shape
    y = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    x = np.linspace(0, 1, width, dtype=np.float32)[None]
    horizon = rng.uniform(0.58, 0.72)
    glow = np.exp(-((x - rng.uniform(0.3, 0.5)) ** 2 + (y - rng.uniform(0.3, 0.5)) ** 2) / 0.35)
    bend = 1 / (1 + np.exp(-(y - horizon) / 0.06))
    tone = 0.90 + 0.12 * glow - 0.05 * bend + 0.05 * bend * (y - horizon) / (1 - horizon)
    tone = tone - 0.16 * (((x - 0.5) ** 2 + (y - 0.5) ** 2) / 0.5) ** 1.5
    rows, cols = np.mgrid[0:height, 0:width].astype(np.float32)
    for sx, sy, wide, deep, strength in shadows:
        pool = np.exp(-((((cols - sx) / wide) ** 2 + ((rows - sy) / deep) ** 2) ** 1.4))
        tone = tone * (1 - strength * pool)
    grain = rng.standard_normal((height, width, 1), dtype=np.float32) * 0.0045
    paper = np.asarray(tint, np.float32) / 255 * tone[..., None]
    return np.asarray(np.clip(paper + grain, 0, 1), np.float32)
