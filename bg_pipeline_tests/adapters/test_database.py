"""What the database promises about a power cut, and about those who wait to write."""

import gc
import itertools
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection, TextClause, text

from bg_pipeline.core.claims import LEASE_S
from bg_pipeline.core.records import Change, Observation, Reason
from bg_pipeline.errors import ConnectionLost, StateError
from bg_pipeline.manifest.catalogues import catalogue_id
from bg_pipeline.manifest.database import REPEATS_S, STANDS_STILL_S, WRITER_IS_GONE, Database
from bg_pipeline.manifest.deltas import SqlDeltas
from bg_pipeline.manifest.gates import SqlGates
from bg_pipeline.manifest.identity import identity_of
from bg_pipeline.manifest.items import SqlItems
from bg_pipeline.manifest.observations import SqlObservations
from bg_pipeline.manifest.pipelining import ask
from bg_pipeline.manifest.queue import SqlWorkQueue
from bg_pipeline_tests.unreliable_network import unreliable

NORMAL, FULL = 1, 2

LONGEST_POLL_S = 0.1
"""SQLite's own waiting: `sqliteDefaultBusyCallback` in its source."""


def test_a_write_that_need_not_be_durable_leaves_the_next_one_durable(tmp_path: Path) -> None:
    """The pool hands the same connection out again; money is written down through it."""
    database = Database(f"sqlite:///{tmp_path}/manifest.db")
    for durable, expected in ((True, FULL), (False, NORMAL), (True, FULL)):
        with database.write(durable=durable) as conn:
            assert conn.scalar(text("PRAGMA synchronous")) == expected
    with database.write() as conn:
        assert conn.scalar(text("PRAGMA synchronous")) == FULL
    database.close()


def test_a_manifest_in_sqlite_takes_no_memory_for_the_driver_of_postgresql(tmp_path: Path) -> None:
    code = (
        f"import sys; from bg_pipeline.manifest.database import Database; Database('sqlite:///{tmp_path}/m.db').close()"
    )
    loaded = subprocess.check_output([sys.executable, "-c", f"{code}; print(*sys.modules)"], text=True).split()
    assert "sqlalchemy" in loaded
    assert "psycopg" not in loaded


def test_between_two_batches_every_other_writer_gets_a_chance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits for the lock of SQLite does not stand in line: it has to look while the lock is free."""
    free_for: list[float] = []

    def sleep(seconds: float) -> None:
        with closing(sqlite3.connect(tmp_path / "manifest.db", timeout=0, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
        free_for.append(seconds)

    monkeypatch.setattr("bg_pipeline.manifest.database.time.sleep", sleep)
    for module in ("observations", "deltas"):
        monkeypatch.setattr(f"bg_pipeline.manifest.{module}.BATCH", 2)
    database = Database(f"sqlite:///{tmp_path}/manifest.db")
    observations, deltas = (port(database, catalogue_id(database)) for port in (SqlObservations, SqlDeltas))
    keys = [f"c/{number}.jpg" for number in range(5)]
    for write in (
        lambda: observations.observe([Observation(key, "c", "e", "h", 1, "image/png") for key in keys]),
        lambda: observations.set_places(dict.fromkeys(keys, ("d", 1.0))),
        lambda: deltas.record([Change(key, "d", Reason.NEW, "") for key in keys], 0.0),
        lambda: observations.mark_absent(keys),
    ):
        free_for.clear()
        write()
        assert len(free_for) == 2
        assert min(free_for) > LONGEST_POLL_S
    database.close()


@pytest.mark.parametrize("locks", [None, ["a lock"]], ids=["alone", "pipelined"])
@pytest.mark.parametrize("arrives", [True, False])
def test_a_commit_whose_answer_is_lost_counts_once(postgres_url: str, arrives: bool, locks: list[str] | None) -> None:
    """The server says if it was done; a second time would spend, or count, twice."""
    lost = []

    def loses(piece: bytes) -> bool:
        seen.append(piece)
        is_commit = b"COMMIT" in piece and b"INTO counted" in b"".join(seen)
        return is_commit and not lost and not lost.append(True)  # type: ignore[func-returns-value]

    seen: list[bytes] = []
    Database(postgres_url).close()
    with unreliable(postgres_url, loses, arrives=arrives) as url:
        database = Database(url, sleep=lambda _seconds: None)
        with database.write() as conn:
            conn.execute(text("CREATE TABLE counted (number integer)"))
        seen.clear()

        def count() -> None:
            with database.write(locks=locks) as conn:
                conn.execute(text("INSERT INTO counted VALUES (1)"))

        database.repeat(count)
        with database.read() as conn:
            assert (conn.scalar(text("SELECT count(*) FROM counted")), lost) == (1, [True])
        database.close()


def test_what_a_transaction_writes_goes_to_the_server_with_its_commit(postgres_url: str) -> None:
    """Each journey to a server that is far away takes its time, under locks that others wait for."""
    seen: list[bytes] = []
    Database(postgres_url).close()
    with unreliable(postgres_url, lambda piece: bool(seen.append(piece))) as url:  # type: ignore[func-returns-value]
        database = Database(url)
        with database.write() as conn:
            conn.execute(text("CREATE TABLE counted (number integer PRIMARY KEY)"))
        seen.clear()
        with database.write(locks=["a lock"]) as conn:
            assert conn.scalar(text("SELECT count(*) FROM counted")) == 0
            journeys = len(seen)
            conn.execute(text("INSERT INTO counted VALUES (1)"))
            conn.execute(text("INSERT INTO counted VALUES (:number)"), [{"number": 2}, {"number": 3}])
        assert (journeys, len(seen)) == (1, 2)
        with database.read() as conn:
            assert conn.scalar(text("SELECT count(*) FROM counted")) == 3
        database.close()


@pytest.mark.skipif(not hasattr(socket, "TCP_CORK"), reason="this system does not hold back what is sent")
def test_what_is_sent_together_is_held_back_until_an_answer_is_needed(postgres_url: str) -> None:
    """The server would take the locks of the first statement while the others are still made."""
    Database(postgres_url).close()
    with unreliable(postgres_url, lambda _piece: False) as url:
        database = Database(url)

        def is_held(conn: Connection) -> bool:
            driver: Any = conn.connection.driver_connection
            with socket.fromfd(driver.fileno(), socket.AF_INET, socket.SOCK_STREAM) as sock:
                return bool(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_CORK))

        for _ in range(2):
            with database.write(locks=["a lock"]) as conn:
                held = [is_held(conn)]
                ask(conn, [text("SELECT 1")], [text("SELECT 2")])
                held.append(is_held(conn))
            with database.read() as conn:
                assert (held, is_held(conn)) == ([True, True], False)
        database.close()


def test_queries_that_are_asked_together_go_to_the_server_in_one_journey(postgres_url: str) -> None:
    seen: list[bytes] = []
    Database(postgres_url).close()
    with unreliable(postgres_url, lambda piece: bool(seen.append(piece))) as url:  # type: ignore[func-returns-value]
        database = Database(url)
        seen.clear()
        with database.write(locks=["a lock"]) as conn:
            one, none, two = ask(conn, [text("SELECT 1")], [], [text("SELECT 2"), text("SELECT 3 WHERE true")])
            assert ([row[0] for row in one], none, [row[0] for row in two]) == ([1], [], [2, 3])
            assert len(seen) == 1
        database.close()


def test_a_query_that_fails_among_others_is_told_and_the_next_transaction_works(
    postgres_url: str, capfd: pytest.CaptureFixture[str]
) -> None:
    database = Database(postgres_url)
    for bad in range(3):
        queries = [[text("SELECT 1 / 0" if number == bad else "SELECT 1")] for number in range(3)]

        def ask_all(queries: list[list[TextClause]] = queries) -> None:
            with database.write(locks=()) as conn:
                ask(conn, *queries)

        with pytest.raises(StateError, match="division by zero"):
            ask_all()
        gc.collect()
        with database.write(locks=()) as conn:
            assert ask(conn, [text("SELECT 2")])[0][0][0] == 2
    assert capfd.readouterr() == ("", "")
    database.close()


def test_what_a_pipelined_transaction_cannot_write_is_told_and_none_of_it_counts(postgres_url: str) -> None:
    database = Database(postgres_url)
    with database.write() as conn:
        conn.execute(text("CREATE TABLE counted (number integer PRIMARY KEY)"))

    def write_twice() -> None:
        with database.write(locks=()) as conn:
            conn.execute(text("INSERT INTO counted VALUES (1)"))
            conn.execute(text("INSERT INTO counted VALUES (1)"))

    with pytest.raises(StateError, match="counted_pkey"):
        write_twice()
    with database.write(locks=()) as conn:
        assert conn.scalar(text("SELECT count(*) FROM counted")) == 0
    database.close()


def sever_all(postgres_url: str, *first: str) -> None:
    """End all other connections to the database, as a server that restarts does, after these statements."""
    with closing(psycopg.connect(postgres_url.replace("+psycopg", ""), autocommit=True)) as other:
        for statement in first:
            other.execute(statement)
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def test_a_delta_whose_server_crashed_between_two_batches_is_complete(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch that was not durable is lost in the crash; the proof of the next connection hides that it happened."""
    monkeypatch.setattr("bg_pipeline.manifest.deltas.BATCH", 2)
    database = Database(postgres_url, sleep=lambda _seconds: None)
    number, write, writes = catalogue_id(database), database.write, itertools.count()
    keys = [f"c/{n}.jpg" for n in range(4)]
    SqlObservations(database, number).observe([Observation(key, "c", "e", "h", 1, "image/png") for key in keys])

    @contextmanager
    def crash_before_the_second(**options: bool) -> Iterator[Connection]:
        if next(writes) == 1:
            sever_all(postgres_url, "UPDATE items SET state = 'failed', revision = 0")
        with write(**options) as conn:
            yield conn

    monkeypatch.setattr(database, "write", crash_before_the_second)
    SqlDeltas(database, number).record([Change(key, "c", Reason.NEW, "") for key in keys], 0.0)

    assert SqlWorkQueue(database, number).pending() == {"c": 4}
    database.close()


def test_a_stream_whose_connection_is_lost_goes_on_after_the_rows_that_it_has_given(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also the batch that was on its way when the server went down."""
    monkeypatch.setattr("bg_pipeline.manifest.repeated.CHUNK", 2)
    database = Database(postgres_url, sleep=lambda _seconds: None)
    number = catalogue_id(database)
    keys = [f"c/{n}\udcff.jpg" for n in range(7)]
    SqlObservations(database, number).observe([Observation(key, "c", "e", "h", 1, "image/png") for key in keys])
    given = []
    for entry in SqlItems(database, number).entries():
        given.append(entry.key)
        if len(given) in {2, 3, 5}:
            sever_all(postgres_url)

    assert given == keys
    assert database.losses
    database.close()


def test_a_session_that_is_ended_with_a_word_as_it_leaves_a_pipeline_is_one_that_is_lost(postgres_url: str) -> None:
    """So says PgBouncer that its server is gone; the end of the connection comes later than its words."""
    fields = b"SFATAL\0VFATAL\0C08P01\0Mserver conn crashed?\0\0"
    sync = b"S\0\0\0\x04"
    lost: list[bytes] = []

    def loses(piece: bytes) -> bool:
        return piece.startswith(sync) and not lost and not lost.append(piece)  # type: ignore[func-returns-value]

    words = b"E" + (len(fields) + 4).to_bytes(4, "big") + fields
    Database(postgres_url).close()
    with unreliable(postgres_url, loses, arrives=False, last_words=words) as url:
        database = Database(url, sleep=lambda _seconds: None)

        def both() -> list[int]:
            with database.read(together=True) as conn:
                return [rows[0][0] for rows in ask(conn, [text("SELECT 1")], [text("SELECT 2")])]

        assert ([database.repeat(both) for _ in range(3)], len(lost)) == ([[1, 2]] * 3, 1)
        database.close()


def test_a_server_that_stays_away_is_told_after_a_minute(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        time_s[0] += seconds

    time_s = [0.0]
    monkeypatch.setattr("bg_pipeline.manifest.database.time.monotonic", lambda: time_s[0])
    database = Database(postgres_url, sleep=sleep)

    def lost(*_args: object) -> None:
        raise ConnectionLost("gone")

    with pytest.raises(StateError, match="gone") as caught:
        database.repeat(lost)
    assert not isinstance(caught.value, ConnectionLost)
    assert REPEATS_S <= sum(slept) < REPEATS_S + 10
    database.close()


@pytest.mark.parametrize("locks", [None, ["limits of bgeraser"]], ids=["alone", "pipelined"])
def test_a_writer_that_stands_still_keeps_no_other_waiting_until_their_claims_are_over(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch, locks: list[str] | None
) -> None:
    """A process that is frozen, or is on a host without power, ends no transaction."""
    still, other = Database(postgres_url), Database(postgres_url)
    # One session of a frozen process can get the lock that another of it had.
    assert 0 < WRITER_IS_GONE["idle_in_transaction_session_timeout"] / 1000 < LEASE_S / 3
    assert STANDS_STILL_S + WRITER_IS_GONE["lock_timeout"] / 1000 < LEASE_S / 2
    monkeypatch.setitem(WRITER_IS_GONE, "idle_in_transaction_session_timeout", 600)
    monkeypatch.setitem(WRITER_IS_GONE, "lock_timeout", 300)
    monkeypatch.setattr("bg_pipeline.manifest.database.STANDS_STILL_S", 0.2)

    def stand_still() -> None:
        with still.write(locks=locks) as conn:
            ask(conn, [text("SELECT 1")])
            conn.execute(text("UPDATE limits SET account = account"))
            done = pool.submit(lambda: SqlGates(other).change_limits("bgeraser", lambda _old: {"count": 1}))
            done.result(timeout=15)
            ask(conn, [text("SELECT 1")])

    with ThreadPoolExecutor(1) as pool, pytest.raises(ConnectionLost):
        stand_still()
    assert SqlGates(other).limits("bgeraser") == {"count": 1}
    still.close()
    other.close()


def _sleep(conn: Connection) -> None:
    ask(conn, [text("SELECT pg_sleep(2.5)")])


def _copy(conn: Connection) -> None:
    driver: Any = conn.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy("COPY limits FROM STDIN"):
        time.sleep(2.5)


@pytest.mark.parametrize(("locks", "work"), [(["limits of bgeraser"], _sleep), (None, _copy)])
def test_a_writer_that_works_is_waited_for(
    postgres_url: str,
    monkeypatch: pytest.MonkeyPatch,
    locks: list[str] | None,
    work: Callable[[Connection], None],
) -> None:
    working, other = Database(postgres_url), Database(postgres_url)
    monkeypatch.setitem(WRITER_IS_GONE, "lock_timeout", 300)
    monkeypatch.setattr("bg_pipeline.manifest.database.STANDS_STILL_S", 1.0)
    with ThreadPoolExecutor(1) as pool:
        with working.write(locks=locks) as conn:
            ask(conn, [text("SELECT 1")])
            done = pool.submit(lambda: SqlGates(other).change_limits("bgeraser", lambda _old: {"count": 1}))
            work(conn)
            waited = not done.done()
        done.result(timeout=15)
    assert waited
    working.close()
    other.close()


@pytest.mark.parametrize("is_made", [True, False])
def test_to_open_a_manifest_waits_for_a_writer_that_works(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch, is_made: bool
) -> None:
    """Another host makes its tables, or records a large delta."""
    if is_made:
        Database(postgres_url).close()
    monkeypatch.setitem(WRITER_IS_GONE, "lock_timeout", 100)

    def open_it() -> int:
        with closing(Database(postgres_url)) as database:
            return catalogue_id(database, "a new one")

    with ThreadPoolExecutor(1) as pool, closing(psycopg.connect(postgres_url.replace("+psycopg", ""))) as other:
        other.execute("SELECT pg_advisory_xact_lock(4703001)")
        opened = pool.submit(open_it)
        other.execute("SELECT pg_sleep(1)")
        waited = not opened.done()
        other.rollback()
        assert (opened.result(timeout=15) > 0, waited) == (True, True)


def test_a_server_that_lost_its_power_is_not_waited_for_as_long_as_a_lease(postgres_url: str) -> None:
    database = Database(postgres_url)
    with database.read() as conn:
        limits = conn.connection.driver_connection.info.get_parameters()
    idle, interval, count = (int(limits[f"keepalives_{name}"]) for name in ("idle", "interval", "count"))
    assert idle + interval * count < LEASE_S / 2
    assert 0 < int(limits["tcp_user_timeout"]) <= LEASE_S * 1000 / 2
    assert int(limits["connect_timeout"]) < LEASE_S
    database.close()


def test_what_a_url_says_of_a_server_that_is_gone_counts(postgres_url: str) -> None:
    database = Database(f"{postgres_url}&keepalives_idle=60")
    with database.read() as conn:
        assert conn.connection.driver_connection.info.get_parameters()["keepalives_idle"] == "60"
    database.close()


def test_what_the_driver_says_of_a_copy_is_told_as_any_other_failure(postgres_url: str) -> None:
    """Rows are copied past SQLAlchemy, which wraps the errors of all else."""
    database = Database(postgres_url)
    observations = SqlObservations(database, catalogue_id(database))
    with pytest.raises(StateError, match="the manifest database"):
        observations.observe([Observation("a.jpg", "", "e", "\0", 1, "image/png")])
    observations.observe([Observation("a.jpg", "", "e", "h", 1, "image/png")])
    database.close()


def test_a_delta_that_others_overtook_takes_nothing_of_theirs_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its lease ran out while it was being recorded."""
    url = f"sqlite:///{tmp_path}/manifest.db"
    slow, quick = Database(url), Database(url)
    number = catalogue_id(quick)
    keys = ("a.jpg", "b.jpg", "c.jpg")
    SqlObservations(quick, number).observe([Observation(key, "", "e", "h", 1, "image/png") for key in keys])
    one, two, three = ([Change(key, "", Reason.NEW, "", purchase_id=key)] for key in keys)

    def batches(changes: Sequence[Change], _size: int) -> Iterator[Sequence[Change]]:
        if changes:
            SqlDeltas(quick, number).record(two, 0.0)
            SqlDeltas(quick, number).record(three, 0.0)
            yield changes

    monkeypatch.setattr(slow, "batches", batches)
    SqlDeltas(slow, number).record(one, 0.0)

    assert SqlWorkQueue(quick, number).pending() == {"": 3}
    slow.close()
    quick.close()


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://me:canary@127.0.0.1:1/shop?connect_timeout=1",
        "postgresql+psycopg:///shop?user=me&password=canary&host=/nowhere/canary-socket&connect_timeout=1",
        "postgresql+psycopg://me@127.0.0.1:1/shop?password=canary&nonsense=1",
    ],
    ids=["in front of the host", "in the query", "in a query that the driver refuses"],
)
def test_no_password_of_the_database_stands_in_an_error(url: str) -> None:
    with pytest.raises(StateError) as caught:
        Database(url)

    assert "canary" not in str(caught.value).replace("canary-socket", "")


def test_a_manifest_keeps_its_identity_and_no_other_has_it(url: str, tmp_path: Path) -> None:
    first = Database(url)
    identity = identity_of(first)
    first.close()
    again, other = Database(url), Database(f"sqlite:///{tmp_path}/other.db")

    assert identity_of(again) == identity != identity_of(other)
    assert len(identity) == 32
    again.close()
    other.close()
