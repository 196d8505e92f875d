"""The run log."""

import logging
from dataclasses import replace
from functools import reduce
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from bg_pipeline.core.runlog import BalanceRecord, ProcessRecord, R, Record, from_json, scalars_of, to_json
from bg_pipeline.manifest.rows import OfCatalogue
from bg_pipeline.manifest.schema import run_log

_LOG = logging.getLogger(__name__)


class SqlRunLog(OfCatalogue):
    """`ports.catalogue.RunLog` in a database."""

    def write(self, record: Record) -> None:
        with self._db.write() as conn:
            self._insert(conn, record)

    def add(self, share: ProcessRecord) -> None:
        c = run_log.c
        of_run = (c.kind == share.kind) & (c.catalogue_id == self._catalogue) & (c.run_id == share.run_id)
        with self._db.write() as conn:
            before = conn.scalars(delete(run_log).where(of_run).returning(c.record)).all()
            records = [*(from_json(ProcessRecord, record) for record in before), share]
            self._insert(conn, reduce(ProcessRecord.with_share, records))

    def _insert(self, conn: Connection, record: Record) -> None:
        ended = replace(record, ended_at=self._now())
        row: dict[str, Any] = {
            "kind": record.kind,
            "catalogue_id": self._whose(type(record)),
            "account": record.account if isinstance(record, BalanceRecord) else None,
            "run_id": record.run_id,
            "job": record.job,
            "started_at": record.started_at,
            "ended_at": ended.ended_at,
            "record": to_json(ended),
        }
        conn.execute(insert(run_log).values(row))
        facts = {"event": record.kind, **scalars_of(row["record"])}
        _LOG.info("%s of %s", record.kind, record.job, extra={"facts": facts})

    def read(self, kind: type[R], since: float = 0.0, limit: int = 1) -> list[R]:
        c = run_log.c
        query = select(c.record).where(c.kind == kind.kind, c.catalogue_id == self._whose(kind), c.ended_at >= since)
        with self._db.read() as conn:
            return [from_json(kind, record) for record in conn.scalars(query.order_by(c.id.desc()).limit(limit))]

    def _whose(self, kind: type[Record]) -> int | None:
        """Return the catalogue of a kind of record; None for a balance, which belongs to no catalogue."""
        return None if kind is BalanceRecord else self._catalogue
