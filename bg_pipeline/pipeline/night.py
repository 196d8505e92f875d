"""
One night: preflight, scan, detect, clear out, process, summary.

The command line runs it whole (`sync`). Dagster runs the same stages in steps: `look`, `decide`, `share`, which any
number of steps do at once, and `sum_up`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bg_pipeline.core.claims import Ask, AskedBy
from bg_pipeline.core.credits import Budget, Reconciliation
from bg_pipeline.core.delta import Delta
from bg_pipeline.core.keys import encode_partition, key_bytes
from bg_pipeline.core.moments import iso
from bg_pipeline.core.records import Attempt, State
from bg_pipeline.core.report import Failure, Summary
from bg_pipeline.core.runlog import MOST_SHOWN, ProcessRecord
from bg_pipeline.errors import ConfigurationError, GuardStopped, LeaseHeld
from bg_pipeline.pipeline.choice import Choice, scope_of
from bg_pipeline.pipeline.detect import detect, scan, slice_to_rehash
from bg_pipeline.pipeline.export import TableResult, update_table
from bg_pipeline.pipeline.failures import count_standing
from bg_pipeline.pipeline.listing import ScanResult
from bg_pipeline.pipeline.others import NIGHT, await_detection, detected_since, seen_by
from bg_pipeline.pipeline.ownership import guard
from bg_pipeline.pipeline.previous import clear_previous
from bg_pipeline.pipeline.process import Processing, Scope
from bg_pipeline.pipeline.prune import PruneResult, prune
from bg_pipeline.pipeline.recovery import recover
from bg_pipeline.pipeline.review import Withdrawals, complete_withdrawals
from bg_pipeline.pipeline.trash import TrashResult, bring_back, clear_out
from bg_pipeline.ports.context import Catalogue, Pipeline, leased
from bg_pipeline.purchasing.money import reconcile_balances
from bg_pipeline.purchasing.tally import CollectionResult

_MOST_RECORDS = 100
"""Most runs over pending work that end while one night goes on."""


@dataclass(frozen=True, slots=True)
class LookResult:
    """Results of preflight and scan."""

    lost: Sequence[Attempt]
    """Attempts of killed runs that are now in doubt."""
    reconciled: Mapping[str, Reconciliation]
    """Result of the reconciliation, by account."""
    scan: ScanResult


@dataclass(frozen=True, slots=True)
class DecideResult:
    """Results of detection and clearing out."""

    delta: Delta
    trash: TrashResult
    pruned: PruneResult
    withdrawals: Withdrawals

    @property
    def stopped(self) -> str:
        """The reason of a guard that stopped the clearing out; empty if none did."""
        return "; ".join(filter(None, (self.trash.stopped, self.pruned.stopped)))


@dataclass(frozen=True, slots=True)
class WorkResult:
    """Results of processing, with the summary."""

    summary: Summary
    published: Sequence[str]
    """Keys of the published items."""
    table: TableResult | None = None
    """The table beside the outputs; None if it was not looked after."""


@dataclass(frozen=True, slots=True)
class SharedResult:
    """Results of a night that several steps shared."""

    summary: Summary
    shown: Sequence[str]
    """Keys of a few of the published items."""
    table: TableResult | None
    """As in `WorkResult`."""


@dataclass(frozen=True, slots=True)
class SyncResult:
    """Results of a whole night."""

    look: LookResult
    """If it joined another run, with the scan of that one as far as it is on record."""
    decision: DecideResult | None
    """None if it joined another run."""
    work: WorkResult
    joined: str = ""
    """The other run whose listing stands for its own, in a sentence; empty if it listed the source itself."""


def look(pipeline: Pipeline) -> LookResult:
    """
    Back up the manifest, close open attempts of killed runs, compare balances with the ledger, and list the source.

    Raises:
        ForeignStore: see `ownership.guard`.
        StateError: the backup could not be made.
        LeaseHeld, SourceUnreadable, GuardStopped: see `detect.scan`.
    """
    guard(pipeline)
    catalogue, accounts, policy, run = pipeline.context
    pipeline.back_up()
    lost = recover(catalogue, accounts, policy, run)
    reconciled = reconcile_balances(catalogue, accounts, policy, run)
    return LookResult(lost, reconciled, scan(catalogue, policy, run, slice_to_rehash(catalogue, policy, run)))


def decide(
    pipeline: Pipeline, choice: Choice | None = None, *, allow_deletes: int = 0, rerender: bool = False
) -> DecideResult:
    """
    Put back the cutouts of pictures that are back, complete withdrawals, and record the delta.

    If the whole work is requested, also clear out the cutouts of vanished pictures, replaced outputs whose time is
    over, and masters that no item uses.

    A guard that stops the clearing out stops nothing else; the result gives its reason.

    Args:
        pipeline: after `look`.
        choice: the requested items; None for everything.
        allow_deletes: number of cutouts that may go to the trash this time, if above the normal limit.
        rerender: render again the outputs of an older version of the renderer.

    Raises:
        ForeignStore: see `ownership.guard`.
        GuardStopped: see `detect.plan`.
        LeaseHeld: another detection is running.
        StoreError: the outputs cannot be listed.
    """
    guard(pipeline)
    choice = choice or Choice()
    catalogue, accounts, policy, run = pipeline.context
    bring_back(catalogue, run)
    withdrawals = complete_withdrawals(catalogue, run)
    delta = detect(
        catalogue,
        accounts,
        policy,
        run,
        apply_recipe_change=choice.apply_recipe_change,
        recipe_change_limit=choice.recipe_change_limit,
        extent=choice.extent,
        rerender=rerender,
    )
    trash, pruned = TrashResult(), PruneResult()
    if choice.is_everything and not run.stop.is_set():
        try:
            trash = clear_out(catalogue, policy, run, allow=allow_deletes)
        except GuardStopped as error:
            trash.stopped = str(error)
        clear_previous(catalogue, policy, run)
        pruned = prune(catalogue, accounts, policy, run)
    return DecideResult(delta, trash, pruned, withdrawals)


def work(
    pipeline: Pipeline,
    ask: Ask,
    scope: Scope,
    on_result: Callable[[CollectionResult], object] = lambda _result: None,
) -> WorkResult:
    """
    Do pending work, record its summary, and bring the table beside the outputs up to date.

    Args:
        pipeline: after `decide`, in this process or another.
        ask: the requester and the budget.
        scope: the items to work on.
        on_result: called with each collection as it ends.

    Raises:
        ForeignStore: see `ownership.guard`.
        StateError, StoreError: the work cannot continue; everything paid for is kept.
    """
    record, published = _process(pipeline, ask, scope, on_result)
    pipeline.catalogue.run_log.write(record)
    return WorkResult(record.summary, published, update_table(pipeline))


def share(pipeline: Pipeline, ask: Ask, on_result: Callable[[CollectionResult], object]) -> Summary:
    """
    Do all pending work together with the other steps of the same run; return the summary of this one.

    Args:
        pipeline: see `work`.
        ask: see `work`.
        on_result: called with each collection as it ends, or as the share of this step in it ends.

    Raises:
        ForeignStore, StateError, StoreError: see `work`.
    """
    record, _ = _process(pipeline, ask, Scope(), on_result)
    pipeline.catalogue.run_log.add(record)
    return record.summary


def sum_up(pipeline: Pipeline) -> SharedResult:
    """
    Return what all shares of this run did, and bring the table beside the outputs up to date.

    Raises:
        ForeignStore: see `ownership.guard`.
        StateError, StoreError: the manifest or the table cannot be used.
    """
    guard(pipeline)
    catalogue, run_id = pipeline.catalogue, pipeline.run.name.run_id
    # The newest may be of a backfill that ended meanwhile.
    records = catalogue.run_log.read(ProcessRecord, limit=_MOST_RECORDS)
    record = next((each for each in records if each.run_id == run_id), None)
    if record is None:
        return SharedResult(Summary(pending=sum(catalogue.queue.pending().values())), (), update_table(pipeline))
    total = record.summary
    total.failures = _without_published(catalogue, total.failures, record.started_at)
    return SharedResult(total, record.shown, update_table(pipeline))


def _process(
    pipeline: Pipeline, ask: Ask, scope: Scope, on_result: Callable[[CollectionResult], object]
) -> tuple[ProcessRecord, Sequence[str]]:
    """Do pending work; return its record, which is still to be written, and the keys of the published items."""
    guard(pipeline)
    catalogue, accounts, policy, run = pipeline.context
    started_at, chosen = run.now(), scope.selection.collections
    total, published = Summary(), list[str]()
    processing = Processing(catalogue, accounts, policy, run, ask, scope)
    for result in processing.results():
        total.add(result.summary)
        published += result.published
        on_result(result)
    total.add(processing.summary)
    total.failures = _without_published(catalogue, total.failures, started_at)
    total.pending = sum(catalogue.queue.pending().values())
    total.seconds = run.now() - started_at
    if total.window_ended:
        records = catalogue.run_log.read(ProcessRecord, limit=2)
        before = next((each.summary for each in records if each.run_id != run.name.run_id), Summary())
        total.left_before = before.pending if before.window_ended else None
    record = ProcessRecord(
        run_id=run.name.run_id,
        job=run.name.job,
        collections=None if chosen is None else tuple(sorted(map(encode_partition, chosen))),
        started_at=started_at,
        asked_by=ask.asked_by,
        everything=scope.is_everything,
        summary=total,
        shown=_spread(sorted(published, key=key_bytes)),
    )
    return record, published


def _spread(keys: Sequence[str]) -> tuple[str, ...]:
    """Return a few keys, spread over all of them: neighbours look alike."""
    return tuple(keys[:: max(1, -(-len(keys) // MOST_SHOWN))])


def sync(
    pipeline: Pipeline,
    budget: Budget,
    choice: Choice | None = None,
    *,
    allow_deletes: int = 0,
    rerender: bool = False,
) -> SyncResult:
    """
    Run the whole night in one process, beside any number of others.

    While another run detects, this one waits. If that one began to list when this one did, this one works on what the
    other found; else it lists the source too, because something may have come after the other looked.

    Args:
        pipeline: the whole pipeline.
        budget: limit for the whole night.
        choice: the requested items; None for everything. Detection covers the whole catalogue in both cases.
        allow_deletes: see `decide`.
        rerender: see `decide`.

    Raises:
        ConfigurationError: there is no such collection.
        Stopped: the run was asked to end while it waited.
    """
    choice, began_at, joined = choice or Choice(), pipeline.run.now(), ""
    may_join = not (choice.apply_recipe_change or allow_deletes or rerender)
    decision: DecideResult | None = None
    while decision is None and not joined:
        try:
            with leased(pipeline.catalogue.leases, NIGHT, pipeline.run.name.owner):
                look_result = look(pipeline)
                _validate_collections(pipeline.catalogue, choice.collections)
                decision = decide(pipeline, choice, allow_deletes=allow_deletes, rerender=rerender)
        except LeaseHeld as error:
            await_detection(pipeline.catalogue, pipeline.run, error)
            other = detected_since(pipeline.catalogue, began_at) if may_join else None
            if other is not None:
                _validate_collections(pipeline.catalogue, choice.collections)
                look_result = LookResult((), {}, seen_by(other))
                joined = f"{error}; what it listed at {iso(other.started_at)} stands for the listing of this run"
    requested = () if decision is None else decision.delta.requested
    scope = scope_of(pipeline.catalogue, choice, requested)
    work_result = work(pipeline, Ask(AskedBy.SYNC, budget), scope)
    work_result.summary.count_lost(look_result.lost)
    count_standing(pipeline.catalogue, pipeline.policy, look_result.scan, work_result.summary, choice.collections)
    return SyncResult(look_result, decision, work_result, joined)


def _without_published(catalogue: Catalogue, failures: Sequence[Failure], since: float) -> list[Failure]:
    """Return the failures without those of items that another run has published since: the catalogue's state counts."""
    entries = catalogue.deltas.get_many(sorted({failure.key for failure in failures}))
    done = {e.key for e in entries if e.state is State.PUBLISHED and (e.published_at or 0.0) > since}
    return [failure for failure in failures if failure.key not in done]


def _validate_collections(catalogue: Catalogue, collections: frozenset[str] | None) -> None:
    known = catalogue.items.collections()
    for name in collections or ():
        if name not in known:
            names = ", ".join(encode_partition(each) for each in list(known)[:20])
            raise ConfigurationError(f"there is no collection {name!r}; there are: {names or 'none'}")
