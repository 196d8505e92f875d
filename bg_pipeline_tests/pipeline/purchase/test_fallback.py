"""The next vendor is asked only where the first one charged nothing."""

import pytest

from bg_pipeline.core.gate import GateReason, on_refusal
from bg_pipeline.core.records import State
from bg_pipeline.core.report import Exit
from bg_pipeline.errors import AccountError, ItemRejected, NoCredits, OutcomeUnknown, TransientError, UnusableAnswer
from bg_pipeline_tests.fakes import FakeRemover
from bg_pipeline_tests.pipeline.purchase.shop import SECOND, with_fallback
from bg_pipeline_tests.pipeline.states import state_of


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(ItemRejected("no subject"), id="rejected"),
        pytest.param(NoCredits("402"), id="no credits"),
        pytest.param(AccountError("403"), id="bad key"),
    ],
)
def test_the_next_provider_is_asked_after_an_error_that_charged_nothing(error: Exception) -> None:
    graph = with_fallback(FakeRemover([error]))
    done = graph.sync()

    assert (done.summary.published, done.summary.bought_from) == (1, {"removebg": 1})
    entry = graph.items.entry("c/1.png")
    assert entry is not None
    assert entry.published is not None
    assert entry.published.cut_digest == SECOND.digest
    assert graph.sync().delta.counts["unchanged"] == 1


def test_the_next_provider_is_asked_when_the_first_one_keeps_failing() -> None:
    graph = with_fallback(FakeRemover([TransientError("503")] * 6))

    assert graph.sync().summary.bought_from == {"removebg": 1}


@pytest.mark.parametrize("error", [OutcomeUnknown("reset"), UnusableAnswer("no alpha")])
def test_the_next_provider_is_not_asked_when_the_first_may_have_charged(error: Exception) -> None:
    graph = with_fallback(FakeRemover([error]))
    done = graph.sync()

    assert (done.summary.published, graph.others["removebg"].requests) == (0, [])


def test_the_next_provider_is_not_asked_when_an_earlier_try_may_have_charged() -> None:
    graph = with_fallback(FakeRemover([TransientError("500", free=False), ItemRejected("no subject")]))
    done = graph.sync()

    assert (done.summary.in_doubt, graph.others["removebg"].requests) == (1, [])


def test_a_picture_fails_only_when_every_provider_rejects_it() -> None:
    graph = with_fallback(FakeRemover([ItemRejected("no")] * 2), FakeRemover([ItemRejected("neither")] * 2))
    assert graph.sync().summary.failed == 1

    blameless = with_fallback(FakeRemover([ItemRejected("no")]), FakeRemover([NoCredits("402")]))
    assert blameless.sync().summary.failed == 0
    assert state_of(blameless, "c/1.png") is State.PENDING


def test_a_closed_gate_sends_everything_to_the_next_provider_and_pauses_nothing() -> None:
    graph = with_fallback(FakeRemover(), None, "c/1.png", "c/2.png")
    graph.gates.change_gate("bgeraser", lambda gate: on_refusal(gate, GateReason.NO_CREDITS, "402", now=1.0))
    done = graph.sync()

    assert (done.summary.bought_from, done.summary.exit_code) == ({"removebg": 2}, Exit.DONE)
    assert graph.remover.requests == []


def test_a_run_pauses_when_every_gate_is_closed() -> None:
    graph = with_fallback(FakeRemover([NoCredits("402")]), FakeRemover([NoCredits("402")]), "c/1.png", "c/2.png")
    done = graph.sync()

    assert (done.summary.exit_code, done.summary.pending) == (Exit.PAUSED, 2)
    assert "bgeraser" in done.summary.paused
    assert "removebg" in done.summary.paused
