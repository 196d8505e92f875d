"""A whole pipeline of fakes, for tests of the steps."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from decimal import Decimal

from bg_pipeline.core.credits import Budget, Rules
from bg_pipeline.core.deletes import DeletePolicy
from bg_pipeline.core.gate import Thresholds
from bg_pipeline.core.recipe import Cut, Recipe, Rendition
from bg_pipeline.errors import BgPipelineError
from bg_pipeline.imaging.pictures import Prepared, check, inspect
from bg_pipeline.ports import CutReply, CutRequest, Remover, Silent
from bg_pipeline.providers.limited import Limited, Limiter
from bg_pipeline.providers.metered import Kept, Metered
from bg_pipeline.providers.retrying import Retrying
from bg_pipeline.steps.gate import report
from bg_pipeline.steps.parts import ROOM_BYTES, Alerting, Parts, Room
from bg_pipeline.steps.sync import Synced, sync
from bg_pipeline_tests.fakes import (
    FakeClock,
    FakeRemover,
    FakeSink,
    MemoryControl,
    MemoryDatabase,
    MemoryLedger,
    MemoryManifest,
    MemoryOutbox,
    MemorySource,
    MemoryStore,
)

RECIPE = Recipe((Cut("bgeraser", 2500, surface="tools"),), Rendition())


def call_here(function, *args):  # type: ignore[no-untyped-def]
    """`ports.Call` without a process of its own."""
    return function(*args)


def checked(reply: CutReply, request: CutRequest):  # type: ignore[no-untyped-def]
    """As `wiring` does it."""
    sent = Prepared(request.image, request.media_type, request.width_px, request.height_px)
    return inspect(reply.image) if request.tool else check(reply.image, sent)


@dataclass
class Graph:
    """The fakes by themselves, and the parts made of them."""

    source: MemorySource = field(default_factory=MemorySource)
    remover: FakeRemover = field(default_factory=FakeRemover)
    outputs: MemoryStore = field(default_factory=MemoryStore)
    masters: MemoryStore = field(default_factory=MemoryStore)
    clock: FakeClock = field(default_factory=lambda: FakeClock(tick_s=0.001))
    slept: list[float] = field(default_factory=list)
    while_asleep: Callable[[], object] = lambda: None
    stop: threading.Event = field(default_factory=threading.Event)
    recipe: Recipe = RECIPE
    concurrency: int = 1
    low: Decimal = Decimal(0)
    day_cap: Decimal | None = None
    hold_in_doubt: bool = False
    others: dict[str, FakeRemover] = field(default_factory=dict)
    """By provider, where it is not `remover`."""
    runs: int = 0
    sink: FakeSink = field(default_factory=FakeSink)
    rehash_nights: int = 0
    collection_depth: int = 1
    deletes: DeletePolicy = field(default_factory=DeletePolicy)
    room: Room = field(default_factory=lambda: Room(ROOM_BYTES))

    def __post_init__(self) -> None:
        self.database = MemoryDatabase(self.clock)
        self.manifest = MemoryManifest(self.database)
        self.ledger = MemoryLedger(self.database)
        self.control = MemoryControl(self.database)
        self.outbox = MemoryOutbox(self.database)

    @property
    def parts(self) -> Parts:
        thresholds = Thresholds(self.low, self.low + 50)
        rules = Rules(thresholds, self.day_cap)
        return Parts(
            source=self.source,
            outputs=self.outputs,
            masters=self.masters,
            manifest=self.manifest,
            ledger=self.ledger,
            control=self.control,
            removers={cut.provider: self._wrapped(cut.provider, rules) for cut in self.recipe.cuts},
            call=call_here,
            recipe=self.recipe,
            thresholds=thresholds,
            collection_depth=self.collection_depth,
            concurrency=self.concurrency,
            price=lambda _entry: Decimal(1),
            stage_price=lambda _cut, _pixels: Decimal(1),
            hold_in_doubt=self.hold_in_doubt,
            now=self.clock,
            stop=self.stop,
            alerting=Alerting(self.outbox, self.sink, 0.2, "http://dagster.test"),
            rehash_nights=self.rehash_nights,
            deletes=self.deletes,
            room=self.room,
        )

    def _wrapped(self, provider: str, rules: Rules) -> Remover:
        def told(error: BgPipelineError | None) -> None:
            report(self.control, provider, error, self.clock)

        def now() -> float:
            # Real time, in which sleeping takes none, and which moves with the clock.
            return time.time() + sum(self.slept) + self.clock.now

        metered = Metered(self.others.get(provider, self.remover), provider, self.ledger, rules, told)
        limiter = Limiter(self.control, provider, self.concurrency, now, self.stop)
        kept = Kept(Limited(metered, limiter), self.ledger, self.masters, checked, told)
        return Retrying(kept, self.sleep, lambda: 1.0, now, lambda: self.control.gate(provider).trips)

    def sleep(self, seconds: float) -> bool:
        self.slept.append(seconds)
        self.while_asleep()
        return self.stop.is_set()

    def sync(self, cap: int | None = None, **options: object) -> Synced:
        self.runs += 1
        budget = Budget(f"run {self.runs}", None if cap is None else Decimal(cap))
        return sync(self.parts, "a test", budget, Silent(), **options)  # type: ignore[arg-type]

    def change_recipe(self, **values: object) -> None:
        names = {"max_side_px", "params", "provider", "steps"}
        cut = {k: v for k, v in values.items() if k in names}
        rendition = {k: v for k, v in values.items() if k not in names}
        self.recipe = Recipe((replace(self.recipe.cut, **cut),), replace(self.recipe.rendition, **rendition))  # type: ignore[arg-type]
