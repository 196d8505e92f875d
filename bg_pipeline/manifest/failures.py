"""Failures that stand, and those that a person accepted."""

from collections.abc import Sequence

from sqlalchemy import and_, or_, select, text

from bg_pipeline.core.failures import StandingFailure
from bg_pipeline.core.keys import key_bytes
from bg_pipeline.core.records import State
from bg_pipeline.manifest.rows import ENTRY, SHOWN, OfCatalogue, entry_of
from bg_pipeline.manifest.schema import acceptances, items

_STANDING = (
    items.c.state.in_((State.FAILED, State.QUARANTINED)) & ~items.c.absent,
    # Written out so that its partial index is used.
    and_(text("items.problem <> ''"), items.c.state.in_((State.PUBLISHED, State.PENDING)), ~items.c.absent),
)
"""`core.failures.is_standing` in SQL, in two parts: each has an index."""

_ACCEPTANCE = and_(
    acceptances.c.catalogue_id == items.c.catalogue_id,
    acceptances.c.key == items.c.key,
    acceptances.c.revision == items.c.revision,
)


class SqlFailures(OfCatalogue):
    """`ports.catalogue.Failures` in a database."""

    def standing(self) -> list[StandingFailure]:
        query = ENTRY.add_columns(acceptances.c.reason, acceptances.c.accepted_at)
        query = query.select_from(SHOWN.outerjoin(acceptances, _ACCEPTANCE))
        with self._db.read() as conn:
            rows = [tuple(row) for part in _STANDING for row in conn.execute(query.where(self._mine(), part))]
        failures = [StandingFailure.of(entry_of(row), accepted or "", at) for *row, accepted, at in rows]
        return sorted(failures, key=lambda failure: key_bytes(failure.key))

    def accept(self, keys: Sequence[str], reason: str) -> list[str]:
        now, revisions = self._now(), select(items.c.key, items.c.revision)
        accepted: list[str] = []
        with self._db.write() as conn:
            for these in self._db.among(items.c.key, keys):
                rows = conn.execute(revisions.where(self._mine(), these, or_(*_STANDING))).all()
                mine = {"catalogue_id": self._catalogue, "reason": reason, "accepted_at": now}
                if rows:
                    new = [mine | {"key": row.key, "revision": row.revision} for row in rows]
                    self._db.put(conn, acceptances, ("catalogue_id", "key"), new)
                accepted += (row.key for row in rows)
        return sorted(accepted, key=key_bytes)
