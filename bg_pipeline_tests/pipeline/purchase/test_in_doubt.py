"""What may have been charged, and what killed runs left open."""

from decimal import Decimal

import pytest

from bg_pipeline.core.records import State
from bg_pipeline.errors import OutcomeUnknown
from bg_pipeline.pipeline.recovery import recover
from bg_pipeline_tests.fakes import FakeRemover
from bg_pipeline_tests.pictures import encoded, opened, product
from bg_pipeline_tests.pipeline.purchase.shop import interrupted, killed, shop
from bg_pipeline_tests.pipeline.states import state_of


def test_what_may_have_been_charged_waits_for_a_person_where_the_policy_says_so() -> None:
    graph = shop(hold_in_doubt=True, remover=FakeRemover([OutcomeUnknown("reset")]))
    done = graph.sync()
    assert (done.summary.failed, done.summary.credits_in_doubt) == (1, Decimal(1))
    assert graph.sync().summary.purchases == 0

    graph.items.retry(None)
    assert graph.sync().summary.published == 1


def test_what_a_killed_run_left_in_doubt_waits_for_a_person_where_the_policy_says_so() -> None:
    graph = shop(hold_in_doubt=True)
    kill = KeyboardInterrupt()
    graph.remover = FakeRemover([kill])
    with pytest.raises(KeyboardInterrupt):
        graph.sync()
    graph.stop.clear()
    done = graph.sync()

    assert (done.summary.in_doubt, state_of(graph, "c/1.png")) == (1, State.FAILED)
    assert len(graph.remover.requests) == 1


def test_what_a_killed_run_left_in_doubt_keeps_its_state_where_nothing_waits_for_it_any_more() -> None:
    graph = killed(hold_in_doubt=True)
    graph.queue.set_state("c/1.png", State.SKIPPED, "no picture any more", "", graph.claim("c/1.png"))

    assert len(recover(*graph.pipeline.context)) == 1
    assert state_of(graph, "c/1.png") is State.SKIPPED


def test_a_run_without_a_detection_ends_what_a_killed_one_left_open() -> None:
    graph = killed()
    summary = graph.process().summary

    assert (summary.published, summary.in_doubt) == (1, 1)


def test_what_a_living_run_has_in_flight_is_not_ended_by_another() -> None:
    graph = shop()
    ended: list[object] = []
    graph.remover.before = lambda _request: ended.extend(recover(*graph.pipeline.context))
    done = graph.sync()

    assert (ended, done.summary.published, done.summary.in_doubt) == ([], 1, 0)


def test_a_master_that_a_killed_run_stored_serves_the_same_picture_saved_again() -> None:
    graph = shop()
    keep, graph.purchases.keep = graph.purchases.keep, interrupted  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        graph.sync()
    graph.purchases.keep = keep  # type: ignore[method-assign]
    graph.stop.clear()
    graph.sync()
    graph.source.put("c/1.png", encoded(opened(product(1)), compress_level=1))

    assert graph.sync().summary.published == 1
    assert len(graph.remover.requests) == 1


def test_an_open_attempt_of_a_collection_that_is_gone_is_ended_too() -> None:
    """Renaming the folder of a killed run must not leave its twin waiting without end."""
    graph = shop("old/1.png", remover=FakeRemover([KeyboardInterrupt()]))
    with pytest.raises(KeyboardInterrupt):
        graph.sync()
    graph.stop.clear()
    graph.source.put("new/1.png", graph.source.files.pop("old/1.png"))
    done = graph.sync()

    assert (done.summary.published, done.summary.in_doubt) == (1, 1)
