"""Carry out the pending work of one collection."""

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

from bg_pipeline.core.credits import Budget
from bg_pipeline.core.delta import Goal, cut_of
from bg_pipeline.core.keys import key_bytes, master_name
from bg_pipeline.core.recipe import digest_of
from bg_pipeline.core.records import AttemptState, Entry, Lease, Master, Published, Reason, State
from bg_pipeline.core.report import Failure, Summary
from bg_pipeline.errors import (
    AccountError,
    BgPipelineError,
    BudgetReached,
    ItemChanged,
    ItemError,
    ItemUnreadable,
    LeaseHeld,
    OutcomeUnknown,
    StoreError,
    TransientError,
    UnusableAnswer,
)
from bg_pipeline.imaging.pictures import Prepared, inspect, prepare, render
from bg_pipeline.ports import CutRequest, Progress
from bg_pipeline.steps.gate import Till, why_closed
from bg_pipeline.steps.parts import Parts, leased

MAX_CHARGES = 3
"""Purchases for one work in its whole life. Without a cap one unlucky picture was charged five times in a soak test
at 5 % faults."""


MAX_USELESS = 5
"""Purchases in a row without a usable cutout, after which a run stops: it is the service then, not the pictures."""


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
        in_doubt = recover(parts, lease)
        entries = [e for e in parts.manifest.pending(collection, only) if keys is None or e.key in keys]
        progress.start(f"cutting {collection or 'the top folder'}", len(entries))
        run = _Run(parts, lease, budget, progress)
        run.summary.in_doubt = in_doubt
        if run.till.gate.is_open:
            run.work(_by_work(entries, parts))
            run.till.close()
        else:
            run.summary.paused = why_closed(run.till.gate, parts.thresholds)
        progress.done()
        run.summary.pending = parts.manifest.pending_collections().get(collection, 0)
    run.summary.seconds = parts.now() - started
    return run.summary, sorted(run.published, key=key_bytes)


def recover(parts: Parts, lease: Lease) -> int:
    """
    End the attempts that a killed run left open: with a stored master nothing was lost, without one nobody
    knows. Returns how many are in doubt.
    """
    in_doubt = 0
    for attempt in parts.ledger.open_attempts(lease.name):
        data = parts.masters.read(master_name(attempt.work_id))
        if data is None:
            parts.ledger.close_attempt(
                attempt.id, AttemptState.IN_DOUBT, Decimal(0), "the run was killed before the answer was stored"
            )
            in_doubt += 1
            continue
        try:
            found = parts.call(inspect, data)
        except (UnusableAnswer, ItemError) as error:
            parts.ledger.close_attempt(attempt.id, AttemptState.IN_DOUBT, Decimal(0), str(error))
            in_doubt += 1
        else:
            master = Master(attempt.work_id, digest_of(data), found.width_px, found.height_px, found.suspicion)
            parts.ledger.keep_master(master, attempt.id, attempt.credits_expected)
    return in_doubt


def _by_work(entries: Sequence[Entry], parts: Parts) -> dict[str, list[Entry]]:
    works: dict[str, list[Entry]] = {}
    goal = Goal.of(parts.recipe)
    for entry in entries:
        # Settings that changed since the delta was priced: the next detection prices, and maybe holds, it anew.
        if cut_of(entry, goal):
            works.setdefault(entry.work_id, []).append(entry)
    return works


class _Run:
    """The lanes that work through one collection together, and what they count."""

    def __init__(
        self,
        parts: Parts,
        lease: Lease,
        budget: Budget,
        progress: Progress,
    ) -> None:
        self.parts = parts
        self.lease = lease
        self.till = Till(parts, budget)
        self.progress = progress
        self.summary = Summary()
        self.published: list[str] = []
        self._lock = threading.Lock()
        self._halted = False
        self._useless = 0

    def work(self, works: dict[str, list[Entry]]) -> None:
        """Returns when all is done or nothing more may be begun; what was begun is finished."""
        queue = iter(works.items())
        lanes = min(self.parts.concurrency, len(works))
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
            self._publish(work, entries)
        except ItemError as error:
            self._end(entries, State.FAILED, str(error), work)
        except LeaseHeld as error:
            self._put_back(entries, str(error), work)
        except (OutcomeUnknown, UnusableAnswer) as error:
            self._unusable(work, entries, error)
        except BudgetReached:
            self._halt()
            self.summary.budget_reached = True
        except AccountError as error:
            self._halt(self.till.refuse(error))
        except TransientError as error:
            self._halt(f"{self.parts.provider} does not serve now: {error}")
        else:
            self.progress.step(len(entries))

    def _publish(self, work: str, entries: list[Entry]) -> None:
        source, entries = self._read(work, entries)
        if not entries:
            return
        master = self.parts.ledger.master(work)
        image = self._intact(master)
        cut_hash = cut_of(entries[0], Goal.of(self.parts.recipe))
        if master is None or image is None:
            if cut_hash != self.parts.recipe.cut.hash:
                self._put_back(entries, "its old master is damaged; the next sync decides anew", work)
                return
            self._buy(work, entries[0], source)
            master = self.parts.ledger.master(work)
            image = self._intact(master)
            if master is None or image is None:
                raise UnusableAnswer("the master cannot be read back")
        if master.suspicion:
            self._end(entries, State.QUARANTINED, master.suspicion, work)
            return
        rendition = self.parts.recipe.rendition
        rendered = self.parts.call(render, source, image, rendition)
        for entry in entries:
            name = f"{entry.stem}.{rendition.format}"
            self.parts.outputs.write(name, rendered)
            self.parts.manifest.publish(
                entry.key,
                Published(work, cut_hash, rendition.hash, name, digest_of(rendered), entry.content_hash),
                self.lease,
            )
            self._count(entry)

    def _read(self, work: str, entries: list[Entry]) -> tuple[bytes, list[Entry]]:
        """The bytes that were hashed, and the entries that still have them."""
        source, good = b"", []
        for entry in entries:
            try:
                data = self.parts.source.read(entry.key)
                if digest_of(data) != entry.content_hash:
                    raise ItemChanged("replaced since it was hashed")
            except (ItemChanged, ItemUnreadable) as error:
                self.parts.manifest.forget_hash(entry.key)
                self._put_back([entry], f"{error}; the next sync looks again", work)
            else:
                source = data
                good.append(entry)
        return source, good

    def _intact(self, master: Master | None) -> bytes | None:
        if master is None:
            return None
        data = self.parts.masters.read(master_name(master.work_id))
        if data is None:
            raise StoreError(
                f"the master {master_name(master.work_id)} is on record and not in the store: see that BG_MASTERS is "
                "the right place and mounted. Nothing was bought again"
            )
        if digest_of(data) == master.digest:
            return data
        self.parts.ledger.forget_master(master.work_id)
        return None

    def _buy(self, work: str, entry: Entry, source: bytes) -> None:
        if (charges := self.parts.ledger.charges(work)) >= MAX_CHARGES:
            raise ItemUnreadable(
                f"{charges} purchases brought no usable cutout; no more are made. `bg-pipeline why` tells each"
            )
        price = self.parts.price(entry)
        prepared = self.parts.call(prepare, source, self.parts.recipe.cut.max_side_px)
        self.till.reserve(price)
        spent = Decimal(0)
        try:
            spent = self._order(work, entry, prepared, price)
        except OutcomeUnknown:
            spent = price
            raise
        except UnusableAnswer:
            spent = price
            with self._lock:
                self.summary.wasted += 1
                self.summary.credits += price
            raise
        finally:
            self.till.settle(price, spent)
        with self._lock:
            self._useless = 0
            self.summary.purchases += 1
            self.summary.credits += spent

    def _order(self, work: str, entry: Entry, prepared: Prepared, price: Decimal) -> Decimal:
        request = CutRequest(
            work_id=work,
            item_key=entry.key,
            image=prepared.image,
            media_type=prepared.media_type,
            width_px=prepared.width_px,
            height_px=prepared.height_px,
            params=self.parts.recipe.cut.params,
            credits_expected=price,
            lease=self.lease,
        )
        return self.parts.remover.cut(request).credits_charged

    def _unusable(self, work: str, entries: list[Entry], error: BgPipelineError) -> None:
        with self._lock:
            self._useless += 1
            useless = self._useless
        if useless >= MAX_USELESS:
            self._halt(f"{useless} purchases in a row brought nothing usable, the last: {error}")
        if isinstance(error, OutcomeUnknown):
            with self._lock:
                self.summary.in_doubt += 1
        if self.parts.ledger.charges(work) >= MAX_CHARGES:
            self._end(entries, State.FAILED, f"{error}. {MAX_CHARGES} purchases are the limit", work)
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

    def _halt(self, paused: str = "") -> None:
        with self._lock:
            self._halted = True
            self.summary.paused = self.summary.paused or paused
