"""Carry out pending work: claim it, find or buy each master, publish."""

import logging
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from queue import SimpleQueue

from bg_pipeline.core.buying import in_order
from bg_pipeline.core.claims import EVERYTHING, Ask, Claimed, Selection
from bg_pipeline.core.credits import counted, why_closed
from bg_pipeline.core.gate import Gate
from bg_pipeline.core.recipe import purchase_id
from bg_pipeline.core.records import Change, State
from bg_pipeline.core.report import Cause, Summary
from bg_pipeline.errors import (
    AccountError,
    BeingBought,
    BgPipelineError,
    BudgetReached,
    ChargedTooOften,
    ClaimLost,
    Deferred,
    GateClosed,
    ItemError,
    OutcomeUnknown,
    PurchaseDeferred,
    ResultAwaited,
    Stopped,
    TransientError,
    UnusableAnswer,
    WindowEnded,
)
from bg_pipeline.pipeline.feed import Feed, Task
from bg_pipeline.pipeline.others import OtherRuns
from bg_pipeline.pipeline.publish import Publisher, probe_stores
from bg_pipeline.pipeline.recovery import recover
from bg_pipeline.ports.context import Accounts, Catalogue, Policy, Run, kept_alive
from bg_pipeline.purchasing.gate import gates_of, read_balances
from bg_pipeline.purchasing.masters import bought_for_good
from bg_pipeline.purchasing.tally import CollectionResult, Tally

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Scope:
    """The items that one run works on."""

    selection: Selection = EVERYTHING
    keys: Sequence[str] | None = None
    """Only these items of the selection, if they are in `state`; None for all pending ones."""
    state: State = State.PENDING
    """State of the items; `FAILED` tries failed items again. Those that the run does not reach stay failed."""
    requested: Sequence[Change] = ()
    """Purchases for a changed recipe, requested of this run only. Those that it does not reach stay held."""

    @property
    def is_everything(self) -> bool:
        return self.keys is None and self.selection.is_everything


class Processing:
    """
    One run over pending work, by workers that share its claims.

    Args:
        catalogue: owner of the items.
        accounts: accounts for the purchases.
        policy: the wanted results and their limits.
        run: owner of the workers.
        ask: the requester and the budget.
        scope: the items to work on.
    """

    def __init__(
        self, catalogue: Catalogue, accounts: Accounts, policy: Policy, run: Run, ask: Ask, scope: Scope
    ) -> None:
        self._catalogue = catalogue
        self._accounts = accounts
        self._policy = policy
        self._run = run
        self._ask = ask
        self._scope = scope
        # More workers than slots: while one worker prepares or renders a picture, another uses the slot.
        self._workers = 2 * policy.concurrency
        self._goal_of = policy.recipes.goals()
        self._feed = Feed(catalogue.queue, ask, run.name.owner, self._goal_of, claim_limit=self._workers)
        selection = scope.selection if scope.keys is None else None
        self._others = OtherRuns(self._feed, catalogue.deltas, run, selection, scope.state)
        self._tally = Tally()
        self._publisher = Publisher(catalogue, accounts, policy, run, self._tally)
        self._lock = threading.Lock()
        self._halted = False
        self._ended = False
        """True if no item is left that this run may do."""
        self._lost_claims = False
        """True since this run slept so long that its claims were void: what it had is free, or another run's."""
        self._postponed: list[Task] | None = []
        """Tasks whose purchase another worker was making; None after their second turn has begun."""
        self._results: SimpleQueue[CollectionResult | None] = SimpleQueue()
        self.summary = Summary()
        """The reason for stopping, and leftovers of killed runs. The counters are in the results."""

    def results(self) -> Iterator[CollectionResult]:
        """
        Do the work until none is left; yield the result of each collection when it is complete, and at the end those of
        the others.

        Items that another run has are waited for: it does them, or lets go of them, or dies.

        After a pause, a spent budget or `run.stop`, no new task starts; running tasks finish, and their results are
        kept. The same happens if the caller stops iterating.

        Raises:
            StateError, StoreError: the work cannot continue; everything paid for is kept.
        """
        self._recover()
        free, to_buy = self._split_by_cost()
        expected = self._count_expected(free + to_buy)
        if not expected:
            return
        probe_stores(self._catalogue, self._accounts)
        self._tally.expect(expected)
        self._run.progress.start("cutting", sum(expected.values()))
        with kept_alive("claims", self._feed.heartbeat):
            try:
                # Free items come first, so that neither a closing gate nor a reached cap delays them.
                yield from self._work(self._claim(free, bought=True))
                yield from self._work_to_the_end(to_buy)
                # Another worker of this run may have bought the same picture meanwhile.
                postponed, self._postponed = self._postponed, None
                self._feed.give_back(postponed or [])
                yield from self._work(iter(()))
            except BaseException:
                # Workers finish their current task; those that sleep wake up.
                self._halt()
                self._run.stop.set()
                raise
            finally:
                self._feed.close()
        self._run.progress.done()
        yield from self._tally.rest(others_did_the_rest=self._ended)

    # selection

    def _split_by_cost(self) -> tuple[list[str], list[str]]:
        """
        Return the requested keys with a master, and those to buy, in the order of purchases.

        Keys that share a purchase follow the first of them.
        """
        keys = self._scope.keys or ()
        entries = [e for e in self._catalogue.deltas.get_many(sorted(set(keys))) if e.state is self._scope.state]
        names = {
            e.key: {purchase_id(e.content_hash, cut) for cut in self._goal_of(e.key).cuts} | {e.purchase_id}
            for e in entries
        }
        wanted = sorted(set().union(*names.values()))
        bought = bought_for_good(self._accounts.purchases, self._policy.recipes, entries, wanted)
        entries = in_order(entries)
        free = [e.key for e in entries if names[e.key] & bought]
        return free, [e.key for e in entries if not names[e.key] & bought]

    def _count_expected(self, keys: Sequence[str]) -> Mapping[str, int]:
        """Return the number of items to be done in each collection."""
        requested = Counter(change.collection for change in self._scope.requested)
        if self._scope.keys is None:
            return requested + Counter(self._catalogue.queue.pending(self._scope.selection))
        return requested + Counter(entry.collection for entry in self._catalogue.deltas.get_many(keys))

    def _claim(self, keys: Sequence[str], requested: Sequence[Change] = (), *, bought: bool) -> Iterator[Claimed]:
        if self._scope.keys is None:
            yield from self._feed.pending(self._scope.selection, bought=bought)
        else:
            yield from self._feed.items(keys, self._scope.state)
        yield from self._feed.requested(in_order(requested))

    def _is_left(self, keys: Sequence[str], requested: Sequence[Change]) -> bool:
        is_pending = self._scope.keys is None and bool(self._catalogue.queue.pending(self._scope.selection))
        return bool(keys or requested) or is_pending

    # reasons to stop

    def _recover(self) -> None:
        self.summary.count_lost(recover(self._catalogue, self._accounts, self._policy, self._run))

    def _is_closed(self) -> bool:
        """Return True if nothing may be bought now; the summary then gives the reason."""
        return self._is_over() or self._are_all_closed(read_balances(self._accounts, self._policy, self._run))

    def _is_closed_on_record(self) -> bool:
        return self._is_over() or self._are_all_closed(gates_of(self._accounts, self._policy))

    def _is_over(self) -> bool:
        self.summary.window_ended = self.summary.window_ended or self._ask.budget.is_over(self._run.now())
        return self.summary.window_ended

    def _are_all_closed(self, gates: Iterable[Gate]) -> bool:
        """Return True if no account may be sent requests; the summary then gives the reason."""
        closed = [gate for gate in gates if not gate.is_open]
        if len(closed) < len(self._policy.accounts):
            return False
        thresholds = self._policy.thresholds
        self._pause("; ".join(why_closed(gate, thresholds[gate.account], self._credits_left(gate)) for gate in closed))
        return True

    def _credits_left(self, gate: Gate) -> Decimal | None:
        return counted(gate, self._accounts.ledger.spent(gate.balance_at, gate.account))

    def _pause(self, why: str) -> None:
        with self._lock:
            self.summary.paused = self.summary.paused or why

    def _halt(self) -> None:
        with self._lock:
            self._halted = True

    # other runs

    def _work_to_the_end(self, keys: Sequence[str]) -> Iterator[CollectionResult]:
        """Work in passes until nothing is left, also of what others let go of."""
        keys, requested = [*self._feed.take_missed()[0], *keys], list(self._scope.requested)
        is_closed = self._is_closed
        while not self._halted and self._is_left(keys, requested):
            if is_closed():
                return
            # Before the pass: others may let go of items right after it has passed by them.
            before, claimed = self._others.holding(missed=bool(keys or requested)), self._feed.claimed
            yield from self._work(self._claim(keys, requested, bought=False))
            keys, requested = self._others.still_wanted(*self._feed.take_missed())
            lost, self._lost_claims = self._lost_claims, False
            # In a pass with work, others may have claimed something behind it and let go of it.
            again = lost or self._feed.claimed > claimed
            if self._halted or not (again or self._others.let_go(before, missed=bool(keys or requested))):
                break
            # The balance was read at the first pass, and is counted down.
            is_closed = self._is_closed_on_record
        if self._run.stop.is_set():
            self._pause("stopped on request")
        self._ended = not (self._halted or self._run.stop.is_set())

    # workers

    def _work(self, claims: Iterator[Claimed]) -> Iterator[CollectionResult]:
        """Do all tasks of these claims; yield the result of each complete collection. Returns after the last task."""
        self._feed.begin(claims)
        with ThreadPoolExecutor(self._workers, thread_name_prefix="worker") as pool:
            workers = [pool.submit(self._run_worker) for _ in range(self._workers)]
            try:
                running = self._workers
                while running:
                    result = self._results.get()
                    if result is None:
                        running -= 1
                    else:
                        yield result
                for worker in workers:
                    worker.result()
            except BaseException:
                self._halt()
                self._run.stop.set()
                raise

    def _run_worker(self) -> None:
        try:
            while task := self._next_task():
                try:
                    finished = self._process(task)
                except ClaimLost as error:  # perhaps while its end was to be recorded
                    _LOG.warning("%s", error)
                    self._lost_claims = finished = True
                if finished is None:  # the task gets a second turn, under the same claim
                    continue
                self._feed.done(task)
                if finished:
                    self._count_down(task)
        except BaseException:
            self._halt()
            self._run.stop.set()
            raise
        finally:
            self._results.put(None)

    def _next_task(self) -> Task | None:
        if self._halted:
            return None
        if self._run.stop.is_set():
            self._pause("stopped on request")
            return None
        if (handed_out := self._feed.next()) is None:
            return None
        task, taken_over = handed_out
        if taken_over:
            with self._lock:
                self._recover()
        return task

    def _count_down(self, task: Task) -> None:
        self._run.progress.advance(len(task.entries))
        for entry in task.entries:
            if (result := self._tally.done(entry)) is not None:
                self._results.put(result)

    def _process(self, task: Task) -> bool | None:
        """Publish a task. Return True if it has ended, False if the run stops, None if the task gets a second turn."""
        try:
            with self._run.bytes.holding(task.entries[0].size_bytes):
                self._publisher.publish(task)
        except (ItemError, TransientError, ResultAwaited, PurchaseDeferred) as error:
            self._publisher.give_up(task, task.rest, error)
        except BeingBought as error:
            return self._postpone(task, error)
        except ChargedTooOften as error:
            self._publisher.end(task, task.rest, State.QUARANTINED, str(error), Cause.CHARGED)
        except (OutcomeUnknown, UnusableAnswer) as error:
            self._publisher.end_unusable(task, error)
        except (BudgetReached, Stopped, WindowEnded) as error:
            return self._stop(task, error)
        except (GateClosed, AccountError, Deferred) as error:
            if self._are_all_closed(gates_of(self._accounts, self._policy)):
                self._halt()
                return False
            self._publisher.put_back(task, task.rest, f"{error}; the next sync tries again", Cause.SERVICE)
        return True

    def _stop(self, task: Task, error: BgPipelineError) -> bool:
        if isinstance(error, BudgetReached):
            self.summary.budget_reached = True
            if self._policy.recipes.passed_on_digests:  # an engine on this machine can still cut the others
                self._publisher.put_back(task, task.rest, f"{error}; the next sync tries again", Cause.SERVICE)
                return True
        elif isinstance(error, WindowEnded):
            self.summary.window_ended = True
        else:
            self._pause(str(error))
        self._halt()
        return False

    def _postpone(self, task: Task, error: BgPipelineError) -> bool | None:
        with self._lock:
            if self._postponed is not None:
                self._postponed.append(task)
                return None
        self._publisher.put_back(task, task.rest, f"{error}; the next sync tries again", Cause.ELSEWHERE)
        return True
