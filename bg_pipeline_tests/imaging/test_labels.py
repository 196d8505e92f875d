"""Connected parts of a mask are the same as those that a walk from pixel to pixel finds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bg_pipeline.imaging.labels import longest_extent, parts_of

MASKS = st.integers(1, 12).flatmap(
    lambda width: st.lists(st.lists(st.booleans(), min_size=width, max_size=width), min_size=1, max_size=12)
)


def walked(mask: list[list[bool]], diagonally: bool) -> set[frozenset[tuple[int, int]]]:
    left = {(y, x) for y, row in enumerate(mask) for x, on in enumerate(row) if on}
    parts = set()
    while left:
        queue, part = [left.pop()], set()
        while queue:
            y, x = queue.pop()
            part.add((y, x))
            for dy in (-1, 0, 1):
                for dx in (-1, 0, 1):
                    near = (y + dy, x + dx)
                    if near in left and (diagonally or not (dy and dx)):
                        left.remove(near)
                        queue.append(near)
        parts.add(frozenset(part))
    return parts


@pytest.mark.parametrize("diagonally", [False, True])
@given(mask=MASKS)
def test_parts_are_those_of_a_walk(mask: list[list[bool]], diagonally: bool) -> None:
    parts = parts_of(np.array(mask), diagonally=diagonally)
    labelled = {
        frozenset(zip(*(at.tolist() for at in np.nonzero(parts.labels == label)), strict=True))
        for label in range(1, len(parts.sizes))
    }

    assert labelled == walked(mask, diagonally)
    assert parts.sizes[0] == 0
    assert sorted(parts.sizes[1:]) == sorted(len(part) for part in labelled)


def test_the_longest_extent_is_the_diagonal_of_the_largest_box() -> None:
    mask = np.zeros((20, 20), bool)
    mask[2, 3:7] = mask[10:14, 5] = mask[13, 5:9] = True

    assert longest_extent(parts_of(mask, diagonally=True)) == pytest.approx(1 + np.hypot(3, 3))
    assert longest_extent(parts_of(np.zeros((3, 3), bool), diagonally=True)) == 0
