"""
The subject's own colours along its soft edge, where a picture shows them mixed with the backdrop.

Both colours of the mixture are smooth, the backdrop's more than the subject's. They are estimated from coarse to fine
on a small copy (Germer, Uelwer, Conrad, Harmeling, "Fast multi-level foreground estimation", 2020). The large picture
then says how each pixel differs.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bg_pipeline.imaging.tiles import Floats, between, planes, tiles

_WORK_PX = 250
"""Longest side of the small copy: colours vary less than alpha does."""
_SMOOTH, _SMOOTH_AT_EDGES = 5e-4, 1e-1
"""Weight of smoothness, and of more of it where alpha changes: ω in the article, and its factor."""
_PLAINER = 30
"""Smoothness of a backdrop to that of a subject, by which black in a shadow is the subject's, not white made darker."""
_ROUNDS, _LAST_ROUNDS = 15, 5
"""Rounds at each size, and at the last one. Colours that lie deep in glass come there from its edge in the former."""
_SOLID = np.uint8(254)
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
    scale = min(1.0, _WORK_PX / max(image.size))
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    estimated: list[Image.Image] = []
    for tile in tiles(size, image.size, 1):
        part = alpha.crop(tile.full)
        levels = np.asarray(part).ravel()
        # 0 and 255 become the highest values.
        soft = np.flatnonzero(levels - np.uint8(1) < _SOLID)
        if soft.size:
            estimated = estimated or _both_colours(image, alpha, size)
            pixels = np.array(image.crop(tile.full))
            subject, backdrop = (
                np.asarray(each.crop(tile.around).resize(part.size, Image.Resampling.BILINEAR, box=tile.box))
                for each in estimated
            )
            shown = [_values(each.reshape(-1, 3), soft) for each in (pixels, subject, backdrop)]
            own = _unmixed(shown[0], shown[1], shown[2], _values(levels, soft))
            pixels.reshape(-1, 3)[soft] = (own * 255 + np.float32(0.5)).T
            image.paste(Image.fromarray(pixels), tile.full[:2])
    return image


def _both_colours(image: Image.Image, alpha: Image.Image, size: tuple[int, int]) -> list[Image.Image]:
    """Return the estimated colours of the subject and of the backdrop, in this size."""
    mixed, share = (planes(each.resize(size, Image.Resampling.BOX, reducing_gap=2.0)) for each in (image, alpha))
    return [
        Image.fromarray((each.transpose(1, 2, 0) * 255 + np.float32(0.5)).astype(np.uint8))
        for each in _estimate(mixed, share[0])
    ]


def _values(pixels: NDArray[np.uint8], which: NDArray[np.intp]) -> Floats:
    """Return the channels of these pixels, each contiguous."""
    return np.ascontiguousarray(pixels.take(which, axis=0).T, np.float32) * np.float32(1 / 255)


def _unmixed(mixed: Floats, subject: Floats, backdrop: Floats, alpha: Floats) -> Floats:
    """Return the subject's own colour of each pixel; all have one column a pixel."""
    rest = 1 - alpha
    off = mixed - alpha * subject - rest * backdrop
    # The smallest change of both colours that explains the pixel.
    colours: Floats = (subject + off * (alpha / (alpha * alpha + rest * rest))).clip(0, 1)
    colours += (mixed - colours) * between(np.abs(off).max(axis=0), _RIGHT, _WRONG)
    return colours


def _estimate(mixed: Floats, alpha: Floats) -> Floats:
    """Return the colours of the subject and of the backdrop, each for the whole picture: 2 x 3 planes."""
    levels = [np.concatenate([mixed, alpha[None]])]
    while max(levels[-1].shape[1:]) > 1:
        height, width = levels[-1].shape[1:]
        levels.append(_resized(levels[-1], ((height + 1) // 2, (width + 1) // 2)))
    colours = np.stack([levels[-1][:3]] * 2)
    for level in reversed(levels):
        colours = np.stack([_resized(each, level.shape[1:]) for each in colours])
        colours = _relax(level[:3], level[3], colours, _LAST_ROUNDS if level is levels[0] else _ROUNDS)
    return colours


def _relax(mixed: Floats, alpha: Floats, colours: Floats, rounds: int) -> Floats:
    """Move both colours of each pixel towards the mixture that it shows, and towards those of its neighbours."""
    of_both = np.array([1 / _PLAINER, 1], np.float32)[:, None, None, None]
    weights = [
        of_both * (np.abs(near - alpha) * np.float32(_SMOOTH_AT_EDGES) + np.float32(_SMOOTH))
        for near in _neighbours(np.pad(alpha, 1, mode="edge"))
    ]
    rest, smooth = 1 - alpha, sum(weights)[:, 0]
    one, both, other = alpha * alpha + smooth[0], alpha * rest, rest * rest + smooth[1]
    scale = 1 / (one * other - both * both)
    one, both, other = one * scale, both * scale, other * scale
    shown = np.stack([alpha * mixed, rest * mixed])
    # In place: most levels are so small that each new array would cost more than the arithmetic in it.
    padded = np.empty((*colours.shape[:2], colours.shape[2] + 2, colours.shape[3] + 2), np.float32)
    inner, near, share, total = padded[..., 1:-1, 1:-1], _neighbours(padded), np.empty_like(shown), np.empty_like(shown)
    inner[:] = colours
    for _ in range(rounds):
        _repeat_edges(padded)
        np.multiply(weights[0], near[0], out=total)
        total += shown
        for weight, values in zip(weights[1:], near[1:], strict=True):
            np.multiply(weight, values, out=share)
            total += share
        (subject, backdrop), (less, more) = total, share
        np.subtract(np.multiply(other, subject, out=less), np.multiply(both, backdrop, out=more), out=inner[0])
        np.subtract(np.multiply(one, backdrop, out=less), np.multiply(both, subject, out=more), out=inner[1])
        np.clip(inner, 0, 1, out=inner)
    return inner


def _neighbours(padded: Floats) -> list[Floats]:
    return [padded[..., :-2, 1:-1], padded[..., 2:, 1:-1], padded[..., 1:-1, :-2], padded[..., 1:-1, 2:]]


def _repeat_edges(padded: Floats) -> None:
    padded[..., 0, :], padded[..., -1, :] = padded[..., 1, :], padded[..., -2, :]
    padded[..., 0], padded[..., -1] = padded[..., 1], padded[..., -2]


def _resized(values: Floats, shape: Any) -> Floats:
    if values.shape[1:] == shape:
        return values
    size = (shape[1], shape[0])
    return np.stack([np.asarray(Image.fromarray(plane).resize(size, Image.Resampling.BOX)) for plane in values])
