"""Products sewn together: shoppers, handbags and trainers."""

from collections.abc import Sequence

import numpy as np

from bg_pipeline.demo.arrays import Array, Rgb, blur, mix, noise, resample, smoothstep, spline
from bg_pipeline.demo.bodies import Surface, lathe, panel, tilt, tube, turned
from bg_pipeline.demo.renderer import (
    CHALK,
    CHROME,
    CLOTH,
    CREAM,
    GUM,
    LEATHER,
    RUBBER,
    STEEL,
    Finish,
    Scene,
    Shadow,
    light,
    linear,
)


def _outline(points: Sequence[tuple[float, float]], x: float, y: float, scale: float) -> Array:
    """Draw a closed curve through points in units of `scale` px, y upwards, from an origin at (x, y)."""
    curve = spline(points, closed=True)
    return np.stack([x + curve[:, 0] * scale, y - curve[:, 1] * scale], axis=1).astype(np.float32)


def _slab(
    half_top: float, half_bottom: float, height: float, corner: float, sag: float = 0.0
) -> list[tuple[float, float]]:
    """Return points of a box with rounded corners and slightly bowed sides, its top edge lower in the middle."""
    c, middle = corner, (half_top + half_bottom) / 2 + 0.008
    right = [
        (half_bottom * 0.5, -0.002),
        (half_bottom - c * 1.6, 0.0),
        (half_bottom - c, 0.0),
        (half_bottom - c * 0.3, c * 0.3),
        (half_bottom, c),
        (half_bottom + 0.001, c * 1.6),
        (middle, height * 0.5),
        (half_top + 0.001, height - c * 1.6),
        (half_top, height - c),
        (half_top - c * 0.3, height - c * 0.3),
        (half_top - c, height),
        (half_top - c * 1.6, height - sag * 0.1),
        (half_top * 0.5, height - sag * 0.8),
    ]
    return [(0, -0.002), *right, (0, height - sag), *((-px, py) for px, py in reversed(right))]


def _stitches(scene: Scene, path: Array, radius_px: float, colour: Rgb, every_px: float) -> None:
    """Draw a row of stitches along a path."""
    length = max(3.0, every_px * 0.62)
    for start in range(0, len(path) - 3, max(1, int(every_px))):
        bit = path[start : start + int(length)]
        if len(bit) > 2:
            thread = tube(np.column_stack([bit, np.zeros(len(bit), np.float32)]), radius_px)
            scene.add(thread, light(thread.normal, colour, CLOTH), drop_px=1.2, drop=0.35)


def _strap(points: Sequence[tuple[float, float, float]], x: float, y: float, scale: float, radius: float) -> Surface:
    curve = spline(points, closed=False)
    path = np.stack([x + curve[:, 0] * scale, y - curve[:, 1] * scale, curve[:, 2] * scale], axis=1)
    return tube(path.astype(np.float32), radius, flatten=0.35)


def _on_floor(x: float, y: float, half: float, scale: float) -> list[Shadow]:
    """Return shadows of a long object that stands on its whole lower edge."""
    return [
        (x, y + scale * 0.004, half * 1.02, scale * 0.028, 0.46),
        (x + half * 0.06, y + scale * 0.02, half * 1.12, scale * 0.06, 0.24),
        (x + half * 0.2, y + scale * 0.02, half * 1.35, scale * 0.12, 0.12),
    ]


def tote(rng: np.random.Generator, colour: Rgb, style: str, scene: Scene) -> list[Shadow]:
    """Draw a canvas shopper with two loops, printed or striped."""
    size = min(scene.height * 0.56, scene.width * 0.66)
    x, y = scene.width * rng.uniform(0.48, 0.52), scene.height * rng.uniform(0.86, 0.89)
    top, bottom, high = rng.uniform(0.44, 0.48), rng.uniform(0.40, 0.44), rng.uniform(0.86, 0.96)
    grip, spread = rng.uniform(0.36, 0.46), rng.uniform(0.19, 0.24)
    leather = rng.random() < 0.4
    strap_colour: Rgb = linear(96, 58, 36) if leather else colour

    def loop(lean: float, rise: float) -> Surface:
        points = [
            (-spread, high * 0.80, 0),
            (-spread + 0.005, high + 0.02, 0),
            (-spread * 0.72 + lean, high + grip * rise * 0.78, 0),
            (lean, high + grip * rise, 0),
            (spread * 0.72 + lean, high + grip * rise * 0.78, 0),
            (spread - 0.005, high + 0.02, 0),
            (spread, high * 0.80, 0),
        ]
        return _strap(points, x, y, size, size * 0.026)

    finish = LEATHER if leather else CLOTH
    rear = loop(rng.uniform(-0.05, 0.05), 0.88)
    scene.add(rear, light(rear.normal, strap_colour, finish) * 0.62)
    body = panel(_outline(_slab(top, bottom, high, 0.035, 0.012), x, y, size), puff_px=size * 0.05, bulge=0.10)
    shape = body.u.shape
    folds = noise(rng, shape, size * 0.13, 2.4) + 0.5 * noise(rng, shape, size * 0.07, 1.5)
    normal = tilt(tilt(body.normal, blur(folds, 3), size * 0.020), _weave(rng, shape), 0.06)
    down = body.v / size
    albedo = mix(colour, colour, np.zeros(shape, np.float32)) * (1 + 0.06 * noise(rng, shape, 3))[..., None]
    pale = CREAM if sum(colour) < 1.2 else linear(60, 60, 66)
    if style == "striped":
        albedo = mix(albedo, pale, smoothstep(0.27, np.abs((down * rng.uniform(5, 8)) % 1 - 0.5), 0.02))
    elif style == "printed":
        away = np.hypot(body.u, body.v - size * high * 0.55).astype(np.float32) / size
        ring = smoothstep(0.13, away, 0.004) * (1 - smoothstep(0.19, away, 0.004))
        bars = (
            (1 - smoothstep(0.26, away, 0.004))
            * smoothstep(0.20, away, 0.004)
            * smoothstep(
                0.0,
                np.sin(np.arctan2(body.v - size * high * 0.55, body.u) * rng.integers(9, 15)).astype(np.float32),
                0.12,
            )
        )
        albedo = mix(albedo, pale, np.maximum(np.maximum(ring, bars), 1 - smoothstep(0.06, away, 0.004)))
    elif style == "colourblock":
        albedo = mix(albedo, pale, 1 - smoothstep(high * rng.uniform(0.45, 0.62), down, 0.003))
    hem = 1 - 0.22 * (1 - smoothstep(1.2, np.abs(body.v - size * 0.085), 0.8))
    scene.add(body, light(normal, albedo, CLOTH) * (hem * (1 - 0.25 * smoothstep(high * 0.9, down, 0.08)))[..., None])
    front = loop(rng.uniform(-0.05, 0.05), 1.0)
    scene.add(front, light(front.normal, strap_colour, finish), drop_px=size * 0.014, drop=0.45)
    thread = linear(220, 196, 160)
    for side in (-1, 1):
        cx, cy, r = x + side * spread * size, y - high * 0.84 * size, size * 0.017
        cross = np.asarray([(cx - r, cy - r), (cx + r, cy + r)], np.float32)
        for path in (cross, cross * np.asarray((-1, 1), np.float32) + np.asarray((2 * cx, 0), np.float32)):
            _stitches(scene, resample(path, 1.0), size * 0.0026, thread, size * 0.018)
    return _on_floor(x, y, bottom * size, size)


def satchel(rng: np.random.Generator, colour: Rgb, style: str, scene: Scene) -> list[Shadow]:
    """Draw a leather handbag: flap, stitching, a clasp and a rolled handle."""
    size = min(scene.width * 0.72, scene.height * 0.80)
    x, y = scene.width * rng.uniform(0.48, 0.52), scene.height * rng.uniform(0.80, 0.84)
    half, high = rng.uniform(0.42, 0.48), rng.uniform(0.50, 0.60)
    taper = rng.uniform(0.86, 0.96)
    crown = high + rng.uniform(0.24, 0.32)
    base = np.asarray(colour, np.float32)

    def leather(surface: Surface, depth: float = 0.16) -> Array:
        shape = surface.u.shape
        pebble = noise(rng, shape, 3.4) + 0.6 * noise(rng, shape, 7) if style == "pebbled" else noise(rng, shape, 2.4)
        fine = 1.7 if style == "pebbled" else 0.6
        dye = base * (1 + 0.07 * noise(rng, shape, 60) + 0.05 * noise(rng, shape, 9))[..., None]
        return light(tilt(surface.normal, pebble, depth * fine), dye.astype(np.float32), LEATHER)

    brass = linear(206, 164, 92) if rng.random() < 0.6 else STEEL
    grips = [
        (-half * 0.46, high - 0.02, 0),
        (-half * 0.46, high + 0.06, 0),
        (-half * 0.34, crown - 0.05, 0),
        (0, crown, 0),
        (half * 0.34, crown - 0.05, 0),
        (half * 0.46, high + 0.06, 0),
        (half * 0.46, high - 0.02, 0),
    ]
    handle = _strap(grips, x, y, size, size * 0.021)
    scene.add(handle, light(handle.normal, colour, LEATHER))
    body = panel(_outline(_slab(half * taper, half, high, 0.06, 0.0), x, y, size), puff_px=size * 0.06, bulge=0.16)
    scene.add(body, leather(body) * (1 - 0.35 * smoothstep(high * 0.86, body.v / size, 0.12))[..., None])
    for side in (-1, 1):
        at = x + side * half * 0.46 * size
        turn = np.linspace(0, 2 * np.pi, 40, dtype=np.float32)
        ring = np.stack(
            [at + np.cos(turn) * size * 0.028, y - (high + 0.035) * size + np.sin(turn) * size * 0.028, turn * 0],
            axis=1,
        )
        metal = tube(ring.astype(np.float32), size * 0.0075)
        scene.add(metal, light(metal.normal, brass, CHROME), drop_px=2, drop=0.4)
    drop = high * rng.uniform(0.50, 0.62)
    lip = half * taper
    pointed = rng.uniform(0.0, 0.09)
    flap_points = [
        (-lip - 0.006, high - 0.05),
        (-lip + 0.03, high + 0.012),
        (0, high + 0.018),
        (lip - 0.03, high + 0.012),
        (lip + 0.006, high - 0.05),
        (lip * 0.99, high - drop * 0.72),
        (lip * 0.80, high - drop * 0.96),
        (0, high - drop - pointed),
        (-lip * 0.80, high - drop * 0.96),
        (-lip * 0.99, high - drop * 0.72),
    ]
    flap_outline = _outline(flap_points, x, y, size)
    flap = panel(flap_outline, puff_px=size * 0.022, bulge=0.10)
    scene.add(flap, leather(flap), drop_px=size * 0.016, drop=0.55)
    centre = np.asarray((x, y - (high - drop * 0.45) * size), np.float32)
    seam = resample(centre + (flap_outline - centre) * np.float32(0.945), 1.0)
    seam = seam[seam[:, 1] > y - (high - 0.06) * size]
    order = np.argsort(np.arctan2(seam[:, 0] - x, seam[:, 1] - centre[1] + size * 0.3))
    pale = tuple(float(c) for c in np.minimum(base * 1.6 + 0.12, 0.8))
    _stitches(scene, seam[order], size * 0.0024, (pale[0], pale[1], pale[2]), size * 0.018)
    clasp_y = y - (high - drop - pointed + 0.055) * size
    r, h = size * 0.034, size * 0.026
    plate_points = [(-r, -h), (0, -h), (r, -h), (r, 0), (r, h), (0, h), (-r, h), (-r, 0)]
    plate = panel(
        np.asarray([(x + px, clasp_y + py) for px, py in spline(plate_points, closed=True)], np.float32), puff_px=5
    )
    scene.add(plate, light(plate.normal, brass, CHROME), drop_px=3, drop=0.5)
    knob = lathe(turned(((0.3, 0), (0.3, 0.2), (0.18, 0.34), (0, 0.36)), size * 0.03), (x, clasp_y + 3), 1.2)
    scene.add(knob, light(knob.normal, brass, CHROME), drop_px=2, drop=0.4)
    return _on_floor(x, y, half * size, size)


# Side view, heel at 0 and toe at 1, in lengths of the shoe; y is up.
_SHOE: dict[str, tuple[tuple[float, float], ...]] = {
    "lining": ((0.025, 0.33), (0.08, 0.372), (0.20, 0.345), (0.31, 0.33), (0.30, 0.23), (0.10, 0.23)),
    "tongue": ((0.255, 0.27), (0.262, 0.375), (0.30, 0.42), (0.352, 0.395), (0.42, 0.32), (0.40, 0.25)),
    "upper": (
        *((0.040, 0.060), (0.018, 0.160), (0.026, 0.270), (0.034, 0.345), (0.070, 0.362), (0.115, 0.315)),
        *((0.180, 0.275), (0.250, 0.285), (0.310, 0.345), (0.350, 0.352), (0.440, 0.295), (0.540, 0.240)),
        *((0.640, 0.207), (0.760, 0.190), (0.860, 0.176), (0.935, 0.148), (0.966, 0.100), (0.966, 0.055)),
        *((0.700, 0.040), (0.350, 0.040)),
    ),
    "toe": (
        *((0.80, 0.03), (0.785, 0.10), (0.802, 0.182), (0.865, 0.176), (0.937, 0.148), (0.968, 0.10), (0.968, 0.055)),
        (0.95, 0.03),
    ),
    "heel": ((0.034, 0.05), (0.013, 0.15), (0.020, 0.255), (0.07, 0.262), (0.11, 0.19), (0.16, 0.11), (0.17, 0.05)),
    "stay": (
        *((0.290, 0.275), (0.315, 0.352), (0.35, 0.352), (0.44, 0.295), (0.54, 0.240), (0.59, 0.217), (0.61, 0.178)),
        *((0.560, 0.168), (0.460, 0.205), (0.385, 0.240)),
    ),
    "sole": (
        *((0.030, 0.000), (0.007, 0.030), (0.012, 0.085), (0.10, 0.083), (0.35, 0.066), (0.62, 0.062), (0.85, 0.068)),
        *((0.965, 0.088), (0.996, 0.074), (0.985, 0.036), (0.93, 0.010), (0.80, 0.000), (0.60, -0.003), (0.30, -0.003)),
    ),
}  # fmt: skip


def sneaker(rng: np.random.Generator, colour: Rgb, style: str, scene: Scene) -> list[Shadow]:
    """Draw a low canvas or leather trainer from the side, laced."""
    size = min(scene.width * 0.80, scene.height * 1.12)
    flip = rng.choice((-1, 1))
    x, y = scene.width * rng.uniform(0.49, 0.51), scene.height * rng.uniform(0.74, 0.78)
    base = np.asarray(colour, np.float32)
    finish = CLOTH if style == "canvas" else Finish(0.14, 0.35)
    trim = np.asarray(CHALK if rng.random() < 0.6 else linear(58, 58, 64), np.float32)

    def part(points: Sequence[tuple[float, float]], puff: float, bulge: float = 0.0) -> Surface:
        placed = _outline([((px - 0.5) * flip, py) for px, py in points], x, y, size)
        return panel(placed, puff_px=size * puff, bulge=bulge)

    def cover(surface: Surface, tone: Array, relief: float = 0.10) -> Array:
        shape = surface.u.shape
        bump = _weave(rng, shape) if style == "canvas" else noise(rng, shape, 2.2 if style == "suede" else 3.2)
        normal = tilt(tilt(surface.normal, noise(rng, shape, size * 0.05), size * 0.0025), bump, relief)
        return light(normal, (tone * (1 + 0.07 * noise(rng, shape, 5))[..., None]).astype(np.float32), finish)

    def sew(name: str, tone: Array, puff: float, bulge: float = 0.0, drop: float = 0.005) -> None:
        surface = part(_SHOE[name], puff, bulge)
        scene.add(surface, cover(surface, tone), drop_px=size * drop, drop=0.4)

    sew("lining", base * np.float32(0.28), 0.02)
    sew("tongue", base * np.float32(0.85), 0.022)
    sew("upper", base, 0.045, 0.22, drop=0.010)
    if style == "canvas":
        toe = part(_SHOE["toe"], 0.035, 0.25)
        scene.add(toe, light(toe.normal, CHALK, RUBBER), drop_px=size * 0.005, drop=0.4)
    else:
        sew("toe", base * np.float32(0.72 if style == "suede" else 0.90), 0.012, 0.20)
    sew("heel", trim if style == "striped" else base * np.float32(0.62), 0.014, 0.12)
    for offset, wide in {"striped": ((0.0, 0.026), (0.056, 0.026), (0.112, 0.026)), "leather": ((0.03, 0.07),)}.get(
        style, ()
    ):
        rise = 0.235 - offset * 0.42
        band = part(
            (
                *((0.300 + offset, 0.055), (0.350 + offset, 0.150), (0.395 + offset, rise)),
                *(
                    (0.395 + wide + offset, rise - 0.012),
                    (0.360 + wide + offset, 0.140),
                    (0.310 + wide + offset, 0.055),
                ),
            ),
            0.006,
        )
        scene.add(band, cover(band, trim), drop_px=size * 0.004, drop=0.35)
    sew("stay", base * np.float32(0.8), 0.008, 0.08)
    _laces(scene, (x, y, size * flip, size), CHALK if float(base.max()) < 0.75 else linear(48, 48, 52))

    sole = part(_SHOE["sole"], 0.016)
    low = sole.v.max() - sole.v
    rubber = light(sole.normal, GUM if rng.random() < 0.25 else CHALK, RUBBER)
    rubber = mix(rubber, base * np.float32(0.8), 0.85 * (1 - smoothstep(1.0, np.abs(low - size * 0.052), 0.8)))
    scene.add(sole, rubber * (0.65 + 0.35 * smoothstep(size * 0.020, low))[..., None], drop_px=size * 0.006, drop=0.45)
    return _on_floor(x, y, size * 0.48, size * 0.7)


def _laces(scene: Scene, position: tuple[float, float, float, float], colour: Rgb) -> None:
    """Draw five laces over the tongue, each from its eyelet; `position` is the origin and the scales in x and y."""
    x, y, wide, size = position
    for t in np.linspace(0, 1, 5):
        ex, ey = 0.348 + 0.190 * t - 0.5, 0.303 - 0.095 * t
        hole = np.asarray([(x + ex * wide, y - ey * size, 0), (x + (ex + 0.001) * wide, y - ey * size, 0)], np.float32)
        eyelet = tube(hole, size * 0.0085)
        scene.add(eyelet, light(eyelet.normal, linear(60, 58, 56), CHROME), drop_px=1.5, drop=0.4)
        points = [(ex, ey, 0.0), (ex + 0.012, ey + 0.038, 0.01), (ex + 0.012 + 0.004 * t, ey + 0.060 - 0.006 * t, 0.0)]
        turned = [(px * wide / size, py, pz) for px, py, pz in points]
        lace = _strap(turned, x, y, size, size * 0.0105)
        scene.add(lace, light(lace.normal, colour, CLOTH), drop_px=size * 0.004, drop=0.45)


def _weave(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    """Return the relief of woven canvas, about 3 px per thread."""
    rows, cols = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32)
    return np.asarray(np.sin(cols * 1.9) * np.sin(rows * 1.9) + 0.7 * noise(rng, shape, 2.2), np.float32)
