"""Products turned on a wheel or a lathe: mugs, vases, bottles and lamps."""

from collections.abc import Callable

import numpy as np

from bg_pipeline.demo.arrays import Array, Rgb, mix, noise, resample, smoothstep, spline
from bg_pipeline.demo.bodies import Surface, lathe, tilt, tube, turned
from bg_pipeline.demo.renderer import (
    CERAMIC,
    CHALK,
    CHROME,
    CLOTH,
    CREAM,
    MATTE,
    RUBBER,
    STEEL,
    Finish,
    Scene,
    Shadow,
    light,
    linear,
)


def _vessel(outer: Array, wall: float) -> tuple[Array, tuple[int, int]]:
    """Return the profile of an open vessel with a wall `wall` px thick, and the start and end of its rounded rim."""
    radius, height = outer[-1]
    turn = np.linspace(0, np.pi, max(6, int(wall * 3)), dtype=np.float32)[1:]
    lip = np.stack([radius - wall / 2 + wall / 2 * np.cos(turn), height + wall / 2 * np.sin(turn)], axis=1)
    inner = outer[::-1].copy()
    inner[:, 0] = np.maximum(inner[:, 0] - wall, 0.5)
    keep = inner[:, 1] > wall
    profile = np.concatenate([outer, lip, inner[keep][1:]]).astype(np.float32)
    return profile, (len(outer) - 1, len(outer) + len(lip) - 1)


def _standing(x: float, y: float, half: float, pitch: float, height: float) -> list[Shadow]:
    """Return shadows of a round body on the ground: the dark contact line, the pool around it, the long soft one."""
    deep = max(half * np.sin(pitch), 5.0)
    return [
        (x + half * 0.03, y + deep * 0.15, half * 1.03, deep * 1.10, 0.42),
        (x + half * 0.22, y + deep * 0.35, half * 1.35, deep * 1.6, 0.22),
        (x + half * 0.6, y + deep * 0.2, half * 1.9, deep * 1.9 + height * 0.02, 0.12),
    ]


def _grounded(surface: Surface, colour: Array, height: float) -> Array:
    """Darken a turned body's colour towards the foot, where the ground blocks the light."""
    hidden = 1 - 0.45 * np.exp(-np.maximum(surface.v, 0) / (height * 0.06))
    dark = (colour * hidden[..., None]).astype(np.float32)
    # At this flat angle a lip is thinner than a pixel: without the softness of a lens it breaks into dashes.
    above, below = np.roll(dark, 1, axis=0), np.roll(dark, -1, axis=0)
    return (dark * 0.5 + (above + below) * 0.25).astype(np.float32)


def _striped(rng: np.random.Generator, _: Array, v: Array, soft: float) -> Array:
    count = rng.integers(4, 8)
    ripple = np.abs((v * count + 0.5) % 1 - 0.5)
    return smoothstep(0.5 - rng.uniform(0.12, 0.22), ripple, soft * count)


def _dipped(rng: np.random.Generator, u: Array, v: Array, soft: float) -> Array:
    edge = rng.uniform(0.36, 0.55) + 0.02 * np.sin(u * 3 + rng.uniform(0, 6)) + 0.01 * np.sin(u * 7)
    return smoothstep(0, v - edge, soft)


def _banded(rng: np.random.Generator, _: Array, v: Array, soft: float) -> Array:
    low = rng.uniform(0.55, 0.66)
    band = smoothstep(low, v, soft) * (1 - smoothstep(low + 0.16, v, soft))
    line = smoothstep(low - 0.06, v, soft) * (1 - smoothstep(low - 0.04, v, soft))
    return np.asarray(np.maximum(band, line))


def _dotted(_: np.random.Generator, u: Array, v: Array, __: float) -> Array:
    rows = 6.0
    across = (u * 16 / (2 * np.pi) + 0.5 * (np.floor(v * rows) % 2)) % 1 - 0.5
    return 1 - smoothstep(0.24, np.hypot(across, (v * rows) % 1 - 0.5), 0.03)


def _ombre(rng: np.random.Generator, u: Array, v: Array, _: float) -> Array:
    return np.clip(v * 1.1 - 0.25 + 0.03 * noise(rng, u.shape, 40), 0, 1)


_PATTERNS: dict[str, Callable[[np.random.Generator, Array, Array, float], Array]] = {
    "striped": _striped,
    "dipped": _dipped,
    "banded": _banded,
    "dotted": _dotted,
    "ombre": _ombre,
}
"""Share of the second colour over the angle and the height (0 to 1), with an edge `soft` wide."""


def _glaze(rng: np.random.Generator, style: str, colour: Rgb, surface: Surface, height: float) -> Array:
    """Return the colour of a decorated pot, over its whole visible side."""
    shape = surface.u.shape
    plain = np.broadcast_to(np.asarray(colour, np.float32), (*shape, 3))
    if style in _PATTERNS:
        return mix(plain, CREAM, _PATTERNS[style](rng, surface.u, surface.v / height, 0.9 / height))
    if style == "speckled":
        dots = np.maximum(
            smoothstep(0.66, noise(rng, shape, 2.4), 0.10), smoothstep(0.80, noise(rng, shape, 4.6), 0.07)
        )
        return mix(mix(plain, CREAM, np.full(shape, 0.12)), linear(40, 34, 30), dots * 0.75)
    return plain


def mug(rng: np.random.Generator, colour: Rgb, style: str, scene: Scene) -> list[Shadow]:
    """Draw a ceramic mug with its handle to one side."""
    pitch = rng.uniform(0.20, 0.32)
    tall = min(scene.height * 0.50, scene.width * 0.46) * rng.uniform(0.9, 1.05)
    mouth, belly, base = ((0.42, 0.42, 0.40), (0.47, 0.42, 0.30), (0.38, 0.47, 0.36), (0.43, 0.46, 0.33))[
        rng.integers(4)
    ]
    facing = rng.choice((-1, 1))
    x, y = scene.width * 0.5 - facing * tall * 0.11, scene.height * rng.uniform(0.70, 0.75)
    points = ((base - 0.04, 0), (base - 0.01, 0.012), (base, 0.05), (belly, 0.42), (mouth, 0.985))
    outer = turned(points, tall)
    profile, rim = _vessel(outer, tall * 0.030)
    body = lathe(profile, (x, y), pitch, rim)
    albedo = _glaze(rng, style, colour, body, tall)
    lining = rng.random() < 0.5
    if lining:
        albedo = mix(albedo, CHALK, body.inside)
    lip = CHALK if lining else linear(92, 66, 46)
    albedo = mix(albedo, lip, smoothstep(0.992 * tall, body.v, 1.2) * (0.85 if lining else 0.45))

    yaw = -rng.uniform(0.05, 0.45)  # turned away, so that the body hides where it is joined
    reach, low, high = 0.30 * tall, tall * rng.uniform(0.16, 0.22), tall * rng.uniform(0.78, 0.86)
    middle = (low + high) / 2
    wall = np.interp([low, high], outer[:, 1], outer[:, 0]) - tall * 0.03
    loop = spline(
        [
            (wall[1] - reach * 0.1, high - tall * 0.02),
            (wall[1] + reach * 0.22, high),
            (wall[1] + reach * 0.72, high - tall * 0.015),
            (wall[1] + reach * 1.02, high - tall * 0.14),
            (wall[1] + reach * 0.96, middle - tall * 0.04),
            (wall[0] + reach * 0.66, low + tall * 0.05),
            (wall[0] + reach * 0.22, low),
            (wall[0] - reach * 0.1, low),
        ],
        closed=False,
        per_span=24,
    )
    out, up = loop.T
    path = np.stack(
        [
            x + facing * out * np.cos(yaw),
            y - up * np.cos(pitch) + out * np.sin(yaw) * np.sin(pitch),
            out * np.sin(yaw) * np.cos(pitch) + up * np.sin(pitch),
        ],
        axis=1,
    )
    thick = tall * rng.uniform(0.042, 0.055)
    flare = 1 + 0.35 * np.linspace(-1, 1, len(path), dtype=np.float32) ** 8
    handle = tube(path.astype(np.float32), thick * flare)
    solid = colour if style not in {"dipped", "ombre"} else (CREAM if style == "dipped" else colour)
    handle_colour = light(handle.normal, solid, CERAMIC)

    deep = np.clip((tall - body.v) / tall, 0, 1) * body.inside
    shown = _grounded(body, light(body.normal, albedo, CERAMIC), tall) * (1 - 0.62 * deep**0.6)[..., None]
    scene.add(handle, handle_colour)
    scene.add(body, shown, drop_px=thick, drop=0.3)
    half = float(outer[:20, 0].max())
    side = (x + facing * (half + reach * 0.5), y - tall * 0.02, reach * 0.9, tall * 0.05, 0.10)
    return [*_standing(x, y, half, pitch, tall), side]


def vase(rng: np.random.Generator, colour: Rgb, style: str, scene: Scene) -> list[Shadow]:
    """Draw a vase in one of several shapes, glazed or matte."""
    pitch = rng.uniform(0.14, 0.24)
    tall = scene.height * rng.uniform(0.56, 0.64)
    shape = (
        ((0.13, 0), (0.16, 0.02), (0.29, 0.30), (0.25, 0.58), (0.10, 0.78), (0.09, 0.90), (0.14, 1.0)),
        ((0.16, 0), (0.18, 0.02), (0.24, 0.22), (0.30, 0.62), (0.24, 0.88), (0.17, 0.95), (0.20, 1.0)),
        ((0.12, 0), (0.14, 0.02), (0.34, 0.26), (0.36, 0.42), (0.18, 0.66), (0.08, 0.80), (0.10, 1.0)),
        ((0.20, 0), (0.21, 0.02), (0.18, 0.30), (0.21, 0.60), (0.27, 0.85), (0.29, 1.0)),
        ((0.15, 0), (0.17, 0.02), (0.31, 0.20), (0.20, 0.44), (0.12, 0.62), (0.12, 0.84), (0.20, 1.0)),
    )[rng.integers(5)]
    tall = min(tall, scene.width * 0.60 / (2 * max(r for r, _ in shape)))
    x, y = scene.width * rng.uniform(0.47, 0.53), scene.height * rng.uniform(0.80, 0.85)
    outer = turned(shape, tall)
    profile, rim = _vessel(outer, tall * 0.018)
    body = lathe(profile, (x, y), pitch, rim)
    normal, finish = body.normal, CERAMIC if rng.random() < 0.5 else MATTE
    if style == "ribbed":
        normal, finish = tilt(normal, np.sin(body.u * rng.integers(14, 22)).astype(np.float32), 2.2), MATTE
    if finish is MATTE:
        normal = tilt(normal, noise(rng, body.u.shape, 2.5), 0.10)
    albedo = _glaze(rng, style, colour, body, tall)
    deep = np.clip((tall - body.v) / (tall * 0.25), 0, 1) * body.inside
    shown = _grounded(body, light(normal, albedo, finish), tall) * (1 - 0.8 * deep**0.5)[..., None]
    scene.add(body, shown)
    return _standing(x, y, float(outer[: int(tall * 0.05), 0].max()) * 1.05, pitch, tall)


def bottle(rng: np.random.Generator, colour: Rgb, style: str, scene: Scene) -> list[Shadow]:
    """Draw a drinking flask or a toiletry bottle, capped and labelled."""
    pitch = rng.uniform(0.10, 0.18)
    tall = scene.height * rng.uniform(0.60, 0.68)
    wide = tall * rng.uniform(0.135, 0.165)
    x, y = scene.width * rng.uniform(0.47, 0.53), scene.height * rng.uniform(0.83, 0.87)
    flask = style in {"steel", "banded", "ombre"}
    neck = wide * (0.62 if flask else 0.42)
    shoulder = tall * (0.74 if flask else 0.70)
    turn = np.linspace(0, np.pi / 2, 40, dtype=np.float32)
    rise = tall * rng.uniform(0.10, 0.14)
    ease = np.maximum(np.cos(turn), 0) ** 0.8 if flask else (1 + np.cos(2 * turn)) / 2
    dome = np.stack(
        [neck + (wide - neck) * ease, shoulder + rise * (np.sin(turn) if flask else turn * 2 / np.pi)], axis=1
    )
    foot_points = [(wide * 0.90, 0), (wide * 0.97, tall * 0.006), (wide, tall * 0.022), (wide, shoulder)]
    crown_points = [(neck, shoulder + rise + tall * 0.02), (0, shoulder + rise + tall * 0.02)]
    outer = resample(np.concatenate([np.asarray(foot_points), dome, np.asarray(crown_points)]).astype(np.float32), 1.0)
    body = lathe(outer, (x, y), pitch)
    finish = Finish(0.30, 0.22) if flask else Finish(0.6, 0.07)
    albedo = _glaze(rng, style, colour, body, tall)
    if style == "labelled":
        facing = rng.uniform(-0.25, 0.25)
        low, high = tall * 0.16, tall * 0.56
        inside = smoothstep(-0.95, body.u - facing, 0.008) * (1 - smoothstep(0.95, body.u - facing, 0.008))
        inside *= smoothstep(low, body.v, 0.8) * (1 - smoothstep(high, body.v, 0.8))
        albedo = mix(albedo, CREAM, inside)
        for line, (row, size, length) in enumerate(
            ((0.84, 0.05, 0.5), (0.62, 0.17, 0.72), (0.40, 0.03, 0.55), (0.32, 0.03, 0.42), (0.24, 0.03, 0.5))
        ):
            at = low + (high - low) * row
            thick = (high - low) * size / 2
            bar = 1 - smoothstep(thick, np.abs(body.v - at), 0.8)
            bar *= 1 - smoothstep(length, np.abs(body.u - facing), 0.01)
            if line == 1:
                bar *= smoothstep(0.28, np.abs(((body.u - facing) * 5.2) % 1 - 0.5) + 0.22, 0.04)
            albedo = mix(albedo, colour if line == 1 else linear(70, 66, 62), bar * inside * 0.9)
    scene.add(body, _grounded(body, light(body.normal, albedo, finish), tall))
    foot = shoulder + rise + tall * 0.006
    crown = tall * rng.uniform(0.09, 0.13)
    grip = neck * (1.14 if flask else 1.25)
    cap_profile = resample(
        np.asarray(
            [(grip, 0), (grip, crown * 0.92), (grip * 0.96, crown * 0.985), (grip * 0.9, crown), (0, crown)],
            np.float32,
        ),
        1.0,
    )
    cap = lathe(cap_profile, (x, y - foot * np.cos(pitch)), pitch)
    ribs = (
        np.sin(cap.u * 44).astype(np.float32) * smoothstep(crown * 0.12, cap.v) * (1 - smoothstep(crown * 0.9, cap.v))
    )
    if style == "steel" or (flask and rng.random() < 0.5):
        scene.add(cap, light(cap.normal, STEEL, CHROME), drop_px=4, drop=0.4)
    else:
        dark = linear(34, 34, 38) if max(colour) > 0.03 else CHALK
        scene.add(cap, light(tilt(cap.normal, ribs, 0.5), dark, RUBBER), drop_px=4, drop=0.4)
    return _standing(x, y, wide, pitch, tall)


def lamp(rng: np.random.Generator, colour: Rgb, style: str, scene: Scene) -> list[Shadow]:
    """Draw a lit table lamp: a turned foot, a brass stem and a cloth shade."""
    pitch = rng.uniform(0.09, 0.15)
    tall = min(scene.height * 0.70, scene.width * 0.95) * rng.uniform(0.92, 1.02)
    x, y = scene.width * rng.uniform(0.47, 0.53), scene.height * rng.uniform(0.86, 0.89)
    shapes = (
        ((0.15, 0), (0.16, 0.012), (0.15, 0.03), (0.17, 0.14), (0.145, 0.27), (0.06, 0.36), (0.035, 0.40), (0, 0.41)),
        ((0.13, 0), (0.14, 0.012), (0.10, 0.04), (0.06, 0.10), (0.11, 0.22), (0.06, 0.34), (0.03, 0.40), (0, 0.41)),
        ((0.16, 0), (0.17, 0.012), (0.12, 0.10), (0.07, 0.24), (0.045, 0.36), (0.03, 0.40), (0, 0.41)),
    )
    base = lathe(turned(shapes[rng.integers(3)], tall), (x, y), pitch)
    if style == "wooden":
        rings = noise(rng, base.u.shape, 26) + 0.4 * noise(rng, base.u.shape, 6)
        grain = 0.5 + 0.5 * np.sin(base.v / tall * 60 + rings * 2.2).astype(np.float32)
        albedo, finish = mix(linear(150, 98, 56), linear(104, 62, 34), grain * 0.8), MATTE
    else:
        albedo, finish = _glaze(rng, style, colour, base, tall * 0.42), CERAMIC
    stem = lathe(turned(((0.014, 0), (0.014, 0.16), (0, 0.16)), tall, smooth=False), (x, y - tall * 0.39), pitch)
    scene.add(stem, light(stem.normal, linear(186, 142, 72), CHROME))
    scene.add(base, _grounded(base, light(base.normal, albedo, finish), tall))

    low, high = tall * rng.uniform(0.28, 0.32), tall * rng.uniform(0.16, 0.24)
    rise, sill = tall * 0.40, tall * 0.49
    outer = turned(((low / tall, 0), (high / tall, rise / tall)), tall, smooth=False)
    profile, rim = _vessel(outer, tall * 0.006)
    shade = lathe(profile, (x, y - sill * np.cos(pitch)), pitch, rim)
    cloth: Rgb = linear(226, 206, 172) if style != "wooden" else colour
    weave = noise(rng, shade.u.shape, 1.6) * 0.5 + noise(rng, shade.u.shape, 5) * 0.2
    h = shade.v / rise
    glow = 0.62 * np.exp(-(((h - 0.38) / 0.42) ** 2)) * np.exp(-((shade.u / 1.15) ** 2))
    warm = np.asarray(linear(255, 214, 150), np.float32)
    lit = light(tilt(shade.normal, weave, 0.10), cloth, CLOTH) * 0.72
    lit = lit + warm * (glow * (0.35 + 0.65 * float(np.mean(cloth))))[..., None]
    seam = np.maximum(smoothstep(0.965, h, 0.004), 1 - smoothstep(0.03, h, 0.004)) * (1 - shade.inside)
    lit = lit * (1 - 0.28 * seam)[..., None] + warm * (shade.inside * 0.55)[..., None]
    scene.add(shade, lit.astype(np.float32), drop_px=tall * 0.03, drop=0.55)
    return _standing(x, y, tall * 0.15, pitch, tall)
