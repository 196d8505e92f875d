"""Do the requested work of chosen collections; wait while no account allows requests."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from bg_pipeline.core.claims import Ask
from bg_pipeline.core.gate import first_open
from bg_pipeline.core.records import Change, State
from bg_pipeline.core.report import Summary, why_unfinished
from bg_pipeline.pipeline.choice import Choice, scope_of
from bg_pipeline.pipeline.detect import plan
from bg_pipeline.pipeline.export import TableResult
from bg_pipeline.pipeline.night import WorkResult, work
from bg_pipeline.pipeline.process import Scope
from bg_pipeline.ports.context import Catalogue, Pipeline
from bg_pipeline.purchasing.gate import read_balances
from bg_pipeline.purchasing.tally import CollectionResult

_POLL_S = 15.0
"""Seconds between two readings of the balance, so that a top-up is seen without a sensor."""

_REMIND_S = 900.0
"""Seconds between two messages that the backfill still waits."""


class Watcher(Protocol):
    """Shows a person that a backfill waits."""

    def paused(self, why: str) -> None: ...

    def waiting(self, why: str) -> None: ...

    def resumed(self) -> None: ...


@dataclass(slots=True)
class BackfillResult:
    """Totals of a backfill, and its results by collection."""

    total: Summary = field(default_factory=Summary)
    by_collection: dict[str, CollectionResult] = field(default_factory=dict)
    """Collections that were worked on, or that have requested items left."""
    table: TableResult | None = None
    """The table beside the outputs."""

    def add(self, result: CollectionResult) -> None:
        """Add a result of a collection to its earlier ones."""
        previous = self.by_collection.get(result.collection)
        if previous is not None:
            # Items put back before the pause are no longer pending, or are counted again.
            previous.summary.pending = 0
            previous.summary.add(result.summary)
            result = replace(previous, published=previous.published + result.published)
        self.by_collection[result.collection] = result

    def leave(self, left: Mapping[str, int]) -> None:
        """Set how many requested items still have to be done, by collection."""
        for name, count in left.items():
            result = self.by_collection.get(name) or CollectionResult(name, Summary(), ())
            self.by_collection[name] = replace(result, left=count)


def backfill(pipeline: Pipeline, ask: Ask, choice: Choice, watcher: Watcher, result: BackfillResult) -> None:
    """
    Work on the chosen items, across any number of pauses.

    Args:
        pipeline: the whole pipeline.
        ask: the requester and the budget, across all pauses.
        choice: the items to work on.
        watcher: called when the backfill pauses, while it waits, and when it goes on.
        result: gets the result of each collection as it ends, so that the caller has those of a run that breaks off.

    Raises:
        ForeignStore: see `ownership.guard`.
        GuardStopped: see `detect.plan`.
        StateError, StoreError: the work cannot continue; everything paid for is kept.
    """
    catalogue, accounts, policy, run = pipeline.context
    requested: tuple[Change, ...] = ()
    if choice.apply_recipe_change:
        delta = plan(
            catalogue,
            accounts,
            policy,
            apply_recipe_change=True,
            recipe_change_limit=choice.recipe_change_limit,
            extent=choice.extent,
        )
        requested = delta.requested
    scope = scope_of(catalogue, choice, requested)
    while True:
        work_result = work(pipeline, ask, scope, result.add)
        scope = _rest(catalogue, scope, work_result)
        result.table = work_result.table
        paused, work_result.summary.paused = work_result.summary.paused, ""
        result.total.pending = 0
        result.total.add(work_result.summary)
        if not paused or run.stop.is_set():
            result.total.paused = paused
            result.leave(_left(catalogue, scope))
            return
        _wait(pipeline, ask, paused, watcher)


def find_unfinished(
    catalogue: Catalogue, results: Mapping[str, CollectionResult], left_because: str = ""
) -> dict[str, str]:
    """Return the collections that may not appear as done, with the reason. See `why_unfinished`."""
    listed = catalogue.items.collections()
    published = catalogue.items.collections(State.PUBLISHED)
    reasons = {
        name: why_unfinished(listed.get(name, 0), published.get(name, 0), each.summary, each.left, left_because)
        for name, each in results.items()
    }
    return {name: why for name, why in reasons.items() if why}


def _rest(catalogue: Catalogue, scope: Scope, work_result: WorkResult) -> Scope:
    """Return the scope without the items that have ended, in this run or another."""
    failed = (f.key for f in work_result.summary.failures if f.state is not State.PENDING)
    ended = {*work_result.published, *failed}
    keys = None if scope.keys is None else [key for key in scope.keys if key not in ended]
    entries = catalogue.deltas.get_many([change.key for change in scope.requested])
    revisions = {entry.key: entry.revision for entry in entries}
    requested = (c for c in scope.requested if c.key not in ended and c.revision == revisions.get(c.key))
    return replace(scope, keys=keys, requested=tuple(requested))


def _left(catalogue: Catalogue, scope: Scope) -> Counter[str]:
    """Count the items of a scope that still have to be done, by collection."""
    left = Counter(change.collection for change in scope.requested)
    if scope.keys is None:
        return left + Counter(catalogue.queue.pending(scope.selection))
    waiting = {scope.state, State.PENDING}
    return left + Counter(e.collection for e in catalogue.deltas.get_many(scope.keys) if e.state in waiting)


def _wait(pipeline: Pipeline, ask: Ask, why: str, watcher: Watcher) -> None:
    _, accounts, policy, run = pipeline.context
    watcher.paused(why)
    notified_at = run.now()
    # After the end of its window it works once more, which buys nothing and says so.
    while (
        not (run.stop.is_set() or ask.budget.is_over(run.now()))
        and not first_open(read_balances(accounts, policy, run)).is_open
    ):
        if run.now() - notified_at > _REMIND_S:
            notified_at = run.now()
            watcher.waiting(why)
        run.wait(_POLL_S)
    if not ask.budget.is_over(run.now()):
        watcher.resumed()
