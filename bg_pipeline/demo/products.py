"""Families of simulated products, and the photograph of one product."""

from collections.abc import Callable

import numpy as np
from PIL import Image

from bg_pipeline.demo.renderer import Scene, Shadow, linear, studio
from bg_pipeline.demo.textiles import satchel, sneaker, tote
from bg_pipeline.demo.vessels import bottle, lamp, mug, vase

COLOURS: dict[str, tuple[int, int, int]] = {
    "blue": (38, 84, 158),
    "navy": (30, 40, 74),
    "teal": (20, 116, 118),
    "green": (58, 112, 66),
    "olive": (104, 106, 52),
    "mustard": (214, 154, 34),
    "orange": (214, 98, 34),
    "terracotta": (178, 84, 58),
    "red": (176, 36, 40),
    "plum": (96, 40, 82),
    "pink": (214, 112, 132),
    "black": (38, 38, 42),
    "brown": (112, 68, 42),
    "tan": (172, 116, 70),
}
PAPERS = (
    (247, 247, 246),
    (240, 239, 236),
    (236, 239, 243),
    (244, 236, 226),
    (228, 234, 228),
    (245, 230, 228),
    (222, 230, 238),
    (230, 226, 236),
    (214, 214, 212),
)

STYLES: dict[str, tuple[Callable[..., list[Shadow]], tuple[str, ...]]] = {
    "mug": (mug, ("plain", "striped", "dipped", "speckled", "banded", "dotted")),
    "vase": (vase, ("plain", "ribbed", "speckled", "ombre", "dipped", "banded")),
    "bottle": (bottle, ("labelled", "steel", "banded", "ombre")),
    "lamp": (lamp, ("plain", "wooden", "striped", "ombre")),
    "tote": (tote, ("plain", "striped", "printed", "colourblock")),
    "satchel": (satchel, ("smooth", "pebbled")),
    "sneaker": (sneaker, ("canvas", "suede", "striped", "leather")),
}


def shoot(
    family: str, colour: str, style: str, size: tuple[int, int], rng: np.random.Generator
) -> tuple[Image.Image, Image.Image]:
    """
    Photograph one product.

    Args:
        family, colour, style: keys of `STYLES`, of `COLOURS`, and one of the family's styles.
        size: (width, height) of the picture, px.
        rng: decides shape, pose, decoration, paper and light.

    Returns:
        The picture (RGB) and its true alpha (L), both of that size.
    """
    draw, _ = STYLES[family]
    scene = Scene(*size)
    shadows = draw(rng, linear(*COLOURS[colour]), style, scene)
    paper = PAPERS[rng.integers(len(PAPERS))]
    return scene.photograph(studio(rng, (size[1], size[0]), paper, shadows))
