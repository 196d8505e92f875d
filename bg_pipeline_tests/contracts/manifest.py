"""The ports of the manifest over one place, and short ways to say what a test wants."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from bg_pipeline.core.buying import Position
from bg_pipeline.core.claims import Ask, AskedBy, Claim, Claimed, Selection
from bg_pipeline.core.credits import Budget, Rules
from bg_pipeline.core.delta import Goal
from bg_pipeline.core.gate import Thresholds
from bg_pipeline.core.records import Change, Entry, Observation, Published, Reason, State
from bg_pipeline.ports.alerts import Outbox
from bg_pipeline.ports.catalogue import Deltas, Failures, Items, Leases, Observations, RunLog, Trash, WorkQueue
from bg_pipeline.ports.previous import PreviousOutputs, Reversions
from bg_pipeline.ports.purchasing import CutRequest, Gates, Ledger, OpenAttempt, Purchases
from bg_pipeline.ports.retention import Erasures, Retention
from bg_pipeline.ports.review import Reviews
from bg_pipeline.ports.running import Stops
from bg_pipeline_tests.fakes import FakeClock

ONE = Decimal(1)
ASK = Ask(AskedBy.NIGHT, Budget("a run"))


@dataclass
class Manifest:
    """All of its ports."""

    observations: Observations
    deltas: Deltas
    queue: WorkQueue
    items: Items
    failures: Failures
    trash: Trash
    leases: Leases
    run_log: RunLog
    purchases: Purchases
    ledger: Ledger
    gates: Gates
    retention: Retention
    erasures: Erasures
    reviews: Reviews
    previous: PreviousOutputs
    reversions: Reversions
    outbox: Outbox
    stops: Stops
    clock: FakeClock
    batch: Callable[[int], object]
    """Sets how many changes a delta records at once."""
    dying_after: Callable[[int], Any]
    """A context in which the process dies after so many batches of a delta."""
    another_ledger: Callable[[], Ledger]
    """Makes the ledger of another process."""
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def entry(self, key: str) -> Entry:
        found = self.items.entry(key)
        assert found is not None
        return found

    def see(self, *keys: str) -> None:
        self.observations.observe([seen(key) for key in keys])

    def record(self, *changes: Change) -> None:
        """Record a delta that was decided just now."""
        self.deltas.record([replace(c, revision=self.entry(c.key).revision) for c in changes], self.clock.now)

    def see_work(self, *keys: str) -> None:
        """Make keys pending, each with a purchase of its own that is called like the key."""
        self.see(*keys)
        self.record(*(work(key, purchase_id=key) for key in keys))

    def claim(self, *keys: str, ask: Ask = ASK) -> Claim:
        """These items, whatever their state; all of them have to be free."""
        claimed = self.queue.claim_items(ask, "a test", dict.fromkeys(keys))
        assert claimed.claim is not None
        assert len(claimed.entries) == len(keys)
        return claimed.claim

    def claim_pending(
        self,
        selection: Selection | None = None,
        *,
        limit: int = 100,
        bought: bool = False,
        after: Position | None = None,
        owner: str = "a test",
        ask: Ask = ASK,
    ) -> Claimed:
        which = selection or Selection()
        return self.queue.claim_pending(ask, owner, which, limit=limit, bought=bought, after=after)

    def publish(self, key: str, published: Published, **others: Published) -> None:
        self.queue.publish(key, published, self.claim(key), others)

    def set_state(self, key: str, state: State, detail: str = "", purchase_id: str = "w") -> None:
        self.queue.set_state(key, state, detail, purchase_id, self.claim(key))

    def as_others_see_it(self, processes: int) -> "list[Manifest]":
        """The same for so many processes."""
        return [replace(self, ledger=self.another_ledger()) for _ in range(processes)]

    def buy(self, purchase_id: str, *asked: Any, **more: Any) -> int:
        """The id of an attempt that `open` opened."""
        return self.open(purchase_id, *asked, **more).id

    def open(
        self,
        purchase_id: str,
        account: str = "bgeraser",
        price: Decimal = ONE,
        *,
        budget: Budget = ASK.budget,
        claim: Claim | None = None,
        low: int = 0,
        **more: Any,
    ) -> OpenAttempt:
        """Open an attempt, for an item of its own unless a claim is given; `more` are fields of its request."""
        rules = more.pop("rules", Rules(Thresholds(Decimal(low), Decimal(low + 50))))
        more.setdefault("item_key", f"bought/{purchase_id}-{next(self._numbers)}.jpg")
        if claim is None:
            self.see(more["item_key"])
            claim = self.claim(more["item_key"], ask=Ask(AskedBy.NIGHT, budget))
        nothing = {"image": b"", "media_type": "", "width_px": 1, "height_px": 1, "params": {}}
        request = CutRequest(purchase_id, claim=claim, credits_expected=price, **nothing | more)
        return self.ledger.open_attempt(request, account, rules)


def seen(key: str, content: str = "h", fingerprint: str = "e1") -> Observation:
    return Observation(key, key.rpartition("/")[0], fingerprint, content, 7, "image/png")


def work(key: str, reason: Reason = Reason.NEW, **more: Any) -> Change:
    change = Change(key, key.rpartition("/")[0], reason, "a reason", purchase_id="w", stem=key.rpartition(".")[0])
    return replace(change, **more)


def shown(name: str, purchase_id: str = "w") -> Published:
    return Published(purchase_id, "cut", "rendition", name, "digest", "h")


def up_to_date(deltas: Deltas, goal: Goal) -> int:
    return deltas.count() - len(list(deltas.out_of_date(goal)))


def keys_of(claimed: Claimed) -> list[str]:
    return [entry.key for entry in claimed.entries]
