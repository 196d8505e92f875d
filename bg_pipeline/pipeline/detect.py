"""Scan the catalogue and detect the work to be done."""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from bg_pipeline.core.delta import Delta, Goal, Survey, survey
from bg_pipeline.core.keys import collection_of, fold, key_bytes
from bg_pipeline.core.media import sniff
from bg_pipeline.core.merge import merge_join
from bg_pipeline.core.recipe import Recipe, digest_of
from bg_pipeline.core.records import Entry, Listed, Observation
from bg_pipeline.core.rehash import Slice, day_of, due_slice
from bg_pipeline.core.relations import price
from bg_pipeline.core.runlog import DetectRecord, RehashRecord, ScanRecord
from bg_pipeline.errors import GuardStopped, ItemChanged, ItemUnreadable, SourceUnreadable, StoreError
from bg_pipeline.net.prefetch import prefetch
from bg_pipeline.ports.catalogue import Deltas
from bg_pipeline.ports.context import DETECTION, Accounts, Catalogue, Policy, Run, leased
from bg_pipeline.ports.stores import BlobStore

_BATCH = 1024
"""Items hashed between two commits; a killed scan has to hash these again."""

_AHEAD = 1024
"""Items queued for hashing, so that the threads have work while a batch is committed."""

_GRANULARITY_S = 3.0
"""
A file this young may change again within one tick of its file system's clock and look the same: FAT counts in 2 s,
network shares cache for up to 3 s (git's racy rule; borg uses the same 3 s).
"""

_PROGRESS_EVERY = 100

MAX_SOURCE_BYTES = 256 * 2**20
"""Largest source: a file is held in memory whole. No vendor accepts a quarter of this size."""

_LEFTOVER_S = 3600.0
"""Age at which a temporary file belongs to a killed run: no write takes this long."""

_HASHERS = 2
"""Hashing releases the interpreter lock; two threads keep the disk and one core busy."""


@dataclass(slots=True)
class ScanResult:
    """The result of one scan of the whole catalogue."""

    listed: int = 0
    listed_bytes: int = 0
    hashed: int = 0
    still_written: int = 0
    """Items that something may still be writing to; their records stay as they were."""
    moved: int = 0
    """Items that now belong to another collection because BG_COLLECTION_DEPTH changed."""
    absent: list[str] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)
    sentinel_seen: bool = False


def scan(catalogue: Catalogue, policy: Policy, run: Run, rehash: Slice | None = None) -> ScanResult:
    """
    List the source to its end, hash items that are new or look changed, and record both.

    Args:
        catalogue: the catalogue to list.
        policy: depth of collections, and the sentinel that a listing must have.
        run: the run that lists; its progress counts items.
        rehash: also hash the items of this slice, even if they look unchanged.

    Raises:
        LeaseHeld: another detection is running.
        SourceUnreadable: the listing failed. Hashes made so far are kept; no item counts as absent.
        GuardStopped: the listing is empty and was not before, or lacks its sentinel.
    """
    result = ScanResult()
    run.progress.start("listing and hashing", None)
    with leased(catalogue.leases, DETECTION, run.name.owner), _recorded(catalogue, run, result, rehash):
        to_hash = _ItemsToHash(catalogue, policy, run, result, rehash)
        batch: list[Observation] = []
        observe = partial(_observe, catalogue, policy, result, run.now())
        for observation in prefetch(observe, to_hash, threads=_HASHERS, waiting=_AHEAD):
            if observation is None:
                continue
            result.hashed += 1
            batch.append(observation)
            if len(batch) == _BATCH:
                catalogue.observations.observe(batch)
                batch = []
        catalogue.observations.observe(batch)
        if result.absent and not result.listed:
            raise GuardStopped(
                f"the source is empty, and held {len(result.absent)} items before. Nothing was deleted. Check that "
                "BG_SOURCE is right and mounted; if it really is empty, start a new manifest (BG_STATE)"
            )
        if policy.deletes.sentinel and not result.sentinel_seen:
            raise GuardStopped(
                f"BG_SENTINEL ({policy.deletes.sentinel}) is not in the source. Nothing was deleted. Check that "
                "BG_SOURCE is right and mounted"
            )
        catalogue.observations.set_collections(to_hash.moved)
        catalogue.observations.mark_absent(result.absent)
    run.progress.done()
    return result


def slice_to_rehash(catalogue: Catalogue, policy: Policy, run: Run) -> Slice | None:
    """Return the slice that tonight's scan hashes even if it looks unchanged; None if today's slice is done."""
    last = catalogue.run_log.read(RehashRecord)
    return due_slice(policy.rehash_nights, run.now(), (last[0].day, last[0].slice) if last else None)


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Pause garbage collection: a large delta keeps all its objects, and searching them costs an eighth of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@_without_garbage_collection()
def plan(
    catalogue: Catalogue,
    accounts: Accounts,
    policy: Policy,
    *,
    apply_recipe_change: bool = False,
    recipe_change_limit: int | None = None,
    rerender: bool = False,
) -> Delta:
    """
    Return the delta after a scan. Reads the manifest and the names of the outputs, and changes nothing.

    Args:
        catalogue: the catalogue to compare.
        accounts: access to earlier purchases.
        policy: the wanted results, and their prices.
        apply_recipe_change: also plan the purchases that only a changed cut needs.
        recipe_change_limit: largest number of those purchases, oldest first; None for all.
        rerender: render again the outputs of an older version of the renderer.

    Raises:
        StoreError: the outputs cannot be listed.
    """
    goal = Goal.of(policy.recipe, rerender=rerender)
    missing = _missing_outputs(catalogue.outputs, catalogue.deltas)
    entries, lost = _entries(catalogue.deltas, goal, missing)
    up_to_date = catalogue.deltas.up_to_date(goal) - lost
    findings = survey(entries, policy.recipe, missing, up_to_date, rerender=rerender)
    purchase_ids, item_price = findings.purchase_ids, policy.price
    return price(
        findings,
        price=lambda _entry: item_price,
        bought=accounts.purchases.bought(purchase_ids),
        publishing_keys=catalogue.deltas.publishing_keys(purchase_ids),
        taken=_taken_stems(catalogue.deltas, findings),
        apply_recipe_change=apply_recipe_change,
        recipe_change_limit=recipe_change_limit,
    )


@_without_garbage_collection()
def detect(
    catalogue: Catalogue,
    accounts: Accounts,
    policy: Policy,
    run: Run,
    *,
    apply_recipe_change: bool = False,
    recipe_change_limit: int | None = None,
    rerender: bool = False,
) -> Delta:
    """
    Plan and record the delta: its work becomes pending, except purchases requested of this run only. See `plan`.

    Raises:
        LeaseHeld: another detection is running.
        StoreError: the outputs cannot be listed.
    """
    started_at = run.now()
    with leased(catalogue.leases, DETECTION, run.name.owner):
        for store in (catalogue.outputs, accounts.masters):
            store.sweep(older_than=started_at - _LEFTOVER_S)
        delta = plan(
            catalogue,
            accounts,
            policy,
            apply_recipe_change=apply_recipe_change,
            recipe_change_limit=recipe_change_limit,
            rerender=rerender,
        )
        catalogue.deltas.record(delta.changes)
        catalogue.run_log.write(
            DetectRecord(
                run_id=run.name.run_id,
                job=run.name.job,
                collections=None,
                started_at=started_at,
                counts=delta.counts,
                rows=tuple(delta.rows),
                work=len(delta.work),
                purchases=delta.purchases,
                credits=delta.credits,
            )
        )
    return delta


def count_outdated_outputs(deltas: Deltas, recipe: Recipe) -> int:
    """Count the up-to-date outputs of an older version of the renderer, which `rerender` would write again."""
    return deltas.up_to_date(Goal.of(recipe)) - deltas.up_to_date(Goal.of(recipe, rerender=True))


@contextmanager
def _recorded(catalogue: Catalogue, run: Run, result: ScanResult, rehash: Slice | None) -> Iterator[None]:
    """Record the scan, and if it was complete: only a complete listing permits deletions."""
    started_at, complete = run.now(), False
    try:
        yield
        complete = True
    finally:
        catalogue.run_log.write(
            ScanRecord(
                run_id=run.name.run_id,
                job=run.name.job,
                collections=None,
                started_at=started_at,
                complete=complete,
                listed=result.listed,
                sentinel_seen=result.sentinel_seen,
            )
        )
    if rehash:
        catalogue.run_log.write(
            RehashRecord(
                run_id=run.name.run_id,
                job=run.name.job,
                collections=None,
                started_at=started_at,
                day=day_of(started_at),
                slice=rehash.number,
            )
        )


class _ItemsToHash:
    """Listed items whose bytes must be read. Iterating counts all items in the result, and collects the absent ones."""

    def __init__(
        self, catalogue: Catalogue, policy: Policy, run: Run, result: ScanResult, rehash: Slice | None
    ) -> None:
        self._catalogue = catalogue
        self._policy = policy
        self._run = run
        self._result = result
        self._rehash = rehash
        self.moved: dict[str, str] = {}

    def __iter__(self) -> Iterator[Listed]:
        result, rehash, sentinel = self._result, self._rehash, self._policy.deletes.sentinel
        pairs = merge_join(
            self._catalogue.source.list(self._catalogue.observations.split_points),
            self._catalogue.observations.listing(),
            lambda listed: key_bytes(listed.key),
            lambda known: known[0],
        )
        folder, collection = None, b""
        try:
            for listed, known in pairs:
                if listed is None:
                    assert known is not None
                    result.absent.append(known[0].decode("utf-8", "surrogateescape"))
                    continue
                result.listed += 1
                result.listed_bytes += listed.size_bytes
                if not result.listed % _PROGRESS_EVERY:
                    self._run.progress.advance(_PROGRESS_EVERY)
                if listed.key == sentinel:
                    result.sentinel_seen = True
                if known is not None and (parent := listed.key.rpartition("/")[0]) != folder:
                    folder, collection = parent, key_bytes(collection_of(listed.key, self._policy.collection_depth))
                if known is not None and known[2] != collection:
                    self.moved[listed.key] = collection.decode("utf-8", "surrogateescape")
                    result.moved += 1
                if not listed.settled:
                    result.still_written += 1
                elif (
                    known is None
                    or not known[1]
                    or known[1] != listed.fingerprint
                    or (rehash and rehash.holds(known[0]))
                ):
                    yield listed
        except ValueError as error:
            raise SourceUnreadable(
                f"the listing is not in order, so it is unreliable: {error}. Nothing was deleted"
            ) from error


def _observe(
    catalogue: Catalogue, policy: Policy, result: ScanResult, started_at: float, listed: Listed
) -> Observation | None:
    collection = collection_of(listed.key, policy.collection_depth)
    try:
        if listed.size_bytes > MAX_SOURCE_BYTES:
            raise ItemUnreadable(f"larger than {MAX_SOURCE_BYTES >> 20} MiB")
        data = catalogue.source.read(listed.key)
    except ItemChanged:
        return None  # removed after it was listed: the next scan misses it
    except ItemUnreadable as error:
        result.unreadable[listed.key] = str(error)
        return Observation(listed.key, collection, "", "", listed.size_bytes, "")
    racy = listed.modified_at is not None and listed.modified_at > started_at - _GRANULARITY_S
    fingerprint = "" if racy else listed.fingerprint
    return Observation(listed.key, collection, fingerprint, digest_of(data), len(data), sniff(data))


def _entries(deltas: Deltas, goal: Goal, missing: frozenset[str]) -> tuple[list[Entry], int]:
    """Return every entry that may need work, and the number of those that only lost their output."""
    entries = list(deltas.out_of_date(goal))
    lost = sorted(missing.difference(e.key for e in entries), key=key_bytes)
    return entries + deltas.get_many(lost), len(lost)


def _missing_outputs(outputs: BlobStore, deltas: Deltas) -> frozenset[str]:
    pairs = merge_join(outputs.list(), deltas.published_names(), key_bytes, lambda published: key_bytes(published[0]))
    try:
        return frozenset(published[1] for name, published in pairs if published is not None and name is None)
    except ValueError as error:
        raise StoreError(f"the listing of the outputs is not in order: {error}") from error


def _taken_stems(deltas: Deltas, findings: Survey) -> Callable[[str], bool]:
    """Return a test for the folded stems of listed items. Preferred stems are read at once; other stems are rare."""
    preferred = {fold(candidate.stem) for candidate in findings.candidates if candidate.stem}
    taken = deltas.taken_stems(sorted(preferred, key=key_bytes))
    return lambda stem: stem in taken if stem in preferred else bool(deltas.taken_stems([stem]))
