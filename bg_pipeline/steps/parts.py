"""What the steps work with, and the lease under which they do."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal

from bg_pipeline.core.gate import Thresholds
from bg_pipeline.core.recipe import Recipe
from bg_pipeline.core.records import Entry, Lease
from bg_pipeline.errors import BgPipelineError, LeaseLost
from bg_pipeline.ports import BlobStore, Call, Control, ImageSource, Ledger, Manifest, Now, Remover

LEASE_S = 120.0
"""A holder that misses three heartbeats is taken for dead."""


@dataclass(frozen=True, slots=True)
class Parts:
    """The object graph that `wiring` chose."""

    source: ImageSource
    outputs: BlobStore
    masters: BlobStore
    manifest: Manifest
    ledger: Ledger
    control: Control
    remover: Remover
    call: Call
    recipe: Recipe
    thresholds: Thresholds
    collection_depth: int
    concurrency: int
    price: Callable[[Entry], Decimal]
    now: Now
    stop: threading.Event
    """Set to end gracefully: what is in flight is finished and kept, nothing new is begun."""

    @property
    def provider(self) -> str:
        return self.recipe.cut.provider


@contextmanager
def leased(parts: Parts, name: str, owner: str) -> Iterator[tuple[Lease, threading.Event]]:
    """
    Hold a lease and keep it alive; the event is set when it was lost all the same.

    Raises:
        LeaseHeld: somebody else holds it.
    """
    lease = parts.control.acquire(name, owner, LEASE_S)
    done, lost = threading.Event(), threading.Event()

    def beat() -> None:
        while not done.wait(LEASE_S / 3):
            try:
                parts.control.heartbeat(lease, LEASE_S)
            except LeaseLost:
                lost.set()
                return
            except BgPipelineError:
                continue  # a busy database: the next beat is in time

    heart = threading.Thread(target=beat, name=f"lease {name}", daemon=True)
    heart.start()
    try:
        yield lease, lost
    finally:
        done.set()
        heart.join()
        if not lost.is_set():
            parts.control.release(lease)
