"""Balances and savings on record."""

from decimal import Decimal

import pytest

from bg_pipeline.core.credits import Reconciliation
from bg_pipeline.core.gate import LAG_S
from bg_pipeline.core.runlog import BalanceRecord, Record
from bg_pipeline.purchasing.money import last_reading, reconcile_balances, saved_since
from bg_pipeline_tests.fakes import FakeRemover
from bg_pipeline_tests.graph import Graph
from bg_pipeline_tests.pictures import product


@pytest.fixture
def graph() -> Graph:
    made = Graph(remover=FakeRemover(credits_left=Decimal(100)))
    made.source.put("c/1.png", product(1))
    made.sync()
    return made


def reconciled(graph: Graph) -> dict[str, Reconciliation]:
    graph.clock.now += LAG_S
    return reconcile_balances(graph.catalogue, graph.accounts, graph.policy, graph.run)


def test_a_reading_is_on_record_with_its_run_and_what_the_ledger_says_to_it(graph: Graph) -> None:
    graph.run_log.write(
        BalanceRecord(run_id="", job="", collections=None, started_at=0.0, account="x", balance=Decimal(1))
    )
    graph.remover.credits_left -= Decimal("0.125")  # type: ignore[operator]
    graph.runs = 7
    found = reconciled(graph)["bgeraser"]
    last = last_reading(graph.catalogue, "bgeraser")

    assert last is not None
    assert (last.run_id, last.job, last.account) == ("run 7", "sync", "bgeraser")
    assert (last.balance, last.drift) == (Decimal("98.875"), Decimal("0.125"))
    assert (last.sound, last.because) == (found.sound, found.because) == (False, found.because)


def test_a_first_reading_is_compared_with_nothing() -> None:
    graph = Graph(remover=FakeRemover(credits_left=Decimal(100)))
    assert reconciled(graph) == {}
    last = last_reading(graph.catalogue, "bgeraser")

    assert last is not None
    assert (last.drift, last.sound) == (None, True)


def test_what_is_bought_while_a_reading_is_written_down_is_counted_by_the_next(
    graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, turns = graph.run_log.write, iter([True])

    def write(record: Record) -> None:
        if isinstance(record, BalanceRecord) and next(turns, False):
            graph.process()
        real(record)

    graph.source.put("c/2.png", product(2))
    graph.sync(cap=0)
    monkeypatch.setattr(graph.run_log, "write", write)
    reconciled(graph)
    found = reconciled(graph)["bgeraser"]

    assert (found.charged, found.drift, found.sound) == (Decimal(1), 0, True)


def test_savings_are_added_up_over_all_runs_since_a_moment(graph: Graph) -> None:
    graph.source.put("c/copy.png", product(1))
    graph.sync()
    since = graph.clock()
    graph.source.put("d/copy.png", product(1))
    graph.sync()

    assert saved_since(graph.catalogue, 0.0) == 2
    assert saved_since(graph.catalogue, since) == 1
