"""Two sorted streams side by side, in constant memory."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

A = TypeVar("A")
B = TypeVar("B")


def merge_join(
    left: Iterable[A], right: Iterable[B], left_key: Callable[[A], bytes], right_key: Callable[[B], bytes]
) -> Iterator[tuple[A | None, B | None]]:
    """
    Pair the elements of two streams that share a key; an element alone comes with None.

    Raises:
        ValueError: a stream is not strictly ascending. Going on would take what is there for missing.
    """
    lefts, rights = _ascending(left, left_key), _ascending(right, right_key)
    a, b = next(lefts, None), next(rights, None)
    while a is not None or b is not None:
        if b is None or (a is not None and a[0] < b[0]):
            assert a is not None
            yield a[1], None
            a = next(lefts, None)
        elif a is None or b[0] < a[0]:
            yield None, b[1]
            b = next(rights, None)
        else:
            yield a[1], b[1]
            a, b = next(lefts, None), next(rights, None)


def _ascending(stream: Iterable[A], key: Callable[[A], bytes]) -> Iterator[tuple[bytes, A]]:
    last: bytes | None = None
    for element in stream:
        this = key(element)
        if last is not None and this <= last:
            raise ValueError(f"out of order: {this!r} came after {last!r}")
        last = this
        yield this, element
