"""What the fakes of the manifest share, as the real ones share a database."""

import itertools
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import wraps
from types import GeneratorType
from typing import TYPE_CHECKING, Any

from bg_pipeline.core.alerts import Delivery, Incident
from bg_pipeline.core.claims import Claim, is_live
from bg_pipeline.core.keys import key_bytes
from bg_pipeline.core.outputs import all_outputs
from bg_pipeline.core.records import Attempt, Entry, Lease, Master, Output
from bg_pipeline.errors import ClaimLost, LeaseLost

if TYPE_CHECKING:
    from bg_pipeline.core.blocks import KnownBlock
    from bg_pipeline.core.gate import Gate
    from bg_pipeline.core.revert import Previous, Reverted
    from bg_pipeline.core.review import DecisionRecord
    from bg_pipeline.ports.purchasing import CutRequest


@dataclass
class FakeDelivery:
    """A row of the outbox."""

    delivery: Delivery
    due_at: float
    state: str = "waiting"


class MemoryDatabase:
    """What the fakes below share, as the real ones share a database."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self.entries: dict[str, Entry] = {}
        self.others: dict[str, dict[str, Output]] = {}
        """By key, its outputs beside the main one, by rendition."""
        self.fingerprint: dict[str, str] = {}
        self.blocks: list[KnownBlock] = []
        self.recorded_in: dict[str, int] = {}
        """By key, the number of the delta that it was last recorded in."""
        self.accepted: dict[str, tuple[int, str, float]] = {}
        """Revision, reason and time of accepted failures."""
        self.judged: dict[str, int] = {}
        """Revision by key."""
        self.judged_under = ""
        self.delta = 0
        """Number of the last delta that was recorded to its end."""
        self.claims: dict[int, Claim] = {}
        self.claim_of: dict[str, int] = {}
        self.masters: dict[str, Master] = {}
        self.unused_since: dict[str, float] = {}
        self.pruned: dict[str, tuple[str, float, bool]] = {}
        """By purchase: its picture, the time, and whether its bytes are gone."""
        self.attempts: dict[int, Attempt] = {}
        self.requests: dict[int, CutRequest] = {}
        self.decisions: list[DecisionRecord] = []
        self.previous: dict[tuple[str, str, str], Previous] = {}
        """By key, run and rendition."""
        self.reversions: dict[tuple[str, str], Reverted] = {}
        self.leases: dict[str, tuple[Lease, float]] = {}
        self.gates: dict[str, Gate] = {}
        self.limits: dict[str, dict[str, Any]] = {}
        self.records: list[tuple[str, float, str]] = []
        """Kind, end, and the record as JSON."""
        self.incidents: tuple[Incident, ...] = ()
        self.deliveries: dict[int, FakeDelivery] = {}
        self.ids = itertools.count(1)
        self.lock = threading.RLock()

    def where(self, holds: Callable[[Entry], Any]) -> list[Entry]:
        """In key order."""
        return sorted((e for e in self.entries.values() if holds(e)), key=lambda e: key_bytes(e.key))

    def update(self, key: str, **values: Any) -> None:
        """A write that others see by the row's revision."""
        self.entries[key] = replace(self.entries[key], revision=self.entries[key].revision + 1, **values)

    def change_state(self, key: str, **values: Any) -> None:
        """The same for what an export shows, which has a time."""
        self.update(key, changed_at=self.now(), **values)

    def rename_output(self, key: str, output_name: str) -> None:
        if published := self.entries[key].published:
            self.change_state(key, published=replace(published, output_name=output_name))

    def outputs(self, entry: Entry) -> list[Output]:
        return list(all_outputs(entry, self.others.get(entry.key, {}).values()))

    def change_other(self, key: str, rendition: str, **values: Any) -> None:
        """A write to an output beside the main one; its name is that of a publication."""
        if (other := self.others.get(key, {}).get(rendition)) is not None:
            if "output_name" in values:
                other = replace(other, published=replace(other.published, output_name=values.pop("output_name")))
            self.others[key][rendition] = replace(other, **values)
        self.change_state(key)

    def is_alive(self, claim_id: int) -> bool:
        return claim_id in self.claims and is_live(self.claims[claim_id].ends_at, self.now())

    def is_free(self, key: str) -> bool:
        return key not in self.claim_of or not self.is_alive(self.claim_of[key])

    def check_claim(self, key: str, claim: Claim) -> None:
        if self.claim_of.get(key) != claim.id:
            raise ClaimLost(f"another run has {key!r} in its hands")

    def check_lease(self, lease: Lease) -> None:
        if self.leases[lease.name][0].token != lease.token:
            raise LeaseLost(f"another run took over {lease.name!r}")


class Port:
    """A port over that database: each of its methods is one step in which no other thread comes in between."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._db = database

    def __init_subclass__(cls) -> None:
        for name, method in list(vars(cls).items()):
            if callable(method) and not name.startswith("_"):
                setattr(cls, name, _in_one_step(method))


def _in_one_step(method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def step(self: Port, *args: Any, **options: Any) -> Any:
        with self._db.lock:
            result = method(self, *args, **options)
            return iter(list(result)) if isinstance(result, GeneratorType) else result

    return step
