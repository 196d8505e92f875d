"""What use cases work with, in parts: a signature says what it touches."""

import contextlib
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal

from bg_pipeline.core.deletes import DeletePolicy
from bg_pipeline.core.gate import Thresholds
from bg_pipeline.core.prices import credits_for
from bg_pipeline.core.recipe import Recipe
from bg_pipeline.core.records import Lease
from bg_pipeline.core.vendor import Vendor
from bg_pipeline.errors import BgPipelineError, LeaseLost
from bg_pipeline.ports.alerts import AlertSink, Outbox
from bg_pipeline.ports.catalogue import (
    Deltas,
    ImageSource,
    Items,
    Leases,
    Observations,
    RunLog,
    Trash,
    WorkQueue,
)
from bg_pipeline.ports.purchasing import Gates, Ledger, Purchases, Remover
from bg_pipeline.ports.running import Call, Now, Progress
from bg_pipeline.ports.stores import BlobStore

LEASE_S = 120.0
"""A holder that misses three heartbeats is taken for dead."""

DETECTION = "detection"
"""The lease under which the delta is computed and recorded."""

BYTES_PER_DECODER = 20 * 2**20
"""Originals that workers may hold for each decoder. More would only wait for it, with their answers in memory too."""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """One catalogue: its pictures, its outputs, and its part of the manifest."""

    source: ImageSource
    outputs: BlobStore
    observations: Observations
    deltas: Deltas
    queue: WorkQueue
    items: Items
    trash: Trash
    leases: Leases
    run_log: RunLog


@dataclass(frozen=True, slots=True)
class Accounts:
    """The vendor accounts that it buys on, and what was bought on them."""

    removers: Mapping[str, Remover]
    """By account."""
    masters: BlobStore
    purchases: Purchases
    ledger: Ledger
    gates: Gates


@dataclass(frozen=True, slots=True)
class Policy:
    """What is wanted, and how far it may go. Values only."""

    recipe: Recipe
    thresholds: Thresholds
    vendors: Mapping[str, Vendor]
    """By account, one for each of the recipe's cuts, in the order in which they are tried."""
    concurrency: int
    collection_depth: int = 1
    hold_in_doubt: bool = False
    """What may have been charged already is not bought again unasked."""
    rehash_nights: int = 0
    """In how many nights the whole catalogue is hashed once, whatever it looks like; 0 for never."""
    deletes: DeletePolicy = field(default_factory=DeletePolicy)

    @property
    def account(self) -> str:
        """The first choice."""
        return self.accounts[0]

    @property
    def accounts(self) -> tuple[str, ...]:
        """In the order in which they are tried."""
        return tuple(self.vendors)

    @property
    def vendor(self) -> Vendor:
        """Of the first choice."""
        return self.vendors[self.account]

    @property
    def price(self) -> Decimal:
        """Credits for the whole purchase of an item as an upper bound: no picture was looked at yet."""
        return credits_for(self.vendor, self.recipe.cut, None)


class UselessInARow:
    """Purchases in a row that brought nothing usable, by account: of all workers of a process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._useless: Counter[str] = Counter()

    def count(self, account: str) -> int:
        """One more; returns how many they are."""
        with self._lock:
            self._useless[account] += 1
            return self._useless[account]

    def end(self, account: str) -> None:
        """One was usable."""
        with self._lock:
            self._useless[account] = 0


class ByteBudget:
    """How many bytes of originals the workers of a process may hold at once; one original at any size."""

    def __init__(self, limit_bytes: int = BYTES_PER_DECODER) -> None:
        self._limit_bytes = limit_bytes
        self._held = 0
        self._changed = threading.Condition()

    @contextmanager
    def holding(self, size_bytes: int) -> Iterator[None]:
        """Waits until so many bytes are free."""
        with self._changed:
            self._changed.wait_for(lambda: not self._held or self._held + size_bytes <= self._limit_bytes)
            self._held += size_bytes
        try:
            yield
        finally:
            with self._changed:
                self._held -= size_bytes
                self._changed.notify_all()


@dataclass(frozen=True, slots=True)
class RunName:
    """How a run is called in the log, in claims and in messages."""

    run_id: str = ""
    """Dagster's, or the name under which the command line spends."""
    job: str = ""
    """Dagster's job, or the command."""
    owner: str = ""
    """Who holds its leases and claims, as others read it."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run in one process: its name, its clock, and what its workers share."""

    name: RunName
    now: Now
    stop: threading.Event
    """Set to end gracefully: what is in flight is finished and kept, nothing new is begun."""
    call: Call
    progress: Progress
    bytes: ByteBudget
    useless: UselessInARow = field(default_factory=UselessInARow)


@dataclass(frozen=True, slots=True)
class Alerting:
    """Who is alerted, and how."""

    outbox: Outbox
    sink: AlertSink
    failure_rate: float
    """Share of failed items above which an alert is sent."""
    ui_url: str
    """Dagster's UI, for links; empty where there is none."""


@dataclass(frozen=True, slots=True)
class Pipeline:
    """All of it, as `wiring` chose it: for whole nights. A use case takes only the parts that it touches."""

    catalogue: Catalogue
    accounts: Accounts
    policy: Policy
    run: Run
    alerting: Alerting
    back_up: Callable[[], object] = lambda: None
    """Keeps a copy of the manifest, where it is a file."""

    @property
    def parts(self) -> tuple[Catalogue, Accounts, Policy, Run]:
        """What most use cases take, in the order in which they take it."""
        return self.catalogue, self.accounts, self.policy, self.run


@contextmanager
def leased(leases: Leases, name: str, owner: str) -> Iterator[Lease]:
    """
    Hold a lease and keep it alive. Whether it was lost all the same, the next write under it will tell.

    Raises:
        LeaseHeld: another run holds it.
    """
    lease = leases.acquire(name, owner, LEASE_S)
    try:
        with kept_alive(name, lambda: leases.heartbeat(lease, LEASE_S)):
            yield lease
    finally:
        with contextlib.suppress(LeaseLost):
            leases.release(lease)


@contextmanager
def kept_alive(name: str, heartbeat: Callable[[], object]) -> Iterator[None]:
    """Send a heartbeat three times in `LEASE_S`, from a thread of its own."""
    done = threading.Event()

    def beat() -> None:
        while not done.wait(LEASE_S / 3):
            # What was lost has nothing to prolong; a busy database is less busy at the next beat.
            with contextlib.suppress(BgPipelineError):
                heartbeat()

    heart = threading.Thread(target=beat, name=f"heartbeat {name}", daemon=True)
    heart.start()
    try:
        yield
    finally:
        done.set()
        heart.join()
