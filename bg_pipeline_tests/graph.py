"""A whole pipeline of fakes, for tests of the steps."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from decimal import Decimal

from bg_pipeline.core.credits import Budget
from bg_pipeline.core.deletes import DeletePolicy
from bg_pipeline.core.gate import Thresholds
from bg_pipeline.core.recipe import Cut, Recipe, Rendition
from bg_pipeline.imaging.pictures import Prepared, check
from bg_pipeline.ports import CutReply, CutRequest, Silent
from bg_pipeline.providers.limited import Limited
from bg_pipeline.providers.metered import Metered
from bg_pipeline.providers.retrying import Retrying
from bg_pipeline.steps.gate import require_open
from bg_pipeline.steps.parts import Parts
from bg_pipeline.steps.sync import Synced, sync
from bg_pipeline_tests.fakes import (
    FakeClock,
    FakeRemover,
    MemoryControl,
    MemoryDatabase,
    MemoryLedger,
    MemoryManifest,
    MemorySource,
    MemoryStore,
)

RECIPE = Recipe((Cut("bgeraser", 2500),), Rendition())


def call_here(function, *args):  # type: ignore[no-untyped-def]
    """`ports.Call` without a process of its own."""
    return function(*args)


def checked(reply: CutReply, request: CutRequest):  # type: ignore[no-untyped-def]
    """As `wiring` does it."""
    return check(reply.image, Prepared(request.image, request.media_type, request.width_px, request.height_px))


@dataclass
class Graph:
    """The fakes by themselves, and the parts made of them."""

    source: MemorySource = field(default_factory=MemorySource)
    remover: FakeRemover = field(default_factory=FakeRemover)
    outputs: MemoryStore = field(default_factory=MemoryStore)
    masters: MemoryStore = field(default_factory=MemoryStore)
    clock: FakeClock = field(default_factory=FakeClock)
    slept: list[float] = field(default_factory=list)
    while_asleep: Callable[[], object] = lambda: None
    stop: threading.Event = field(default_factory=threading.Event)
    recipe: Recipe = RECIPE
    concurrency: int = 1
    low: Decimal = Decimal(0)
    rehash_nights: int = 0
    collection_depth: int = 1
    deletes: DeletePolicy = field(default_factory=DeletePolicy)

    def __post_init__(self) -> None:
        self.database = MemoryDatabase(self.clock)
        self.manifest = MemoryManifest(self.database)
        self.ledger = MemoryLedger(self.database)
        self.control = MemoryControl(self.database)

    @property
    def parts(self) -> Parts:
        thresholds = Thresholds(self.low, self.low + 50)

        def ask_gate() -> None:
            require_open(self.control, "bgeraser", thresholds)

        metered = Metered(Limited(self.remover, 8), "bgeraser", self.ledger, self.masters, checked, ask_gate)
        return Parts(
            source=self.source,
            outputs=self.outputs,
            masters=self.masters,
            manifest=self.manifest,
            ledger=self.ledger,
            control=self.control,
            remover=Retrying(metered, sleep=self.sleep, jitter=lambda: 1.0),
            call=call_here,
            recipe=self.recipe,
            thresholds=thresholds,
            collection_depth=self.collection_depth,
            concurrency=self.concurrency,
            price=lambda _entry: Decimal(1),
            now=self.clock,
            stop=self.stop,
            rehash_nights=self.rehash_nights,
            deletes=self.deletes,
        )

    def sleep(self, seconds: float) -> bool:
        self.slept.append(seconds)
        self.while_asleep()
        return self.stop.is_set()

    def sync(self, cap: int | None = None, **options: object) -> Synced:
        budget = Budget(None if cap is None else Decimal(cap))
        return sync(self.parts, "a test", budget, Silent(), **options)  # type: ignore[arg-type]

    def change_recipe(self, **values: object) -> None:
        names = {"max_side_px", "params", "provider"}
        cut = {k: v for k, v in values.items() if k in names}
        rendition = {k: v for k, v in values.items() if k not in names}
        self.recipe = Recipe((replace(self.recipe.cut, **cut),), replace(self.recipe.rendition, **rendition))  # type: ignore[arg-type]
