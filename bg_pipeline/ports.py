"""
What the steps need from the outside world.

Every port has at least one real part and one fake, and both pass the same suite in
`bg_pipeline_tests/contracts`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol, TypeVar

from bg_pipeline.core.alerts import Decision, Episode, Letter, Notice, Target
from bg_pipeline.core.credits import Budget, Rules
from bg_pipeline.core.gate import Gate
from bg_pipeline.core.recipe import Recipe
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
    Totals,
)

T = TypeVar("T")

Now = Callable[[], float]
"""Epoch seconds."""


Landmarks = Callable[[int], Sequence[str]]
"""Every so-manieth key that the last listing had, in order."""


def no_landmarks(_every: int) -> Sequence[str]:
    """Nobody knows what to expect."""
    return ()


class ImageSource(Protocol):
    """The catalogue. Read only."""

    def list(self, landmarks: Landmarks = no_landmarks) -> Iterator[Listed]:
        """
        Every item, in ascending order of `key_bytes`, each key once.

        Args:
            landmarks: where a source that can may begin to list in several places at once.

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

    def check(self, name: str) -> None:
        """
        See that bytes can have this name, before they are paid for.

        Raises:
            ItemError: they cannot, here.
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
    budget: Budget
    cut_hash: str = ""
    sent_digest: str = ""
    """SHA-256 of `image`."""
    tool: str = ""
    """The vendor's further tool that is asked for; empty for the cut itself."""


@dataclass(frozen=True, slots=True)
class CutReply:
    """What the provider sent back, unchecked but for being the whole body."""

    image: bytes
    credits_charged: Decimal
    request_id: str = ""
    rate: RateFacts | None = None
    attempt: int | None = None
    """Its number on the ledger, once it is on one."""


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

    def observations(self) -> Iterator[tuple[bytes, str, bytes]]:
        """
        Key, evidence and collection of what the last complete scan left present, in ascending order of the key.

        Keys and collections as `key_bytes`: the merge compares bytes, and most rows need nothing else.
        """
        ...

    def landmarks(self, every: int) -> Sequence[str]:
        """Every so-manieth of these keys."""
        ...

    def observe(self, batch: Sequence[Observation]) -> None:
        """Remember what was hashed; touches neither state nor what is published."""
        ...

    def regroup(self, collections: Mapping[str, str]) -> None:
        """Give keys another collection; changes nothing else."""
        ...

    def mark_absent(self, keys: Sequence[str]) -> None:
        """The last complete listing is the first that did not have them."""
        ...

    def entries(self) -> Iterator[Entry]:
        """Every item ever seen, in ascending order of `key_bytes`."""
        ...

    def settled(self, recipe: Recipe) -> int:
        """How many items are as `core.delta.is_settled` wants them."""
        ...

    def unsettled(self, recipe: Recipe) -> Iterator[Entry]:
        """All others in ascending order of `key_bytes`, but for those that are gone and marked as deleted."""
        ...

    def some(self, keys: Sequence[str]) -> list[Entry]:
        """Those of these keys that are known, in key order if the keys are."""
        ...

    def entry(self, key: str) -> Entry | None: ...

    def published_names(self) -> Iterator[tuple[str, str]]:
        """(output name, key) of all that is on show, in ascending order of the name's bytes."""
        ...

    def carriers(self, work_ids: Sequence[str]) -> dict[str, str]:
        """Work id to the first listed key that is published from it."""
        ...

    def taken(self, folded_stems: Sequence[str]) -> set[str]:
        """Which of these output stems belong to an item that is not gone."""
        ...

    def record_delta(self, changes: Sequence[Change]) -> None:
        """
        Make work pending, mark what is gone or skipped. All of it or nothing.

        A stem that is given to an item is taken from the item that is gone and had it.
        """
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

    def gone(self, since: float) -> list[Entry]:
        """Items with a cutout on show that no complete listing had since this epoch second, in key order."""
        ...

    def on_show(self, output_name: str) -> bool:
        """Whether a listed item has a cutout of this name."""
        ...

    def begin_trash(self, key: str, trash_name: str) -> None:
        """The cutout of an item is about to be moved there."""
        ...

    def take_off_show(self, key: str) -> None:
        """There is no cutout of it under its name any more."""
        ...

    def in_trash(self, before: float | None = None) -> list[Entry]:
        """Items whose cutout was moved to the trash, before that epoch second if one is given, in key order."""
        ...

    def end_trash(self, key: str, output_name: str | None = None) -> None:
        """Its cutout is in the trash no more: thrown away, or put back to stay under this name."""
        ...

    def in_state(self, state: State) -> list[Entry]: ...

    def states(self) -> dict[str, int]:
        """How many items are in each state."""
        ...

    def spoil(self, key: str, output_digest: str) -> bool:
        """
        Make an item pending whose output is not what was published: it is made again from its master.

        Returns:
            False if it was published anew meanwhile, or waits already; nothing was changed then.
        """
        ...

    def end_quarantine(self, work_id: str, state: State, detail: str) -> list[str]:
        """Give the quarantined items of one work another state; returns which, in key order."""
        ...

    def keep_stems(self, stems: Mapping[str, str]) -> None:
        """Give items that have no output name yet the one that they had before the manifest was lost."""
        ...


class Ledger(Protocol):
    """Every attempt to buy, and what came of it."""

    def bought(self, work_ids: Sequence[str]) -> set[str]:
        """Which of these have a master."""
        ...

    def master(self, work_id: str) -> Master | None: ...

    def twin(self, sent_digest: str, cut_hash: str) -> Master | None:
        """The master that was bought with the very same bytes, whatever file they came from."""
        ...

    def open_attempt(self, request: CutRequest, provider: str, rules: Rules) -> int:
        """
        Decide by `core.credits.decide` whether this may be bought, and write down that a POST is about to be sent,
        in one step. Durable when this returns. A gate that the decision closes is closed for everybody.

        Raises:
            LeaseLost: another run owns the collection.
            LeaseHeld: another run is buying the same work or the same bytes, or has bought it meanwhile.
            GateClosed, BudgetReached, ItemRejected: it may not be bought.
        """
        ...

    def close_attempt(
        self,
        attempt_id: int,
        state: AttemptState,
        credits_charged: Decimal,
        detail: str = "",
        answer: str = "",
        request_id: str = "",
    ) -> None:
        """What became of it; `answer` is what the service sent, scrubbed and capped."""
        ...

    def keep_master(
        self, master: Master, attempt_id: int | None, credits_charged: Decimal, request_id: str = ""
    ) -> None:
        """The bytes are stored: record them and close the attempt, if there was one, as charged, in one step."""
        ...

    def forget_master(self, work_id: str) -> None:
        """Its bytes are damaged: it may be bought again."""
        ...

    def charges(self, work_id: str) -> int:
        """Attempts for this work that were, or may have been, charged."""
        ...

    def open_attempts(self, lease_name: str | None = None) -> list[Attempt]:
        """Attempts that were begun under this lease, or any, and never ended."""
        ...

    def attempts(self, work_id: str) -> list[Attempt]:
        """Oldest first."""
        ...

    def spent(self, since: float, provider: str | None = None) -> Decimal:
        """Credits that were charged, may have been charged, or are in flight, since then; in flight counts always."""
        ...

    def totals(self, since: float, until: float, provider: str | None = None) -> dict[AttemptState, Totals]:
        """The attempts that began between the two epoch seconds, by what became of them."""
        ...

    def log(self, since: float, run: str | None = None) -> Iterator[Attempt]:
        """Attempts that began since then, oldest first."""
        ...

    def masters(self) -> Iterator[Master]:
        """Every one on record, in ascending order of its work id."""
        ...

    def adopt_master(self, master: Master) -> bool:
        """Record what is stored and was paid for, though no attempt tells of it; False if its work has a master."""
        ...

    def approve_master(self, work_id: str) -> None:
        """A person looked at it: it is under no suspicion any more."""
        ...


class Control(Protocol):
    """Leases, gates, the limits of accounts, and the log of syncs."""

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

    def check(self, lease: Lease) -> None:
        """
        Raises:
            LeaseLost: somebody else has it.
        """
        ...

    def release(self, lease: Lease) -> None: ...

    def leases(self) -> list[tuple[Lease, float]]:
        """Leases held now, each with the epoch second at which it ends."""
        ...

    def gate(self, provider: str) -> Gate: ...

    def change_gate(self, provider: str, change: Callable[[Gate], Gate]) -> Gate:
        """Move the gate by a pure function of what it is at that moment; returns it as it is then."""
        ...

    def limits(self, provider: str) -> Mapping[str, Any] | None:
        """What was learned of an account's limits, and what is in flight; None before the first request."""
        ...

    def change_limits(self, provider: str, change: Callable[[Mapping[str, Any] | None], Mapping[str, Any]]) -> None:
        """Read, change and write in one step: nobody else comes in between."""
        ...

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


class Outbox(Protocol):
    """Episodes, and notices on their way to each target: what is in it survives any process."""

    def note(self, decide: Callable[[Sequence[Episode]], Decision], targets: Sequence[str]) -> Decision:
        """
        Have it decided over the open episodes, and keep the new ones together with a letter a notice and target.

        All in one step, in which nobody else decides.
        """
        ...

    def claim(self, target: str, for_s: float) -> Letter | None:
        """
        The oldest letter to this target, if it is due; the next only after that one has ended.

        Nobody else gets it for so many seconds.
        """
        ...

    def settle(self, letter: Letter, took_it: bool, wait_s: float, detail: str = "") -> None:
        """Taken: it has ended. If not, it is due again after so many seconds."""
        ...

    def give_up(self, made_before: float) -> int:
        """End what waits for longer, on record; returns how many."""
        ...

    def backlog(self) -> dict[str, tuple[int, int]]:
        """Target to letters that wait and letters that were given up; targets without either are left out."""
        ...


class AlertSink(Protocol):
    """Those who are told."""

    @property
    def targets(self) -> Sequence[Target]: ...

    def send(self, target: Target, notice: Notice) -> bool:
        """Whether the target took it, as far as it says. Raises nothing, and comes back within seconds."""
        ...
