"""See what the catalogue holds now, and what is to be done about it."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice

from bg_pipeline.core.delta import WORK_REASONS, Delta, Survey, settle, survey
from bg_pipeline.core.keys import collection_of, fold, key_bytes, preferred_stem
from bg_pipeline.core.media import sniff
from bg_pipeline.core.recipe import digest_of
from bg_pipeline.core.records import Listed, Observation
from bg_pipeline.core.streams import merge_join
from bg_pipeline.errors import GuardStopped, ItemChanged, ItemUnreadable, SourceUnreadable, StoreError
from bg_pipeline.ports import Progress
from bg_pipeline.steps.parts import Parts, leased

LEASE = "detection"

_BATCH = 256
"""Items hashed between two commits: what a killed scan has to hash again."""

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
    absent: list[str] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)


def scan(parts: Parts, owner: str, progress: Progress) -> Scan:
    """
    List the source to its end; hash what is new or looks changed; remember both.

    Raises:
        LeaseHeld: another detection runs.
        SourceUnreadable: the listing broke off. Hashes found so far are kept, nothing counts as gone.
        GuardStopped: it is empty, and was not before.
    """
    found = Scan()
    progress.start("listing and hashing", None)
    with leased(parts, LEASE, owner), ThreadPoolExecutor(_HASHERS, thread_name_prefix="hash") as pool:
        suspects = _suspects(parts, found, progress)
        while batch := list(islice(suspects, _BATCH)):
            looked_at = [o for o in pool.map(lambda listed: _look(parts, listed, found), batch) if o]
            parts.manifest.observe(looked_at)
            found.hashed += len(looked_at)
            found.hashed_bytes += sum(o.size_bytes for o in looked_at)
        if found.absent and not found.listed:
            raise GuardStopped(
                f"the source is empty, and held {len(found.absent)} items before. Nothing was deleted. See that "
                "BG_SOURCE is the right place and mounted; if it really is empty, start a new manifest (BG_STATE)"
            )
        parts.manifest.mark_absent(found.absent)
    progress.done()
    return found


def plan(parts: Parts, *, apply_recipe_change: bool = False) -> Delta:
    """
    The delta after a scan. Reads the manifest and the names of the outputs; changes nothing.

    Raises:
        StoreError: the outputs cannot be listed.
    """
    found = survey(parts.manifest.entries(), parts.recipe, _missing_outputs(parts))
    works = sorted({change.work_id for _, change in found.candidates if change.work_id})
    taken = parts.manifest.taken(_wanted_stems(found))
    return settle(
        found,
        price=parts.price,
        bought=parts.ledger.bought(works),
        carriers=parts.manifest.carriers(works),
        taken=taken.__contains__,
        apply_recipe_change=apply_recipe_change,
    )


def detect(parts: Parts, owner: str, *, apply_recipe_change: bool = False) -> Delta:
    """
    Plan, and make the delta pending.

    Raises:
        LeaseHeld: another detection runs.
        StoreError: the outputs cannot be listed.
    """
    started_at = parts.now()
    with leased(parts, LEASE, owner):
        for store in (parts.outputs, parts.masters):
            store.sweep(older_than=started_at - _LEFTOVER_S)
        delta = plan(parts, apply_recipe_change=apply_recipe_change)
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


def _suspects(parts: Parts, found: Scan, progress: Progress) -> Iterator[Listed]:
    """Listed items whose bytes have to be looked at; fills in what the merge tells about the others."""
    pairs = merge_join(
        parts.source.list(),
        parts.manifest.observations(),
        lambda listed: key_bytes(listed.key),
        lambda observation: key_bytes(observation.key),
    )
    try:
        for listed, known in pairs:
            if listed is None:
                assert known is not None
                found.absent.append(known.key)
                continue
            found.listed += 1
            found.listed_bytes += listed.size_bytes
            progress.step()
            if known is None or not known.evidence or known.evidence != listed.evidence:
                yield listed
    except ValueError as error:
        raise SourceUnreadable(f"the listing is not in order, so it cannot be trusted: {error}") from error


def _look(parts: Parts, listed: Listed, found: Scan) -> Observation | None:
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
    return Observation(listed.key, collection, listed.evidence, digest_of(data), len(data), sniff(data))


def _missing_outputs(parts: Parts) -> frozenset[str]:
    pairs = merge_join(
        parts.outputs.list(), parts.manifest.published_names(), key_bytes, lambda shown: key_bytes(shown[0])
    )
    try:
        return frozenset(shown[1] for there, shown in pairs if shown is not None and there is None)
    except ValueError as error:
        raise StoreError(f"the listing of the outputs is not in order: {error}") from error


def _wanted_stems(found: Survey) -> list[str]:
    return sorted(
        {fold(preferred_stem(e.key)) for e, c in found.candidates if c.reason in WORK_REASONS and not e.stem},
        key=key_bytes,
    )
