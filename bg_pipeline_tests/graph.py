"""A whole pipeline of fakes, for tests of the use cases."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, replace
from decimal import Decimal
from functools import partial
from typing import Any

from bg_pipeline.core.buying import BuyOrder
from bg_pipeline.core.checks import CheckLimits
from bg_pipeline.core.claims import Ask, AskedBy, Claim
from bg_pipeline.core.credits import Budget, DayCap, Rules
from bg_pipeline.core.deletes import DeletePolicy
from bg_pipeline.core.delta import Delta
from bg_pipeline.core.export import TableFormat
from bg_pipeline.core.filters import Filter
from bg_pipeline.core.gate import Thresholds
from bg_pipeline.core.media import Animated
from bg_pipeline.core.recipe import Cut, Recipe, Rendition
from bg_pipeline.core.recipes import Recipes, SpecialRecipe
from bg_pipeline.core.report import Summary
from bg_pipeline.errors import BgPipelineError
from bg_pipeline.imaging.workers import for_one_picture
from bg_pipeline.pipeline.choice import Choice
from bg_pipeline.pipeline.listing import ScanResult
from bg_pipeline.pipeline.night import WorkResult, sync, work
from bg_pipeline.pipeline.process import Scope
from bg_pipeline.pipeline.prune import PruneResult
from bg_pipeline.pipeline.trash import TrashResult
from bg_pipeline.ports.context import (
    Accounts,
    Alerting,
    Catalogue,
    Export,
    Identity,
    MarkedStore,
    Pipeline,
    Policy,
    Run,
    RunName,
)
from bg_pipeline.ports.purchasing import Remover
from bg_pipeline.ports.running import ByteBudget, Call, Progress, Silent
from bg_pipeline.purchasing.answers import SpooledAnswers
from bg_pipeline.purchasing.compose import Time, purchasing
from bg_pipeline.purchasing.gate import report_answer
from bg_pipeline.purchasing.ledger import Spool
from bg_pipeline.vendors.registry import plugin
from bg_pipeline_tests.fakes import (
    FakeClock,
    FakeRemover,
    FakeSink,
    MemoryDatabase,
    MemoryDeltas,
    MemoryErasures,
    MemoryFailures,
    MemoryGates,
    MemoryItems,
    MemoryLeases,
    MemoryLedger,
    MemoryObservations,
    MemoryOutbox,
    MemoryPreviousOutputs,
    MemoryPurchases,
    MemoryRetention,
    MemoryReversions,
    MemoryReviews,
    MemoryRunLog,
    MemorySource,
    MemoryStops,
    MemoryStore,
    MemoryTrash,
    MemoryWorkQueue,
)

call_here = for_one_picture
"""`ports.running.Call` without a process of its own."""

RECIPE = Recipe((Cut("bgeraser", 2500, variant="tools"),), Rendition())


@dataclass(frozen=True)
class Synced:
    """The results of a sync, all stages side by side."""

    scan: ScanResult
    delta: Delta
    summary: Summary
    published: Sequence[str]
    trash: TrashResult
    pruned: PruneResult


@dataclass
class Graph:
    """The fakes by themselves, and the pipeline made of them."""

    source: MemorySource = field(default_factory=MemorySource)
    remover: FakeRemover = field(default_factory=FakeRemover)
    outputs: MemoryStore = field(default_factory=MemoryStore)
    masters: MemoryStore = field(default_factory=MemoryStore)
    spool: MemoryStore = field(default_factory=MemoryStore)
    clock: FakeClock = field(default_factory=lambda: FakeClock(tick_s=0.001))
    seconds: Callable[[], float] = time.time
    """What passes between two looks of the limiter."""
    slept: list[float] = field(default_factory=list)
    while_asleep: Callable[[], object] = lambda: None
    stop: threading.Event = field(default_factory=threading.Event)
    recipe: Recipe = RECIPE
    special: Sequence[SpecialRecipe] = ()
    concurrency: int = 1
    low: Decimal = Decimal(0)
    day_cap: Decimal | None = None
    hold_in_doubt: bool = False
    others: dict[str, FakeRemover] = field(default_factory=dict)
    """By account, where it is not `remover`."""
    runs: int = 0
    sink: FakeSink = field(default_factory=FakeSink)
    rehash_nights: int | None = 0
    reads_at_once: int | None = None
    collection_depth: int = 1
    deletes: DeletePolicy = field(default_factory=DeletePolicy)
    filter: Filter = field(default_factory=Filter)
    keep_masters_days: int = 0
    keep_previous_days: int = 7
    golden: tuple[str, ...] = ()
    order: BuyOrder = field(default_factory=BuyOrder)
    bytes: ByteBudget = field(default_factory=ByteBudget)
    animated: Animated = Animated.FAIL
    checks: CheckLimits = field(default_factory=CheckLimits)
    progress: Progress = field(default_factory=Silent)
    table: TableFormat | None = None
    """Format of the table beside the outputs."""
    call: Call = call_here
    identity: str = ""
    """Identity of the manifest; empty if its stores carry no mark."""

    def __post_init__(self) -> None:
        self.database = MemoryDatabase(self.clock)
        self.observations = MemoryObservations(self.database)
        self.deltas = MemoryDeltas(self.database)
        self.queue = MemoryWorkQueue(self.database)
        self.items = MemoryItems(self.database)
        self.failures = MemoryFailures(self.database)
        self.trash = MemoryTrash(self.database)
        self.leases = MemoryLeases(self.database)
        self.run_log = MemoryRunLog(self.database)
        self.purchases = MemoryPurchases(self.database)
        self.ledger = MemoryLedger(self.database)
        self.gates = MemoryGates(self.database)
        self.retention = MemoryRetention(self.database)
        self.erasures = MemoryErasures(self.database)
        self.reviews = MemoryReviews(self.database)
        self.previous = MemoryPreviousOutputs(self.database)
        self.reversions = MemoryReversions(self.database)
        self.outbox = MemoryOutbox(self.database)

    @property
    def catalogue(self) -> Catalogue:
        return Catalogue(
            "default",
            self.source,
            self.outputs,
            self.observations,
            self.deltas,
            self.queue,
            self.items,
            self.failures,
            self.trash,
            self.leases,
            self.run_log,
            self.erasures,
            self.reviews,
            self.previous,
            self.reversions,
        )

    @property
    def accounts(self) -> Accounts:
        clients = {cut.provider: self.others.get(cut.provider, self.remover) for cut in self.recipe.cuts}
        answers = SpooledAnswers(
            clients=clients,
            ledger=self.ledger,
            purchases=self.purchases,
            masters=self.masters,
            spool=self.spool,
            call=self.call,
            report=self._report,
            sleep=self.sleep,
            now=self.clock,
            slots=self.concurrency,
            checks=self.checks,
        )
        removers = {account: self._purchasing(account, client, answers) for account, client in clients.items()}
        stores = (self.spool, self.masters)
        return Accounts(removers, answers, *stores, self.purchases, self.ledger, self.gates, self.retention)

    @property
    def policy(self) -> Policy:
        return Policy(
            recipes=Recipes(self.recipe, self.special),
            thresholds={cut.provider: self.thresholds for cut in self.recipe.cuts},
            vendors={cut.provider: plugin(cut.provider).vendor for cut in self.recipe.cuts},
            concurrency=self.concurrency,
            collection_depth=self.collection_depth,
            hold_in_doubt=self.hold_in_doubt,
            rehash_nights=self.rehash_nights,
            reads_at_once=self.reads_at_once,
            deletes=self.deletes,
            filter=self.filter,
            animated=self.animated,
            keep_masters_days=self.keep_masters_days,
            order=self.order,
            golden=self.golden,
            keep_previous_days=self.keep_previous_days,
            checks=self.checks,
        )

    @property
    def run(self) -> Run:
        name = RunName(f"run {self.runs}", "sync", "a test")
        return Run(name, self.clock, self.stop, self.call, self.progress, self.bytes, self.sleep)

    @property
    def pipeline(self) -> Pipeline:
        alerting = Alerting(self.outbox, self.sink, 0.2, "http://dagster.test")
        stores = {"BG_OUTPUT": self.outputs, "BG_MASTERS": self.masters, "BG_SPOOL": self.spool}
        marked = (MarkedStore(setting, "in memory", store) for setting, store in stores.items() if self.identity)
        identity = Identity(self.identity, "a manifest", tuple(marked))
        return Pipeline(
            self.catalogue,
            self.accounts,
            self.policy,
            self.run,
            alerting,
            MemoryStops(),
            identity,
            Export(format=self.table),
        )

    @property
    def thresholds(self) -> Thresholds:
        return Thresholds(self.low, self.low + 50)

    def _report(self, account: str, error: BgPipelineError | None) -> None:
        report_answer(self.gates, account, error, self.clock)

    def _purchasing(self, account: str, client: FakeRemover, spool: Spool) -> Remover:
        def now() -> float:
            # Time in which sleeping takes none, and which moves with the clock.
            return self.seconds() + sum(self.slept) + self.clock.now

        return purchasing(
            client,
            account,
            plugin(account).vendor,
            ledger=self.ledger,
            gates=self.gates,
            spool=spool,
            rules=Rules(self.thresholds, () if self.day_cap is None else (DayCap(self.day_cap),)),
            ceiling=self.concurrency,
            report=partial(self._report, account),
            time=Time(now, now, self.sleep, lambda: 1.0, self.stop),
        )

    def sleep(self, seconds: float) -> bool:
        self.slept.append(seconds)
        self.while_asleep()
        return self.stop.is_set()

    def claim(self, *keys: str, owner: str = "a test", cap: int | None = None) -> Claim:
        """These items in the hands of one claim, for tests that write to the manifest themselves."""
        budget = Budget(f"run {self.runs}", None if cap is None else Decimal(cap))
        claimed = self.queue.claim_items(Ask(AskedBy.SYNC, budget), owner, dict.fromkeys(keys))
        assert claimed.claim is not None
        assert len(claimed.entries) == len(keys)
        return claimed.claim

    def sync(self, cap: int | None = None, *, collection: str | None = None, **options: Any) -> Synced:
        """One more run of the command line; `options` are fields of its choice, or what `night.sync` takes besides."""
        self.runs += 1
        budget = Budget(f"run {self.runs}", None if cap is None else Decimal(cap))
        chosen = {each.name: options.pop(each.name) for each in fields(Choice) if each.name in options}
        if collection is not None:
            chosen["collections"] = frozenset({collection})
        done = sync(self.pipeline, budget, Choice(**chosen), **options)
        decision, summary = done.decision, done.work.summary
        assert decision is not None, done.joined
        return Synced(done.look.scan, decision.delta, summary, done.work.published, decision.trash, decision.pruned)

    def process(self, cap: int | None = None, scope: Scope | None = None) -> WorkResult:
        """Another run over what is pending; looks at no source."""
        self.runs += 1
        budget = Budget(f"run {self.runs}", None if cap is None else Decimal(cap))
        return work(self.pipeline, Ask(AskedBy.NIGHT, budget), scope or Scope())

    def change_recipe(self, **values: Any) -> None:
        names = {"side_px", "params", "provider", "tools"}
        cut = {k: v for k, v in values.items() if k in names}
        rendition = {k: v for k, v in values.items() if k not in names}
        self.recipe = Recipe((replace(self.recipe.cut, **cut),), replace(self.recipe.rendition, **rendition))
