"""Leases with fencing tokens, gates, the limits of accounts, and the log of syncs."""

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from bg_pipeline.core.gate import Gate, GateReason, GateState
from bg_pipeline.core.records import Lease
from bg_pipeline.errors import LeaseHeld, LeaseLost
from bg_pipeline.manifest.database import Database
from bg_pipeline.manifest.schema import gates, leases, limits, syncs
from bg_pipeline.ports import Now


def check_fence(conn: Connection, lease: Lease) -> None:
    """
    To be called in the transaction that writes.

    Raises:
        LeaseLost: a later holder exists. An expired lease that nobody took is still good.
    """
    token = conn.scalar(select(leases.c.token).where(leases.c.name == lease.name))
    if token != lease.token:
        raise LeaseLost(f"another run took over {lease.name!r}; this one stops and writes nothing more")


def read_gate(conn: Connection, provider: str) -> Gate:
    """The gate as it is in this transaction; one that was never written is open."""
    row = conn.execute(select(gates).where(gates.c.provider == provider)).mappings().one_or_none()
    if row is None:
        return Gate(provider)
    return Gate(**dict(row) | {"state": GateState(row["state"]), "reason": GateReason(row["reason"])})


def write_gate(conn: Connection, gate: Gate) -> None:
    """To be called in the transaction that read it."""
    changed = conn.execute(update(gates).where(gates.c.provider == gate.provider).values(asdict(gate)))
    if not changed.rowcount:
        conn.execute(insert(gates).values(asdict(gate)))


class SqlControl:
    """`ports.Control` in a database."""

    def __init__(self, database: Database, now: Now = time.time) -> None:
        self._db = database
        self._now = now

    def acquire(self, name: str, owner: str, ttl_s: float) -> Lease:
        with self._db.write() as conn:
            row = conn.execute(select(leases).where(leases.c.name == name)).one_or_none()
            if row is None:
                conn.execute(insert(leases).values(name=name, owner=owner, token=1, ends_at=self._now() + ttl_s))
                return Lease(name, owner, 1)
            if row.ends_at > self._now():
                until = datetime.fromtimestamp(row.ends_at, UTC).strftime("%H:%M:%S UTC")
                raise LeaseHeld(f"{name!r} is being worked on by {row.owner}; its lease ends at {until}")
            taken = Lease(name, owner, row.token + 1)
            conn.execute(
                update(leases)
                .where(leases.c.name == name)
                .values(owner=owner, token=taken.token, ends_at=self._now() + ttl_s)
            )
            return taken

    def heartbeat(self, lease: Lease, ttl_s: float) -> None:
        self._end_at(lease, self._now() + ttl_s)

    def check(self, lease: Lease) -> None:
        with self._db.read() as conn:
            check_fence(conn, lease)

    def release(self, lease: Lease) -> None:
        self._end_at(lease, 0.0)

    def _end_at(self, lease: Lease, moment: float) -> None:
        with self._db.write() as conn:
            check_fence(conn, lease)
            conn.execute(update(leases).where(leases.c.name == lease.name).values(ends_at=moment))

    def leases(self) -> list[tuple[Lease, float]]:
        with self._db.read() as conn:
            held = conn.execute(select(leases).where(leases.c.ends_at > self._now()).order_by(leases.c.name))
            return [(Lease(row.name, row.owner, row.token), row.ends_at) for row in held]

    def gate(self, provider: str) -> Gate:
        with self._db.read() as conn:
            return read_gate(conn, provider)

    def change_gate(self, provider: str, change: Callable[[Gate], Gate]) -> Gate:
        with self._db.write() as conn:
            gate = read_gate(conn, provider)
            moved = change(gate)
            if moved != gate:
                write_gate(conn, moved)
        return moved

    def limits(self, provider: str) -> Mapping[str, Any] | None:
        with self._db.read() as conn:
            return _limits(conn, provider)

    def change_limits(self, provider: str, change: Callable[[Mapping[str, Any] | None], Mapping[str, Any]]) -> None:
        # Twice an image, while a slot is empty: to learn a limit anew costs less than to wait for the disk.
        with self._db.write(durable=False) as conn:
            found = _limits(conn, provider)
            state = dict(change(found))
            if found is None:
                conn.execute(insert(limits).values(provider=provider, state=state))
            elif state != found:
                conn.execute(update(limits).where(limits.c.provider == provider).values(state=state))

    def log_sync(self, kind: str, started_at: float, facts: Mapping[str, Any]) -> None:
        with self._db.write() as conn:
            conn.execute(
                insert(syncs).values(kind=kind, started_at=started_at, ended_at=self._now(), facts=dict(facts))
            )

    def syncs(self, kind: str, since: float = 0.0, limit: int = 1) -> list[tuple[float, dict[str, Any]]]:
        query = select(syncs).where(syncs.c.kind == kind, syncs.c.ended_at >= since)
        with self._db.read() as conn:
            rows = conn.execute(query.order_by(syncs.c.id.desc()).limit(limit))
            return [(row.ended_at, row.facts) for row in rows]


def _limits(conn: Connection, provider: str) -> dict[str, Any] | None:
    found: dict[str, Any] | None = conn.scalar(select(limits.c.state).where(limits.c.provider == provider))
    return found
