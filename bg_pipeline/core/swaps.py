"""The decision whether the answers of two pictures were swapped."""

from collections.abc import Iterable
from typing import NamedTuple

SIDE_PX = 32
"""Width and height of the copies that are compared."""

_OPAQUE = 200


class Pair(NamedTuple):
    """A picture and its answer, in small copies of `SIDE_PX`."""

    sent: bytes
    """RGB, row by row."""
    answer: bytes
    """RGB of the answer."""
    alpha: bytes


class Mismatch(NamedTuple):
    """An answer with other colours than its picture."""

    key: str
    """Key of its item."""
    purchase_id: str
    pair: Pair


def swapped_with(one: Mismatch, others: Iterable[Mismatch]) -> Mismatch | None:
    """
    Return the mismatch whose answer fits this picture, and whose picture this answer fits, both better than its own.

    If several do, the best.
    """
    fitting = [(apart, other) for other in others if (apart := _apart_if_swapped(one.pair, other.pair)) is not None]
    return min(fitting, key=lambda each: each[0])[1] if fitting else None


def _apart_if_swapped(one: Pair, other: Pair) -> float | None:
    """Return the larger difference after a swap; None if a swap makes either worse."""
    one_after, other_after = _difference(other, one.sent), _difference(one, other.sent)
    if one_after >= _difference(one, one.sent) or other_after >= _difference(other, other.sent):
        return None
    return max(one_after, other_after)


def _difference(answer: Pair, sent: bytes) -> float:
    """Return the mean difference of the colours of an answer from a picture where it is opaque, 0 to 255."""
    opaque = [at for at, level in enumerate(answer.alpha) if level >= _OPAQUE]
    total = sum(abs(answer.answer[3 * at + c] - sent[3 * at + c]) for at in opaque for c in range(3))
    return total / (3 * len(opaque)) if opaque else 255.0
