"""Attempts that a killed run left open, ended before anything new is bought."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from bg_pipeline.core.claims import LEASE_S, Claim
from bg_pipeline.core.credits import Rules
from bg_pipeline.core.keys import master_name
from bg_pipeline.core.recipe import digest_of, purchase_id
from bg_pipeline.core.records import Attempt, AttemptState, State, Use
from bg_pipeline.errors import BeingBought
from bg_pipeline.pipeline.detect import detect, scan
from bg_pipeline.pipeline.recovery import recover
from bg_pipeline.ports.purchasing import CutRequest
from bg_pipeline_tests.graph import Graph
from bg_pipeline_tests.pictures import cutout_of, product

KEY = "c/1.png"


def abandoned(**options: Any) -> Graph:
    """The process that had the picture in flight is dead, and its claim has expired."""
    made = Graph(**options)
    made.source.put(KEY, product(1))
    scan(made.catalogue, made.policy, made.run)
    detect(made.catalogue, made.accounts, made.policy, made.run)
    begin(made, made.claim(KEY, owner="a dead run"))
    made.clock.now += 2 * LEASE_S
    return made


@pytest.fixture(params=[False, True], ids=["buy again", "hold"])
def graph(request: pytest.FixtureRequest) -> Graph:
    return abandoned(hold_in_doubt=request.param)


def begin(graph: Graph, claim: Claim) -> None:
    """An attempt to buy the picture."""
    bought = purchase_id(digest_of(product(1)), graph.recipe.cut.digest)
    request = CutRequest(bought, KEY, b"", "image/jpeg", 1, 1, {}, Decimal(1), claim, use=Use.PICTURE)
    graph.ledger.open_attempt(request, "bgeraser", Rules(graph.thresholds))


def recovered(graph: Graph) -> list[Attempt]:
    return recover(graph.catalogue, graph.accounts, graph.policy, graph.run)


def states(graph: Graph) -> list[AttemptState]:
    return [attempt.state for attempt in graph.ledger.log(0.0)]


def state(graph: Graph) -> State:
    entry = graph.items.entry(KEY)
    assert entry is not None
    return entry.state


def test_an_attempt_without_a_master_is_in_doubt_and_its_item_held_where_the_policy_says_so(graph: Graph) -> None:
    assert [attempt.item_key for attempt in recovered(graph)] == [KEY]
    assert states(graph) == [AttemptState.IN_DOUBT]
    assert state(graph) is (State.FAILED if graph.hold_in_doubt else State.PENDING)

    assert recovered(graph) == []
    assert graph.queue.claims() == []


def test_with_a_stored_master_nothing_was_lost(graph: Graph) -> None:
    (attempt,) = graph.ledger.abandoned()
    graph.masters.write(master_name(attempt.purchase_id), cutout_of(product(1)))

    assert recovered(graph) == []
    assert (states(graph), state(graph)) == ([AttemptState.CHARGED], State.PENDING)
    master = graph.purchases.find([attempt.purchase_id])
    assert master is not None
    assert master.use is Use.PICTURE


def test_an_answer_that_waits_becomes_a_master_of_what_its_attempt_bought(graph: Graph) -> None:
    (attempt,) = graph.ledger.abandoned()
    graph.spool.write(attempt.purchase_id, cutout_of(product(1)))

    assert recovered(graph) == []
    master = graph.purchases.find([attempt.purchase_id])
    assert master is not None
    assert master.use is Use.PICTURE


def test_a_stored_master_that_is_broken_counts_as_none(graph: Graph) -> None:
    (attempt,) = graph.ledger.abandoned()
    graph.masters.write(master_name(attempt.purchase_id), cutout_of(product(1))[:-30])

    assert [lost.id for lost in recovered(graph)] == [attempt.id]
    assert graph.purchases.bought([attempt.purchase_id]) == set()


def test_an_attempt_of_a_living_run_is_left_alone(graph: Graph) -> None:
    recovered(graph)
    begin(graph, graph.claim(KEY, owner="a living run"))

    assert recovered(graph) == []
    assert states(graph) == [AttemptState.IN_DOUBT, AttemptState.INTENT]


def test_what_is_to_be_held_cannot_be_bought_by_a_run_that_took_it_over() -> None:
    """Its attempt stays open, which stops the other run's purchase, until the item is free to be held."""
    graph = abandoned(hold_in_doubt=True)
    claim = graph.claim(KEY, owner="a run that took it over")
    assert recovered(graph) == []
    with pytest.raises(BeingBought):
        begin(graph, claim)

    graph.queue.release(claim)
    assert len(recovered(graph)) == 1
    assert (states(graph), state(graph)) == ([AttemptState.IN_DOUBT], State.FAILED)


def test_a_recovery_that_is_killed_itself_is_completed_by_the_next(
    graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Were the attempt closed first, the item would stay pending and be bought again unasked."""

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    for port, name in ((graph.queue, "set_state"), (graph.ledger, "close_attempt")):
        with monkeypatch.context() as broken:
            broken.setattr(port, name, killed)
            if graph.hold_in_doubt or name == "close_attempt":
                with pytest.raises(KeyboardInterrupt):
                    recovered(graph)
        graph.clock.now += 2 * LEASE_S

    assert len(recovered(graph)) == 1
    assert state(graph) is (State.FAILED if graph.hold_in_doubt else State.PENDING)


def test_an_item_that_waits_for_nothing_any_more_keeps_its_state(graph: Graph) -> None:
    graph.queue.set_state(KEY, State.SKIPPED, "no picture any more", "", graph.claim(KEY))

    assert len(recovered(graph)) == 1
    assert state(graph) is State.SKIPPED


@pytest.mark.parametrize("hold", [False, True])
def test_the_item_of_another_catalogue_is_held_there_and_not_the_one_with_its_key_here(hold: bool) -> None:
    graph = abandoned(hold_in_doubt=hold)
    (number,) = graph.database.attempts
    graph.database.attempts[number] = replace(graph.database.attempts[number], catalogue="another")

    assert recovered(graph) == []
    assert states(graph) == [AttemptState.INTENT if hold else AttemptState.IN_DOUBT]
    assert state(graph) is State.PENDING
