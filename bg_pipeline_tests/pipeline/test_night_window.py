"""A run that may buy until a time."""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

import pytest

from bg_pipeline.core.claims import Ask, AskedBy
from bg_pipeline.core.credits import Budget
from bg_pipeline.core.gate import GateReason, GateState
from bg_pipeline.core.records import Listed
from bg_pipeline.core.runlog import ProcessRecord
from bg_pipeline.pipeline.alerting.find import find_alerts
from bg_pipeline.pipeline.backfill import BackfillResult, backfill
from bg_pipeline.pipeline.choice import Choice
from bg_pipeline.pipeline.detect import detect, scan
from bg_pipeline.pipeline.night import WorkResult, sync, work
from bg_pipeline.pipeline.process import Scope
from bg_pipeline.ports.purchasing import CutReply, CutRequest
from bg_pipeline.ports.source import SplitPoints, no_split_points
from bg_pipeline_tests.fakes import FakeRemover, MemorySource
from bg_pipeline_tests.graph import Graph
from bg_pipeline_tests.pictures import product

pytestmark = pytest.mark.unit


class Slow(FakeRemover):
    """Takes so many seconds to answer."""

    clock = None

    def cut(self, request: CutRequest) -> CutReply:
        reply = super().cut(request)
        graph = self.graph  # type: ignore[attr-defined]
        graph.clock.now += 10.0  # less than a slot lives without a beat
        return reply


def shop(count: int) -> Graph:
    remover = Slow()
    graph = Graph(remover=remover)
    remover.graph = graph  # type: ignore[attr-defined]
    for n in range(count):
        graph.source.put(f"c/{n}.png", product(n))
    graph.sync(cap=0)
    return graph


def work_until(graph: Graph, until: float) -> WorkResult:
    graph.runs += 1
    return work(graph.pipeline, Ask(AskedBy.NIGHT, Budget(f"run {graph.runs}", Decimal(99), until)), Scope())


def test_the_request_in_flight_is_finished_and_the_rest_waits() -> None:
    graph = shop(5)
    summary = work_until(graph, graph.clock.now + 15.0).summary

    assert (summary.purchases, summary.published, summary.pending) == (2, 2, 3)
    assert (summary.window_ended, summary.paused, summary.left_before) == (True, "", None)
    assert not summary.failures


def test_after_the_end_nothing_is_bought_and_what_is_free_is_still_done() -> None:
    graph = shop(3)
    graph.process(cap=1)
    (bought,) = graph.outputs.blobs
    graph.source.put("c/copy.png", graph.source.files[bought])
    graph.outputs.blobs.clear()
    scan(graph.catalogue, graph.policy, graph.run)
    detect(*graph.pipeline.context)
    summary = work_until(graph, graph.clock.now - 1.0).summary

    assert (summary.purchases, summary.published, summary.pending) == (0, 2, 2)
    assert summary.window_ended


class SlowListing(MemorySource):
    """Takes so many seconds to list."""

    def __init__(self, graph: Graph, seconds: float) -> None:
        super().__init__(dict(graph.source.files))
        self.versions = dict(graph.source.versions)
        self.graph, self.seconds = graph, seconds

    def list(self, split_points: SplitPoints = no_split_points) -> Iterator[Listed]:
        yield from super().list(split_points)
        self.graph.clock.now += self.seconds


@pytest.mark.parametrize("gate", [GateState.OPEN, GateState.CLOSED])
def test_a_night_whose_window_ends_while_it_lists_buys_nothing_and_reads_no_picture_for_it(gate: GateState) -> None:
    graph = shop(3)
    graph.ledger.change_gate("bgeraser", lambda known, _: replace(known, state=gate, reason=GateReason.BY_HAND))
    graph.source = SlowListing(graph, 100.0)
    result = sync(graph.pipeline, Budget("a night", None, graph.clock.now + 50.0), Choice())
    summary = result.work.summary

    assert result.look.scan.listed == 3
    assert (summary.purchases, summary.pending, summary.window_ended, summary.paused) == (0, 3, True, "")
    assert graph.source.reads == graph.remover.requests == []


def test_with_nothing_left_to_buy_the_end_ends_nothing() -> None:
    graph = shop(1)
    graph.process()

    assert not work_until(graph, graph.clock.now - 1.0).summary.window_ended


def test_the_report_says_how_the_backlog_grows() -> None:
    graph = shop(3)
    work_until(graph, graph.clock.now - 1.0)
    graph.source.put("c/9.png", product(9))
    graph.sync(cap=0)
    assert work_until(graph, graph.clock.now - 1.0).summary.left_before is None  # a cap ended the run in between
    summary = work_until(graph, graph.clock.now - 1.0).summary

    assert (summary.pending, summary.left_before) == (4, 4)
    assert graph.run_log.read(ProcessRecord)[0].summary == summary


def test_a_planned_end_is_no_alert() -> None:
    graph = shop(2)
    work_until(graph, graph.clock.now - 1.0)

    assert find_alerts(graph.pipeline, [graph.clock.now - 90_000.0]).alerts == ()


class OnePause:
    """A watcher that shows nothing, and ends the test at a second pause."""

    def __init__(self) -> None:
        self._pauses = iter(range(1))

    def paused(self, why: str) -> None:
        assert next(self._pauses, None) is not None, f"it pauses again after its window: {why}"

    def waiting(self, why: str) -> None: ...

    def resumed(self) -> None: ...


def test_a_backfill_that_waits_for_credits_ends_with_its_window() -> None:
    graph = shop(3)
    graph.ledger.change_gate(
        "bgeraser", lambda gate, _: replace(gate, state=GateState.CLOSED, reason=GateReason.BY_HAND)
    )
    until = graph.clock.now + 50.0

    def later() -> None:
        graph.clock.now += 20.0

    graph.while_asleep = later
    result = BackfillResult()
    ask = Ask(AskedBy.BACKFILL, Budget("a backfill", None, until))
    backfill(graph.pipeline, ask, Choice(frozenset({"c"})), OnePause(), result)

    assert (result.total.window_ended, result.total.paused, result.total.purchases) == (True, "", 0)
