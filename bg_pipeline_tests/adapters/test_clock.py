"""The time that processes compare is the server's, whatever the clocks of their machines do."""

import time
from collections.abc import Iterator

import pytest

from bg_pipeline.errors import StateError
from bg_pipeline.manifest.clock import ASK_EVERY_S, DatabaseClock
from bg_pipeline.manifest.database import Database
from bg_pipeline_tests.fakes import FakeClock

YEAR_S = 365 * 86_400.0


@pytest.fixture
def postgres(postgres_url: str) -> Iterator[Database]:
    database = Database(postgres_url)
    yield database
    database.close()


def test_a_machine_whose_clock_is_a_year_ahead_reads_the_servers_time(postgres: Database) -> None:
    clock = DatabaseClock(postgres, own=lambda: time.time() + YEAR_S)

    assert clock() == pytest.approx(time.time(), abs=5)
    assert clock.ahead_s == pytest.approx(YEAR_S, abs=5)


def test_between_two_questions_a_clock_that_nobody_sets_counts_on(
    postgres: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monotonic, server = FakeClock(50.0), FakeClock(1_000.0)
    monkeypatch.setattr(postgres, "server_time", server)
    clock = DatabaseClock(postgres, monotonic=monotonic)
    monotonic.now += ASK_EVERY_S - 1
    server.now += 500
    assert clock() == 1_000 + ASK_EVERY_S - 1

    monotonic.now += 2
    assert clock() == 1_500


def test_a_server_that_does_not_answer_leaves_the_clock_going(
    postgres: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monotonic = FakeClock(50.0)
    clock = DatabaseClock(postgres, monotonic=monotonic)
    before = clock()

    def gone() -> float:
        raise StateError("gone")

    monkeypatch.setattr(postgres, "server_time", gone)
    monotonic.now += ASK_EVERY_S + 1
    assert clock() == pytest.approx(before + ASK_EVERY_S + 1)


def test_the_time_can_be_asked_for_while_all_connections_are_in_use(postgres: Database) -> None:
    """Else workers that hold one each, and wait for the time, would wait for each other."""
    pool = postgres.engine.pool
    held = [postgres.engine.connect() for _ in range(pool.size() + pool._max_overflow)]  # type: ignore[attr-defined]
    try:
        assert postgres.server_time() == pytest.approx(time.time(), abs=5)
    finally:
        for each in held:
            each.close()
