"""Right cutouts from a folder: real PNGs with transparency before made backdrops, and photos with their truth."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from bg_pipeline_tests.corpus.drawn import SIDE, Case, answered, as_sent, backdrop

_SMALLEST_PX = 100
"""Smaller pictures show no products."""


def composites(folder: Path) -> Iterator[Case]:
    """
    Yield cases from files of a folder.

    Args:
        folder: PNGs with an alpha; and photos, with `truth/NAME.*` as the right cutout or alpha of `NAME.*`.
    """
    for number, path in enumerate(sorted(folder.glob("*.png"))):
        try:
            with Image.open(path) as opened:
                picture = opened.convert("RGBA")
        except (OSError, Image.DecompressionBombError):  # such folders have damaged ones too
            continue
        if min(picture.size) < _SMALLEST_PX:
            continue
        picture.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
        pixels = np.asarray(picture, np.float32)
        alpha = pixels[..., 3] / 255
        if 0.03 < np.mean(alpha > 0.5) < 0.9 and np.mean(alpha > 0.9) > 0.02:
            yield from _before_backdrops(path.stem, number, pixels[..., :3], alpha)
    for truth in sorted((folder / "truth").glob("*.png")):
        photo = next(folder.glob(f"{truth.name.split('.')[0]}.*"), None)
        if photo is not None:
            yield _photo(photo, truth)


def _before_backdrops(name: str, number: int, colours: np.ndarray, alpha: np.ndarray) -> Iterator[Case]:
    size = alpha.shape[1], alpha.shape[0]
    for kind in range(8):
        rng = np.random.default_rng([number, kind])
        behind, where = backdrop(rng, size, kind)
        pixels = colours * alpha[..., None] + behind * (1 - alpha[..., None])
        sent = as_sent(pixels + rng.normal(0, 1, pixels.shape))
        yield Case(f"{name} on {where}", "visible", sent, answered(sent, alpha, rng))


def _photo(path: Path, truth: Path) -> Case:
    with Image.open(path) as opened, Image.open(truth) as right:
        sent = opened.convert("RGB")
        alpha = right.getchannel("A") if "A" in right.getbands() else right.convert("L")
    sent.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    answer = sent.copy()
    answer.putalpha(alpha.resize(sent.size, Image.Resampling.BOX))
    return Case(path.stem, "visible", sent, answer)
