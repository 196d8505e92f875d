"""Fakes of every port, typed by the protocols and held to the same contract suites as the real parts."""

import itertools
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from bg_pipeline.core.delta import WORK_REASONS
from bg_pipeline.core.gate import Gate
from bg_pipeline.core.keys import fold, key_bytes
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
    Reason,
    State,
)
from bg_pipeline.errors import (
    ItemChanged,
    ItemUnreadable,
    LeaseHeld,
    LeaseLost,
    SourceUnreadable,
    StoreError,
)
from bg_pipeline.ports import CutReply, CutRequest
from bg_pipeline_tests.pictures import cutout_of


class FakeClock:
    """Time that moves when told to."""

    def __init__(self, now: float = 1_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class MemorySource:
    """A catalogue in a dictionary; `unreadable` keys are listed and cannot be read, `hidden` ones the other way."""

    def __init__(self, files: dict[str, bytes] | None = None) -> None:
        self.files = dict(files or {})
        self.unreadable: set[str] = set()
        self.unsettled: set[str] = set()
        self.modified_at: dict[str, float] = {}
        self.hidden: set[str] = set()
        self.fail_after: int | None = None
        self.reads: list[str] = []
        self.versions: dict[str, int] = {}

    def put(self, key: str, data: bytes) -> None:
        self.files[key] = data
        self.versions[key] = self.versions.get(key, 0) + 1

    def list(self) -> Iterator[Listed]:
        for count, key in enumerate(sorted(set(self.files) - self.hidden, key=key_bytes)):
            if count == self.fail_after:
                raise SourceUnreadable("the listing broke off")
            yield Listed(
                key,
                f"v{self.versions.get(key, 0)}",
                len(self.files[key]),
                settled=key not in self.unsettled,
                modified_at=self.modified_at.get(key),
            )

    def exists(self, key: str) -> bool:
        return key in self.files

    def read(self, key: str) -> bytes:
        self.reads.append(key)
        if key in self.unreadable:
            raise ItemUnreadable("cannot be read: Permission denied")
        if key not in self.files:
            raise ItemChanged(f"{key} is not there any more")
        return self.files[key]


class MemoryStore:
    """Blobs in a dictionary; `full` makes writing fail."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.full = False
        self.writes: list[str] = []

    def write(self, name: str, data: bytes) -> None:
        if ".." in name.split("/"):
            raise StoreError(f"{name!r} would lie outside")
        if self.full:
            raise StoreError("No space left on device")
        self.writes.append(name)
        self.blobs[name] = data

    def read(self, name: str) -> bytes | None:
        return self.blobs.get(name)

    def list(self) -> Iterator[str]:
        hidden = (name for name in self.blobs if not any(part.startswith(".") for part in name.split("/")))
        yield from sorted(hidden, key=key_bytes)

    def remove(self, name: str) -> None:
        self.blobs.pop(name, None)

    def probe(self) -> None:
        if self.full:
            raise StoreError("No space left on device")

    def sweep(self, older_than: float) -> int:
        return 0


class FakeRemover:
    """
    Cuts at once, and counts. A script tells what each call does: an exception to raise, bytes to answer, or None
    to cut as usual; calls beyond its end are as usual.
    """

    def __init__(
        self, script: Sequence[BaseException | bytes | None] = (), credits_left: Decimal | None = None
    ) -> None:
        self._script = iter(script)
        self.credits_left = credits_left
        self.requests: list[CutRequest] = []
        self.before: Callable[[CutRequest], None] = lambda _request: None
        self._lock = threading.Lock()

    def cut(self, request: CutRequest) -> CutReply:
        with self._lock:
            self.requests.append(request)
            step = next(self._script, None)
        self.before(request)
        if isinstance(step, BaseException):
            raise step
        if self.credits_left is not None:
            self.credits_left -= request.credits_expected
        return CutReply(step if step is not None else cutout_of(request.image), request.credits_expected)

    def balance(self) -> Decimal | None:
        return self.credits_left


class MemoryDatabase:
    """What the three fakes below share, as the real ones share a database."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self.entries: dict[str, Entry] = {}
        self.evidence: dict[str, str] = {}
        self.changed_at: dict[str, float] = {}
        self.masters: dict[str, Master] = {}
        self.attempts: dict[int, tuple[Attempt, str]] = {}
        self.leases: dict[str, tuple[Lease, float]] = {}
        self.gates: dict[str, Gate] = {}
        self.syncs: list[tuple[str, float, dict[str, Any]]] = []
        self.ids = itertools.count(1)
        self.lock = threading.RLock()

    def check_fence(self, lease: Lease) -> None:
        if self.leases[lease.name][0].token != lease.token:
            raise LeaseLost(f"another run took over {lease.name!r}")


class MemoryManifest:
    """`ports.Manifest` in dictionaries."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._db = database

    def _sorted(self) -> list[Entry]:
        return sorted(self._db.entries.values(), key=lambda e: key_bytes(e.key))

    def _update(self, key: str, **values: Any) -> None:
        self._db.entries[key] = replace(self._db.entries[key], **values)
        self._db.changed_at[key] = self._db.now()

    def observations(self) -> Iterator[Observation]:
        for e in self._sorted():
            if not e.absent:
                evidence = self._db.evidence[e.key]
                yield Observation(e.key, e.collection, evidence, e.content_hash, e.size_bytes, e.media_type)

    def observe(self, batch: Sequence[Observation]) -> None:
        for o in batch:
            known = self._db.entries.get(o.key) or Entry(o.key, o.collection, "", "", State.PENDING)
            self._db.entries[o.key] = replace(
                known,
                collection=o.collection,
                content_hash=o.content_hash,
                size_bytes=o.size_bytes,
                media_type=o.media_type,
                absent=False,
            )
            self._db.evidence[o.key] = o.evidence

    def mark_absent(self, keys: Sequence[str]) -> None:
        for key in keys:
            self._db.entries[key] = replace(self._db.entries[key], absent=True)

    def entries(self) -> Iterator[Entry]:
        yield from self._sorted()

    def entry(self, key: str) -> Entry | None:
        return self._db.entries.get(key)

    def published_names(self) -> Iterator[tuple[str, str]]:
        names = [(e.published.output_name, e.key) for e in self._sorted() if e.published and not e.absent]
        yield from sorted(names, key=lambda n: key_bytes(n[0]))

    def carriers(self, work_ids: Sequence[str]) -> dict[str, str]:
        found: dict[str, str] = {}
        for e in self._sorted():
            if e.published and e.published.work_id in work_ids and e.state is State.PUBLISHED and not e.absent:
                found.setdefault(e.published.work_id, e.key)
        return found

    def taken(self, folded_stems: Sequence[str]) -> set[str]:
        return {fold(e.stem) for e in self._sorted() if e.stem} & set(folded_stems)

    def record_delta(self, changes: Sequence[Change]) -> None:
        for c in changes:
            if c.becomes is not None:
                stem = c.stem or self._db.entries[c.key].stem
                self._update(c.key, state=c.becomes, reason=c.reason, detail=c.because, work_id=c.work_id, stem=stem)
            if c.renamed_from:
                gone = f"renamed to {c.key}"
                self._update(c.renamed_from, state=State.DELETED, reason=Reason.DELETED, detail=gone)

    def _pending(self, reasons: frozenset[str] | None) -> list[Entry]:
        wanted = WORK_REASONS if reasons is None else reasons
        return [e for e in self._sorted() if e.state is State.PENDING and e.reason in wanted]

    def pending(self, collection: str, reasons: frozenset[str] | None = None) -> list[Entry]:
        return [e for e in self._pending(reasons) if e.collection == collection]

    def pending_collections(self, reasons: frozenset[str] | None = None) -> dict[str, int]:
        found: dict[str, int] = {}
        for e in sorted(self._pending(reasons), key=lambda e: key_bytes(e.collection)):
            found[e.collection] = found.get(e.collection, 0) + 1
        return found

    def collections(self) -> dict[str, int]:
        listed = [e.collection for e in self._sorted() if not e.absent]
        return {name: listed.count(name) for name in sorted(listed, key=key_bytes)}

    def publish(self, key: str, published: Published, lease: Lease) -> None:
        with self._db.lock:
            self._db.check_fence(lease)
            self._update(key, state=State.PUBLISHED, work_id=published.work_id, published=published)

    def set_state(self, key: str, state: State, detail: str, work_id: str, lease: Lease) -> None:
        with self._db.lock:
            self._db.check_fence(lease)
            self._update(key, state=state, detail=detail, work_id=work_id)

    def forget_hash(self, key: str) -> None:
        self._db.evidence[key] = ""

    def retry(self, collection: str | None, keys: Sequence[str] = ()) -> list[str]:
        again = [
            e.key
            for e in self._sorted()
            if e.state is State.FAILED
            and not e.absent
            and collection in {None, e.collection}
            and (not keys or e.key in keys)
        ]
        for key in again:
            self._update(key, state=State.PENDING, reason=Reason.UNFINISHED, detail="tried again")
        return again

    def recent(self, collection: str, limit: int) -> list[Entry]:
        ended = {State.PUBLISHED, State.FAILED, State.QUARANTINED}
        found = [e for e in self._sorted() if e.collection == collection and e.state in ended]
        return sorted(found, key=lambda e: -self._db.changed_at[e.key])[:limit]

    def in_state(self, state: State) -> list[Entry]:
        return [e for e in self._sorted() if e.state is state]

    def states(self) -> dict[str, int]:
        return {state.value: len(self.in_state(state)) for state in State}


class MemoryLedger:
    """`ports.Ledger` in dictionaries."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._db = database

    def bought(self, work_ids: Sequence[str]) -> set[str]:
        return set(work_ids) & set(self._db.masters)

    def master(self, work_id: str) -> Master | None:
        return self._db.masters.get(work_id)

    def open_attempt(self, work_id: str, provider: str, credits_expected: Decimal, lease: Lease) -> int:
        with self._db.lock:
            self._db.check_fence(lease)
            if any(a.work_id == work_id and a.state is AttemptState.INTENT for a, _ in self._db.attempts.values()):
                raise LeaseHeld("another run is buying the same picture at this moment")
            if work_id in self._db.masters:
                raise LeaseHeld("another run has bought the same picture meanwhile")
            number = next(self._db.ids)
            opened = Attempt(
                number, work_id, provider, AttemptState.INTENT, credits_expected, Decimal(0), self._db.now()
            )
            self._db.attempts[number] = (opened, lease.name)
            return number

    def close_attempt(self, attempt_id: int, state: AttemptState, credits_charged: Decimal, detail: str = "") -> None:
        opened, lease_name = self._db.attempts[attempt_id]
        closed = replace(opened, state=state, credits_charged=credits_charged, detail=detail)
        self._db.attempts[attempt_id] = (closed, lease_name)

    def keep_master(self, master: Master, attempt_id: int, credits_charged: Decimal) -> None:
        self._db.masters[master.work_id] = master
        self.close_attempt(attempt_id, AttemptState.CHARGED, credits_charged)

    def forget_master(self, work_id: str) -> None:
        self._db.masters.pop(work_id, None)

    def charges(self, work_id: str) -> int:
        maybe = {AttemptState.CHARGED, AttemptState.UNUSABLE, AttemptState.IN_DOUBT}
        return sum(a.state in maybe for a in self.attempts(work_id))

    def open_attempts(self, collection: str) -> list[Attempt]:
        return [a for a, name in self._db.attempts.values() if name == collection and a.state is AttemptState.INTENT]

    def attempts(self, work_id: str) -> list[Attempt]:
        return [a for a, _ in self._db.attempts.values() if a.work_id == work_id]

    def spent_since(self, since: float) -> Decimal:
        return sum((a.credits_charged for a, _ in self._db.attempts.values() if a.started_at >= since), Decimal(0))


class MemoryControl:
    """`ports.Control` in dictionaries."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._db = database

    def acquire(self, name: str, owner: str, ttl_s: float) -> Lease:
        with self._db.lock:
            held, ends_at = self._db.leases.get(name, (Lease(name, "", 0), 0.0))
            if ends_at > self._db.now():
                raise LeaseHeld(f"{name!r} is being worked on by {held.owner}")
            lease = Lease(name, owner, held.token + 1)
            self._db.leases[name] = (lease, self._db.now() + ttl_s)
            return lease

    def heartbeat(self, lease: Lease, ttl_s: float) -> None:
        with self._db.lock:
            self._db.check_fence(lease)
            self._db.leases[lease.name] = (lease, self._db.now() + ttl_s)

    def release(self, lease: Lease) -> None:
        with self._db.lock:
            self._db.check_fence(lease)
            self._db.leases[lease.name] = (lease, 0.0)

    def leases(self) -> list[tuple[Lease, float]]:
        held = sorted(self._db.leases.values(), key=lambda h: h[0].name)
        return [(lease, ends_at) for lease, ends_at in held if ends_at > self._db.now()]

    def gate(self, provider: str) -> Gate:
        return self._db.gates.get(provider, Gate(provider))

    def set_gate(self, gate: Gate) -> None:
        self._db.gates[gate.provider] = gate

    def log_sync(self, kind: str, started_at: float, facts: Mapping[str, Any]) -> None:
        self._db.syncs.append((kind, self._db.now(), dict(facts)))

    def syncs(self, kind: str, since: float = 0.0, limit: int = 1) -> list[tuple[float, dict[str, Any]]]:
        newest = reversed(self._db.syncs)
        return [(ended, facts) for k, ended, facts in newest if k == kind and ended >= since][:limit]
