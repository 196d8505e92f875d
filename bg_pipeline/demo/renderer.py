"""
A small product photographer: materials, studio light, a backdrop, and the exact alpha of all parts.

Colours are linear light, 0 to 1, until a part is put on the scene.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from bg_pipeline.demo.arrays import Array, Rgb, blur, smoothstep
from bg_pipeline.demo.bodies import Surface

Shadow = tuple[float, float, float, float, float]
"""(x, y, half width, half height, strength 0 to 1) of one soft pool of shadow on the ground, px."""


@dataclass(frozen=True)
class Finish:
    """Reflection of a material: gloss 0 (cloth) to 1 (wet glaze); spread 0.02 (mirror) to 0.5 (satin)."""

    gloss: float = 0.5
    spread: float = 0.1
    metal: float = 0.0


def linear(red: int, green: int, blue: int) -> Rgb:
    """Convert an sRGB colour of 0 to 255 to linear light."""
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


def light(normal: Array, albedo: Array | Rgb, finish: Finish) -> Array:
    """Light a surface: a large softbox at the upper left, a strip light at the right, a bright room."""
    x, y, z = normal[..., 0], normal[..., 1], normal[..., 2]
    key = np.maximum((-0.55 * x + 0.52 * y + 0.65 * z + 0.3) / 1.3, 0)
    fill = np.maximum((0.8 * x + 0.1 * y + 0.55 * z + 0.3) / 1.3, 0)
    diffuse = 0.20 + 0.72 * key**1.3 + 0.16 * fill + 0.10 * y
    rx, ry, rz = 2 * z * x, 2 * z * y, 2 * z * z - 1
    soft = finish.spread
    box = (
        smoothstep(-0.80, rx, soft)
        * (1 - smoothstep(-0.42, rx, soft))
        * smoothstep(-0.35, ry, soft + 0.1)
        * smoothstep(-0.4, rz, 0.3)
    )
    strip = (
        smoothstep(0.72, rx, soft)
        * (1 - smoothstep(0.90, rx, soft))
        * smoothstep(-0.1, ry, soft + 0.2)
        * smoothstep(-0.5, rz, 0.3)
    )
    fresnel = 0.05 + 0.4 * np.clip(1 - z, 0, 0.9) ** 4
    room = 0.35 + 0.35 * ry
    shine = finish.gloss * (box * 0.55 + strip * 0.22 + fresnel * room)
    base = np.asarray(albedo, np.float32)
    dull = base * np.maximum(diffuse, 0.02)[..., None]
    around = 0.34 + 0.30 * ry + 0.24 * np.cos(4.2 * rx + 0.5)
    mirror = base * (np.maximum(around, 0.04) + 1.3 * box + 0.7 * strip)[..., None]
    return np.asarray(dull * (1 - finish.metal) + mirror * finish.metal + shine[..., None], np.float32)


class Scene:
    """A canvas for parts, added from back to front; the result is a photograph and the alpha of all parts."""

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
        """Add a lit part; with `drop_px` it first casts a shadow on the parts below, that far and soft."""
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
        """Multiply the colours drawn so far."""
        self._rgb *= amount[..., None]

    def photograph(self, backdrop: Array) -> tuple[Image.Image, Image.Image]:
        """Return the picture in front of `backdrop` (height x width x 3, sRGB 0 to 1), and the true alpha (L)."""
        picture = self._rgb + backdrop * (1 - self._alpha[..., None])
        pixels = np.clip(picture * 255 + 0.5, 0, 255).astype(np.uint8)
        return Image.fromarray(pixels), Image.fromarray((self._alpha * 255 + 0.5).astype(np.uint8))


def srgb(colour: Array) -> Array:
    """Convert linear light to sRGB, with highlights compressed as on film."""
    bright = np.where(colour > 0.75, 0.75 + 0.25 * np.tanh((colour - 0.75) / 0.25), np.maximum(colour, 0))
    return (bright ** (1 / 2.2)).astype(np.float32)


def studio(
    rng: np.random.Generator,
    shape: tuple[int, int],
    tint: tuple[int, int, int],
    shadows: Sequence[tuple[float, float, float, float, float]],
) -> Array:
    """
    Draw a seamless paper backdrop with light from the upper left, a vignette, sensor noise and shadows on the ground.

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
