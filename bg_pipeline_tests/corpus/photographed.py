"""Right cutouts by other hands: the demo's simulated photographs, on paper and before other backdrops."""

from collections.abc import Iterator

import numpy as np
from PIL import Image

from bg_pipeline.demo.products import COLOURS, STYLES, shoot
from bg_pipeline_tests.corpus.drawn import Case, answered, as_sent

_SIZES = ((440, 360), (360, 440), (420, 420))


def photographed(count: int = 60, first: int = 0) -> Iterator[Case]:
    """Yield so many cases; the limits were chosen by seeds below 60 too."""
    families, colours = sorted(STYLES), sorted(COLOURS)
    for seed in range(first, first + count):
        rng = np.random.default_rng(1000 + seed)
        family = families[seed % len(families)]
        styles = STYLES[family][1]
        colour, style = colours[int(rng.integers(len(colours)))], styles[seed % len(styles)]
        picture, alpha = shoot(family, colour, style, _SIZES[seed % 3], rng)
        pixels, truth = np.asarray(picture, np.float32), np.asarray(alpha, np.float32) / 255
        where = "paper"
        if seed % 4 == 3:
            where, before = "stone", _stone(rng, picture.size)
            pixels = pixels * truth[..., None] + before * (1 - truth[..., None])
        sent = as_sent(pixels)
        name = f"{colour} {style} {family} on {where} ({seed})"
        yield Case(name, "visible", sent, answered(sent, truth, rng))


def _stone(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """Grey with veins: noise of many scales (Perlin's octaves), lighter than most products."""
    total = np.zeros((size[1], size[0]), np.float32)
    for octave in range(2, 7):
        rough = Image.fromarray((rng.random((2**octave, 2**octave)) * 255).astype(np.uint8))
        total += np.asarray(rough.resize(size, Image.Resampling.BICUBIC), np.float32) / 255 / 1.6 ** (octave - 2)
    total = (total - total.mean()) / total.std()
    return (rng.uniform(190, 215) + 14 * total)[..., None] * np.array([1.0, 0.99, 0.97])
