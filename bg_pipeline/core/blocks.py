"""
Blocks of a listing: runs of consecutive rows, each known by a digest.

A block whose digest is that of the last complete listing has the same rows, so none of its items is read or compared.
"""

import hashlib
import json
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import NamedTuple, TypeVar

from bg_pipeline.core.keys import key_bytes
from bg_pipeline.core.records import Listed

ROWS = 1000
"""Rows of a new block: fewer cost more records, more are read in vain beside a row that changed."""

MOST_ROWS = 2 * ROWS
"""Rows after which a block that grew ends, and a new one begins."""


NAMES = 5000
"""Names of outputs that are compared at once: fewer cost more queries, more are read in vain beside a missing one."""

A = TypeVar("A")


class Block(NamedTuple):
    """Consecutive rows of a listing."""

    first: str
    """Key of its first row."""
    digest: str
    """Of key, fingerprint, size, priority and problem of each row, in a form of its source's own."""
    rows: Callable[[], Iterable[Listed]]
    """Gives its rows."""


@dataclass(frozen=True, slots=True)
class KnownBlock:
    """What a complete scan knew of a block whose items are on record just as they were listed."""

    first: bytes
    """All keys from this one to the first of the next block belong to it."""
    digest: str
    listed: int = 0
    listed_bytes: int = 0
    left_out: Mapping[str, int] = field(default_factory=dict)
    """As in `core.runlog.ScanRecord`."""
    has_sentinel: bool = False


def most_rows(starts: Sequence[str]) -> int:
    """Return the number of rows after which a block ends, although the next known one does not begin yet."""
    return MOST_ROWS if starts else ROWS


def divided(rows: Iterable[Listed], starts: Sequence[str]) -> Iterator[Block]:
    """
    Divide the rows of a listing.

    Args:
        rows: in order.
        starts: keys at which known blocks begin, in order. A block begins at each of them, so that a row more or less
            changes no other block.
    """
    bounds = chain(map(key_bytes, starts), [None])
    bound, most = next(bounds), most_rows(starts)
    block: list[Listed] = []
    for row in rows:
        begins = len(block) == most
        while bound is not None and key_bytes(row.key) >= bound:
            begins, bound = True, next(bounds)
        if begins and block:
            yield _block(block)
            block = []
        block.append(row)
    if block:
        yield _block(block)


def divided_parts(
    parts: Iterable[A],
    starts: Sequence[str],
    *,
    first_of: Callable[[A], str],
    rows_of: Callable[[A], int],
    cut: Callable[[A, bytes | None, int], tuple[A, A | None]],
) -> Iterator[list[A]]:
    """
    Divide a listing as `divided` does, where rows that are not asked for are not made.

    Args:
        parts: some rows each, in order, none of them empty.
        starts: as for `divided`.
        first_of: returns the key of a part's first row.
        rows_of: returns its number of rows.
        cut: returns what of a part is before a key, and at most so many rows of it; and the rest.
    """
    bounds, most = deque(map(key_bytes, starts)), most_rows(starts)
    block: list[A] = []
    room = most
    for whole in parts:
        rest: A | None = whole
        while rest is not None:
            begins = room == 0
            while bounds and key_bytes(first_of(rest)) >= bounds[0]:
                begins = True
                bounds.popleft()
            if begins and block:
                yield block
                block, room = [], most
            part, rest = cut(rest, bounds[0] if bounds else None, room)
            block.append(part)
            room -= rows_of(part)
    if block:
        yield block


def rows_before(keys: Sequence[str], bound: bytes | None, most: int, prefix: str = "") -> int:
    """
    Return the number of rows before a key, at most so many.

    Args:
        keys: in order, without what they have in common.
        bound: the key; None for no bound.
        most: most rows.
        prefix: what all keys begin with.
    """
    if bound is None or key_bytes(prefix + keys[-1]) < bound:
        return min(most, len(keys))
    return min(most, bisect_left(keys, bound, key=lambda key: key_bytes(prefix + key)))


def in_ranges(blocks: Iterator[Block]) -> Iterator[tuple[bytes, Block, bytes | None]]:
    """
    Yield each block with the range of keys that belongs to it. A listing without rows is one block.

    Raises:
        ValueError: a block begins before the one before it.
    """
    return _in_ranges(blocks, Block("", "", tuple), lambda block: block.first)


def in_runs(names: Iterable[str]) -> Iterator[tuple[bytes, Sequence[str], bytes | None]]:
    """Yield runs of consecutive names as `in_ranges` yields blocks."""
    rest = iter(names)
    return _in_ranges(iter(lambda: list(islice(rest, NAMES)), []), [], lambda run: run[0])


def _in_ranges(runs: Iterator[A], empty: A, first_of: Callable[[A], str]) -> Iterator[tuple[bytes, A, bytes | None]]:
    """
    Yield each run with its range: from its first key to the first of the next run.

    The first range has no lower bound, and the last no upper one.
    """
    run, first = next(runs, empty), b""
    for following in runs:
        end = key_bytes(first_of(following))
        if end <= key_bytes(first_of(run)):
            raise ValueError(f"out of order: {end!r} came after {key_bytes(first_of(run))!r}")
        yield first, run, end
        run, first = following, end
    yield first, run, None


def digest_under(digest: str, settings: object) -> str:
    """Return the digest of a block under settings that decide what its rows mean."""
    return hashlib.sha256(f"{digest} {settings!r}".encode("utf-8", "surrogateescape")).hexdigest()


def _block(rows: Sequence[Listed]) -> Block:
    what = json.dumps([(row.key, row.fingerprint, row.size_bytes, row.priority, row.problem) for row in rows])
    return Block(rows[0].key, hashlib.sha256(what.encode()).hexdigest(), lambda: rows)
