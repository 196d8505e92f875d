"""What the steps work with, and the lease under which they do."""

import contextlib
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal

from bg_pipeline.core.deletes import DeletePolicy
from bg_pipeline.core.gate import Thresholds
from bg_pipeline.core.recipe import Cut, Recipe
from bg_pipeline.core.records import Entry, Lease
from bg_pipeline.errors import BgPipelineError, LeaseLost
from bg_pipeline.ports import (
    AlertSink,
    BlobStore,
    Call,
    Control,
    ImageSource,
    Ledger,
    Manifest,
    Now,
    Outbox,
    Remover,
)

LEASE_S = 120.0
"""A holder that misses three heartbeats is taken for dead."""


@dataclass(frozen=True, slots=True)
class Alerting:
    """Who is told what is wrong, and how."""

    outbox: Outbox
    sink: AlertSink
    failure_rate: float
    """Share of failed items above which somebody is told."""
    ui_url: str
    """Dagster's UI, for links; empty where there is none."""


class Streaks:
    """Purchases in a row that brought nothing usable, by provider: of all lanes and collections of a process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._useless: Counter[str] = Counter()

    def useless(self, provider: str) -> int:
        """One more; returns how many they are."""
        with self._lock:
            self._useless[provider] += 1
            return self._useless[provider]

    def served(self, provider: str) -> None:
        with self._lock:
            self._useless[provider] = 0


ROOM_BYTES = 20 * 2**20
"""Originals that lanes may hold for each decoder. More would only wait for it, with their answers in memory too."""


class Room:
    """How many bytes of originals the lanes of all collections of a process may hold at once; one at any size."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._held = 0
        self._changed = threading.Condition()

    @contextmanager
    def holding(self, size_bytes: int) -> Iterator[None]:
        """Waits until there is room."""
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
class Parts:
    """The object graph that `wiring` chose."""

    source: ImageSource
    outputs: BlobStore
    masters: BlobStore
    manifest: Manifest
    ledger: Ledger
    control: Control
    removers: Mapping[str, Remover]
    """By provider: one for each of the recipe's cuts."""
    call: Call
    recipe: Recipe
    thresholds: Thresholds
    collection_depth: int
    concurrency: int
    price: Callable[[Entry], Decimal]
    """Credits for the whole work of an item, at the most: nobody has looked at the picture yet."""
    stage_price: Callable[[Cut, int], Decimal]
    """Credits for one purchase: the last stage of a cut, for so many pixels."""
    hold_in_doubt: bool
    """What may have been charged already is not bought again unasked."""
    now: Now
    stop: threading.Event
    """Set to end gracefully: what is in flight is finished and kept, nothing new is begun."""
    alerting: Alerting
    rehash_nights: int = 0
    """In how many nights the whole catalogue is hashed once, whatever it looks like; 0 for never."""
    back_up: Callable[[], object] = lambda: None
    """Keeps a copy of the manifest, where it is a file."""
    room: Room = field(default_factory=lambda: Room(ROOM_BYTES))
    deletes: DeletePolicy = field(default_factory=DeletePolicy)
    streaks: Streaks = field(default_factory=Streaks)

    @property
    def provider(self) -> str:
        """The first choice."""
        return self.recipe.cut.provider

    @property
    def providers(self) -> tuple[str, ...]:
        return tuple(cut.provider for cut in self.recipe.cuts)


@contextmanager
def leased(parts: Parts, name: str, owner: str) -> Iterator[Lease]:
    """
    Hold a lease and keep it alive. Whether it was lost all the same, the next write under it will tell.

    Raises:
        LeaseHeld: somebody else holds it.
    """
    lease = parts.control.acquire(name, owner, LEASE_S)
    done = threading.Event()

    def beat() -> None:
        while not done.wait(LEASE_S / 3):
            # A lost lease has nothing to prolong; a busy database is less busy at the next beat.
            with contextlib.suppress(BgPipelineError):
                parts.control.heartbeat(lease, LEASE_S)

    heart = threading.Thread(target=beat, name=f"lease {name}", daemon=True)
    heart.start()
    try:
        yield lease
    finally:
        done.set()
        heart.join()
        with contextlib.suppress(LeaseLost):
            parts.control.release(lease)
