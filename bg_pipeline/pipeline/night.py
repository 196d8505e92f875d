"""
One night: preflight, scan, detect, clear out, process, summary.

The command line runs it whole (`sync`). Dagster runs the same stages in three steps: `look`, `decide`, `work`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bg_pipeline.core.claims import Ask, AskedBy, Only, Selection, reasons_of
from bg_pipeline.core.credits import Budget, Reconciliation
from bg_pipeline.core.delta import Delta
from bg_pipeline.core.keys import encode_partition
from bg_pipeline.core.records import Attempt, Change, State
from bg_pipeline.core.report import Summary
from bg_pipeline.core.runlog import ProcessRecord, RetryRecord
from bg_pipeline.errors import ConfigurationError, GuardStopped
from bg_pipeline.pipeline.detect import ScanResult, detect, rehash_due, scan
from bg_pipeline.pipeline.process import Processing, Scope
from bg_pipeline.pipeline.recovery import recover
from bg_pipeline.pipeline.trash import TrashResult, clear_out
from bg_pipeline.ports.context import Catalogue, Pipeline, Run
from bg_pipeline.purchasing.money import reconcile_balances
from bg_pipeline.purchasing.tally import CollectionResult


@dataclass(frozen=True, slots=True)
class LookResult:
    """Preflight and scan."""

    lost: Sequence[Attempt]
    """Attempts of killed runs, of which it will never be known whether they were charged."""
    reconciled: Mapping[str, Reconciliation]
    """By account."""
    scan: ScanResult


@dataclass(frozen=True, slots=True)
class DecideResult:
    """Detection and clearing out."""

    delta: Delta
    trash: TrashResult


@dataclass(frozen=True, slots=True)
class WorkResult:
    """Processing and summary."""

    summary: Summary
    published: Sequence[str]
    """Keys."""


@dataclass(frozen=True, slots=True)
class SyncResult:
    """A whole night."""

    look: LookResult
    decision: DecideResult
    work: WorkResult


@dataclass(frozen=True, slots=True)
class Choice:
    """What a person may ask for, in place of all that is pending."""

    collections: frozenset[str] | None = None
    only: Only = Only.ALL
    sample: int | None = None
    """Items of each collection."""
    apply_recipe_change: bool = False
    recipe_change_limit: int | None = None
    """How many of those, oldest first; None for all."""

    @property
    def is_everything(self) -> bool:
        return self.collections is None and self.only is Only.ALL and self.sample is None


def look(pipeline: Pipeline) -> LookResult:
    """
    Keep a copy of the manifest, end what killed runs left open, hold balances against the ledger, and list the source.

    Raises:
        StateError: the copy could not be made.
        LeaseHeld, SourceUnreadable, GuardStopped: see `detect.scan`.
    """
    catalogue, accounts, policy, run = pipeline.parts
    pipeline.back_up()
    lost = recover(catalogue, accounts, policy, run)
    reconciled = reconcile_balances(catalogue, accounts, policy, run)
    return LookResult(lost, reconciled, scan(catalogue, policy, run, rehash_due(catalogue, policy, run)))


def decide(
    pipeline: Pipeline, choice: Choice | None = None, *, allow_deletes: int = 0, rerender: bool = False
) -> DecideResult:
    """
    Record the delta, and clear out the cutouts of pictures that are gone, unless only a part of the work is asked for.

    A guard that stops the clearing out stops nothing else: the result says why.

    Args:
        pipeline: after `look`.
        choice: what is asked for; None for everything.
        allow_deletes: how many cutouts may go to the trash in this once, where that is more than go unasked.
        rerender: render again what an older version of the renderer made.

    Raises:
        LeaseHeld: another detection runs.
        StoreError: the outputs cannot be listed.
    """
    choice = choice or Choice()
    catalogue, accounts, policy, run = pipeline.parts
    delta = detect(
        catalogue,
        accounts,
        policy,
        run,
        apply_recipe_change=choice.apply_recipe_change,
        recipe_change_limit=choice.recipe_change_limit,
        rerender=rerender,
    )
    trash = TrashResult()
    if choice.is_everything and not run.stop.is_set():
        try:
            trash = clear_out(catalogue, policy, run, allow=allow_deletes)
        except GuardStopped as error:
            trash.stopped = str(error)
    return DecideResult(delta, trash)


def work(
    pipeline: Pipeline,
    ask: Ask,
    scope: Scope,
    on_result: Callable[[CollectionResult], object] = lambda _result: None,
) -> WorkResult:
    """
    Do pending work, sum it up and write that down.

    Args:
        pipeline: after `decide`, in this process or another.
        ask: who asked, and for how much.
        scope: which items.
        on_result: called with each collection as it ends.

    Raises:
        StateError, StoreError: it cannot go on; what was paid for is kept.
    """
    catalogue, accounts, policy, run = pipeline.parts
    started_at = run.now()
    total, published = Summary(), list[str]()
    processing = Processing(catalogue, accounts, policy, run, ask, scope)
    for result in processing.results():
        total.add(result.summary)
        published += result.published
        on_result(result)
    total.add(processing.summary)
    total.pending = sum(catalogue.queue.pending().values())
    total.seconds = run.now() - started_at
    catalogue.run_log.write(
        ProcessRecord(
            run_id=run.name.run_id,
            job=run.name.job,
            collections=_collections_of(scope),
            started_at=started_at,
            asked_by=ask.asked_by,
            everything=scope.is_everything,
            summary=total,
        )
    )
    return WorkResult(total, published)


def sync(
    pipeline: Pipeline,
    budget: Budget,
    choice: Choice | None = None,
    *,
    allow_deletes: int = 0,
    rerender: bool = False,
) -> SyncResult:
    """
    The whole night in one process.

    Args:
        pipeline: all of it.
        budget: for the whole night.
        choice: what is asked for; None for everything. Detection covers the whole catalogue all the same.
        allow_deletes: see `decide`.
        rerender: see `decide`.

    Raises:
        ConfigurationError: there is no such collection.
        LeaseHeld: another detection runs. Items that another run works on are only left to it.
    """
    choice = choice or Choice()
    looked = look(pipeline)
    _known(pipeline.catalogue, choice.collections)
    decision = decide(pipeline, choice, allow_deletes=allow_deletes, rerender=rerender)
    scope = scope_of(pipeline.catalogue, choice, decision.delta.requested)
    done = work(pipeline, Ask(AskedBy.SYNC, budget), scope)
    done.summary.count_lost(looked.lost)
    return SyncResult(looked, decision, done)


def scope_of(catalogue: Catalogue, choice: Choice, requested: Sequence[Change] = ()) -> Scope:
    """
    The items that a choice stands for.

    Args:
        catalogue: whose items.
        choice: what is asked for.
        requested: purchases that only a changed recipe asks for, if they are asked for.
    """
    selection = Selection(choice.collections, reasons_of(choice.only))
    asked = [c for c in requested if selection.holds(c.collection, c.reason) and choice.only is not Only.FAILED]
    keys: Sequence[str] | None = None
    state = State.PENDING
    if choice.only is Only.FAILED:
        state = State.FAILED
        failed = (e for e in catalogue.items.in_state(state) if not e.absent)
        keys = [e.key for e in failed if choice.collections is None or e.collection in choice.collections]
    if choice.sample is not None:
        keys, asked = _sampled(catalogue, selection, choice.sample, keys, asked)
    return Scope(selection, keys, state, tuple(asked))


def retry(
    catalogue: Catalogue, run: Run, *, collections: frozenset[str] | None = None, keys: Sequence[str] = ()
) -> list[str]:
    """Make failed items pending again, all or these; returns their keys."""
    started_at = run.now()
    chosen = None if collections is None else sorted(collections)
    again = catalogue.items.retry(chosen, keys)
    catalogue.run_log.write(
        RetryRecord(
            run_id=run.name.run_id,
            job=run.name.job,
            collections=None if chosen is None else tuple(map(encode_partition, chosen)),
            started_at=started_at,
            items=len(again),
        )
    )
    return again


def _sampled(
    catalogue: Catalogue, selection: Selection, each: int, keys: Sequence[str] | None, asked: Sequence[Change]
) -> tuple[Sequence[str], list[Change]]:
    """At most so many items of each collection: what is pending first, then what is only requested."""
    left: dict[str, int] = {}
    if keys is None:
        keys = catalogue.queue.pending_keys(selection, each)
    entries = catalogue.deltas.get_many(keys)
    chosen = [e.key for e in entries if _take_one(left, e.collection, each)]
    return chosen, [change for change in asked if _take_one(left, change.collection, each)]


def _take_one(left: dict[str, int], collection: str, each: int) -> bool:
    left[collection] = left.get(collection, each) - 1
    return left[collection] >= 0


def _known(catalogue: Catalogue, collections: frozenset[str] | None) -> None:
    known = catalogue.items.collections()
    for name in collections or ():
        if name not in known:
            names = ", ".join(encode_partition(each) for each in list(known)[:20])
            raise ConfigurationError(f"no item is in a collection {name!r}; there are: {names or 'none'}")


def _collections_of(scope: Scope) -> tuple[str, ...] | None:
    chosen = scope.selection.collections
    return None if chosen is None else tuple(sorted(map(encode_partition, chosen)))
