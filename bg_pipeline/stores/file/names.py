"""The names of one folder, in order."""

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

from bg_pipeline.core.keys import key_bytes

_RUN = 50_000
"""Names that are sorted at once."""

_PIECE = 1000
"""Names of a run that are merged at once."""


def in_byte_order(names: Iterable[str]) -> Iterator[str]:
    """
    Return names in the order of their bytes. All are taken before this returns, so that their folder can be closed.

    A large folder is sorted in runs, which are text until they are merged: a million names as objects take 70 MB.
    """
    these = iter(names)
    runs: list[deque[str]] = []
    key = None
    while run := list(islice(these, _RUN)):
        here = None if all(map(str.isascii, run)) else key_bytes
        run.sort(key=here)
        if not runs and len(run) < _RUN:
            return iter(run)
        key = key or here
        runs.append(deque("\0".join(run[start : start + _PIECE]) for start in range(0, len(run), _PIECE)))
    return _merged(runs, key)


def _merged(runs: list[deque[str]], key: Callable[[str], bytes] | None) -> Iterator[str]:
    heads: list[list[str]] = [[] for _ in runs]
    while True:
        for head, run in zip(heads, runs, strict=True):
            if not head and run:
                head.extend(run.popleft().split("\0"))
        lasts = [head[-1] for head in heads if head]
        if not lasts:
            return
        bound: Any = min(map(key, lasts)) if key else min(lasts)
        merged: list[str] = []
        for head in heads:
            end = bisect_right(head, bound, key=key)
            merged += head[:end]
            del head[:end]
        merged.sort(key=key)
        yield from merged
