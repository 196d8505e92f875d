"""The context of use cases, in four records: a signature shows which of them a use case needs."""

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal

from bg_pipeline.core.agreement import Purpose
from bg_pipeline.core.buying import BuyOrder
from bg_pipeline.core.checks import CheckLimits
from bg_pipeline.core.claims import BEATS, LEASE_S
from bg_pipeline.core.colours import use_of_master
from bg_pipeline.core.deletes import DeletePolicy
from bg_pipeline.core.export import Naming, TableFormat
from bg_pipeline.core.filters import Filter
from bg_pipeline.core.gate import Thresholds
from bg_pipeline.core.media import Animated
from bg_pipeline.core.prices import credits_for
from bg_pipeline.core.recipe import AS_IT_IS, Cut, Recipe
from bg_pipeline.core.recipes import Recipes
from bg_pipeline.core.records import Lease, Master, Use
from bg_pipeline.core.vendor import Vendor
from bg_pipeline.errors import BgPipelineError, LeaseLost, Stopped
from bg_pipeline.ports.alerts import AlertSink, Outbox
from bg_pipeline.ports.catalogue import (
    Deltas,
    Failures,
    Items,
    Leases,
    Observations,
    RunLog,
    Trash,
    WorkQueue,
)
from bg_pipeline.ports.previous import PreviousOutputs, Reversions
from bg_pipeline.ports.purchasing import Answers, Gates, Ledger, Purchases, Remover
from bg_pipeline.ports.retention import Erasures, Retention
from bg_pipeline.ports.review import Reviews
from bg_pipeline.ports.running import ByteBudget, Call, Now, Progress, Stops, UselessInARow
from bg_pipeline.ports.source import ImageSource
from bg_pipeline.ports.stores import BlobStore

DETECTION = "detection"
"""The lease under which the delta is computed and recorded."""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """One catalogue: its pictures, its outputs, and its part of the manifest."""

    name: str
    source: ImageSource
    outputs: BlobStore
    observations: Observations
    deltas: Deltas
    queue: WorkQueue
    items: Items
    failures: Failures
    trash: Trash
    leases: Leases
    run_log: RunLog
    erasures: Erasures
    reviews: Reviews
    previous: PreviousOutputs
    reversions: Reversions


@dataclass(frozen=True, slots=True)
class Accounts:
    """The vendor accounts of a catalogue, and the purchases on them."""

    removers: Mapping[str, Remover]
    """Removers by account."""
    answers: Answers
    spool: BlobStore
    """Paid answers that are no masters yet, by purchase id."""
    masters: BlobStore
    purchases: Purchases
    ledger: Ledger
    gates: Gates
    retention: Retention


@dataclass(frozen=True, slots=True)
class Policy:
    """The wanted results and their limits. Values only."""

    recipes: Recipes
    thresholds: Mapping[str, Thresholds]
    """Thresholds of the gates by account."""
    vendors: Mapping[str, Vendor]
    """Vendors by account, one for each cut of any recipe, in the order of trial."""
    concurrency: int
    """Requests in flight: the most that any of its accounts allows."""
    collection_depth: int = 1
    hold_in_doubt: bool = False
    """True if purchases that may have been charged are not repeated without a request."""
    rehash_nights: int | None = None
    """Number of nights in which the whole catalogue is hashed once; 0 for never, None as its source needs it."""
    reads_at_once: int | None = None
    """Items that a scan reads at once; None for as many as suit the source."""
    deletes: DeletePolicy = field(default_factory=DeletePolicy)
    filter: Filter = field(default_factory=Filter)
    """The keys of the source that are items."""
    animated: Animated = Animated.FAIL
    """What to do with a file of several pictures."""
    keep_masters_days: int = 0
    """Days for which a master that no item uses is kept; 0 keeps all."""
    order: BuyOrder = field(default_factory=BuyOrder)
    """The order of purchases."""
    golden: tuple[str, ...] = ()
    """Keys or patterns of the pictures on which a changed recipe is tried first; empty for a sample."""
    keep_previous_days: int = 7
    """Days for which a replaced output is kept, to revert the run that replaced it; 0 keeps none."""
    checks: CheckLimits = field(default_factory=CheckLimits)
    """The worst results that are published without a person."""

    @property
    def recipe(self) -> Recipe:
        """The default recipe."""
        return self.recipes.default

    @property
    def account(self) -> str:
        """The preferred account."""
        return self.accounts[0]

    @property
    def accounts(self) -> tuple[str, ...]:
        """Accounts in the order of trial."""
        return tuple(self.vendors)

    @property
    def vendor(self) -> Vendor:
        """Vendor of the preferred account."""
        return self.vendors[self.account]

    @property
    def price(self) -> Decimal:
        """Upper bound of the credits for the whole purchase of an item of unknown size, by the default recipe."""
        return self.price_with(self.recipe)

    def cut_of(self, key: str) -> str:
        """Return the digest of the cut that a picture is bought with."""
        return self.recipes.of(key).cut.digest

    def price_with(self, recipe: Recipe) -> Decimal:
        """Return the same for another recipe."""
        vendor, cut = self.dearest(recipe)
        return credits_for(vendor, cut, None)

    def dearest(self, recipe: Recipe) -> tuple[Vendor, Cut]:
        """Return the dearest cut that one picture may need, with its vendor."""
        sold = list(zip(self.vendors.values(), recipe.cuts, strict=True))
        return max(sold, key=lambda each: credits_for(each[0], each[1], None)) if recipe.passed_on else sold[0]

    def use(self, master: Master, cut_digest: str, recipe: Recipe) -> Use:
        """Return the part of a master that is published; its cut is one of the recipe's, or a stage of one."""
        stages = (stage for cut in recipe.cuts for stage in cut.stages)
        return use_of_master(master, cut_digest, (*stages, AS_IT_IS), self.vendors.values()).use


@dataclass(frozen=True, slots=True)
class RunName:
    """The names of a run in the log, in claims and in messages."""

    run_id: str = ""
    """Dagster's run id, or the name under which the command line spends."""
    job: str = ""
    """Dagster's job, or the command."""
    owner: str = ""
    """Holder of its leases and claims, as shown to other runs."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run in one process: its name, its clock, and the objects that its workers share."""

    name: RunName
    now: Now
    stop: threading.Event
    """Set to end gracefully: requests in flight are finished and kept, nothing new starts."""
    call: Call
    progress: Progress
    bytes: ByteBudget
    wait: Callable[[float], bool]
    """Waits so many seconds, or until `stop` is set; returns True if it is."""
    useless: UselessInARow = field(default_factory=UselessInARow)

    def end_if_asked(self, so_far: str) -> None:
        """
        Do nothing while the run may go on.

        Args:
            so_far: what was and was not done, for the message.

        Raises:
            Stopped: the run was asked to end.
        """
        if self.stop.is_set():
            raise Stopped(f"stopped on request: {so_far}")


@dataclass(frozen=True, slots=True)
class Alerting:
    """The means of alerting: outbox, sink and limits."""

    outbox: Outbox
    sink: AlertSink
    failure_rate: float
    """Share of failed items above which an alert is sent."""
    ui_url: str
    """Dagster's UI, for links; empty where there is none."""
    review_url: str = ""
    """Page of the review, for links; empty where there is none."""
    operating_url: str = ""
    """The operating page, for links; empty for its path in this project."""
    catalogue: str = ""
    """Name of the catalogue, for titles; empty if it is the only one."""
    elsewhere: frozenset[str] = frozenset()
    """Accounts that only other catalogues use."""


@dataclass(frozen=True, slots=True)
class Monitor:
    """The part that reports failures: it needs the manifest and the alert settings, but no store and no vendor."""

    run_log: RunLog
    queue: WorkQueue
    leases: Leases
    alerting: Alerting
    stops: Stops
    now: Now


@dataclass(frozen=True, slots=True)
class MarkedStore:
    """A store that belongs to one manifest, and carries its mark: see `core.ownership`."""

    setting: str
    """Name of the setting with its location."""
    location: str
    store: BlobStore


@dataclass(frozen=True, slots=True)
class Identity:
    """The identity of a manifest, and the stores that carry it."""

    id: str = ""
    location: str = ""
    """Location of the manifest, without a password."""
    stores: tuple[MarkedStore, ...] = ()


@dataclass(frozen=True, slots=True)
class Export:
    """The table of the cutouts."""

    naming: Naming = field(default_factory=Naming)
    format: TableFormat | None = None
    """Format of the table beside the outputs; None for no such table."""


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Everything, as `wiring` chose it: for whole nights. A use case takes only the records that it needs."""

    catalogue: Catalogue
    accounts: Accounts
    policy: Policy
    run: Run
    alerting: Alerting
    stops: Stops
    identity: Identity = field(default_factory=Identity)
    export: Export = field(default_factory=Export)
    back_up: Callable[[], object] = lambda: None
    """Keeps a copy of the manifest, where it is a file."""
    agree: Callable[[Purpose], object] = lambda _purpose: None
    """Raises ConfigurationError if another host set other settings last, unless a person declares those of this one."""
    clock_ahead: Callable[[], float] = lambda: 0.0
    """Returns the seconds by which this machine's clock is ahead of the time that all processes compare."""

    @property
    def context(self) -> tuple[Catalogue, Accounts, Policy, Run]:
        """Return the arguments of most use cases, in their order."""
        return self.catalogue, self.accounts, self.policy, self.run

    @property
    def monitor(self) -> Monitor:
        """Return the part that reports failures."""
        catalogue = self.catalogue
        return Monitor(catalogue.run_log, catalogue.queue, catalogue.leases, self.alerting, self.stops, self.run.now)


@contextmanager
def leased(leases: Leases, name: str, owner: str) -> Iterator[Lease]:
    """
    Hold a lease and keep it alive. If it was lost, the next write under it raises the error.

    Raises:
        LeaseHeld: another run holds it.
    """
    lease = leases.acquire(name, owner)
    try:
        with kept_alive(name, lambda: leases.heartbeat(lease)):
            yield lease
    finally:
        with contextlib.suppress(LeaseLost):
            leases.release(lease)


@contextmanager
def stoppable(stop: threading.Event, is_asked: Callable[[], object]) -> Iterator[None]:
    """Set `stop` soon after a run is asked to end."""

    def look() -> None:
        if not stop.is_set() and is_asked():
            stop.set()

    look()
    with kept_alive("request to stop", look):
        yield


@contextmanager
def kept_alive(name: str, heartbeat: Callable[[], object]) -> Iterator[None]:
    """Send `BEATS` heartbeats in `LEASE_S`, from a thread of its own."""
    done = threading.Event()

    def beat() -> None:
        while not done.wait(LEASE_S / BEATS):
            # A lost lease needs no heartbeat; a busy database is less busy at the next one.
            with contextlib.suppress(BgPipelineError):
                heartbeat()

    heart = threading.Thread(target=beat, name=f"heartbeat {name}", daemon=True)
    heart.start()
    try:
        yield
    finally:
        done.set()
        heart.join()
