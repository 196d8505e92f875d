"""Files that other tools made, held against pictures of products."""

from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image, ImageOps

from bg_pipeline.demo.products import COLOURS, STYLES, shoot
from bg_pipeline.errors import UnusableAnswer
from bg_pipeline.imaging.similarity import check_similarity
from bg_pipeline_tests.pictures import cutout_of, encoded, opened, product

SIZE = (300, 240)


@cache
def shots(seed: int) -> list[tuple[Image.Image, Image.Image]]:
    """A picture of each product and its alpha; another seed photographs the same ones again."""
    rng = np.random.default_rng(seed)
    return [
        shoot(family, colour, styles[0], SIZE, rng)
        for (family, (_, styles)), colour in zip(STYLES.items(), COLOURS, strict=False)
    ]


def cut(picture: Image.Image, alpha: Image.Image) -> Image.Image:
    made = picture.convert("RGB")
    made.putalpha(alpha.convert("L"))
    return made


@pytest.mark.parametrize("number", range(len(STYLES)))
def test_the_right_cutout_is_taken_whole_shrunk_and_with_the_losses_of_a_jpeg(number: int) -> None:
    picture, alpha = shots(1)[number]
    whole = cut(picture, alpha)
    shrunk = whole.resize((SIZE[0] // 3, SIZE[1] // 3))
    lossy = cut(opened(encoded(picture.convert("RGB"), "JPEG", quality=60)), alpha)

    for made in (whole, shrunk, lossy):
        assert check_similarity(encoded(made), encoded(picture)).suspicion == ""
    assert check_similarity(encoded(whole, "WEBP", quality=80), encoded(picture)).width_px == SIZE[0]


def test_a_cutout_of_another_product_is_refused() -> None:
    for (picture, _), other in pairwise(shots(1)):
        with pytest.raises(UnusableAnswer, match="another picture"):
            check_similarity(encoded(cut(*other)), encoded(picture))


def test_a_cutout_of_an_earlier_photograph_is_told_apart() -> None:
    """The name is the same, the frame too, and the product: it would show yesterday's picture."""
    told = []
    for (picture, _), earlier in zip(shots(1), shots(2), strict=True):
        try:
            check_similarity(encoded(cut(*earlier)), encoded(picture))
        except UnusableAnswer:
            told.append(True)

    assert len(told) == len(STYLES)


def test_a_picture_on_its_side_is_compared_upright() -> None:
    upright = opened(product(3))
    stored = encoded(upright.transpose(Image.Transpose.ROTATE_90), "JPEG", quality=95, exif=_turned(6))

    assert check_similarity(cutout_of(product(3)), stored).suspicion == ""


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (encoded(opened(product(3)).convert("RGB")), "no transparency"),
        (cutout_of(product(3))[:-30], "no complete picture"),
        (encoded(Image.new("RGBA", (48, 32), (9, 9, 9, 0))), "empty"),
        (encoded(Image.new("RGBA", (48, 32), (9, 9, 9, 255))), "nothing was removed"),
        (encoded(opened(cutout_of(product(3))).crop((4, 0, 44, 32))), "larger, cropped or turned"),
        (encoded(opened(cutout_of(product(3))).resize((96, 64))), "larger, cropped or turned"),
        (encoded(opened(cutout_of(product(3))).resize((49, 33))), "larger, cropped or turned"),
        (encoded(opened(cutout_of(product(3))).rotate(90, expand=True)), "larger, cropped or turned"),
        (encoded(ImageOps.invert(opened(product(3)).convert("RGB"))), "no transparency"),
        (b"no picture", "no complete picture"),
    ],
    ids=["photo", "truncated", "empty", "full", "cropped", "larger", "a pixel larger", "turned", "negative", "text"],
)
def test_what_is_no_cutout_of_the_picture_is_refused_with_a_reason(made: bytes, why: str) -> None:
    with pytest.raises(UnusableAnswer, match=why):
        check_similarity(made, product(3))


def test_a_ghost_is_refused_because_nothing_of_it_can_be_compared() -> None:
    ghost = opened(cutout_of(product(3)))
    ghost.putalpha(ghost.getchannel("A").point(lambda a: a // 2))

    with pytest.raises(UnusableAnswer, match="too little of it is opaque"):
        check_similarity(encoded(ghost), product(3))


def _turned(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif
