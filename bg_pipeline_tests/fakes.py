"""Fakes of every port, typed by the protocols and held to the same contract suites as the real parts."""

import itertools
import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from bg_pipeline.core.alerts import Decision, Episode, Letter, Notice, Target
from bg_pipeline.core.credits import Rules, Spent, day_began, decide
from bg_pipeline.core.delta import WORK_REASONS, Goal, is_settled
from bg_pipeline.core.gate import Gate
from bg_pipeline.core.keys import fold, key_bytes
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
    Reason,
    State,
    Totals,
)
from bg_pipeline.errors import (
    ItemChanged,
    ItemError,
    ItemUnreadable,
    LeaseHeld,
    LeaseLost,
    SourceUnreadable,
    StoreError,
)
from bg_pipeline.ports import CutReply, CutRequest, Landmarks, no_landmarks
from bg_pipeline_tests.pictures import cutout_of


class FakeClock:
    """Time that moves when told to, and by `tick_s` whenever somebody looks: then no two moments are the same."""

    def __init__(self, now: float = 1_000_000.0, tick_s: float = 0.0) -> None:
        self.now = now
        self._tick_s = tick_s

    def __call__(self) -> float:
        self.now += self._tick_s
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

    def list(self, landmarks: Landmarks = no_landmarks) -> Iterator[Listed]:
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
        self.utf8_only = False
        self.writes: list[str] = []

    def write(self, name: str, data: bytes) -> None:
        self.check(name)
        if ".." in name.split("/"):
            raise StoreError(f"{name!r} would lie outside")
        if self.full:
            raise StoreError("No space left on device")
        self.writes.append(name)
        self.blobs[name] = data

    def check(self, name: str) -> None:
        if self.utf8_only and key_bytes(name) != name.encode(errors="ignore"):
            raise ItemError("its name is no UTF-8")

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


@dataclass
class FakeLetter:
    """A row of the outbox."""

    letter: Letter
    due_at: float
    state: str = "waiting"


class MemoryDatabase:
    """What the three fakes below share, as the real ones share a database."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self.entries: dict[str, Entry] = {}
        self.evidence: dict[str, str] = {}
        self.changed_at: dict[str, float] = {}
        self.masters: dict[str, Master] = {}
        self.attempts: dict[int, Attempt] = {}
        self.requests: dict[int, CutRequest] = {}
        self.leases: dict[str, tuple[Lease, float]] = {}
        self.gates: dict[str, Gate] = {}
        self.limits: dict[str, dict[str, Any]] = {}
        self.syncs: list[tuple[str, float, dict[str, Any]]] = []
        self.episodes: tuple[Episode, ...] = ()
        self.letters: dict[int, FakeLetter] = {}
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

    def observations(self) -> Iterator[tuple[bytes, str, bytes]]:
        for e in self._sorted():
            if not e.absent:
                yield key_bytes(e.key), self._db.evidence[e.key], key_bytes(e.collection)

    def landmarks(self, every: int) -> Sequence[str]:
        return [e.key for e in self._sorted() if not e.absent][every - 1 :: every]

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
                absent_since=None,
            )
            self._db.evidence[o.key] = o.evidence

    def _patch(self, key: str, **values: Any) -> None:
        """Without a trace in `changed_at`."""
        self._db.entries[key] = replace(self._db.entries[key], **values)

    def _show(self, key: str, output_name: str) -> None:
        if published := self._db.entries[key].published:
            self._patch(key, published=replace(published, output_name=output_name))

    def regroup(self, collections: Mapping[str, str]) -> None:
        for key, collection in collections.items():
            self._patch(key, collection=collection)

    def mark_absent(self, keys: Sequence[str]) -> None:
        for key in keys:
            self._patch(key, absent=True, absent_since=self._db.now())

    def entries(self) -> Iterator[Entry]:
        yield from self._sorted()

    def settled(self, recipe: Recipe) -> int:
        return sum(is_settled(e, Goal.of(recipe)) for e in self._sorted())

    def unsettled(self, recipe: Recipe) -> Iterator[Entry]:
        for e in self._sorted():
            if not is_settled(e, Goal.of(recipe)) and not (e.absent and e.state is State.DELETED):
                yield e

    def some(self, keys: Sequence[str]) -> list[Entry]:
        return [e for e in self._sorted() if e.key in keys]

    def entry(self, key: str) -> Entry | None:
        return self._db.entries.get(key)

    def published_names(self) -> Iterator[tuple[str, str]]:
        names = [(e.published.output_name if e.published else "", e.key) for e in self._shown()]
        yield from sorted(names, key=lambda n: key_bytes(n[0]))

    def carriers(self, work_ids: Sequence[str]) -> dict[str, str]:
        found: dict[str, str] = {}
        for e in self._sorted():
            if e.published and e.published.work_id in work_ids and e.state is State.PUBLISHED and not e.absent:
                found.setdefault(e.published.work_id, e.key)
        return found

    def taken(self, folded_stems: Sequence[str]) -> set[str]:
        return {fold(e.stem) for e in self._sorted() if e.stem and not e.absent} & set(folded_stems)

    def _shown(self) -> list[Entry]:
        return [e for e in self._sorted() if e.published and e.published.output_name and not e.absent]

    def record_delta(self, changes: Sequence[Change]) -> None:
        given = {fold(c.stem) for c in changes if c.stem and c.becomes is not None}
        for e in self._sorted():
            if e.absent and e.stem and fold(e.stem) in given:
                self._patch(e.key, stem="")
                self._show(e.key, "")
        for c in changes:
            if c.becomes is not None:
                stem = c.stem or self._db.entries[c.key].stem
                self._update(c.key, state=c.becomes, reason=c.reason, detail=c.because, work_id=c.work_id, stem=stem)
            if c.renamed_from and c.becomes is not None:
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
            self._update(
                key,
                state=State.PUBLISHED,
                work_id=published.work_id,
                published=published,
                published_at=self._db.now(),
            )

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

    def gone(self, since: float) -> list[Entry]:
        return [
            e
            for e in self._sorted()
            if e.absent
            and e.absent_since is not None
            and e.absent_since <= since
            and e.published
            and e.published.output_name
        ]

    def on_show(self, output_name: str) -> bool:
        return any(name == output_name for name, _ in self.published_names())

    def begin_trash(self, key: str, trash_name: str) -> None:
        self._patch(key, trash_name=trash_name, trashed_at=self._db.now())

    def take_off_show(self, key: str) -> None:
        self._show(key, "")

    def in_trash(self, before: float | None = None) -> list[Entry]:
        return [
            e
            for e in self._sorted()
            if e.trash_name and (before is None or (e.trashed_at is not None and e.trashed_at <= before))
        ]

    def end_trash(self, key: str, output_name: str | None = None) -> None:
        self._patch(key, trash_name="", trashed_at=None)
        if output_name is not None:
            self._show(key, output_name)
            self._patch(key, absent_since=None)

    def in_state(self, state: State) -> list[Entry]:
        return [e for e in self._sorted() if e.state is state]

    def states(self) -> dict[str, int]:
        return {state.value: len(self.in_state(state)) for state in State}

    def spoil(self, key: str, output_digest: str) -> bool:
        e = self._db.entries[key]
        if e.state is not State.PUBLISHED or e.published is None or e.published.output_digest != output_digest:
            return False
        why = "its output is not what was published"
        self._update(key, state=State.PENDING, reason=Reason.OUTPUT_MISSING, detail=why, work_id=e.published.work_id)
        return True

    def end_quarantine(self, work_id: str, state: State, detail: str) -> list[str]:
        ended = [e.key for e in self.in_state(State.QUARANTINED) if e.work_id == work_id]
        for key in ended:
            self._update(key, state=state, reason=Reason.UNFINISHED, detail=detail)
        return ended

    def keep_stems(self, stems: Mapping[str, str]) -> None:
        for key, stem in stems.items():
            if not self._db.entries[key].stem:
                self._update(key, stem=stem)


class MemoryLedger:
    """`ports.Ledger` in dictionaries."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._db = database

    def bought(self, work_ids: Sequence[str]) -> set[str]:
        return set(work_ids) & set(self._db.masters)

    def master(self, work_id: str) -> Master | None:
        return self._db.masters.get(work_id)

    def twin(self, sent_digest: str, cut_hash: str) -> Master | None:
        same = (m for m in self._db.masters.values() if (m.sent_digest, m.cut_hash) == (sent_digest, cut_hash))
        return next(same, None)

    def open_attempt(self, request: CutRequest, provider: str, rules: Rules) -> int:
        work_id = request.work_id
        with self._db.lock:
            self._db.check_fence(request.lease)
            buying = [r for number, r in self._db.requests.items() if self._db.attempts[number].state is _INTENT]
            if any(r.work_id == work_id for r in buying):
                raise LeaseHeld("another run is buying the same picture at this moment")
            if work_id in self._db.masters:
                raise LeaseHeld("another run has bought the same picture meanwhile")
            sent = (request.sent_digest, request.cut_hash)
            if request.sent_digest and any((r.sent_digest, r.cut_hash) == sent for r in buying):
                raise LeaseHeld("another run is buying the same picture at this moment under another name")
            if request.sent_digest and self.twin(*sent):
                raise LeaseHeld("another run has bought the same picture meanwhile under another name")
            gate = self._db.gates.get(provider, Gate(provider))
            today = day_began(self._db.now(), rules.timezone)
            spent = Spent(
                since_balance=self.spent(gate.balance_at, provider),
                by_run=sum((_cost(a) for a in self._db.attempts.values() if a.run == request.budget.run), Decimal(0)),
                today=sum((_cost(a) for a in self._db.attempts.values() if a.started_at >= today), Decimal(0)),
                charges=self.charges(work_id),
            )
            moved, refusal = decide(request.credits_expected, gate, spent, request.budget, rules, self._db.now())
            self._db.gates[provider] = moved
            if refusal is not None:
                raise refusal
            number = next(self._db.ids)
            self._db.requests[number] = request
            self._db.attempts[number] = Attempt(
                number,
                work_id,
                provider,
                _INTENT,
                request.credits_expected,
                Decimal(0),
                self._db.now(),
                item_key=request.item_key,
                lease_name=request.lease.name,
                run=request.budget.run,
                sent_digest=request.sent_digest,
                cut_hash=request.cut_hash,
            )
            return number

    def close_attempt(
        self,
        attempt_id: int,
        state: AttemptState,
        credits_charged: Decimal,
        detail: str = "",
        answer: str = "",
        request_id: str = "",
    ) -> None:
        self._db.attempts[attempt_id] = replace(
            self._db.attempts[attempt_id],
            state=state,
            credits_charged=credits_charged,
            ended_at=self._db.now(),
            detail=detail,
            answer=answer,
            request_id=request_id,
        )

    def keep_master(
        self, master: Master, attempt_id: int | None, credits_charged: Decimal, request_id: str = ""
    ) -> None:
        self._db.masters[master.work_id] = master
        if attempt_id is not None:
            self.close_attempt(attempt_id, AttemptState.CHARGED, credits_charged, request_id=request_id)

    def forget_master(self, work_id: str) -> None:
        self._db.masters.pop(work_id, None)

    def charges(self, work_id: str) -> int:
        maybe = {AttemptState.CHARGED, AttemptState.UNUSABLE, AttemptState.IN_DOUBT}
        return sum(a.state in maybe for a in self.attempts(work_id))

    def open_attempts(self, lease_name: str | None = None) -> list[Attempt]:
        return [a for a in self._db.attempts.values() if a.state is _INTENT and lease_name in {None, a.lease_name}]

    def attempts(self, work_id: str) -> list[Attempt]:
        return [a for a in self._db.attempts.values() if a.work_id == work_id]

    def spent(self, since: float, provider: str | None = None) -> Decimal:
        counted = (a for a in self._db.attempts.values() if a.ended_at is None or a.ended_at > since)
        return sum((_cost(a) for a in counted if provider in {None, a.provider}), Decimal(0))

    def totals(self, since: float, until: float, provider: str | None = None) -> dict[AttemptState, Totals]:
        found: dict[AttemptState, Totals] = {}
        for a in self._db.attempts.values():
            if since <= a.started_at < until and provider in {None, a.provider}:
                t = found.get(a.state, Totals())
                expected, charged = t.credits_expected + a.credits_expected, t.credits_charged + a.credits_charged
                found[a.state] = Totals(t.attempts + 1, expected, charged)
        return found

    def log(self, since: float, run: str | None = None) -> Iterator[Attempt]:
        yield from (a for a in self._db.attempts.values() if a.started_at >= since and run in {None, a.run})

    def masters(self) -> Iterator[Master]:
        for _, master in sorted(self._db.masters.items()):
            yield master

    def adopt_master(self, master: Master) -> bool:
        with self._db.lock:
            return self._db.masters.setdefault(master.work_id, master) is master

    def approve_master(self, work_id: str) -> None:
        self._db.masters[work_id] = replace(self._db.masters[work_id], suspicion="")


_INTENT = AttemptState.INTENT


def _cost(attempt: Attempt) -> Decimal:
    unsettled = attempt.state in {AttemptState.INTENT, AttemptState.IN_DOUBT}
    return attempt.credits_expected if unsettled else attempt.credits_charged


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

    def check(self, lease: Lease) -> None:
        with self._db.lock:
            self._db.check_fence(lease)

    def release(self, lease: Lease) -> None:
        with self._db.lock:
            self._db.check_fence(lease)
            self._db.leases[lease.name] = (lease, 0.0)

    def leases(self) -> list[tuple[Lease, float]]:
        held = sorted(self._db.leases.values(), key=lambda h: h[0].name)
        return [(lease, ends_at) for lease, ends_at in held if ends_at > self._db.now()]

    def gate(self, provider: str) -> Gate:
        return self._db.gates.get(provider, Gate(provider))

    def change_gate(self, provider: str, change: Callable[[Gate], Gate]) -> Gate:
        with self._db.lock:
            self._db.gates[provider] = change(self.gate(provider))
            return self._db.gates[provider]

    def limits(self, provider: str) -> Mapping[str, Any] | None:
        return self._db.limits.get(provider)

    def change_limits(self, provider: str, change: Callable[[Mapping[str, Any] | None], Mapping[str, Any]]) -> None:
        with self._db.lock:
            state = change(self.limits(provider))
            self._db.limits[provider] = json.loads(json.dumps(state))

    def log_sync(self, kind: str, started_at: float, facts: Mapping[str, Any]) -> None:
        self._db.syncs.append((kind, self._db.now(), dict(facts)))

    def syncs(self, kind: str, since: float = 0.0, limit: int = 1) -> list[tuple[float, dict[str, Any]]]:
        newest = reversed(self._db.syncs)
        return [(ended, facts) for k, ended, facts in newest if k == kind and ended >= since][:limit]


class MemoryOutbox:
    """`ports.Outbox` in dictionaries."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._db = database

    def note(self, decide: Callable[[Sequence[Episode]], Decision], targets: Sequence[str]) -> Decision:
        with self._db.lock:
            decision = decide(self._db.episodes)
            self._db.episodes = decision.episodes
            for notice, target in itertools.product(decision.notices, targets):
                number, now = next(self._db.ids), self._db.now()
                self._db.letters[number] = FakeLetter(Letter(number, target, notice, now, 0), now)
            return decision

    def claim(self, target: str, for_s: float) -> Letter | None:
        with self._db.lock:
            waiting = (row for row in self._db.letters.values() if row.state == "waiting")
            row = next((row for row in waiting if row.letter.target == target), None)
            if row is None or row.due_at > self._db.now():
                return None
            row.letter = replace(row.letter, tries=row.letter.tries + 1)
            row.due_at = self._db.now() + for_s
            return row.letter

    def settle(self, letter: Letter, took_it: bool, wait_s: float, detail: str = "") -> None:
        with self._db.lock:
            row = self._db.letters[letter.id]
            if took_it:
                row.state = "sent"
            elif row.letter.tries == letter.tries:
                row.due_at = self._db.now() + wait_s

    def give_up(self, made_before: float) -> int:
        waiting = [row for row in self._db.letters.values() if row.state == "waiting"]
        old = [row for row in waiting if row.letter.made_at < made_before]
        for row in old:
            row.state = "given_up"
        return len(old)

    def backlog(self) -> dict[str, tuple[int, int]]:
        found: dict[str, list[str]] = {}
        for row in self._db.letters.values():
            if row.state != "sent":
                found.setdefault(row.letter.target, []).append(row.state)
        return {target: (states.count("waiting"), states.count("given_up")) for target, states in found.items()}


class FakeSink:
    """`ports.AlertSink` that keeps what it is sent; those in `dead` take nothing."""

    def __init__(self, names: Sequence[str] = ("a chat",)) -> None:
        self.targets = [Target(name, name) for name in names]
        self.dead: set[str] = set()
        self.got: list[tuple[str, Notice]] = []

    def send(self, target: Target, notice: Notice) -> bool:
        if target.name in self.dead:
            return False
        self.got.append((target.name, notice))
        return True
