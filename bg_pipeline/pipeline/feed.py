"""Hand out claimed work to the workers of one run, one purchase at a time."""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from bg_pipeline.core.buying import Position, position_of, sort_key
from bg_pipeline.core.claims import Ask, Claim, Claimed, Selection
from bg_pipeline.core.delta import Goal, cut_of
from bg_pipeline.core.records import Change, Entry, State
from bg_pipeline.ports.catalogue import WorkQueue


@dataclass(frozen=True, slots=True)
class Task:
    """Items that are published from one purchase."""

    purchase_id: str
    entries: tuple[Entry, ...]
    claim: Claim
    ended: dict[str, State] = field(default_factory=dict)
    """State of each item whose outcome is on record, by key."""

    @property
    def rest(self) -> list[Entry]:
        """Return the items without an outcome."""
        return [entry for entry in self.entries if entry.key not in self.ended]


@dataclass(slots=True)
class _OpenClaim:
    """A claim, and the number of its unfinished tasks."""

    claim: Claim
    unfinished: int


@dataclass(slots=True)
class Feed:
    """
    The claims of one run.

    Args:
        queue: source of the claims.
        ask: the requester and the budget.
        owner: name shown to other runs.
        goal_of: returns what the recipe of a key accepts; items that wait for another purchase are left to the next
            detection.
        claim_limit: largest number of purchases in one claim.
    """

    queue: WorkQueue
    ask: Ask
    owner: str
    goal_of: Callable[[str], Goal]
    claim_limit: int
    missed_keys: list[str] = field(default_factory=list)
    """Items requested by key that could not be claimed: another run has them, or they are done."""
    missed_changes: list[Change] = field(default_factory=list)
    """The same of purchases for a changed recipe."""
    _claims: "Iterator[Claimed]" = field(default_factory=lambda: iter(()))
    _tasks: "deque[Task]" = field(default_factory=deque)
    _open: dict[int, _OpenClaim] = field(default_factory=dict)
    _own_claims: set[int] = field(default_factory=set)
    _put_back: set[str] = field(default_factory=set)
    """Keys that this run left to a later one: it does not try them again."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, claims: Iterator[Claimed]) -> None:
        """Hand out the tasks of these claims, after the rest of the earlier claims."""
        with self._lock:
            self._claims = claims

    def pending(self, selection: Selection, *, bought: bool) -> Iterator[Claimed]:
        """Claim all pending items of a selection, in one pass in the order of purchases."""
        after: Position | None = None
        while True:
            claimed = self.queue.claim_pending(
                self.ask, self.owner, selection, limit=self.claim_limit, bought=bought, after=after
            )
            if claimed.claim is None:
                return
            after = _last_position(claimed.entries, after)
            yield claimed

    def items(self, keys: Iterable[str], state: State) -> Iterator[Claimed]:
        """Claim these items; yield those that are in this state."""
        rest = iter(keys)
        while batch := list(islice(rest, self.claim_limit)):
            claimed = self.queue.claim_items(self.ask, self.owner, dict.fromkeys(batch))
            taken = {entry.key for entry in claimed.entries}
            self.missed_keys += [key for key in batch if key not in taken]
            yield replace(claimed, entries=tuple(e for e in claimed.entries if e.state is state))

    def requested(self, changes: Sequence[Change]) -> Iterator[Claimed]:
        """Claim the purchases requested of this run only, except for items that changed since the plan."""
        for start in range(0, len(changes), self.claim_limit):
            batch: Mapping[str, Change] = {change.key: change for change in changes[start : start + self.claim_limit]}
            wanted = {key: change.revision for key, change in batch.items()}
            claimed = self.queue.claim_items(self.ask, self.owner, wanted)
            taken = {entry.key for entry in claimed.entries}
            self.missed_changes += [change for key, change in batch.items() if key not in taken]
            entries = (
                replace(e, reason=batch[e.key].reason, purchase_id=batch[e.key].purchase_id) for e in claimed.entries
            )
            yield replace(claimed, entries=tuple(entries))

    def take_missed(self) -> tuple[list[str], list[Change]]:
        """Return what was missed, and begin again."""
        missed = self.missed_keys, self.missed_changes
        self.missed_keys, self.missed_changes = [], []
        return missed

    def others(self, selection: Selection | None) -> dict[int, str]:
        """Return the live claims of others that hold pending items of a selection, or any items, with their owners."""
        return {each.id: each.owner for each in self.queue.claims(selection) if each.id not in self._own_claims}

    def next(self) -> tuple[Task, bool] | None:
        """Return the next task, and True if its claim took items from a dead process; None when none is left."""
        with self._lock:
            taken_over = False
            while not self._tasks:
                claimed = next(self._claims, None)
                if claimed is None:
                    return None
                taken_over |= claimed.taken_over
                self._take(claimed)
            return self._tasks.popleft(), taken_over

    def give_back(self, tasks: Iterable[Task]) -> None:
        """Put these tasks back to be handed out again, under their claims."""
        with self._lock:
            self._tasks.extend(tasks)

    def done(self, task: Task) -> None:
        """Mark a task as done; the last task of a claim releases the claim."""
        with self._lock:
            self._put_back |= {key for key, state in task.ended.items() if state is State.PENDING}
            opened = self._open[task.claim.id]
            opened.unfinished -= 1
            if opened.unfinished:
                return
            del self._open[task.claim.id]
        self.queue.release(task.claim)

    def close(self) -> None:
        """Drop the tasks that were not begun, and release all claims."""
        with self._lock:
            unreleased, self._open = self._open, {}
            self._tasks.clear()
        for opened in unreleased.values():
            self.queue.release(opened.claim)

    @property
    def claimed(self) -> int:
        """Return the number of claims that brought work so far."""
        return len(self._own_claims)

    def heartbeat(self) -> None:
        with self._lock:
            claims = [opened.claim for opened in self._open.values()]
        self.queue.heartbeat(claims)

    def _take(self, claimed: Claimed) -> None:
        if claimed.claim is None:
            return
        by_purchase: dict[tuple[str, Goal], list[Entry]] = {}
        for entry in claimed.entries:
            # Without a cut, the settings changed since the delta was priced: the next detection decides again.
            goal = self.goal_of(entry.key)
            if cut_of(entry, goal) and entry.key not in self._put_back:
                by_purchase.setdefault((entry.purchase_id, goal), []).append(entry)
        if not by_purchase:
            self.queue.release(claimed.claim)
            return
        self._own_claims.add(claimed.claim.id)
        self._open[claimed.claim.id] = _OpenClaim(claimed.claim, len(by_purchase))
        self._tasks.extend(
            Task(purchase, tuple(entries), claimed.claim) for (purchase, _), entries in by_purchase.items()
        )


def _last_position(entries: Sequence[Entry], after: Position | None) -> Position | None:
    """
    Return the position in the order of purchases at which the claim of these entries stopped.

    The claim went through the items after `after` until it had enough purchases, and also took all other items that
    wait for the same purchases. So it stopped at the first item after `after` of the last purchase that it met. The
    position never moves back: items that became free before `after` are left to the next run.
    """
    firsts: dict[str, Position] = {}
    for position, entry in sorted(((position_of(e), e) for e in entries), key=lambda each: sort_key(each[0])):
        if after is None or sort_key(position) > sort_key(after):
            firsts.setdefault(entry.purchase_id, position)
    return max(firsts.values(), key=sort_key, default=after)
