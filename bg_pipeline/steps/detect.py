"""See what the catalogue holds now, and what is to be done about it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from bg_pipeline.ahead import ahead
from bg_pipeline.core.delta import WORK_REASONS, Delta, Survey, settle, survey
from bg_pipeline.core.keys import collection_of, fold, key_bytes, preferred_stem
from bg_pipeline.core.media import sniff
from bg_pipeline.core.recipe import digest_of
from bg_pipeline.core.records import Entry, Listed, Observation
from bg_pipeline.core.rehash import Slice, day_of, due_slice
from bg_pipeline.core.streams import merge_join
from bg_pipeline.errors import GuardStopped, ItemChanged, ItemUnreadable, SourceUnreadable, StoreError
from bg_pipeline.ports import Progress
from bg_pipeline.steps.parts import Parts, leased

LEASE = "detection"

_BATCH = 256
"""Items hashed between two commits: what a killed scan has to hash again."""

_AHEAD = 1024
"""Items that wait to be hashed, so that the threads have work while a batch is committed."""

_GRANULARITY_S = 3.0
"""
A file this young may be written to once more within one tick of its file system's clock, and look the same: FAT counts
in 2 s, network shares cache for up to 3 s (git's racy rule; borg uses the same 3 s).
"""

_PROGRESS_EVERY = 100

MAX_SOURCE_BYTES = 256 * 2**20
"""A file is held in memory while it is worked on. No service takes a picture of a quarter of this."""

_LEFTOVER_S = 3600.0
"""No write takes so long: a temporary file of this age belongs to a run that was killed."""

_HASHERS = 2
"""Hashing releases the interpreter lock; two threads keep the disk and one core busy."""


@dataclass(slots=True)
class Scan:
    """What one look at the whole catalogue found."""

    listed: int = 0
    listed_bytes: int = 0
    hashed: int = 0
    hashed_bytes: int = 0
    unsettled: int = 0
    """Listed while something may still write to them; left as they were."""
    regrouped: int = 0
    """Items that belong to another collection now, because BG_COLLECTION_DEPTH changed."""
    absent: list[str] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)
    sentinel_seen: bool = False


def scan(parts: Parts, owner: str, progress: Progress, rehash: Slice | None = None) -> Scan:
    """
    List the source to its end; hash what is new or looks changed; remember both.

    Args:
        parts: where everything is.
        owner: who holds the lease, for the message that others get.
        progress: one step an item.
        rehash: hash these too, whatever they look like.

    Raises:
        LeaseHeld: another detection runs.
        SourceUnreadable: the listing broke off. Hashes found so far are kept, nothing counts as gone.
        GuardStopped: it is empty and was not before, or is without its sentinel.
    """
    found = Scan()
    progress.start("listing and hashing", None)
    with leased(parts, LEASE, owner), _on_record(parts, found, rehash):
        suspects = _Suspects(parts, found, progress, rehash)
        started_at = parts.now()
        batch: list[Observation] = []
        look = partial(_look, parts, found, started_at)
        for looked_at in ahead(look, suspects, threads=_HASHERS, waiting=_AHEAD):
            if looked_at is None:
                continue
            found.hashed += 1
            found.hashed_bytes += looked_at.size_bytes
            batch.append(looked_at)
            if len(batch) == _BATCH:
                parts.manifest.observe(batch)
                batch = []
        parts.manifest.observe(batch)
        if found.absent and not found.listed:
            raise GuardStopped(
                f"the source is empty, and held {len(found.absent)} items before. Nothing was deleted. See that "
                "BG_SOURCE is the right place and mounted; if it really is empty, start a new manifest (BG_STATE)"
            )
        if parts.deletes.sentinel and not found.sentinel_seen:
            raise GuardStopped(
                f"BG_SENTINEL ({parts.deletes.sentinel}) is not in the source. Nothing was deleted. See that BG_SOURCE "
                "is the right place and mounted"
            )
        parts.manifest.regroup(suspects.regrouped)
        parts.manifest.mark_absent(found.absent)
    progress.done()
    return found


def rehash_due(parts: Parts) -> Slice | None:
    """The part of the catalogue that a nightly scan is to hash whatever it looks like; None if today's is done."""
    last = parts.control.syncs("rehash")
    return due_slice(parts.rehash_nights, parts.now(), last[0][1] if last else None)


def plan(parts: Parts, *, apply_recipe_change: bool = False, recipe_change_limit: int | None = None) -> Delta:
    """
    The delta after a scan. Reads the manifest and the names of the outputs; changes nothing.

    Args:
        parts: where everything is.
        apply_recipe_change: buy what only a changed cut asks for.
        recipe_change_limit: how many of those, oldest first; None for all.

    Raises:
        StoreError: the outputs cannot be listed.
    """
    missing = _missing_outputs(parts)
    entries, lost = _entries(parts, missing)
    settled = parts.manifest.settled(parts.recipe) - lost
    found = survey(entries, parts.recipe, missing, settled)
    works = found.works
    return settle(
        found,
        price=parts.price,
        bought=parts.ledger.bought(works),
        carriers=parts.manifest.carriers(works),
        taken=_taken(parts, found),
        apply_recipe_change=apply_recipe_change,
        recipe_change_limit=recipe_change_limit,
    )


def detect(
    parts: Parts, owner: str, *, apply_recipe_change: bool = False, recipe_change_limit: int | None = None
) -> Delta:
    """
    Plan, and make the delta pending. The options are those of `plan`.

    Raises:
        LeaseHeld: another detection runs.
        StoreError: the outputs cannot be listed.
    """
    started_at = parts.now()
    with leased(parts, LEASE, owner):
        for store in (parts.outputs, parts.masters):
            store.sweep(older_than=started_at - _LEFTOVER_S)
        delta = plan(parts, apply_recipe_change=apply_recipe_change, recipe_change_limit=recipe_change_limit)
        parts.manifest.record_delta(delta.changes)
        parts.control.log_sync(
            "detect",
            started_at,
            {
                "counts": delta.counts,
                "rows": delta.rows,
                "work": len(delta.work),
                "purchases": delta.purchases,
                "credits": float(delta.credits),
            },
        )
    return delta


@contextmanager
def _on_record(parts: Parts, found: Scan, rehash: Slice | None) -> Iterator[None]:
    """Write down how the listing ended: deletes need to know that it came to its end."""
    started_at = parts.now()
    facts: dict[str, Any] = {"complete": False}
    try:
        yield
        facts["complete"] = True
    finally:
        facts |= {"listed": found.listed, "sentinel_seen": found.sentinel_seen}
        parts.control.log_sync("scan", started_at, facts)
    if rehash:
        parts.control.log_sync("rehash", started_at, {"day": day_of(started_at), "slice": rehash.number})


class _Suspects:
    """Listed items whose bytes have to be looked at; fills in what the merge tells about the others."""

    def __init__(self, parts: Parts, found: Scan, progress: Progress, rehash: Slice | None) -> None:
        self._parts = parts
        self._found = found
        self._progress = progress
        self._rehash = rehash
        self.regrouped: dict[str, str] = {}

    def __iter__(self) -> Iterator[Listed]:
        found, rehash, sentinel = self._found, self._rehash, self._parts.deletes.sentinel
        pairs = merge_join(
            self._parts.source.list(self._parts.manifest.landmarks),
            self._parts.manifest.observations(),
            lambda listed: key_bytes(listed.key),
            lambda known: known[0],
        )
        folder, collection = None, b""
        try:
            for listed, known in pairs:
                if listed is None:
                    assert known is not None
                    found.absent.append(known[0].decode("utf-8", "surrogateescape"))
                    continue
                found.listed += 1
                found.listed_bytes += listed.size_bytes
                if not found.listed % _PROGRESS_EVERY:
                    self._progress.step(_PROGRESS_EVERY)
                if listed.key == sentinel:
                    found.sentinel_seen = True
                if known is not None and (here := listed.key.rpartition("/")[0]) != folder:
                    folder, collection = here, key_bytes(collection_of(listed.key, self._parts.collection_depth))
                if known is not None and known[2] != collection:
                    self.regrouped[listed.key] = collection.decode("utf-8", "surrogateescape")
                    found.regrouped += 1
                if not listed.settled:
                    found.unsettled += 1
                elif (
                    known is None or not known[1] or known[1] != listed.evidence or (rehash and rehash.holds(known[0]))
                ):
                    yield listed
        except ValueError as error:
            raise SourceUnreadable(
                f"the listing is not in order, so it cannot be trusted: {error}. Nothing was deleted"
            ) from error


def _look(parts: Parts, found: Scan, started_at: float, listed: Listed) -> Observation | None:
    collection = collection_of(listed.key, parts.collection_depth)
    try:
        if listed.size_bytes > MAX_SOURCE_BYTES:
            raise ItemUnreadable(f"larger than {MAX_SOURCE_BYTES >> 20} MiB")
        data = parts.source.read(listed.key)
    except ItemChanged:
        return None  # removed since it was listed: the next scan sees that it is gone
    except ItemUnreadable as error:
        found.unreadable[listed.key] = str(error)
        return Observation(listed.key, collection, "", "", listed.size_bytes, "")
    racy = listed.modified_at is not None and listed.modified_at > started_at - _GRANULARITY_S
    evidence = "" if racy else listed.evidence
    return Observation(listed.key, collection, evidence, digest_of(data), len(data), sniff(data))


def _entries(parts: Parts, missing: frozenset[str]) -> tuple[list[Entry], int]:
    """Every entry that may have to be worked on, and how many of those would be settled but for their lost output."""
    entries = list(parts.manifest.unsettled(parts.recipe))
    lost = sorted(missing.difference(e.key for e in entries), key=key_bytes)
    return entries + parts.manifest.some(lost), len(lost)


def _missing_outputs(parts: Parts) -> frozenset[str]:
    pairs = merge_join(
        parts.outputs.list(), parts.manifest.published_names(), key_bytes, lambda shown: key_bytes(shown[0])
    )
    try:
        return frozenset(shown[1] for there, shown in pairs if shown is not None and there is None)
    except ValueError as error:
        raise StoreError(f"the listing of the outputs is not in order: {error}") from error


def _taken(parts: Parts, found: Survey) -> Callable[[str], bool]:
    """Whether a folded stem is a listed item's. The preferred ones are asked for together, marked ones are rare."""
    nameless = (e.key for e, c in found.candidates if c.reason in WORK_REASONS and not e.stem)
    asked = {fold(preferred_stem(key)) for key in nameless}
    known = parts.manifest.taken(sorted(asked, key=key_bytes))
    return lambda stem: stem in known if stem in asked else bool(parts.manifest.taken([stem]))
