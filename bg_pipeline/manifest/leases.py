"""Leases with fencing tokens."""

from datetime import UTC, datetime

from sqlalchemy import ColumnElement, insert, select, update

from bg_pipeline.core.claims import LEASE_S, is_live
from bg_pipeline.core.records import Lease
from bg_pipeline.errors import LeaseHeld, LeaseLost
from bg_pipeline.manifest.rows import OfCatalogue
from bg_pipeline.manifest.schema import leases


class SqlLeases(OfCatalogue):
    """`ports.catalogue.Leases` in a database."""

    def acquire(self, name: str, owner: str) -> Lease:
        with self._db.write() as conn:
            now = self._now()
            row = conn.execute(select(leases).where(self._called(name))).one_or_none()
            if row is not None and is_live(row.ends_at, now):
                until = datetime.fromtimestamp(row.ends_at, UTC).strftime("%H:%M:%S UTC")
                raise LeaseHeld(f"{name!r} is held by {row.owner}; its lease ends at {until}")
            lease = Lease(name, owner, 1 if row is None else row.token + 1)
            values = {"owner": owner, "token": lease.token, "ends_at": now + LEASE_S}
            if row is None:
                conn.execute(insert(leases).values(catalogue_id=self._catalogue, name=name, **values))
            else:
                conn.execute(update(leases).where(self._called(name)).values(values))
            return lease

    def heartbeat(self, lease: Lease) -> None:
        self._end_at(lease, self._now() + LEASE_S)

    def release(self, lease: Lease) -> None:
        self._end_at(lease, 0.0)

    def leases(self) -> list[tuple[Lease, float]]:
        held = self._mine(leases), is_live(leases.c.ends_at, self._now())
        with self._db.read() as conn:
            rows = conn.execute(select(leases).where(*held).order_by(leases.c.name))
            return [(Lease(row.name, row.owner, row.token), row.ends_at) for row in rows]

    def _called(self, name: str) -> ColumnElement[bool]:
        return self._mine(leases) & (leases.c.name == name)

    def _end_at(self, lease: Lease, moment: float) -> None:
        """Move the end of a lease; one that has ended and was not taken over is still valid."""
        named = self._called(lease.name) & (leases.c.token == lease.token)
        with self._db.write(durable=False, alone=True) as conn:
            if not conn.execute(update(leases).where(named).values(ends_at=moment)).rowcount:
                raise LeaseLost(f"another run took over {lease.name!r}; this one stops and writes nothing more")
