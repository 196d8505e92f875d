"""Leases with fencing tokens."""

from datetime import UTC, datetime

from sqlalchemy import ColumnElement, Connection, insert, select, update

from bg_pipeline.core.records import Lease
from bg_pipeline.errors import LeaseHeld, LeaseLost
from bg_pipeline.manifest.rows import OfCatalogue
from bg_pipeline.manifest.schema import leases


class SqlLeases(OfCatalogue):
    """`ports.catalogue.Leases` in a database."""

    def acquire(self, name: str, owner: str, ttl_s: float) -> Lease:
        with self._db.write() as conn:
            now = self._now()
            row = conn.execute(select(leases).where(self._called(name))).one_or_none()
            if row is not None and row.ends_at > now:
                until = datetime.fromtimestamp(row.ends_at, UTC).strftime("%H:%M:%S UTC")
                raise LeaseHeld(f"{name!r} is held by {row.owner}; its lease ends at {until}")
            lease = Lease(name, owner, 1 if row is None else row.token + 1)
            values = {"owner": owner, "token": lease.token, "ends_at": now + ttl_s}
            if row is None:
                conn.execute(insert(leases).values(catalogue_id=self._catalogue, name=name, **values))
            else:
                conn.execute(update(leases).where(self._called(name)).values(values))
            return lease

    def heartbeat(self, lease: Lease, ttl_s: float) -> None:
        self._end_at(lease, self._now() + ttl_s)

    def release(self, lease: Lease) -> None:
        self._end_at(lease, 0.0)

    def leases(self) -> list[tuple[Lease, float]]:
        held = self._mine(leases), leases.c.ends_at > self._now()
        with self._db.read() as conn:
            rows = conn.execute(select(leases).where(*held).order_by(leases.c.name))
            return [(Lease(row.name, row.owner, row.token), row.ends_at) for row in rows]

    def _called(self, name: str) -> ColumnElement[bool]:
        return self._mine(leases) & (leases.c.name == name)

    def _end_at(self, lease: Lease, moment: float) -> None:
        with self._db.write() as conn:
            self._verify(conn, lease)
            conn.execute(update(leases).where(self._called(lease.name)).values(ends_at=moment))

    def _verify(self, conn: Connection, lease: Lease) -> None:
        """Verify a lease; an expired lease that was not taken over is still valid."""
        if conn.scalar(select(leases.c.token).where(self._called(lease.name))) != lease.token:
            raise LeaseLost(f"another run took over {lease.name!r}; this one stops and writes nothing more")
