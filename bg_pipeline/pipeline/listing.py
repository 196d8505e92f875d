"""Compare the listing of the source with the records, and read the items that look changed."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from bg_pipeline.core.blocks import Block, in_ranges
from bg_pipeline.core.hosts import HostOutage, Unanswered, judge
from bg_pipeline.core.keys import collection_of, is_named_like_a_picture, key_bytes
from bg_pipeline.core.media import is_unfinished, may_be_unfinished, sniff
from bg_pipeline.core.merge import merge_join
from bg_pipeline.core.recipe import digest_of
from bg_pipeline.core.records import Listed, Observation
from bg_pipeline.core.rehash import Slice
from bg_pipeline.core.sources import require_size
from bg_pipeline.errors import (
    HostUnavailable,
    ItemBlocked,
    ItemChanged,
    ItemError,
    ItemTooLarge,
    SourceUnreadable,
)
from bg_pipeline.pipeline.blocks import BlocksOfScan
from bg_pipeline.ports.context import Catalogue, Policy, Run
from bg_pipeline.ports.single import one_picture
from bg_pipeline.ports.source import ListsBlocks

_GRANULARITY_S = 3.0
"""
A file this young may change again within one tick of its file system's clock and look the same: FAT counts in 2 s,
network shares cache for up to 3 s (git's racy rule; borg uses the same 3 s).
"""

_COPYING_S = 3600.0
"""A copy that sets the full length first may pause this long before it writes on."""

_ZEROS = "its end holds only zeros, as in a copy that is not finished"

_PROGRESS_EVERY = 100

NOT_LISTED = "the source was not listed to its end, so nothing was changed or deleted"

_Known = tuple[bytes, str, bytes, float]
"""A row of `Observations.listing`."""


@dataclass(slots=True)
class ScanResult:
    """The result of one scan of the whole catalogue."""

    listed: int = 0
    listed_bytes: int = 0
    hashed: int = 0
    rehashed: int = 0
    """Items that look unchanged and are hashed nevertheless; see `core.rehash`."""
    still_written: dict[str, str] = field(default_factory=dict)
    """Items that something is still writing to, with the reason; their records stay as they were."""
    moved: int = 0
    """Items that now belong to another collection because BG_COLLECTION_DEPTH changed."""
    absent: list[str] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)
    """Items that cannot be read, with the reason: each is a failure until it can be read, or a person accepts it."""
    unanswered: dict[str, Unanswered] = field(default_factory=dict)
    """Items whose picture host did not serve, by key, until `judge_hosts`."""
    hosts_down: tuple[HostOutage, ...] = ()
    """Picture hosts that do not serve. The records of the items on them stay as they were."""
    not_looked: dict[str, str] = field(default_factory=dict)
    """Items, and folders with a slash at the end, that could not be looked at, with the reason. Their records, and
    those of everything below, stay as they were."""
    left_out: Counter[str] = field(default_factory=Counter)
    """Number of keys, and of folders as a whole, that each pattern left out."""
    sentinel_seen: bool = False


class ItemsToHash:
    """
    Listed items whose bytes must be read. Iterating counts all items in the result, and collects the absent ones.

    Items that have not settled are in `young`, and not among those.
    """

    def __init__(
        self, catalogue: Catalogue, policy: Policy, run: Run, result: ScanResult, rehash: Slice | None
    ) -> None:
        self._catalogue = catalogue
        self._policy = policy
        self._run = run
        self._result = result
        self._rehash = rehash
        self.moved: dict[str, tuple[str, float]] = {}
        """Collection and priority of keys that have other ones on record."""
        self.young: list[Listed] = []
        self.blocks = BlocksOfScan(catalogue.observations, policy, whole=rehash is not None)
        self._hidden = b"/"
        """The last folder that could not be looked at. In key order, all that is below follows its row."""

    def __iter__(self) -> Iterator[Listed]:
        source, observations = self._catalogue.source, self._catalogue.observations
        try:
            if isinstance(source, ListsBlocks):
                yield from self._of_blocks(source.blocks(self.blocks.starts))
            else:
                yield from self._to_hash(source.list(observations.split_points), observations.listing())
        except ValueError as error:
            raise SourceUnreadable(
                f"the listing is not in order, so it is unreliable: {error}. Nothing was deleted"
            ) from error

    def _of_blocks(self, listed_blocks: Iterator[Block]) -> Iterator[Listed]:
        result = self._result
        for first, block, end in in_ranges(listed_blocks):
            if known := self.blocks.skipped(first, block, end):
                self._run.end_if_asked(NOT_LISTED)
                self._run.progress.advance(known.listed)
                result.listed += known.listed
                result.listed_bytes += known.listed_bytes
                result.left_out.update(known.left_out)
                result.sentinel_seen |= known.has_sentinel
                continue
            with self.blocks.looked_into(first, block, result):
                yield from self._to_hash(block.rows(), self._catalogue.observations.listing(first, end))

    def _to_hash(self, rows: Iterable[Listed], known_rows: Iterable[_Known]) -> Iterator[Listed]:
        """Compare rows of the listing with all that is known between the first and the last of them."""
        result = self._result
        pairs = merge_join(self._items(rows), known_rows, lambda listed: key_bytes(listed.key), lambda known: known[0])
        folder, collection = None, b""
        for listed, known in pairs:
            if listed is None or listed.problem:
                self._without_item(listed, known)
                continue
            result.listed += 1
            result.listed_bytes += listed.size_bytes
            if not result.listed % _PROGRESS_EVERY:
                self._run.progress.advance(_PROGRESS_EVERY)
            if known is not None and (parent := listed.key.rpartition("/")[0]) != folder:
                folder, collection = parent, key_bytes(collection_of(listed.key, self._policy.collection_depth))
            if known is not None and (known[2] != collection or known[3] != listed.priority):
                self.moved[listed.key] = collection.decode("utf-8", "surrogateescape"), listed.priority
                result.moved += known[2] != collection
            if self._looks_unchanged(listed, known):
                continue
            self.blocks.wait_for(listed.key)
            if listed.settles_in_s:
                self.young.append(listed)
            else:
                yield listed

    def _items(self, rows: Iterable[Listed]) -> Iterator[Listed]:
        """Yield the rows of the source that are not left out; count the others. End with the run."""
        sentinel, leaves_out = self._policy.deletes.sentinel, self._policy.filter.leaves_out
        for listed in rows:
            self._run.end_if_asked(NOT_LISTED)
            if listed.key == sentinel:
                self._result.sentinel_seen = True
            if pattern := leaves_out(listed.key):
                self._result.left_out[pattern] += 1
            else:
                yield listed

    def _looks_unchanged(self, listed: Listed, known: _Known | None) -> bool:
        if known is None or not known[1] or known[1] != listed.fingerprint:
            return False
        if self._rehash and self._rehash.holds(known[0]):
            self._result.rehashed += 1
            return False
        return True

    def _without_item(self, listed: Listed | None, known: _Known | None) -> None:
        """
        Count a known item that is not listed, or a part that could not be looked at.

        Args:
            listed: the row of such a part; None if there is no row.
            known: the known item, if any.
        """
        if listed is not None:
            self._result.not_looked[listed.key] = listed.problem
            self.blocks.leave_open()
            if listed.key.endswith("/"):
                self._hidden = key_bytes(listed.key)
            return
        assert known is not None
        key = known[0].decode("utf-8", "surrogateescape")
        if not known[0].startswith(self._hidden) and not self._policy.filter.leaves_out(key):
            self._result.absent.append(key)


def observe_item(
    catalogue: Catalogue, policy: Policy, result: ScanResult, started_at: float, listed: Listed
) -> Observation | None:
    """Read and hash one listed item; return None if its record stays as it was."""
    collection = collection_of(listed.key, policy.collection_depth)
    try:
        require_size(listed.size_bytes)
        with one_picture(catalogue.source):
            data = catalogue.source.read(listed.key)
    except ItemError as error:
        return _without_bytes(result, listed, collection, error)
    media_type = sniff(data)
    if (media_type or is_named_like_a_picture(listed.key)) and may_be_unfinished(data, media_type):
        if listed.modified_at is not None and listed.modified_at > started_at - _COPYING_S:
            result.still_written[listed.key] = _ZEROS
            return None  # its record stays as it was
        if is_unfinished(data, media_type):
            return _unreadable(result, listed, collection, f"{_ZEROS}: copy it again")
    racy = listed.modified_at is not None and listed.modified_at > started_at - _GRANULARITY_S
    fingerprint = "" if racy else listed.fingerprint
    return Observation(listed.key, collection, fingerprint, digest_of(data), len(data), media_type, listed.priority)


def _without_bytes(result: ScanResult, listed: Listed, collection: str, error: ItemError) -> Observation | None:
    """Decide what an error says about a listed item; return None if its record stays as it was."""
    if isinstance(error, ItemChanged):
        return None  # removed after it was listed: the next scan misses it
    if isinstance(error, HostUnavailable):
        result.unanswered[listed.key] = Unanswered(listed, str(error), error.host, error.unknown)
        return None  # `judge_hosts` decides at the end of the scan
    if isinstance(error, ItemBlocked):
        result.not_looked[listed.key] = str(error)
        return None  # the next scan reads it again
    if isinstance(error, ItemTooLarge) and not is_named_like_a_picture(listed.key):
        return Observation(listed.key, collection, listed.fingerprint, "", listed.size_bytes, "", listed.priority)
    return _unreadable(result, listed, collection, str(error))


def _unreadable(result: ScanResult, listed: Listed, collection: str, why: str) -> Observation:
    result.unreadable[listed.key] = why
    # Without a fingerprint, the next scan tries again.
    return Observation(listed.key, collection, "", "", listed.size_bytes, "", listed.priority, why)


def judge_hosts(policy: Policy, result: ScanResult) -> list[Observation]:
    """Decide about the items whose hosts did not serve; return the observations of those that cannot be read."""
    judged = judge(result.unanswered.values())
    result.hosts_down = judged.outages
    result.not_looked |= judged.not_looked
    return [
        _unreadable(
            *(result, each.listed, collection_of(each.listed.key, policy.collection_depth)),
            f"cannot be read: {each.why}",
        )
        for each in judged.unreadable
    ]


def observe_settled(
    catalogue: Catalogue, policy: Policy, run: Run, result: ScanResult, started_at: float, young: Sequence[Listed]
) -> Iterator[Observation]:
    """Look twice at items that have not settled, and yield those that stayed the same; record the others."""
    observe = partial(observe_item, catalogue, policy, result, started_at)
    first = {listed.key: observed.content_hash for listed in young if (observed := observe(listed))}
    if first and run.wait(max(listed.settles_in_s for listed in young)):
        result.still_written |= dict.fromkeys(first, "the run was asked to stop before it settled")
        return
    for listed in young:
        if listed.key in first and (observed := observe(listed)):
            if observed.content_hash == first[listed.key]:
                yield observed
            else:
                result.still_written[listed.key] = "it changed while the scan looked at it"
