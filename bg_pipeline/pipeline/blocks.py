"""The blocks of one scan: those that it need not look into, and those that the next one need not."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bg_pipeline import __version__
from bg_pipeline.core.blocks import ROWS, Block, KnownBlock, digest_under
from bg_pipeline.ports.catalogue import Observations
from bg_pipeline.ports.context import Policy

if TYPE_CHECKING:
    from bg_pipeline.pipeline.listing import ScanResult


class BlocksOfScan:
    """
    Tell the blocks that are as the last complete scan left them from those that it has to go through.

    A block is known for the next scan if each of its rows is on record as it was listed: what could not be looked at,
    could not be read, or is still written to is looked at by every scan.

    Args:
        observations: gives the blocks of the last scan, and gets those of this one.
        policy: its filter, depth and sentinel decide what the rows of a block mean.
        whole: go through all blocks.
    """

    def __init__(self, observations: Observations, policy: Policy, *, whole: bool) -> None:
        self._observations = observations
        # Another version may read the same rows otherwise.
        self._settings = (
            __version__,
            policy.filter.patterns,
            policy.collection_depth,
            policy.deletes.sentinel,
        )
        self._last = observations.blocks()
        ends = [*(each.first for each in self._last[1:]), None]
        self._known = {} if whole else {(b.first, b.digest, end): b for b, end in zip(self._last, ends, strict=False)}
        self._in_question = observations.in_question()
        self._question = next(self._in_question, None)
        self._blocks: list[KnownBlock] = []
        self._open: set[int] = set()
        """Numbers of blocks that the next scan has to go through."""
        self._waiting: dict[str, int] = {}
        """Number of the block of each row that is still to be read, by key."""

    @property
    def starts(self) -> Sequence[str]:
        """First keys of the known blocks after the first one, or keys as far apart if none is known."""
        if not self._last:
            return self._observations.split_points(ROWS)
        return [each.first.decode("utf-8", "surrogateescape") for each in self._last[1:]]

    def skipped(self, first: bytes, block: Block, end: bytes | None) -> KnownBlock | None:
        """
        Return what is known of a block that is unchanged, as its rows and items are; None for any other.

        Args:
            first: first key of its range.
            block: a block, in the order of the listing.
            end: first key of the next range; None for the last.
        """
        known = self._known.get((first, digest_under(block.digest, self._settings), end))
        if self._has_question(end):
            return None
        if known:
            self._blocks.append(known)
        return known

    @contextmanager
    def looked_into(self, first: bytes, block: Block, result: "ScanResult") -> Iterator[None]:
        """Take what a scan adds to its result inside as what it knows of a block."""
        listed, listed_bytes = result.listed, result.listed_bytes
        left_out, seen = result.left_out.copy(), result.sentinel_seen
        result.sentinel_seen = False
        yield
        self._blocks.append(
            KnownBlock(
                first,
                digest_under(block.digest, self._settings),
                result.listed - listed,
                result.listed_bytes - listed_bytes,
                dict(result.left_out - left_out),
                result.sentinel_seen,
            )
        )
        result.sentinel_seen |= seen

    def leave_open(self) -> None:
        """Let the next scan go through the present block."""
        self._open.add(len(self._blocks))

    def wait_for(self, key: str) -> None:
        """Let the next scan go through the present block unless this row is observed."""
        self._waiting[key] = len(self._blocks)

    def observed(self, key: str) -> None:
        """Count the observation of a row. One without a fingerprint puts its item in question."""
        del self._waiting[key]

    def record(self) -> None:
        """Record the blocks for the next scan. Call it when all else of the scan is on record."""
        left = self._open.union(self._waiting.values())
        blocks = [block for number, block in enumerate(self._blocks) if number not in left]
        if blocks != self._observations.blocks():
            self._observations.set_blocks(blocks)

    def _has_question(self, end: bytes | None) -> bool:
        """Return True if an item of this range must be looked at whatever the listing says."""
        has = False
        while self._question is not None and (end is None or self._question < end):
            has, self._question = True, next(self._in_question, None)
        if has:
            self.leave_open()
        return has
