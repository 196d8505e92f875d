"""Right cutouts of drawn products: picture, true alpha, and the answer of a good vendor."""

import io
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

SIDE = 480
Floats = NDArray[Any]
Random = np.random.Generator


class Case(NamedTuple):
    """A picture as it was sent, and its right answer."""

    name: str
    kind: str
    """A hard kind, or `visible` where the subject stands out from its backdrop."""
    sent: Image.Image
    answer: Image.Image

    @property
    def is_hard(self) -> bool:
        return self.kind != "visible"


def as_sent(picture: Floats) -> Image.Image:
    """As the vendor decodes it: a JPEG."""
    out = io.BytesIO()
    Image.fromarray(np.clip(picture + 0.5, 0, 255).astype(np.uint8)).save(out, "JPEG", quality=95, subsampling=0)
    with Image.open(out) as sent:
        return sent.convert("RGB")


def answered(sent: Image.Image, alpha: Floats, rng: Random) -> Image.Image:
    """A vendor's answer: its edges are a little softer and wander by a fraction of a pixel."""
    soft = Image.fromarray(np.clip(alpha * 255 + 0.5, 0, 255).astype(np.uint8))
    soft = soft.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.2, 0.9))))
    answer = sent.copy()
    answer.putalpha(soft)
    return answer


# Outlines: lists of polygons in a frame from -1 to 1; a negative one is a hole.


def _around(radii: Floats) -> list[tuple[float, float]]:
    angles = np.linspace(0, 2 * np.pi, len(radii), endpoint=False)
    return list(zip(radii * np.cos(angles), radii * np.sin(angles), strict=True))


def _blob(rng: Random) -> list[tuple[int, Any]]:
    angles = np.linspace(0, 2 * np.pi, 180, endpoint=False)
    waves = [rng.uniform(0.02, 0.22 / k) * np.cos(k * angles + rng.uniform(0, 6.3)) for k in range(1, 6)]
    return [(1, _around(0.72 + sum(waves)))]


def _star(rng: Random) -> list[tuple[int, Any]]:
    points = int(rng.integers(5, 9))
    return [(1, _around(np.where(np.arange(2 * points) % 2, rng.uniform(0.4, 0.6), 0.95)))]


def _bottle(rng: Random) -> list[tuple[int, Any]]:
    body, neck, shoulder = rng.uniform(0.3, 0.5), rng.uniform(0.08, 0.18), rng.uniform(-0.5, -0.1)
    right = [(neck, -0.95), (neck, shoulder - 0.2), (body, shoulder + 0.1), (body, 0.9)]
    return [(1, right + [(-x, y) for x, y in reversed(right)])]


def _mug(rng: Random) -> list[tuple[int, Any]]:
    width = rng.uniform(0.4, 0.55)
    ring = [(width + 0.38 * np.cos(t), 0.45 * np.sin(t)) for t in np.linspace(-1.57, 1.57, 40)]
    hole = [(width + 0.2 * np.cos(t), 0.28 * np.sin(t)) for t in np.linspace(-1.57, 1.57, 40)]
    body = [(-width, -0.7), (width, -0.7), (width * 0.9, 0.75), (-width * 0.9, 0.75)]
    return [(1, body), (1, ring), (-1, hole)]


def _shirt(rng: Random) -> list[tuple[int, Any]]:
    sleeve = rng.uniform(0.7, 0.95)
    right = [(0.18, -0.85), (0.4, -0.8), (sleeve, -0.25), (0.7, -0.1), (0.45, -0.4), (0.45, 0.9)]
    return [(1, right + [(-x, y) for x, y in reversed(right)])]


def _chair(rng: Random) -> list[tuple[int, Any]]:
    leg = rng.uniform(0.05, 0.09)
    legs = [[(x, 0.1), (x + leg, 0.1), (x + 1.5 * leg, 0.95), (x + 0.5 * leg, 0.95)] for x in (-0.55, -0.15, 0.4)]
    seat = [(-0.65, -0.05), (0.6, -0.05), (0.65, 0.12), (-0.6, 0.12)]
    back = [(-0.65, -0.95), (-0.5, -0.95), (-0.45, 0.0), (-0.62, 0.0)]
    return [(1, each) for each in (*legs, seat, back)]


def _box(rng: Random) -> list[tuple[int, Any]]:
    x, y = rng.uniform(0.4, 0.85), rng.uniform(0.35, 0.8)
    return [(1, [(-x, -y), (x, -y), (x, y), (-x, y)])]


def _shoe(rng: Random) -> list[tuple[int, Any]]:
    toe = rng.uniform(0.75, 0.95)
    outline = [(-0.85, -0.5), (-0.35, -0.55), (-0.1, -0.2), (0.5, 0.05), (toe, 0.2), (toe, 0.45), (-0.85, 0.45)]
    return [(1, outline)]


def _ring(rng: Random) -> list[tuple[int, Any]]:
    inner = rng.uniform(0.4, 0.65)
    return [(1, _around(np.full(90, 0.85))), (-1, _around(np.full(90, inner)))]


def _lamp(rng: Random) -> list[tuple[int, Any]]:
    shade = [(-0.3, -0.9), (0.3, -0.9), (rng.uniform(0.5, 0.7), -0.2), (-0.6, -0.2)]
    return [(1, shade), (1, [(-0.05, -0.25), (0.05, -0.25), (0.05, 0.8), (-0.05, 0.8)]), (1, _oval(0, 0.85, 0.4, 0.1))]


def _pair(rng: Random) -> list[tuple[int, Any]]:
    r = rng.uniform(0.3, 0.42)
    return [(1, _oval(-0.5, -0.1, r, 0.6)), (1, _oval(0.48, 0.15, r, 0.55))]


def _oval(x: float, y: float, across: float, down: float) -> list[tuple[float, float]]:
    return [(x + across * np.cos(t), y + down * np.sin(t)) for t in np.linspace(0, 2 * np.pi, 60, endpoint=False)]


OUTLINES: tuple[Callable[[Random], list[tuple[int, Any]]], ...] = (
    _blob, _star, _bottle, _mug, _shirt, _chair, _box, _shoe, _ring, _lamp, _pair,
)  # fmt: skip


def draw(polygons: list[tuple[int, Any]], size: tuple[int, int], place: tuple[float, float, float, float]) -> Floats:
    """
    Return the alpha, 0 to 1, of polygons.

    Args:
        polygons: each with 1, or -1 for a hole.
        size: width and height, px.
        place: centre (shares of the frame), radius (share of the shorter side), and angle.
    """
    x, y, radius, angle = place
    width, height = size[0] * 3, size[1] * 3
    image = Image.new("L", (width, height))
    canvas = ImageDraw.Draw(image)
    for sign, polygon in polygons:
        points = np.array(polygon) @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        points = points * radius * min(width, height) + (x * width, y * height)
        canvas.polygon([tuple(p) for p in points], fill=255 if sign > 0 else 0)
    return np.asarray(image.resize(size, Image.Resampling.BOX), np.float32) / 255


def smooth(rng: Random, size: tuple[int, int], cells: int) -> Floats:
    """Noise from 0 to 1 with so many waves across."""
    rough = Image.fromarray((rng.random((cells + 1, cells + 1)) * 255).astype(np.uint8))
    return np.asarray(rough.resize(size, Image.Resampling.BICUBIC), np.float32) / 255


def texture(rng: Random, size: tuple[int, int], kind: int, colour: Floats) -> Floats:
    """The surface of a product: plain, shaded, striped, chequered, grained, printed."""
    width, height = size
    y, x = np.mgrid[:height, :width].astype(np.float32)
    other = np.clip(colour + rng.choice([-60, 60]), 0, 255)
    light = 0.75 + 0.4 * smooth(rng, size, 3)[..., None]
    base = np.broadcast_to(colour, (height, width, 3)).astype(np.float32)
    if kind == 2:
        base = np.where((np.sin((x + rng.uniform(-1, 1) * y) / rng.uniform(4, 14)) > 0)[..., None], base, other)
    elif kind == 3:
        cell = int(rng.integers(10, 40))
        base = np.where(((x // cell + y // cell) % 2 > 0)[..., None], base, other)
    elif kind == 4:
        base = base + (smooth(rng, size, 90)[..., None] - 0.5) * rng.uniform(30, 90)
    elif kind == 5:
        spots = smooth(rng, size, 9) > 0.6
        base = np.where(spots[..., None], np.clip(rng.uniform(0, 255, 3), 0, 255), base)
    return base * (light if kind else 1.0)


def backdrop(rng: Random, size: tuple[int, int], kind: int) -> tuple[Floats, str]:
    """Paper in light, grey, dark and colour, a gradient, cloth, wood, and a scene out of focus."""
    width, height = size
    y = np.mgrid[:height, :width][0].astype(np.float32)
    plain = [rng.uniform(235, 255), rng.uniform(150, 220), rng.uniform(15, 50)]
    if kind < 3:
        base = np.full((height, width, 3), plain[kind], np.float32) + rng.uniform(-5, 5, 3)
    elif kind == 3:
        base = np.broadcast_to(rng.uniform(60, 240, 3), (height, width, 3)).astype(np.float32)
    elif kind == 4:
        top, bottom = rng.uniform(100, 250, 3), rng.uniform(100, 250, 3)
        base = top + (bottom - top) * (y / height)[..., None]
    elif kind == 5:
        base = rng.uniform(60, 220, 3) + (smooth(rng, size, 120)[..., None] - 0.5) * rng.uniform(20, 60)
    elif kind == 6:
        grain = np.sin(y / 7 + 6 * smooth(rng, size, 6)) * rng.uniform(6, 20) + (y // 90 % 2) * 12
        base = np.array([170, 125, 80]) * rng.uniform(0.6, 1.3) + grain[..., None]
    else:
        scene = Image.new("RGB", size, tuple(int(v) for v in rng.uniform(40, 220, 3)))
        pen = ImageDraw.Draw(scene)
        for _ in range(30):
            cx, cy, r = rng.uniform(0, width), rng.uniform(0, height), rng.uniform(15, 120)
            fill = tuple(int(v) for v in rng.uniform(20, 240, 3))
            (pen.ellipse if rng.random() < 0.5 else pen.rectangle)((cx - r, cy - r, cx + r, cy + r * 0.8), fill=fill)
        scene = scene.filter(ImageFilter.GaussianBlur(float(rng.uniform(4, 12))))
        base = np.asarray(scene, np.float32)
    names = ("light", "grey", "dark", "coloured", "gradient", "cloth", "wood", "scene")
    return base * (0.94 + 0.06 * smooth(rng, size, 2)[..., None]), names[kind]


def apart(rng: Random, from_colour: Floats) -> Floats:
    """A colour that stands out from another."""
    while True:
        colour = rng.uniform(10, 245, 3)
        if np.abs(colour - from_colour).max() > 90 and abs(colour.mean() - from_colour.mean()) > 35:
            return colour


def visible(seed: int) -> Case:
    """A product that stands out from its backdrop."""
    rng = np.random.default_rng(seed)
    size = [(SIDE, SIDE), (SIDE, 360), (360, SIDE)][int(rng.integers(3))]
    behind, name = backdrop(rng, size, seed % 8)
    outline = OUTLINES[seed % len(OUTLINES)]
    radius = float(rng.uniform(0.28, 0.44))
    place = (float(rng.uniform(0.46, 0.54)), float(rng.uniform(0.46, 0.54)), radius, float(rng.uniform(-0.5, 0.5)))
    alpha = draw(outline(rng), size, place)
    colour = apart(rng, behind[alpha > 0.5].mean(axis=0) if name != "scene" else behind.mean(axis=(0, 1)))
    surface = texture(rng, size, int(rng.integers(6)), colour)
    if seed % 3 == 0:
        behind = behind * (1 - 0.3 * _shadow(alpha, rng))[..., None]
    picture = surface * alpha[..., None] + behind * (1 - alpha[..., None]) + rng.normal(0, rng.uniform(0, 3), (1,))
    picture = picture + rng.normal(0, rng.uniform(0.3, 2.5), picture.shape)
    sent = as_sent(picture)
    return Case(f"{outline.__name__[1:]} on {name} ({seed})", "visible", sent, answered(sent, alpha, rng))


def _shadow(alpha: Floats, rng: Random) -> Floats:
    below = np.roll(alpha, int(rng.integers(4, 14)), axis=0)
    image = Image.fromarray((below * 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(float(rng.uniform(6, 14))))
    return np.asarray(image, np.float32) / 255


# Hard kinds: subjects without an edge, without one outline, or half transparent.


def _glass(rng: Random, size: tuple[int, int]) -> tuple[Floats, Floats]:
    behind, _ = backdrop(rng, size, int(rng.integers(2)))
    whole = draw(_bottle(rng), size, (0.5, 0.5, 0.42, 0))
    inner = np.asarray(Image.fromarray((whole * 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(7)), np.float32)
    rim = np.clip(1.7 * (1 - inner / 255), 0, 1)
    alpha = whole * np.clip(0.25 + rim + 0.5 * (smooth(rng, size, 7) > 0.7), 0, 1)
    return alpha, alpha[..., None] * rng.uniform(30, 120, 3) + (1 - alpha[..., None]) * behind


def _veil(rng: Random, size: tuple[int, int]) -> tuple[Floats, Floats]:
    behind, _ = backdrop(rng, size, int(rng.integers(2, 5)))
    whole = draw(_blob(rng), size, (0.5, 0.5, 0.46, 0))
    soft = np.asarray(Image.fromarray((whole * 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(14)), np.float32)
    core = draw(_shirt(rng), size, (0.5, 0.5, 0.25, 0))
    alpha = np.maximum(core, soft / 255 * (0.25 + 0.5 * smooth(rng, size, 16)))
    return alpha, alpha[..., None] * 235 + (1 - alpha[..., None]) * behind


def _white_on_white(rng: Random, size: tuple[int, int]) -> tuple[Floats, Floats]:
    alpha = draw(OUTLINES[int(rng.integers(len(OUTLINES)))](rng), size, (0.5, 0.5, 0.4, 0.1))
    light = rng.uniform(238, 248) + 10 * (smooth(rng, size, 4) - 0.5)
    return alpha, (alpha * light + (1 - alpha) * rng.uniform(249, 254))[..., None] * np.ones(3)


def _full_bleed(rng: Random, size: tuple[int, int]) -> tuple[Floats, Floats]:
    behind, _ = backdrop(rng, size, int(rng.integers(4)))
    alpha = draw(_blob(rng), size, (0.5, 0.5, float(rng.uniform(0.75, 0.95)), 0))
    colour = apart(rng, behind.mean(axis=(0, 1)))
    return alpha, alpha[..., None] * texture(rng, size, 4, colour) + (1 - alpha[..., None]) * behind


def _chain(rng: Random, size: tuple[int, int]) -> tuple[Floats, Floats]:
    behind, _ = backdrop(rng, size, int(rng.integers(3)))
    alpha = np.zeros((size[1], size[0]), np.float32)
    for t in np.linspace(0, 2 * np.pi, 30, endpoint=False):
        x, y = 0.5 + 0.34 * np.cos(t), 0.48 + 0.36 * np.sin(t)
        link = [(1, _oval(0, 0, 1.0, 0.55)), (-1, _oval(0, 0, 0.7, 0.28))]
        alpha = np.maximum(alpha, draw(link, size, (float(x), float(y), 0.055, float(t + 1.57))))
    colour = apart(rng, behind.mean(axis=(0, 1)))
    return alpha, alpha[..., None] * texture(rng, size, 1, colour) + (1 - alpha[..., None]) * behind


def _screws(rng: Random, size: tuple[int, int]) -> tuple[Floats, Floats]:
    behind, _ = backdrop(rng, size, int(rng.integers(3)))
    alpha = np.zeros((size[1], size[0]), np.float32)
    head = [
        (-0.3, -1),
        (0.3, -1),
        (0.3, -0.75),
        (0.1, -0.7),
        (0.1, 0.9),
        (0, 1),
        (-0.1, 0.9),
        (-0.1, -0.7),
        (-0.3, -0.75),
    ]
    for x in (0.2, 0.4, 0.6, 0.8):
        for y in (0.25, 0.5, 0.75):
            place = (x + rng.uniform(-0.04, 0.04), y + rng.uniform(-0.04, 0.04), 0.1, float(rng.uniform(0, 6.3)))
            alpha = np.maximum(alpha, draw([(1, head)], size, place))
    colour = apart(rng, behind.mean(axis=(0, 1)))
    return alpha, alpha[..., None] * texture(rng, size, 1, colour) + (1 - alpha[..., None]) * behind


HARD = {
    "glass": _glass,
    "veil": _veil,
    "white on white": _white_on_white,
    "full bleed": _full_bleed,
    "chain": _chain,
    "screws": _screws,
}


def hard(kind: str, seed: int) -> Case:
    rng = np.random.default_rng([seed, *kind.encode()])
    size = (SIDE, SIDE) if seed % 2 else (400, SIDE)
    alpha, picture = HARD[kind](rng, size)
    sent = as_sent(picture + rng.normal(0, 1.0, picture.shape))
    return Case(f"{kind} ({seed})", kind, sent, answered(sent, alpha, rng))


def drawn(count: int = 160, of_each_hard: int = 12, first: int = 0) -> Iterator[Case]:
    """
    Yield cases of all kinds.

    Args:
        count: number of visible ones.
        of_each_hard: number of each hard kind.
        first: first seed. The limits were chosen by those below 160.
    """
    for seed in range(first, first + count):
        yield visible(seed)
    for kind in HARD:
        for seed in range(first, first + of_each_hard):
            yield hard(kind, seed)
