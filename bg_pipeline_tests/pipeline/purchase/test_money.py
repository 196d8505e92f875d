"""Charges, caps and balances."""

import logging
from decimal import Decimal

import pytest

from bg_pipeline.core.claims import Ask, AskedBy, Selection
from bg_pipeline.core.credits import Budget
from bg_pipeline.core.gate import LAG_S, GateReason, GateState, by_hand, on_refusal
from bg_pipeline.core.records import AttemptState, State
from bg_pipeline.core.report import Exit
from bg_pipeline.errors import ItemRejected, OutcomeUnknown, QualityDropped, UnusableAnswer
from bg_pipeline.pipeline.night import work
from bg_pipeline.pipeline.process import Scope
from bg_pipeline.purchasing.buyer import BALANCE_EVERY, BALANCE_EVERY_NEAR
from bg_pipeline.purchasing.gate import read_balances
from bg_pipeline.purchasing.money import last_reading, reconcile_balances, standing
from bg_pipeline_tests.fakes import FakeRemover
from bg_pipeline_tests.graph import Graph
from bg_pipeline_tests.pictures import cutout_of, product
from bg_pipeline_tests.pipeline.purchase.shop import shop
from bg_pipeline_tests.pipeline.states import state_of


def test_a_smaller_answer_than_was_paid_for_is_not_published_and_closes_the_gate_until_a_person_opens_it() -> None:
    """remove.bg's `auto` delivers a preview when the credits end: nothing fails, and the shop gets stamps."""
    graph = Graph()
    for n in range(4):
        graph.source.put(f"c/{n}.png", product(n, size=(240, 160)))
    small = cutout_of(product(0, size=(120, 80)))
    graph.remover = FakeRemover([small])
    done = graph.sync()

    assert (done.summary.wasted, done.summary.exit_code) == (1, Exit.PAUSED)
    gate = graph.gates.gate("bgeraser")
    assert gate.reason is GateReason.QUALITY
    assert len(graph.remover.requests) <= 2  # one more may have been in flight
    assert graph.sync().summary.exit_code is Exit.PAUSED
    assert "120×80" in gate.why


def test_what_a_useless_answer_cost_is_the_same_in_the_summary_and_on_the_ledger() -> None:
    cheaper = QualityDropped("a preview")
    cheaper.credits_charged = Decimal("0.25")
    graph = shop("c/1.png", "c/2.png", remover=FakeRemover([UnusableAnswer("junk"), cheaper]))
    done = graph.sync()

    assert done.summary.credits == graph.ledger.spent(0.0) == Decimal("1.25")


def test_a_service_that_says_itself_that_it_delivered_less_is_stopped_too() -> None:
    graph = shop(remover=FakeRemover([QualityDropped("a preview")]))

    graph.sync()
    assert graph.gates.gate("bgeraser").reason is GateReason.QUALITY
    assert graph.sync().summary.exit_code is Exit.PAUSED
    assert len(graph.remover.requests) == 1


def test_nothing_is_bought_for_a_name_that_the_output_cannot_have() -> None:
    graph = shop("c/1.png", "c/caf\udce9.png")
    graph.outputs.utf8_only = True
    done = graph.sync()

    assert (done.summary.published, done.summary.failed, len(graph.remover.requests)) == (1, 1, 1)
    assert state_of(graph, "c/caf\udce9.png") is State.FAILED


def test_what_a_service_said_is_logged_in_full_and_kept_with_the_attempt(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Another test of this process may have set up logging, as the command line does.
    for name in ("bg_pipeline", "bg_pipeline.purchasing.ledger"):
        monkeypatch.setattr(logging.getLogger(name), "disabled", False)
    caplog.set_level(logging.WARNING, "bg_pipeline")
    refusal = ItemRejected("400 unknown_foreground")
    refusal.answer = '{"errors":[{"code":"unknown_foreground","title":"Could not\x1b[31m identify"}]}'
    graph = shop(remover=FakeRemover([refusal]))
    graph.sync()

    (attempt,) = graph.ledger.log(0.0)
    assert attempt.answer == refusal.answer
    assert f"attempt {attempt.id} is refused: 400 unknown_foreground; answered: {refusal.answer!r}" in caplog.text
    assert "\x1b" not in caplog.text


def test_what_is_free_is_published_while_the_gate_is_closed() -> None:
    graph = shop("c/1.png", "c/2.png")
    graph.sync()
    graph.gates.change_gate("bgeraser", lambda gate: on_refusal(gate, GateReason.NO_CREDITS, "402", now=1.0))
    graph.source.put("c/copy.png", product(1))
    graph.source.put("c/new.png", product(9))
    done = graph.sync()

    assert (done.summary.published, done.summary.pending, done.summary.exit_code) == (1, 1, Exit.PAUSED)
    assert "c/copy.png" in graph.outputs.blobs


def test_the_cap_of_a_day_ends_one_run_and_the_next() -> None:
    graph = shop("a/1.png", "a/2.png", "b/3.png", day_cap=Decimal(2))
    first = graph.sync()
    assert (first.summary.purchases, first.summary.exit_code) == (2, Exit.BUDGET)
    assert graph.sync().summary.purchases == 0

    graph.clock.now += 86_400
    assert graph.sync().summary.purchases == 1


def test_runs_that_share_a_name_share_a_cap() -> None:
    """A Dagster night is many runs in many processes."""
    graph = shop("a/1.png", "b/2.png")
    graph.sync(cap=0)
    ask = Ask(AskedBy.NIGHT, Budget("the night", Decimal(1)))
    scopes = [Scope(Selection(frozenset({name}))) for name in ("a", "b")]
    summaries = [work(graph.pipeline, ask, scope).summary for scope in scopes]

    assert [s.purchases for s in summaries] == [1, 0]
    assert summaries[1].budget_reached


@pytest.mark.parametrize(("credits_left", "readings_at"), [(1000, [0, 10, 110]), (300, [0, 10, *range(110, 125, 10)])])
def test_the_balance_is_read_again_every_hundred_purchases_and_near_the_threshold_every_ten(
    credits_left: int, readings_at: list[int]
) -> None:
    graph = Graph(remover=FakeRemover(credits_left=Decimal(credits_left)))
    for n in range(BALANCE_EVERY + BALANCE_EVERY_NEAR + 13):
        graph.source.put(f"c/{n}.png", product(n, size=(48 + n, 32)))
    readings: list[int] = []
    real = graph.remover.balance

    def balance() -> Decimal | None:
        readings.append(len(graph.remover.requests))
        return real()

    graph.remover.balance = balance  # type: ignore[method-assign]
    graph.sync()

    assert sorted({at // 10 * 10 for at in readings}) == readings_at


def test_the_fall_of_the_balance_is_held_against_the_ledger_once_a_sync() -> None:
    graph = shop("c/1.png", "c/2.png", remover=FakeRemover(credits_left=Decimal(100)))
    graph.sync()
    assert reconcile_balances(*graph.pipeline.context) == {}  # the vendor may not show the last charges yet
    graph.clock.now += LAG_S
    found = reconcile_balances(*graph.pipeline.context)["bgeraser"]
    assert (found.drift, found.sound, found.fell_by) == (0, True, Decimal(2))

    graph.remover.credits_left = Decimal(90)
    again = reconcile_balances(*graph.pipeline.context)["bgeraser"]
    assert (again.drift, again.sound) == (Decimal(8), False)
    assert last_reading(graph.catalogue, "bgeraser") is not None


def test_a_balance_that_is_read_while_something_is_bought_is_not_held_against_the_ledger() -> None:
    graph = shop("c/1.png", remover=FakeRemover(credits_left=Decimal(100)))
    seen = []
    graph.remover.before = lambda _request: seen.append(reconcile_balances(*graph.pipeline.context))
    graph.sync()
    assert seen == [{}]

    real, turns = graph.remover.balance, iter([True])

    def slow() -> Decimal | None:
        left = real()
        if next(turns, False):
            graph.sync()
        return left

    graph.clock.now += LAG_S
    graph.source.put("c/2.png", product(2))
    graph.remover.balance = slow  # type: ignore[method-assign]
    assert reconcile_balances(*graph.pipeline.context) == {}


def test_what_is_bought_while_the_balance_is_read_is_counted_down_from_it() -> None:
    graph = shop("c/1.png", remover=FakeRemover(credits_left=Decimal(100)))
    real, turns = graph.remover.balance, iter([True])

    def slow() -> Decimal | None:
        left = real()
        if next(turns, False):
            graph.sync()
        return left

    graph.remover.balance = slow  # type: ignore[method-assign]
    read_balances(graph.accounts, graph.policy, graph.run)

    assert standing(graph.accounts, graph.run, "bgeraser")["balance"] == 99.0


def test_the_standing_of_a_provider_counts_down_from_the_last_reading() -> None:
    graph = shop("c/1.png", "c/2.png", remover=FakeRemover([None, OutcomeUnknown("reset")], Decimal(100)))
    graph.sync()
    facts = standing(graph.accounts, graph.run, "bgeraser")

    assert (facts["balance"], facts["charged"], facts["in_doubt"]) == (98.0, 1.0, 1.0)
    assert facts["state"] == "open"


def test_every_attempt_says_for_which_item_and_run_it_was_made() -> None:
    graph = shop()
    graph.sync()
    (attempt,) = graph.ledger.log(0.0)

    assert (attempt.item_key, attempt.run, attempt.state) == ("c/1.png", "run 1", AttemptState.CHARGED)


def test_a_gate_that_was_opened_by_hand_lets_a_run_through_below_the_threshold() -> None:
    graph = shop(low=Decimal(50), remover=FakeRemover(credits_left=Decimal(10)))
    assert graph.sync().summary.exit_code is Exit.PAUSED
    graph.gates.change_gate("bgeraser", lambda gate: by_hand(gate, GateState.OPEN, "", 1.0))

    assert graph.sync().summary.published == 1


def test_an_outage_that_is_over_opens_the_gate_on_probation_and_success_ends_it() -> None:
    graph = shop()
    graph.gates.change_gate("bgeraser", lambda gate: on_refusal(gate, GateReason.OUTAGE, "503", graph.clock()))
    assert graph.sync().summary.exit_code is Exit.PAUSED

    graph.clock.now += 61
    assert graph.sync().summary.published == 1
    assert graph.gates.gate("bgeraser").reason is GateReason.NONE
