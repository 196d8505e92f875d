"""The manifest in memory, in SQLite and in PostgreSQL."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine, make_url, text

from bg_pipeline.manifest.catalogues import catalogue_id
from bg_pipeline.manifest.database import Database
from bg_pipeline.manifest.deltas import SqlDeltas
from bg_pipeline.manifest.erasures import SqlErasures
from bg_pipeline.manifest.failures import SqlFailures
from bg_pipeline.manifest.gates import SqlGates
from bg_pipeline.manifest.items import SqlItems
from bg_pipeline.manifest.leases import SqlLeases
from bg_pipeline.manifest.ledger import SqlLedger
from bg_pipeline.manifest.observations import SqlObservations
from bg_pipeline.manifest.outbox import SqlOutbox
from bg_pipeline.manifest.previous import SqlPreviousOutputs, SqlReversions
from bg_pipeline.manifest.purchases import SqlPurchases
from bg_pipeline.manifest.queue import SqlWorkQueue
from bg_pipeline.manifest.retention import SqlRetention
from bg_pipeline.manifest.reviews import SqlReviews
from bg_pipeline.manifest.runlog import SqlRunLog
from bg_pipeline.manifest.schema import metadata
from bg_pipeline.manifest.stops import SqlStops
from bg_pipeline.manifest.trash import SqlTrash
from bg_pipeline_tests.contracts.manifest import Manifest
from bg_pipeline_tests.fakes import (
    FakeClock,
    MemoryDatabase,
    MemoryDeltas,
    MemoryErasures,
    MemoryFailures,
    MemoryGates,
    MemoryItems,
    MemoryLeases,
    MemoryLedger,
    MemoryObservations,
    MemoryOutbox,
    MemoryPreviousOutputs,
    MemoryPurchases,
    MemoryRetention,
    MemoryReversions,
    MemoryReviews,
    MemoryRunLog,
    MemoryStops,
    MemoryTrash,
    MemoryWorkQueue,
)
from bg_pipeline_tests.plugin import plugin, plugin_site  # noqa: F401  fixtures


class Killed(BaseException):
    """The end of a process."""


@pytest.fixture(scope="session")
def _postgres(postgres_server: str) -> Iterator[Database]:
    """One database for all of these tests: to make one takes as long as ten of them."""
    engine = create_engine(postgres_server, isolation_level="AUTOCOMMIT")
    with engine.connect() as conn:
        conn.execute(text("CREATE DATABASE contracts"))
    engine.dispose()
    made = Database(make_url(postgres_server).set(database="contracts").render_as_string(hide_password=False))
    yield made
    made.close()


@pytest.fixture
def _sqlite(tmp_path: Path) -> Iterator[Database]:
    made = Database(f"sqlite:///{tmp_path}/manifest.db")
    yield made
    made.close()


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest) -> Database:
    """An empty one."""
    return _empty(request.getfixturevalue(f"_{request.param}"))


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def manifest(request: pytest.FixtureRequest, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Manifest]:
    if request.param != "memory":
        yield in_database(_empty(request.getfixturevalue(f"_{request.param}")), clock, monkeypatch)
        return
    # Threads change places all the time: what is not under the lock of the fakes shows.
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield _in_memory(clock)
    sys.setswitchinterval(before)


def _empty(database: Database) -> Database:
    with database.write() as conn:
        for table in metadata.sorted_tables:
            conn.execute(table.delete())
    return database


def _in_memory(clock: FakeClock) -> Manifest:
    shared = MemoryDatabase(clock)
    deltas = MemoryDeltas(shared)

    @contextmanager
    def dying_after(batches: int) -> Iterator[None]:
        left = iter(range(batches))

        def one_more() -> None:
            if next(left, None) is None:
                raise Killed

        deltas.before_batch = one_more
        with pytest.raises(Killed):
            yield
        deltas.before_batch = lambda: None

    return Manifest(
        MemoryObservations(shared),
        deltas,
        MemoryWorkQueue(shared),
        MemoryItems(shared),
        MemoryFailures(shared),
        MemoryTrash(shared),
        MemoryLeases(shared),
        MemoryRunLog(shared),
        MemoryPurchases(shared),
        MemoryLedger(shared),
        MemoryGates(shared),
        MemoryRetention(shared),
        MemoryErasures(shared),
        MemoryReviews(shared),
        MemoryPreviousOutputs(shared),
        MemoryReversions(shared),
        MemoryOutbox(shared),
        MemoryStops(),
        clock,
        batch=lambda size: setattr(deltas, "batch_size", size),
        dying_after=dying_after,
        another_ledger=lambda: MemoryLedger(shared),
    )


def in_database(
    database: Database, clock: FakeClock, patch: pytest.MonkeyPatch, catalogue: str = "default"
) -> Manifest:
    mine = (database, catalogue_id(database, catalogue), clock)

    @contextmanager
    def dying_after(batches: int) -> Iterator[None]:
        left = iter(range(batches))
        write = database.write

        @contextmanager
        def one_more(**options: bool) -> Iterator[Connection]:
            if next(left, None) is None:
                raise Killed
            with write(**options) as conn:
                yield conn

        patch.setattr(database, "write", one_more)
        with pytest.raises(Killed):
            yield
        patch.setattr(database, "write", write)

    return Manifest(
        SqlObservations(*mine),
        SqlDeltas(*mine),
        SqlWorkQueue(*mine),
        SqlItems(*mine),
        SqlFailures(*mine),
        SqlTrash(*mine),
        SqlLeases(*mine),
        SqlRunLog(*mine),
        SqlPurchases(database, clock),
        SqlLedger(database, clock),
        SqlGates(database, clock),
        SqlRetention(database, clock),
        SqlErasures(*mine),
        SqlReviews(*mine),
        SqlPreviousOutputs(*mine),
        SqlReversions(*mine),
        SqlOutbox(*mine),
        SqlStops(database, clock),
        clock,
        batch=lambda size: patch.setattr(f"{SqlDeltas.__module__}.BATCH", size),
        dying_after=dying_after,
        another_ledger=lambda: SqlLedger(database, clock),
    )
