"""One picture is charged at most three times without a cutout, at all accounts together, unless a person asks."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from bg_pipeline.core.credits import MAX_CHARGES
from bg_pipeline.core.gate import LAG_S
from bg_pipeline.core.records import AttemptState, State
from bg_pipeline.errors import ConfigurationError, OutcomeUnknown, TransientError, UnusableAnswer
from bg_pipeline.pipeline.retry import buy_again
from bg_pipeline.ports.purchasing import CutRequest
from bg_pipeline_tests.fakes.remover import FakeRemover
from bg_pipeline_tests.graph import RECIPE, Graph
from bg_pipeline_tests.pictures import product

KEY = "bags/9.png"


@pytest.fixture
def graph() -> Graph:
    graph = Graph()
    graph.source.put(KEY, product(9))
    return graph


def charged_500(remover: FakeRemover) -> Callable[[object], None]:
    def before(_request: object) -> None:
        assert remover.credits_left is not None
        remover.credits_left -= 1
        raise TransientError("500", free=False)

    return before


def free_500(_request: object) -> None:
    raise TransientError("500", free=False)


def test_errors_that_are_charged_cost_three_credits_and_then_wait_for_a_person(graph: Graph) -> None:
    graph.remover = FakeRemover(credits_left=Decimal(100))
    graph.remover.before = charged_500(graph.remover)
    first = graph.sync()

    assert (first.summary.in_doubt, first.summary.credits_in_doubt) == (MAX_CHARGES, MAX_CHARGES)
    for _ in range(4):
        graph.clock.now += LAG_S + 1
        graph.sync()
    assert graph.remover.credits_left == 100 - MAX_CHARGES
    entry = graph.items.entry(KEY)
    assert entry is not None
    assert entry.state is State.QUARANTINED
    assert "retry --again" in entry.detail


def test_an_outage_that_charges_nothing_blames_no_picture(graph: Graph) -> None:
    graph.remover = FakeRemover(credits_left=Decimal(100))
    graph.remover.before = free_500
    for _ in range(3):
        graph.sync()
        graph.clock.now += LAG_S + 3600

    assert graph.items.states()["pending"] == 1
    graph.remover.before = lambda _request: None
    assert graph.sync().summary.published == 1


def test_what_is_in_doubt_counts_against_the_cap_at_once(graph: Graph) -> None:
    for number in range(20):
        graph.source.put(f"bags/{number}.png", product(number))
    graph.remover = FakeRemover(credits_left=Decimal(100))
    graph.remover.before = charged_500(graph.remover)
    graph.sync(cap=4)

    assert graph.remover.credits_left >= 100 - 4


def test_a_reading_before_the_charge_shows_settles_nothing(graph: Graph) -> None:
    graph.remover = FakeRemover(credits_left=Decimal(100))
    graph.remover.before = free_500
    graph.sync()
    graph.sync()

    assert {a.state for a in graph.database.attempts.values()} == {AttemptState.IN_DOUBT}
    assert len(graph.remover.requests) == MAX_CHARGES


def test_a_charge_that_may_be_that_of_another_picture_counts_for_both(graph: Graph) -> None:
    """Were it put on the first of them alone, the other could be charged once more."""
    graph.source.put("bags/10.png", product(10))
    graph.remover = FakeRemover(credits_left=Decimal(100))
    charged = charged_500(graph.remover)
    graph.remover.before = lambda request: (charged if request.item_key == "bags/10.png" else free_500)(request)
    for _ in range(6):
        graph.sync()
        graph.clock.now += LAG_S + 1

    assert graph.remover.credits_left == 100 - MAX_CHARGES
    assert graph.items.states()["quarantined"] == 2


def test_an_unusable_answer_that_was_free_hides_no_charge_of_another_picture(graph: Graph) -> None:
    graph.source.put("bags/10.png", product(10))
    graph.remover = FakeRemover(credits_left=Decimal(100))
    charged = charged_500(graph.remover)

    def before(request: CutRequest) -> None:
        if request.item_key == KEY:
            charged(request)
        raise UnusableAnswer("a page")

    graph.remover.before = before
    for _ in range(6):
        graph.sync()
        graph.clock.now += LAG_S + 1

    assert graph.remover.credits_left == 100 - MAX_CHARGES


def test_what_a_top_up_hides_counts_as_charged(graph: Graph) -> None:
    graph.remover = FakeRemover(credits_left=Decimal(100))
    graph.remover.before = charged_500(graph.remover)
    for _ in range(4):
        graph.sync()
        graph.remover.credits_left += 1000
        graph.clock.now += LAG_S + 1

    assert len(graph.remover.requests) == MAX_CHARGES
    assert graph.items.states()["quarantined"] == 1


def test_accounts_without_a_balance_wait_for_a_person_after_three_doubts(graph: Graph) -> None:
    graph.remover = FakeRemover([OutcomeUnknown("reset")] * 10)
    for _ in range(6):
        graph.sync()

    assert len(graph.remover.requests) == MAX_CHARGES
    assert graph.items.states()["quarantined"] == 1


def test_the_limit_holds_over_all_accounts_together(graph: Graph) -> None:
    two = (RECIPE.cut, RECIPE.cut.__class__("removebg", 2500))
    graph.recipe = RECIPE.__class__(two, RECIPE.rendition)
    graph.remover = FakeRemover([b"junk"] * 2)
    graph.others = {"removebg": FakeRemover([b"junk"] * 5)}
    for _ in range(2):
        graph.sync()
    graph.gates.change_gate("bgeraser", lambda gate: gate.__class__(gate.account, gate.state.CLOSED))
    for _ in range(4):
        graph.sync()

    assert len(graph.remover.requests) + len(graph.others["removebg"].requests) == MAX_CHARGES


def test_another_account_does_not_serve_what_may_have_been_charged_three_times(graph: Graph) -> None:
    two = (RECIPE.cut, RECIPE.cut.__class__("removebg", 2500))
    graph.recipe = RECIPE.__class__(two, RECIPE.rendition)
    graph.remover = FakeRemover([OutcomeUnknown("reset")] * MAX_CHARGES)
    graph.others = {"removebg": FakeRemover()}
    for _ in range(MAX_CHARGES):
        graph.sync()
    graph.gates.change_gate("bgeraser", lambda gate: gate.__class__(gate.account, gate.state.CLOSED))
    graph.sync()

    assert graph.others["removebg"].requests == []
    assert graph.items.states()["quarantined"] == 1


def test_a_person_can_ask_for_it_again(graph: Graph) -> None:
    graph.remover = FakeRemover([b"junk"] * MAX_CHARGES)
    for _ in range(MAX_CHARGES):
        graph.sync()
    assert graph.items.states()["quarantined"] == 1

    assert buy_again(graph.pipeline, [KEY]) == [KEY]
    assert graph.sync().summary.published == 1
    with pytest.raises(ConfigurationError, match="published"):
        buy_again(graph.pipeline, [KEY])
