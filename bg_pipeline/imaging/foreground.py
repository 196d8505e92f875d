"""
The subject's own colours along its soft edge, where a picture shows them mixed with the backdrop.

Both colours of the mixture are smooth. They are estimated from coarse to fine on a small copy (Germer, Uelwer, Conrad,
Harmeling, "Fast multi-level foreground estimation", 2020). The large picture then says how each pixel differs.
"""

from typing import Any

import numpy as np
from PIL import Image

from bg_pipeline.imaging.tiles import Floats, between, picture, planes, tiles

_WORK_PX = 1000
"""Longest side of the small copy: colours vary less than alpha does."""
_SMOOTH, _SMOOTH_AT_EDGES = 5e-3, 1e-1
"""Weight of smoothness, and of more of it where alpha changes: ω in the article, and its factor."""
_ROUNDS_SMALL, _SMALL_PX, _ROUNDS = 10, 32, 2
"""Rounds at sizes up to so many px, and at larger ones: the article's."""
_RIGHT, _WRONG = 0.04, 0.16
"""Difference between a pixel and the mixture, of 1: up to the first both colours are believed, from the second on
neither, and the pixel stays."""


def own_colours(image: Image.Image, alpha: Image.Image) -> Image.Image:
    """
    Return the picture with the backdrop's colour taken out of its half transparent pixels.

    Solid pixels stay as they are.

    Args:
        image: RGB; altered and returned.
        alpha: L, of the same size.
    """
    if not any(alpha.histogram()[1:255]):
        return image
    scale = min(1.0, _WORK_PX / max(image.size))
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    reduced = [each.resize(size, Image.Resampling.BOX, reducing_gap=2.0) for each in (image, alpha)]
    estimated = [picture(each) for each in _estimate(planes(reduced[0]), planes(reduced[1])[0])]
    for tile in tiles(size, image.size, 1):
        part = alpha.crop(tile.full)
        if any(part.histogram()[1:255]):
            near = [
                planes(each.crop(tile.around).resize(part.size, Image.Resampling.BILINEAR, box=tile.box))
                for each in estimated
            ]
            image.paste(picture(_unmixed(planes(image.crop(tile.full)), planes(part)[0], *near)), tile.full[:2])
    return image


def _unmixed(mixed: Floats, alpha: Floats, subject: Floats, backdrop: Floats) -> Floats:
    rest = 1 - alpha
    off = mixed - alpha * subject - rest * backdrop
    # The smallest change of both colours that explains the pixel.
    colours = (subject + off * (alpha / (alpha * alpha + rest * rest))).clip(0, 1)
    colours += (mixed - colours) * between(np.abs(off).max(axis=0), _RIGHT, _WRONG)
    return np.where((alpha > 0) & (alpha < 1), colours, mixed)


def _estimate(mixed: Floats, alpha: Floats) -> tuple[Floats, Floats]:
    """Return the colours of the subject and of the backdrop, each for the whole picture."""
    levels = [np.concatenate([mixed, alpha[None]])]
    while max(levels[-1].shape[1:]) > 1:
        height, width = levels[-1].shape[1:]
        levels.append(_resized(levels[-1], ((height + 1) // 2, (width + 1) // 2)))
    subject = backdrop = levels[-1][:3]
    for level in reversed(levels):
        shape = level.shape[1:]
        rounds = _ROUNDS_SMALL if max(shape) <= _SMALL_PX else _ROUNDS
        subject, backdrop = _relax(level[:3], level[3], _resized(subject, shape), _resized(backdrop, shape), rounds)
    return subject, backdrop


def _relax(mixed: Floats, alpha: Floats, subject: Floats, backdrop: Floats, rounds: int) -> tuple[Floats, Floats]:
    """Move both colours of each pixel towards the mixture that it shows, and towards those of its neighbours."""
    weights = [np.abs(near - alpha) * np.float32(_SMOOTH_AT_EDGES) + np.float32(_SMOOTH) for near in _neighbours(alpha)]
    rest = 1 - alpha
    smooth = weights[0] + weights[1] + weights[2] + weights[3]
    one, both, other = alpha * alpha + smooth, alpha * rest, rest * rest + smooth
    scale = 1 / (one * other - both * both)
    for _ in range(rounds):
        pairs = []
        for plane, of_subject, of_backdrop in zip(mixed, subject, backdrop, strict=True):
            x, y = alpha * plane, rest * plane
            for weight, near, behind in zip(weights, _neighbours(of_subject), _neighbours(of_backdrop), strict=True):
                x += weight * near
                y += weight * behind
            pairs.append((((other * x - both * y) * scale).clip(0, 1), ((one * y - both * x) * scale).clip(0, 1)))
        subject, backdrop = (np.stack(each) for each in zip(*pairs, strict=True))
    return subject, backdrop


def _neighbours(plane: Floats) -> list[Floats]:
    padded = np.pad(plane, 1, mode="edge")
    return [padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:]]


def _resized(values: Floats, shape: Any) -> Floats:
    if values.shape[1:] == shape:
        return values
    size = (shape[1], shape[0])
    return np.stack([np.asarray(Image.fromarray(plane).resize(size, Image.Resampling.BOX)) for plane in values])
