"""What ends or pauses a run: errors that pass, outages, accounts, caps, people, other runs."""

import contextlib
import threading
from decimal import Decimal

import pytest

from bg_pipeline.core.breaker import IN_A_ROW
from bg_pipeline.core.credits import Budget
from bg_pipeline.core.gate import GateReason, on_refusal
from bg_pipeline.core.records import AttemptState, State
from bg_pipeline.core.report import Exit
from bg_pipeline.errors import AccountError, NoCredits, OutcomeUnknown, Stopped, TransientError
from bg_pipeline.pipeline.detect import detect, scan
from bg_pipeline.pipeline.night import sync
from bg_pipeline_tests.fakes import FakeRemover
from bg_pipeline_tests.graph import Graph
from bg_pipeline_tests.pictures import product
from bg_pipeline_tests.pipeline.states import state_of


def test_a_transient_error_is_retried_with_growing_waits_and_each_try_is_on_record(graph: Graph) -> None:
    graph.remover = FakeRemover([TransientError("503"), TransientError("503"), None])
    done = graph.sync(collection="bags")

    assert (done.summary.published, graph.slept) == (1, [1.0, 2.0])
    states = [a.state for a in graph.database.attempts.values()]
    assert states == [AttemptState.REFUSED, AttemptState.REFUSED, AttemptState.CHARGED]


def test_a_retry_that_slept_asks_the_gate_again(graph: Graph) -> None:
    """Stop means stop: another run may have met a 402 in the meantime."""
    graph.while_asleep = lambda: graph.gates.change_gate(
        "bgeraser", lambda gate: on_refusal(gate, GateReason.NO_CREDITS, "402", now=1.0)
    )
    graph.remover = FakeRemover([TransientError("503")])
    done = graph.sync(collection="bags")

    assert (len(graph.remover.requests), done.summary.exit_code) == (1, Exit.PAUSED)


def test_a_stop_on_request_wakes_a_retry_that_sleeps(graph: Graph) -> None:
    graph.while_asleep = graph.stop.set
    graph.remover = FakeRemover([TransientError("503")] * 9)
    done = graph.sync(collection="bags")

    assert (len(graph.remover.requests), done.summary.pending) == (1, 4)


def test_an_outage_stops_the_run_and_blames_no_picture(graph: Graph) -> None:
    graph.remover = FakeRemover([TransientError("503")] * 100)
    done = graph.sync(collection="shoes")

    assert len(graph.remover.requests) == IN_A_ROW
    assert (done.summary.failed, done.summary.pending) == (0, 4)
    assert done.summary.exit_code is Exit.PAUSED


def test_a_wait_of_more_than_two_minutes_is_not_slept_through(graph: Graph) -> None:
    graph.remover = FakeRemover([TransientError("later", retry_after_s=3600)])
    done = graph.sync(collection="bags")

    assert (graph.slept, done.summary.exit_code) == ([], Exit.PAUSED)


@pytest.mark.parametrize(
    ("error", "reason"),
    [(NoCredits("402"), GateReason.NO_CREDITS), (AccountError("401"), GateReason.BAD_KEY)],
    ids=["no credits", "bad key"],
)
def test_a_refused_account_closes_the_gate_and_blames_no_picture(
    graph: Graph, error: AccountError, reason: GateReason
) -> None:
    graph.remover = FakeRemover([None, error])

    def is_refused_from_the_second_on(_request: object) -> None:
        if len(graph.remover.requests) == 2:
            graph.remover.account_error = error

    graph.remover.before = is_refused_from_the_second_on
    done = graph.sync(collection="shoes")

    assert (done.summary.published, done.summary.failed, done.summary.exit_code) == (1, 0, Exit.PAUSED)
    assert graph.gates.gate("bgeraser").reason is reason
    assert graph.sync(collection="bags").summary.exit_code is Exit.PAUSED
    assert len(graph.remover.requests) == 2


def test_nothing_is_sent_below_the_threshold_and_work_goes_on_after_a_top_up(graph: Graph) -> None:
    graph.low = Decimal(10)
    graph.remover = FakeRemover(credits_left=Decimal(11))
    first = graph.sync(collection="shoes")
    assert (first.summary.purchases, first.summary.exit_code) == (2, Exit.PAUSED)
    assert "top up" in first.summary.paused

    assert graph.sync(collection="shoes").summary.purchases == 0
    graph.remover.credits_left = Decimal(100)
    assert graph.sync(collection="shoes").summary.published == 1


def test_requests_in_flight_cannot_dip_below_the_threshold_together() -> None:
    graph = Graph(low=Decimal(10), concurrency=8, remover=FakeRemover(credits_left=Decimal(12)))
    for n in range(20):
        graph.source.put(f"c/{n}.png", product(n))
    together = threading.Barrier(3)

    def hold(_request: object) -> None:
        with contextlib.suppress(threading.BrokenBarrierError):
            together.wait(timeout=0.2)

    graph.remover.before = hold
    graph.sync()

    assert graph.remover.credits_left == Decimal(9)


def test_a_credit_limit_stops_the_run_before_it_is_exceeded(graph: Graph) -> None:
    done = graph.sync(cap=2)

    assert (done.summary.purchases, done.summary.pending, done.summary.exit_code) == (2, 2, Exit.BUDGET)


def test_a_stop_on_request_keeps_what_is_in_flight_and_begins_nothing(graph: Graph) -> None:
    graph.remover.before = lambda _request: graph.stop.set()
    done = graph.sync(collection="shoes")

    assert (done.summary.published, done.summary.pending, done.summary.paused) == (1, 3, "stopped on request")
    graph.stop.clear()
    graph.remover.before = lambda _request: None
    assert graph.sync().summary.published == 3
    assert len(graph.remover.requests) == 4


def test_a_picture_that_failed_here_and_was_published_by_another_run_is_no_failure(graph: Graph) -> None:
    graph.sync(cap=0)
    graph.claim("shoes/0.png", owner="another run")
    graph.remover = FakeRemover([OutcomeUnknown("no answer")])

    def publish_the_rest() -> None:
        graph.while_asleep = lambda: None
        graph.clock.now += 10_000
        graph.process()

    graph.while_asleep = publish_the_rest
    done = graph.sync()

    assert (done.summary.published, done.summary.pending, done.summary.in_doubt) == (2, 0, 1)
    assert (done.summary.failures, done.summary.exit_code) == ([], Exit.DONE)


def test_a_sync_waits_while_another_run_detects(graph: Graph) -> None:
    lease = graph.leases.acquire("detection", "the night")
    graph.while_asleep = lambda: graph.leases.release(lease)
    done = graph.sync()

    assert (done.summary.published, done.summary.exit_code, len(graph.slept)) == (4, Exit.DONE, 1)


def test_a_stop_ends_the_wait_for_a_detection(graph: Graph) -> None:
    graph.leases.acquire("detection", "the night")
    graph.while_asleep = graph.stop.set

    with pytest.raises(Stopped, match="nothing was done"):
        graph.sync()


@pytest.mark.parametrize(("younger_s", "listings"), [(30.0, 1), (90.0, 2)])
def test_a_sync_takes_the_listing_of_another_that_began_with_it_for_its_own(
    graph: Graph, younger_s: float, listings: int
) -> None:
    lease = graph.leases.acquire("night", "the night")
    graph.while_asleep = lambda: graph.leases.release(lease)
    scan(graph.catalogue, graph.policy, graph.run)
    detect(*graph.pipeline.context)
    graph.source.put("shoes/late.png", product(77))
    graph.clock.now += younger_s
    graph.leases.heartbeat(lease)
    done = sync(graph.pipeline, Budget("the second"))

    assert (done.decision is None, bool(done.joined)) == (listings == 1, listings == 1)
    assert done.work.summary.published == 3 + listings
    assert done.work.summary.exit_code is Exit.DONE


def test_a_run_with_a_wish_of_its_own_joins_no_other(graph: Graph) -> None:
    lease = graph.leases.acquire("night", "the night")
    graph.while_asleep = lambda: graph.leases.release(lease)
    scan(graph.catalogue, graph.policy, graph.run)
    detect(*graph.pipeline.context)

    assert sync(graph.pipeline, Budget("the second"), rerender=True).joined == ""


def test_a_run_whose_claim_was_taken_over_sends_and_publishes_nothing_more(graph: Graph) -> None:
    """A machine that slept through its heartbeats wakes up in the middle of a request."""

    def take_over(_request: object) -> None:
        graph.clock.now += 10_000
        graph.claim("shoes/0.png", "shoes/1.png", "shoes/2.png", owner="another run")

    graph.remover.before = take_over
    graph.while_asleep = graph.stop.set  # it waits for the other
    done = graph.sync(collection="shoes")

    assert (done.summary.published, done.summary.paused) == (0, "stopped on request")
    assert len(graph.remover.requests) == len(graph.masters.blobs) == 1
    assert graph.outputs.writes == []
    assert state_of(graph, graph.remover.requests[0].item_key) is State.PENDING
