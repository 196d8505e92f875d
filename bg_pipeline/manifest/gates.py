"""Gates, and the limits of accounts."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, insert, select, update

from bg_pipeline.core.gate import Gate, GateReason, GateState
from bg_pipeline.manifest.database import Database
from bg_pipeline.manifest.repeated import Repeated
from bg_pipeline.manifest.rows import are_live
from bg_pipeline.manifest.schema import claims as claim_rows
from bg_pipeline.manifest.schema import gates, limits

_LOG = logging.getLogger(__name__)


def money_of(account: str) -> str:
    """Return the lock under which an account's gate, balance and caps are decided on."""
    return f"money of {account}"


def read_gate(conn: Connection, account: str) -> Gate:
    """Return the gate as this transaction sees it; a gate that was never written is open."""
    return gate_of(conn.execute(select(gates).where(gates.c.account == account)).one_or_none(), account)


def gate_of(row: Row[Any] | None, account: str) -> Gate:
    """Return a row that begins with the columns of `gates` as a gate; one without values was never written."""
    if row is None or row.account is None:
        return Gate(account)
    values = dict(zip(gates.c.keys(), row, strict=False))
    return Gate(**values | {"state": GateState(row.state), "reason": GateReason(row.reason)})


def write_gate(db: Database, conn: Connection, old: Gate, gate: Gate) -> None:
    """Write a gate in place of the old one; call it in the transaction that read that."""
    if (gate.state, gate.reason) != (old.state, old.reason):
        facts = {"event": "gate", "account": gate.account, "state": gate.state.value, "reason": gate.reason.value}
        _LOG.warning("the gate of %s is %s: %s", gate.account, gate.state, gate.why, extra={"facts": facts})
    db.put(conn, gates, ("account",), [asdict(gate)])


_LIMITS = select(limits.c.state).where(limits.c.account == bindparam("of"))

_CHANGED = update(limits).where(limits.c.account == bindparam("of")).values(state=bindparam("new"))


class SqlGates(Repeated):
    """`ports.purchasing.Gates` in a database."""

    def gate(self, account: str) -> Gate:
        with self._db.read() as conn:
            return read_gate(conn, account)

    def change_gate(self, account: str, change: Callable[[Gate], Gate]) -> Gate:
        with self._db.write(locks=[money_of(account)]) as conn:
            gate = read_gate(conn, account)
            new = change(gate)
            if new != gate:
                write_gate(self._db, conn, gate, new)
        return new

    def limits(self, account: str) -> Mapping[str, Any] | None:
        with self._db.read() as conn:
            return _limits(conn, account)

    def change_limits(self, account: str, change: Callable[[Mapping[str, Any] | None], Mapping[str, Any]]) -> None:
        # Called twice per image while a slot is empty: relearning a limit costs less than waiting for the disk.
        with self._db.write(durable=False, locks=[f"limits of {account}"]) as conn:
            old = _limits(conn, account)
            new = dict(change(old))
            if old is None:
                conn.execute(insert(limits).values(account=account, state=new))
            elif new != old:
                conn.execute(_CHANGED, {"of": account, "new": new})

    def dead_claims(self, claims: Sequence[int]) -> set[int]:
        c = claim_rows.c
        with self._db.read() as conn:
            live = select(c.id).where(c.id.in_(claims), are_live(self._now()))
            return set(claims) - set(conn.scalars(live))

    def forget_limits(self, account: str) -> None:
        with self._db.write() as conn:
            delete_limits(conn, account)


def delete_limits(conn: Connection, account: str) -> None:
    conn.execute(delete(limits).where(limits.c.account == account))


def _limits(conn: Connection, account: str) -> dict[str, Any] | None:
    state: dict[str, Any] | None = conn.scalar(_LIMITS, {"of": account})
    return state
