"""How the end of a transaction is known whose answer was lost."""

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext

import pytest
from sqlalchemy import text

from bg_pipeline.errors import StateError
from bg_pipeline.manifest import commits
from bg_pipeline.manifest.database import Database


@pytest.fixture
def database(postgres_url: str) -> Iterator[Database]:
    opened = Database(postgres_url)
    with opened.write() as conn:
        conn.execute(text("CREATE TABLE counted (number integer)"))
    yield opened
    opened.close()


def count(database: Database) -> int:
    with database.read() as conn:
        return int(conn.scalar(text("SELECT count(*) FROM counted")) or 0)


@pytest.mark.parametrize("locks", [None, ["a lock"]], ids=["alone", "pipelined"])
def test_a_transaction_that_was_taken_for_lost_is_not_committed_later(
    database: Database, monkeypatch: pytest.MonkeyPatch, locks: list[str] | None
) -> None:
    """It may still be on its way, in a network or in a pooler, when the server is asked for its end."""
    monkeypatch.setattr(commits, "new_mark", lambda: "late")
    with database.read() as conn:
        assert [commits.is_done(conn, "late") for _ in range(2)] == [False, False]

    with pytest.raises(StateError, match="duplicate key"), database.write(locks=locks) as conn:
        conn.execute(text("INSERT INTO counted VALUES (1)"))
    assert count(database) == 0


@pytest.mark.parametrize("ends_well", [True, False])
def test_a_transaction_that_is_under_way_is_waited_for(
    database: Database, monkeypatch: pytest.MonkeyPatch, ends_well: bool
) -> None:
    monkeypatch.setattr(commits, "new_mark", lambda: "slow")
    is_asked = threading.Event()

    def ask() -> bool:
        with database.read() as conn:
            is_asked.set()
            return commits.is_done(conn, "slow")

    def write() -> None:
        with database.write() as conn:
            answers.append(pool.submit(ask))
            is_asked.wait()
            while not conn.scalar(waits):
                conn.execute(text("SELECT pg_stat_clear_snapshot()"))
            if not ends_well:
                raise KeyError

    answers: list[Future[bool]] = []
    waits = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'transactionid'")
    with ThreadPoolExecutor(1) as pool:
        with nullcontext() if ends_well else pytest.raises(KeyError):
            write()
        assert answers[0].result(30) is ends_well


def test_a_connection_leaves_one_mark_and_takes_away_those_of_connections_long_gone(
    postgres_url: str, database: Database
) -> None:
    with database.write() as conn:
        conn.execute(text("INSERT INTO commits VALUES ('old', true, 0)"))
    for _ in range(3):
        with database.write(locks=["a lock"]):
            pass
    other = Database(postgres_url)
    with other.write():
        pass
    with other.read() as conn:
        marks = [row.mark for row in conn.execute(text("SELECT mark FROM commits"))]
    other.close()
    assert (len(marks), "old" in marks) == (2, False)
