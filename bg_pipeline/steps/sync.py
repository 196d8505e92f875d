"""The whole nightly job in one call, for the command line."""

from collections.abc import Sequence
from dataclasses import dataclass

from bg_pipeline.core.credits import Budget
from bg_pipeline.core.delta import Delta
from bg_pipeline.core.keys import encode_partition
from bg_pipeline.core.report import Summary
from bg_pipeline.errors import ConfigurationError, GuardStopped, LeaseHeld
from bg_pipeline.ports import Progress
from bg_pipeline.steps.detect import Scan, detect, rehash_due, scan
from bg_pipeline.steps.night import begin
from bg_pipeline.steps.parts import Parts
from bg_pipeline.steps.process import process
from bg_pipeline.steps.trash import Trashed, clear_out


@dataclass(frozen=True, slots=True)
class Synced:
    """What a sync saw and did."""

    scan: Scan
    delta: Delta
    summary: Summary
    published: Sequence[str]
    trashed: Trashed


def sync(
    parts: Parts,
    owner: str,
    budget: Budget,
    progress: Progress,
    *,
    collection: str | None = None,
    only: frozenset[str] | None = None,
    keys: frozenset[str] | None = None,
    apply_recipe_change: bool = False,
    recipe_change_limit: int | None = None,
    allow_deletes: int = 0,
) -> Synced:
    """
    Detect the delta, process each collection that has work, and clear out what is gone: last, and not when only a
    part of the work was asked for.

    Args:
        parts: where everything is.
        owner: who holds the leases.
        budget: for the whole sync.
        progress: detection, then one bar a collection.
        collection: only this one; detection covers all the same.
        only: classes of the delta to be done.
        keys: items to be done.
        apply_recipe_change: buy what only a changed cut asks for.
        recipe_change_limit: how many of those, oldest first; None for all.
        allow_deletes: how many cutouts may go to the trash in this once, where that is more than go unasked.

    Raises:
        ConfigurationError: there is no such collection.
        LeaseHeld: another detection runs. A collection that another run works on is only left out.
    """
    started = parts.now()
    total = Summary()
    total.lost(begin(parts, owner).lost)
    seen = scan(parts, owner, progress, rehash_due(parts))
    if collection is not None and collection not in (known := parts.manifest.collections()):
        names = ", ".join(encode_partition(name) for name in list(known)[:20])
        raise ConfigurationError(f"no item is in a collection {collection!r}; there are: {names or 'none'}")
    delta = detect(parts, owner, apply_recipe_change=apply_recipe_change, recipe_change_limit=recipe_change_limit)
    published: list[str] = []
    for name in parts.manifest.pending_collections(only):
        if collection not in {None, name}:
            continue
        try:
            summary, done = process(parts, name, owner, budget, progress, only, keys)
        except LeaseHeld as error:
            total.busy = str(error)
            continue
        total.add(summary)
        published += done
        if total.paused or total.budget_reached:
            break
    total.pending = sum(parts.manifest.pending_collections().values())
    total.seconds = parts.now() - started
    parts.control.log_sync("sync", started, total.as_dict())
    trashed = Trashed()
    if {collection, only, keys} == {None} and not parts.stop.is_set():
        try:
            trashed = clear_out(parts, owner, allow=allow_deletes)
        except GuardStopped as error:
            trashed.stopped = str(error)
    return Synced(seen, delta, total, published, trashed)
