"""Scan the catalogue and detect the work to be done."""

import gc
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from itertools import islice

from bg_pipeline.core.canary import Extent
from bg_pipeline.core.copies import count_copies, marked_copies
from bg_pipeline.core.delta import Delta, is_up_to_date
from bg_pipeline.core.keys import fold, key_bytes
from bg_pipeline.core.recipes import Recipes
from bg_pipeline.core.records import Listed, Observation
from bg_pipeline.core.rehash import Slice, day_of, due_slice, nights_of_a_round
from bg_pipeline.core.relations import price
from bg_pipeline.core.runlog import DetectRecord, RehashRecord, ScanRecord
from bg_pipeline.core.survey import Survey
from bg_pipeline.errors import GuardStopped, SourceUnreadable, Stopped
from bg_pipeline.net.prefetch import prefetch
from bg_pipeline.pipeline import looks
from bg_pipeline.pipeline.interruptible import until_asked
from bg_pipeline.pipeline.judging import Judge, judged_under
from bg_pipeline.pipeline.listing import NOT_LISTED, ItemsToHash, ScanResult, judge_hosts, observe_item, observe_settled
from bg_pipeline.pipeline.trials import cuts_on_trial, require_canary
from bg_pipeline.ports.catalogue import Deltas, Observations
from bg_pipeline.ports.context import DETECTION, Accounts, Catalogue, Policy, Run, leased
from bg_pipeline.ports.running import ByteBudget

_BATCH = 1024
"""Items hashed between two commits; a killed scan has to hash these again."""

_AHEAD = 1024
"""Items queued for hashing, so that the threads have work while a batch is committed."""

_LEFTOVER_S = 3600.0
"""Age at which a temporary file belongs to a killed run: no write takes this long."""

_MOST_RECORDED = 1000

_MOST_BYTES = 128 << 20
"""Bytes of pictures that a scan holds at once, however many it reads at once; a larger one is read alone."""


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
        Stopped: the run was asked to end; as for SourceUnreadable.
    """
    result = ScanResult()
    run.progress.start("listing and hashing", None)
    with leased(catalogue.leases, DETECTION, run.name.owner), _recorded(catalogue, run, result, rehash):
        to_hash = ItemsToHash(catalogue, policy, run, result, rehash)
        batch: list[Observation] = []
        started_at = run.now()
        observe, in_memory = partial(observe_item, catalogue, policy, result, started_at), ByteBudget(_MOST_BYTES)

        def observe_within(listed: Listed) -> Observation | None:
            with in_memory.holding(listed.size_bytes):
                return observe(listed)

        threads = policy.reads_at_once or catalogue.source.reads_at_once

        def observations() -> Generator[Observation | None, None, None]:
            yield from prefetch(observe_within, to_hash, threads=threads, waiting=_AHEAD)
            yield from observe_settled(catalogue, policy, run, result, started_at, to_hash.young)

        try:
            for observation in until_asked(run, observations(), NOT_LISTED):
                if observation is None:
                    continue
                result.hashed += 1
                to_hash.blocks.observed(observation.key)
                batch.append(observation)
                if len(batch) == _BATCH:
                    catalogue.observations.observe(batch)
                    batch = []
        except (SourceUnreadable, Stopped):
            catalogue.observations.observe(batch)
            raise
        catalogue.observations.observe(batch + judge_hosts(policy, result))
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
        catalogue.observations.set_places(to_hash.moved)
        catalogue.observations.mark_absent(result.absent)
        to_hash.blocks.record()
    run.progress.done()
    return result


def slice_to_rehash(catalogue: Catalogue, policy: Policy, run: Run) -> Slice | None:
    """Return the slice that tonight's scan hashes although it looks unchanged; None if there is none or it is done."""
    nights = nights_of_a_round(policy.rehash_nights, listing_is_proof=catalogue.source.listing_is_proof)
    last = catalogue.run_log.read(RehashRecord) if nights else None
    return due_slice(nights, run.now(), (last[0].day, last[0].slice) if last else None)


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
    extent: Extent = Extent(),  # noqa: B008  it does not change
    rerender: bool = False,
    missing: Mapping[str, str] | None = None,
    lists_held: bool = False,
) -> Delta:
    """
    Return the delta after a scan. Reads the manifest and the names of the outputs, and changes nothing.

    Args:
        catalogue: the catalogue to compare.
        accounts: access to earlier purchases.
        policy: the wanted results, and their prices.
        apply_recipe_change: also plan the purchases that only a changed cut needs.
        recipe_change_limit: largest number of those purchases, oldest first; None for all.
        extent: the part of these purchases that is requested.
        rerender: render again the outputs of an older version of the renderer.
        missing: `looks.missing_outputs`, if it is known.
        lists_held: put what is held among the changes; else it is only counted.

    Raises:
        GuardStopped: more than a few of those purchases, and no canary of the recipe is accepted.
        StoreError: the outputs cannot be listed.
    """
    missing = looks.missing_outputs(catalogue) if missing is None else missing
    judge = Judge(catalogue, accounts, policy, missing, rerender)
    entries, findings = judge.survey(lists_held=lists_held or apply_recipe_change)
    delta = price(
        findings,
        price=judge.price_of,
        bought=judge.bought(entries, findings),
        publishing_keys=catalogue.deltas.publishing_keys(findings.purchase_ids),
        taken=_taken_stems(catalogue.deltas, findings),
        apply_recipe_change=apply_recipe_change,
        recipe_change_limit=recipe_change_limit,
        on_trial=() if apply_recipe_change else cuts_on_trial(catalogue.run_log),
    )
    require_canary(catalogue.run_log, extent, delta.requested, policy.cut_of)
    return delta


@_without_garbage_collection()
def detect(
    catalogue: Catalogue,
    accounts: Accounts,
    policy: Policy,
    run: Run,
    *,
    apply_recipe_change: bool = False,
    recipe_change_limit: int | None = None,
    extent: Extent = Extent(),  # noqa: B008  it does not change
    rerender: bool = False,
) -> Delta:
    """
    Plan and record the delta: its work becomes pending, except purchases requested of this run only. See `plan`.

    Raises:
        GuardStopped: see `plan`.
        LeaseHeld: another detection is running.
        StoreError: the outputs cannot be listed.
        Stopped: the run was asked to end; nothing of the delta counts.
    """
    started_at = run.now()
    run.end_if_asked("the work was not planned, so nothing was changed")
    with leased(catalogue.leases, DETECTION, run.name.owner):
        known = looks.look_through(catalogue, accounts.masters, older_than=started_at - _LEFTOVER_S)
        missing = looks.missing_outputs(catalogue)
        delta = plan(
            catalogue,
            accounts,
            policy,
            apply_recipe_change=apply_recipe_change,
            recipe_change_limit=recipe_change_limit,
            extent=extent,
            rerender=rerender,
            missing=missing,
        )
        not_recorded = "the work was not recorded to its end, so none of it counts"
        catalogue.deltas.record(delta.changes, started_at, lambda: run.end_if_asked(not_recorded))
        if not rerender:
            catalogue.deltas.judge(policy.recipes.common_goal(), judged_under(policy), delta.judged)
        looks.record(catalogue, run, known, missing)
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


def count_copies_to_buy(observations: Observations, delta: Delta) -> dict[str, int]:
    """Count the purchases for what looks like a copy of another picture; see `core.copies.count_copies`."""
    marked = marked_copies(change.key for change in delta.work if change.purchase)
    if not marked:
        return {}
    return count_copies(marked, (key.decode("utf-8", "surrogateescape") for key, *_ in observations.listing()))


def count_outdated_outputs(deltas: Deltas, recipes: Recipes) -> int:
    """Count the up-to-date outputs of an older version of the renderer, which `rerender` would write again."""
    accepted, present = recipes.goals(), recipes.goals(rerender=True)
    others = deltas.out_of_date(recipes.common_goal(rerender=True))
    return sum(is_up_to_date(e, accepted(e.key)) and not is_up_to_date(e, present(e.key)) for e in others)


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
                not_looked=(recorded := _to_record(result.not_looked)),
                more_not_looked=len(result.not_looked) - len(recorded),
                left_out=result.left_out,
                hosts_down=result.hosts_down,
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


def _to_record(not_looked: Mapping[str, str]) -> dict[str, str]:
    """Return all folders, because nothing below them may be deleted, and as many items as are worth reading."""
    folders = {key: why for key, why in not_looked.items() if key.endswith("/")}
    return folders | dict(islice(not_looked.items(), _MOST_RECORDED))


def _taken_stems(deltas: Deltas, findings: Survey) -> Callable[[str], bool]:
    """Return a test for the folded stems of listed items. Preferred stems are read at once; other stems are rare."""
    preferred = {fold(candidate.stem) for candidate in findings.candidates if candidate.stem}
    taken = deltas.taken_stems(sorted(preferred, key=key_bytes))
    return lambda stem: stem in taken if stem in preferred else bool(deltas.taken_stems([stem]))
