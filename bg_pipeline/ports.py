"""
What the steps need from the outside world.

Every port has at least one real part and one fake, and both pass the same suite in
`bg_pipeline_tests/contracts`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol, TypeVar

from bg_pipeline.core.gate import Gate
from bg_pipeline.core.records import (
    Attempt,
    AttemptState,
    Change,
    Entry,
    Lease,
    Listed,
    Master,
    Observation,
    Published,
    RateFacts,
    State,
)

T = TypeVar("T")

Now = Callable[[], float]
"""Epoch seconds."""


class ImageSource(Protocol):
    """The catalogue. Read only."""

    def list(self) -> Iterator[Listed]:
        """
        Every item, in ascending order of `key_bytes`, each key once.

        Raises:
            SourceUnreadable: the listing is not complete. What came before must not be taken for all.
        """
        ...

    def read(self, key: str) -> bytes:
        """
        The bytes of one item as they are now.

        Raises:
            ItemChanged: it is not there any more.
            ItemUnreadable: it is there and cannot be read.
        """
        ...

    def exists(self, key: str) -> bool:
        """
        Whether an item is there, asked for by itself, whatever the listing says.

        Raises:
            SourceUnreadable: nobody can tell. That must never be taken for no.
        """
        ...


class BlobStore(Protocol):
    """Named bytes that are there whole or not at all: outputs and masters."""

    def write(self, name: str, data: bytes) -> None:
        """
        Store durably; replaces what has this name. A reader sees the old bytes or the new, never a part.

        Raises:
            StoreError: nothing was changed.
        """
        ...

    def read(self, name: str) -> bytes | None:
        """The bytes, or None if there are none."""
        ...

    def list(self) -> Iterator[str]:
        """
        All names, in ascending order of `key_bytes`; none with a part that begins with a dot, such as the trash.

        Raises:
            StoreError: the listing is not complete.
        """
        ...

    def remove(self, name: str) -> None:
        """
        Remove the bytes of this name, if there are any.

        Raises:
            StoreError: they are still there.
        """
        ...

    def probe(self) -> None:
        """
        See that it can be written, leaving nothing behind.

        Raises:
            StoreError: it cannot; says why.
        """
        ...

    def sweep(self, older_than: float) -> int:
        """Remove what killed runs left half written before this epoch second; returns how many."""
        ...


@dataclass(frozen=True, slots=True)
class CutRequest:
    """One purchase, ready to be sent."""

    work_id: str
    item_key: str
    image: bytes
    media_type: str
    width_px: int
    height_px: int
    params: Mapping[str, str]
    credits_expected: Decimal
    lease: Lease
    tool: str = ""
    """The vendor's further tool that is asked for; empty for the cut itself."""
    sent_digest: str = ""
    cut_hash: str = ""


@dataclass(frozen=True, slots=True)
class CutReply:
    """What the provider sent back, unchecked but for being the whole body."""

    image: bytes
    credits_charged: Decimal
    request_id: str = ""
    rate: RateFacts | None = None


class Remover(Protocol):
    """A service, or an engine on this machine, that removes a background."""

    def cut(self, request: CutRequest) -> CutReply:
        """
        Raises:
            ItemRejected, TransientError, OutcomeUnknown, UnusableAnswer, AccountError: see `errors`.
        """
        ...

    def balance(self) -> Decimal | None:
        """
        Credits left; None where nothing is counted.

        Raises:
            TransientError, AccountError: it could not be read.
        """
        ...


class Manifest(Protocol):
    """What every item's published cutout was made from."""

    def observations(self) -> Iterator[Observation]:
        """What the last complete scan left present, in ascending order of `key_bytes`."""
        ...

    def observe(self, batch: Sequence[Observation]) -> None:
        """Remember what was hashed; touches neither state nor what is published."""
        ...

    def mark_absent(self, keys: Sequence[str]) -> None:
        """The last complete listing did not have them."""
        ...

    def entries(self) -> Iterator[Entry]:
        """Every item ever seen, in ascending order of `key_bytes`."""
        ...

    def entry(self, key: str) -> Entry | None: ...

    def published_names(self) -> Iterator[tuple[str, str]]:
        """(output name, key) of all that is on show, in ascending order of the name's bytes."""
        ...

    def carriers(self, work_ids: Sequence[str]) -> dict[str, str]:
        """Work id to the first listed key that is published from it."""
        ...

    def taken(self, folded_stems: Sequence[str]) -> set[str]:
        """Which of these output stems belong to an item."""
        ...

    def record_delta(self, changes: Sequence[Change]) -> None:
        """Make work pending, mark what is gone or skipped. All of it or nothing."""
        ...

    def pending(self, collection: str, reasons: frozenset[str] | None = None) -> list[Entry]:
        """Items of a collection that a delta left to be done, in key order."""
        ...

    def pending_collections(self, reasons: frozenset[str] | None = None) -> dict[str, int]:
        """Collections with pending work, and how much."""
        ...

    def collections(self) -> dict[str, int]:
        """Every collection that has listed items, and how many."""
        ...

    def publish(self, key: str, published: Published, lease: Lease) -> None:
        """
        Raises:
            LeaseLost: another run owns the collection; nothing was written.
        """
        ...

    def set_state(self, key: str, state: State, detail: str, work_id: str, lease: Lease) -> None:
        """
        Raises:
            LeaseLost: another run owns the collection; nothing was written.
        """
        ...

    def forget_hash(self, key: str) -> None:
        """Have the next scan hash it again."""
        ...

    def retry(self, collection: str | None, keys: Sequence[str] = ()) -> list[str]:
        """Make failed items pending again; returns which."""
        ...

    def recent(self, collection: str, limit: int) -> list[Entry]:
        """Items of a collection that were published, failed or quarantined last, newest first."""
        ...

    def in_state(self, state: State) -> list[Entry]: ...

    def states(self) -> dict[str, int]:
        """How many items are in each state."""
        ...


class Ledger(Protocol):
    """Every attempt to buy, and what came of it."""

    def bought(self, work_ids: Sequence[str]) -> set[str]:
        """Which of these have a master."""
        ...

    def master(self, work_id: str) -> Master | None: ...

    def open_attempt(self, work_id: str, provider: str, credits_expected: Decimal, lease: Lease) -> int:
        """
        Write down that a POST is about to be sent. Durable when this returns.

        Raises:
            LeaseLost: another run owns the collection.
            LeaseHeld: another run has an open attempt for the same work, or has bought it meanwhile.
        """
        ...

    def close_attempt(
        self, attempt_id: int, state: AttemptState, credits_charged: Decimal, detail: str = ""
    ) -> None: ...

    def keep_master(self, master: Master, attempt_id: int, credits_charged: Decimal) -> None:
        """The bytes are stored: record them and close the attempt as charged, in one step."""
        ...

    def forget_master(self, work_id: str) -> None:
        """Its bytes are damaged: it may be bought again."""
        ...

    def charges(self, work_id: str) -> int:
        """Attempts for this work that were, or may have been, charged."""
        ...

    def open_attempts(self, collection: str) -> list[Attempt]:
        """Attempts that a run of this collection began and never ended."""
        ...

    def attempts(self, work_id: str) -> list[Attempt]:
        """Oldest first."""
        ...

    def spent_since(self, since: float) -> Decimal: ...


class Control(Protocol):
    """Leases, gates, and the log of syncs."""

    def acquire(self, name: str, owner: str, ttl_s: float) -> Lease:
        """
        Raises:
            LeaseHeld: says by whom and until when.
        """
        ...

    def heartbeat(self, lease: Lease, ttl_s: float) -> None:
        """
        Raises:
            LeaseLost: it expired and somebody else has it.
        """
        ...

    def release(self, lease: Lease) -> None: ...

    def leases(self) -> list[tuple[Lease, float]]:
        """Leases held now, each with the epoch second at which it ends."""
        ...

    def gate(self, provider: str) -> Gate: ...

    def set_gate(self, gate: Gate) -> None: ...

    def log_sync(self, kind: str, started_at: float, facts: Mapping[str, Any]) -> None:
        """Remember a finished detection or sync."""
        ...

    def syncs(self, kind: str, since: float = 0.0, limit: int = 1) -> list[tuple[float, dict[str, Any]]]:
        """Epoch second of the end and facts of those that ended since then, newest first."""
        ...


class Call(Protocol):
    """Runs a function of `imaging` where it can do no harm."""

    def __call__(self, function: Callable[..., T], *args: Any) -> T:
        """
        Raises:
            ItemUnreadable: it crashed, or used more time or memory than it may.
        """
        ...


class Progress(Protocol):
    """Somebody who wants to see how far a step is."""

    def start(self, what: str, total: int | None) -> None: ...

    def step(self, count: int = 1) -> None: ...

    def done(self) -> None: ...


class Silent:
    """The progress of a step that nobody watches."""

    def start(self, what: str, total: int | None) -> None:
        pass

    def step(self, count: int = 1) -> None:
        pass

    def done(self) -> None:
        pass
