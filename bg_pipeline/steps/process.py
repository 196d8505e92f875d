"""Carry out the pending work of one collection."""

import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

from bg_pipeline.core.credits import MAX_CHARGES, Budget, counted, why_closed
from bg_pipeline.core.delta import Goal, cut_of
from bg_pipeline.core.gate import Gate
from bg_pipeline.core.keys import key_bytes
from bg_pipeline.core.recipe import digest_of, work_id
from bg_pipeline.core.records import Entry, Lease, Published, Reason, State
from bg_pipeline.core.report import Failure, Summary
from bg_pipeline.errors import (
    AccountError,
    BgPipelineError,
    BudgetReached,
    Deferred,
    GateClosed,
    ItemChanged,
    ItemError,
    ItemUnreadable,
    LeaseHeld,
    OutcomeUnknown,
    Stopped,
    TransientError,
    UnusableAnswer,
)
from bg_pipeline.imaging.pictures import render
from bg_pipeline.ports import Progress
from bg_pipeline.steps.gate import gates_of, look_at_all
from bg_pipeline.steps.parts import Parts, leased
from bg_pipeline.steps.purchase import Purchases
from bg_pipeline.steps.recovery import HELD, recover


def lease_name(collection: str) -> str:
    return f"collection {collection or '.'}"


def process(
    parts: Parts,
    collection: str,
    owner: str,
    budget: Budget,
    progress: Progress,
    only: frozenset[str] | None = None,
    keys: frozenset[str] | None = None,
) -> tuple[Summary, list[str]]:
    """
    Publish what is pending in one collection, buying each work at most once.

    Args:
        parts: where everything is.
        collection: as in `core.keys.collection_of`.
        owner: who holds the lease, for the message that others get.
        budget: shared by all collections of a run.
        progress: one step an item.
        only: classes of the delta to be done; None for all.
        keys: items to be done; None for all.

    Returns:
        What happened, and the keys that were published, in key order.

    Raises:
        LeaseHeld: another run works on it.
        LeaseLost, StateError, StoreError: it cannot go on; what was paid for is kept.
    """
    started = parts.now()
    with leased(parts, lease_name(collection), owner) as lease:
        # What cannot be stored must not be bought.
        parts.masters.probe()
        parts.outputs.probe()
        run = _Run(parts, lease, budget, progress)
        run.summary.lost(recover(parts, lease))
        entries = [e for e in parts.manifest.pending(collection, only) if keys is None or e.key in keys]
        progress.start(f"cutting {collection or 'the top folder'}", len(entries))
        free, to_buy = _by_work(entries, parts)
        closed = to_buy and run.closed(look_at_all(parts))
        # The free ones come first: neither a gate that closes nor a cap that is reached keeps them from the shop.
        run.work(free if closed else free | to_buy)
        progress.done()
        run.summary.pending = parts.manifest.pending_collections().get(collection, 0)
    run.summary.seconds = parts.now() - started
    return run.summary, sorted(run.published, key=key_bytes)


Works = dict[str, list[Entry]]
"""Items that share a work, by its id."""


def _by_work(entries: Sequence[Entry], parts: Parts) -> tuple[Works, Works]:
    """The works that have a master, and those that have to be bought."""
    works: Works = {}
    goal = Goal.of(parts.recipe)
    for entry in entries:
        # Settings that changed since the delta was priced: the next detection prices, and maybe holds, it anew.
        if cut_of(entry, goal):
            works.setdefault(entry.work_id, []).append(entry)
    by_any = {work: work for work in works} | {
        work_id(entries[0].content_hash, cut): work for work, entries in works.items() for cut in goal.cuts
    }
    free = {by_any[bought] for bought in parts.ledger.bought(list(by_any))}
    return {w: e for w, e in works.items() if w in free}, {w: e for w, e in works.items() if w not in free}


class _Run:
    """The lanes that work through one collection together, and what they count."""

    def __init__(self, parts: Parts, lease: Lease, budget: Budget, progress: Progress) -> None:
        self.parts = parts
        self.lease = lease
        self.progress = progress
        self.summary = Summary()
        self.published: list[str] = []
        self._lock = threading.Lock()
        self._purchases = Purchases(parts, lease, budget, self.summary, self._lock)
        self._halted = False
        self._busy: Works | None = {}
        """Works that another was buying; None once their second turn has come."""

    def closed(self, gates: Iterable[Gate]) -> bool:
        """Whether no provider may be sent anything; then the summary says why."""
        shut = [gate for gate in gates if not gate.is_open]
        if len(shut) < len(self.parts.providers):
            return False
        with self._lock:
            why = "; ".join(why_closed(gate, self.parts.thresholds, self._left(gate)) for gate in shut)
            self.summary.paused = self.summary.paused or why
        return True

    def _left(self, gate: Gate) -> Decimal | None:
        return counted(gate, self.parts.ledger.spent(gate.balance_at, gate.provider))

    def work(self, works: Works) -> None:
        """Returns when all is done or nothing more may be begun; what was begun is finished."""
        self._lanes(works)
        # Whoever bought the same picture meanwhile may have been another lane of this very run.
        busy, self._busy = self._busy, None
        self._lanes(busy or {})

    def _lanes(self, works: Works) -> None:
        queue = iter(works.items())
        # More lanes than slots: while one prepares or renders a picture, another uses the slot.
        lanes = min(2 * self.parts.concurrency, len(works))
        with ThreadPoolExecutor(max(1, lanes), thread_name_prefix="lane") as pool:
            try:
                for lane in [pool.submit(self._lane, queue) for _ in range(lanes)]:
                    lane.result()
            except BaseException:
                # Whoever interrupts this thread wants the others to end after what they are at, and sleep no more.
                self._halted = True
                self.parts.stop.set()
                raise

    def _lane(self, queue: Iterator[tuple[str, list[Entry]]]) -> None:
        while task := self._next(queue):
            try:
                self._one(*task)
            except BaseException:
                self._halted = True
                raise

    def _next(self, queue: Iterator[tuple[str, list[Entry]]]) -> tuple[str, list[Entry]] | None:
        with self._lock:
            if self._halted:
                return None
            if self.parts.stop.is_set():
                self.summary.paused = self.summary.paused or "stopped on request"
                return None
            return next(queue, None)

    def _one(self, work: str, entries: list[Entry]) -> None:
        try:
            with self.parts.room.holding(entries[0].size_bytes):
                self._publish(work, entries)
        except ItemChanged as error:
            self._put_back(entries, f"{error}; the next sync decides anew", work)
        except ItemError as error:
            self._end(entries, State.FAILED, str(error), work)
        except LeaseHeld as error:
            self._later(work, entries, error)
        except TransientError as error:
            self._put_back(entries, f"{error}; the next sync tries again", work)
        except (OutcomeUnknown, UnusableAnswer) as error:
            self._unusable(work, entries, error)
        except (BudgetReached, Stopped) as error:
            self._halt(error)
        except (GateClosed, AccountError, Deferred) as error:
            if self.closed(gates_of(self.parts)):
                self._halted = True
            else:
                self._put_back(entries, f"{error}; the next sync tries again", work)

    def _halt(self, error: BgPipelineError) -> None:
        with self._lock:
            self._halted = True
            if isinstance(error, BudgetReached):
                self.summary.budget_reached = True
            else:
                self.summary.paused = self.summary.paused or str(error)

    def _later(self, work: str, entries: list[Entry], error: BgPipelineError) -> None:
        if self._busy is None:
            self._put_back(entries, f"{error}; the next sync tries again", work)
        else:
            self._busy[work] = entries

    def _publish(self, work: str, entries: list[Entry]) -> None:
        source, entries = self._read(work, entries)
        if not entries:
            return
        got = self._purchases.obtain(entries[0], source)
        if got.master.suspicion:
            self._end(entries, State.QUARANTINED, got.master.suspicion, work)
            return
        rendition = self.parts.recipe.rendition
        rendered = self.parts.call(render, source, got.image, rendition, got.reshaped)
        for entry in entries:
            name = self._output_name(entry)
            # `publish` would refuse, but only after a newer cutout of another run was overwritten.
            self.parts.control.check(self.lease)
            self.parts.outputs.write(name, rendered)
            self.parts.manifest.publish(
                entry.key,
                Published(
                    got.master.work_id, got.cut_hash, rendition.hash, name, digest_of(rendered), entry.content_hash
                ),
                self.lease,
            )
            self._count(entry)
        self.progress.step(len(entries))
        free = entries[1:] if got.paid else entries
        with self._lock:
            self.summary.saved += sum((self.parts.price(entry) for entry in free), Decimal(0))

    def _output_name(self, entry: Entry) -> str:
        return f"{entry.stem}.{self.parts.recipe.rendition.format}"

    def _read(self, work: str, entries: list[Entry]) -> tuple[bytes, list[Entry]]:
        """The bytes that were hashed, and the entries that still have them."""
        source, good = b"", []
        for entry in entries:
            try:
                self.parts.outputs.check(self._output_name(entry))
                data = self.parts.source.read(entry.key)
                if digest_of(data) != entry.content_hash:
                    raise ItemChanged("replaced since it was hashed")
            except (ItemChanged, ItemUnreadable) as error:
                self.parts.manifest.forget_hash(entry.key)
                self._put_back([entry], f"{error}; the next sync looks again", work)
            except ItemError as error:
                self._end([entry], State.FAILED, str(error), work)
            else:
                source = data
                good.append(entry)
        return source, good

    def _unusable(self, work: str, entries: list[Entry], error: BgPipelineError) -> None:
        if self.parts.ledger.charges(work) >= MAX_CHARGES:
            self._end(entries, State.FAILED, f"{error}. {MAX_CHARGES} purchases are the limit", work)
        elif self.parts.hold_in_doubt and isinstance(error, OutcomeUnknown):
            self._end(entries, State.FAILED, f"{error}: {HELD}", work)
        else:
            self._put_back(entries, f"{error}; the next sync tries again", work)

    def _put_back(self, entries: list[Entry], why: str, work: str) -> None:
        for entry in entries:
            self.parts.manifest.set_state(entry.key, State.PENDING, why, work, self.lease)
        with self._lock:
            self.summary.failures += [Failure(e.key, State.PENDING, why) for e in entries]

    def _end(self, entries: list[Entry], state: State, why: str, work: str) -> None:
        for entry in entries:
            self.parts.manifest.set_state(entry.key, state, why, work, self.lease)
        with self._lock:
            self.summary.failures += [Failure(e.key, state, why) for e in entries]
            if state is State.QUARANTINED:
                self.summary.quarantined += len(entries)
            else:
                self.summary.failed += len(entries)
        self.progress.step(len(entries))

    def _count(self, entry: Entry) -> None:
        reason = entry.reason or Reason.NEW
        with self._lock:
            self.published.append(entry.key)
            self.summary.published += 1
            self.summary.by_reason[reason] = self.summary.by_reason.get(reason, 0) + 1
            self.summary.duplicates += reason is Reason.DUPLICATE
            self.summary.renamed += reason is Reason.RENAMED
