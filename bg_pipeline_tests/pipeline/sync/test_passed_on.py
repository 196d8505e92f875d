"""An engine on this machine cuts first, and a suspicious result of it is bought at the next account."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bg_pipeline.core.checks import NOT_COMPARED
from bg_pipeline.core.gate import GateState, by_hand
from bg_pipeline.core.recipe import Cut, Recipe, Rendition
from bg_pipeline.core.records import AttemptState, State
from bg_pipeline.core.report import Exit
from bg_pipeline.core.review import ReviewDecision
from bg_pipeline.errors import ItemRejected, TransientError
from bg_pipeline.pipeline.detect import plan
from bg_pipeline.pipeline.rebuild import rebuild
from bg_pipeline.pipeline.review import decide, review_item
from bg_pipeline.ports.purchasing import CutReply, CutRequest
from bg_pipeline_tests.corpus.drawn import visible
from bg_pipeline_tests.corpus.faults import FAULTS
from bg_pipeline_tests.fakes import FakeRemover
from bg_pipeline_tests.graph import Graph
from bg_pipeline_tests.pictures import cutout_of, encoded, opened, product
from bg_pipeline_tests.pipeline.states import state_of
from bg_pipeline_tests.pipeline.test_crashes import killed

pytestmark = pytest.mark.pictures

LOCAL, PAID = Cut("local", 2500), Cut("removebg", 2500, params={"size": "full"})
RECIPE = Recipe((LOCAL, PAID), Rendition(), passed_on=1)
A, B, C = "hats/a.png", "hats/b.png", "hats/c.png"


def empty(sent: bytes) -> bytes:
    picture = opened(sent).convert("RGB")
    picture.putalpha(0)
    return encoded(picture)


class Cutter(FakeRemover):
    """Returns an empty cutout for some items, by key, and a right one for the others."""

    def __init__(self, failing: frozenset[str] | set[str] = frozenset(), **options: Decimal) -> None:
        super().__init__(**options)
        self.failing = failing

    def cut(self, request: CutRequest) -> CutReply:
        reply = super().cut(request)
        make = empty if request.item_key in self.failing else cutout_of
        return replace(reply, answer=make(request.image))


def shop(*suspicious: str, keys: tuple[str, ...] = (A, B, C), paid: FakeRemover | None = None) -> Graph:
    graph = Graph(remover=Cutter(set(suspicious)), recipe=RECIPE)
    graph.others["removebg"] = paid or Cutter(credits_left=Decimal(100))
    for number, key in enumerate(keys):
        graph.source.put(key, product(number))
    return graph


def bought(graph: Graph) -> list[str]:
    return [request.item_key for request in graph.others["removebg"].requests]


def test_only_what_the_engine_leaves_suspicious_is_bought() -> None:
    graph = shop(B)
    done = graph.sync().summary

    assert (done.published, done.quarantined, done.credits) == (3, 0, 1)
    assert (bought(graph), done.bought_from) == ([B], {"local": 3, "removebg": 1})


class Doubting(Cutter):
    """Does not trust its own cutout of one item."""

    def cut(self, request: CutRequest) -> CutReply:
        reply = super().cut(request)
        return replace(reply, suspicion="another engine cuts something else") if request.item_key == B else reply


@pytest.mark.parametrize("recipe", [RECIPE, replace(RECIPE, passed_on=0)], ids=["next", "review"])
def test_what_the_engine_does_not_trust_itself_is_suspicious(recipe: Recipe) -> None:
    graph = shop()
    graph.remover, graph.recipe = Doubting(), recipe
    done = graph.sync().summary

    assert bought(graph) == ([B] if recipe.passed_on else [])
    assert (done.published, done.quarantined) == ((3, 0) if recipe.passed_on else (2, 1))
    assert graph.sync().summary.purchases == 0


def test_what_the_engine_cut_well_counts_as_saved() -> None:
    assert shop(B).sync().summary.saved == 2


def test_without_the_setting_a_person_reviews_it() -> None:
    graph = shop(B)
    graph.recipe = replace(RECIPE, passed_on=0)

    assert (graph.sync().summary.quarantined, bought(graph)) == (1, [])


def test_what_was_paid_for_is_reviewed_and_never_passed_on() -> None:
    graph = shop(B, paid=Cutter({B}))
    done = graph.sync().summary

    assert (done.quarantined, done.credits, state_of(graph, B)) == (1, 1, State.QUARANTINED)
    assert graph.sync().summary.credits == 0
    assert (len(graph.remover.requests), bought(graph)) == (3, [B])


def test_no_night_cuts_or_buys_again() -> None:
    graph = shop(B)
    for _ in range(3):
        graph.sync()

    assert (len(graph.remover.requests), bought(graph)) == (3, [B])


def test_a_picture_that_the_account_refuses_waits_for_a_person() -> None:
    graph = shop(B, paid=FakeRemover([ItemRejected("no foreground")]))

    assert graph.sync().summary.quarantined == 1
    assert review_item(graph.catalogue, graph.accounts, graph.policy, B).result.master is not None


def test_an_engine_that_fails_is_followed_as_before() -> None:
    graph = shop()
    graph.remover = FakeRemover([ItemRejected("its decoder died")])

    assert (graph.sync().summary.published, len(bought(graph))) == (3, 1)


def test_a_closed_gate_leaves_it_pending_and_the_engine_does_not_cut_it_again() -> None:
    graph = shop(B)
    graph.gates.change_gate("removebg", lambda gate: by_hand(gate, GateState.CLOSED, "a test", graph.clock()))
    first = graph.sync().summary
    assert (first.published, state_of(graph, B)) == (2, State.PENDING)
    graph.sync()
    graph.gates.change_gate("removebg", lambda gate: by_hand(gate, GateState.OPEN, "", graph.clock()))

    assert graph.sync().summary.published == 1
    assert (len(graph.remover.requests), bought(graph)) == (3, [B])


def test_what_waits_for_the_account_keeps_its_record() -> None:
    """The store has its file too, and what is found there only has a poorer record."""
    case = visible(1)
    graph = Graph(remover=FakeRemover([encoded(FAULTS["mirrored"](case, case))]), recipe=RECIPE)
    graph.source.put(A, encoded(case.sent))
    graph.sync(cap=0)
    before = list(graph.purchases.masters())
    graph.sync(cap=0)

    assert "edge" in before[0].suspicion
    assert list(graph.purchases.masters()) == before


def test_a_reached_cap_does_not_keep_the_engine_from_the_other_pictures() -> None:
    graph = shop(A, B)
    done = graph.sync(cap=1).summary

    assert (done.published, done.pending, done.credits, done.exit_code) == (2, 1, 1, Exit.BUDGET)
    assert state_of(graph, C) is State.PUBLISHED
    assert graph.sync(cap=1).summary.published == 1


def test_what_waits_for_credits_does_not_go_before_what_is_free() -> None:
    graph = shop(A, B)
    graph.sync(cap=1)
    graph.recipe = replace(RECIPE, rendition=Rendition(background="white"))
    done = graph.sync(cap=0).summary

    assert (done.published, done.credits) == (2, 0)


def test_the_plan_is_an_upper_bound_and_falls_by_what_the_engine_cut() -> None:
    graph = shop(A, B)
    graph.sync(cap=0)
    delta = plan(graph.catalogue, graph.accounts, graph.policy)

    assert (delta.purchases, delta.credits) == (2, 2)


def test_a_rebuilt_manifest_passes_on_what_is_suspicious_too() -> None:
    first = shop(B)
    first.sync(cap=0)
    graph = shop(B)
    graph.masters = first.masters
    rebuild(*graph.pipeline.context)
    assert NOT_COMPARED in {master.suspicion for master in graph.purchases.masters()}

    assert graph.sync(cap=0).summary.published == 2
    assert plan(graph.catalogue, graph.accounts, graph.policy).credits == 1
    assert (graph.sync().summary.published, bought(graph)) == (1, [B])
    assert graph.remover.requests == []


def test_an_approval_is_of_the_result_that_was_shown() -> None:
    graph = shop(B, paid=Cutter({B}))
    graph.sync()
    shown = review_item(graph.catalogue, graph.accounts, graph.policy, B).result.master
    assert shown is not None
    assert shown.cut_digest == PAID.digest
    decide(graph.pipeline, ReviewDecision.APPROVE, B, "ana")
    graph.sync()

    entry = graph.items.entry(B)
    assert entry is not None
    assert entry.published is not None
    assert entry.published.cut_digest == PAID.digest


@pytest.mark.every_call
@pytest.mark.parametrize("after", [False, True], ids=["before a call", "after a call"])
def test_wherever_a_run_is_killed_a_suspicious_result_is_bought_once(after: bool) -> None:
    """At most one extra charge, for a request that was in flight, and that one counts as in doubt."""
    kills = 0
    while True:
        graph = shop(A, keys=(A,))
        if not killed(graph, kills + 1, after):
            break
        kills += 1
        graph.sync()
        attempts = [each for each in graph.ledger.log(0.0) if each.account == "removebg"]
        in_doubt = sum(each.state is AttemptState.IN_DOUBT for each in attempts)
        assert state_of(graph, A) is State.PUBLISHED, kills
        assert len(bought(graph)) <= 1 + in_doubt <= 2, kills
        again = graph.sync()
        assert (again.delta.changes, again.summary.credits) == ((), 0), kills
    assert kills > 60


@settings(max_examples=25, deadline=None)
@given(
    suspicious=st.sets(st.sampled_from([A, B, C])),
    refused=st.sets(st.sampled_from([A, B, C])),
    caps=st.lists(st.integers(0, 3), min_size=1, max_size=4),
)
def test_no_night_buys_twice_and_caps_and_plans_hold(suspicious: set[str], refused: set[str], caps: list[int]) -> None:
    graph = shop(*suspicious, paid=Cutter(refused))
    for cap in caps:
        done = graph.sync(cap=cap)
        assert done.summary.credits <= min(cap, done.delta.credits)

    assert len(bought(graph)) == len(set(bought(graph)))
    assert set(bought(graph)) <= suspicious
    assert len(graph.remover.requests) == 3


@pytest.mark.parametrize("error", [TransientError("busy"), ItemRejected("nothing to cut")])
def test_the_account_alone_is_asked_again_after_it_failed(error: Exception) -> None:
    graph = shop(A, keys=(A,), paid=FakeRemover([error] * 9))
    graph.sync()
    graph.sync()

    assert len(graph.remover.requests) == 1
