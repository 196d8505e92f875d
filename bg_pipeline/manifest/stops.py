"""Requests to end runs."""

from sqlalchemy import insert, select

from bg_pipeline.manifest.repeated import Repeated
from bg_pipeline.manifest.schema import stops


class SqlStops(Repeated):
    """`ports.running.Stops` in a database."""

    def ask(self, run: str, by: str) -> None:
        with self._db.write() as conn:
            if conn.scalar(select(stops.c.run).where(stops.c.run == run)) is None:
                conn.execute(insert(stops).values(run=run, asked_by=by, asked_at=self._now()))

    def asked_by(self, run: str) -> str:
        with self._db.read() as conn:
            return conn.scalar(select(stops.c.asked_by).where(stops.c.run == run)) or ""
