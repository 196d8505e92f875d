"""A backfill says which of the requested items it did not reach."""

from decimal import Decimal

import pytest

from bg_pipeline.core.claims import Ask, AskedBy, Only
from bg_pipeline.core.credits import Budget
from bg_pipeline.core.records import State
from bg_pipeline.errors import ItemRejected, NoCredits
from bg_pipeline.pipeline.backfill import BackfillResult, backfill, find_unfinished
from bg_pipeline.pipeline.choice import Choice
from bg_pipeline_tests.fakes import FakeRemover
from bg_pipeline_tests.graph import Graph
from bg_pipeline_tests.pictures import product

FAILED = Choice(frozenset({"c"}), Only.FAILED)
CHANGED = Choice(frozenset({"c"}), apply_recipe_change=True)


class Quiet:
    """A watcher that shows nothing."""

    def paused(self, why: str) -> None: ...

    def waiting(self, why: str) -> None: ...

    def resumed(self) -> None: ...


def shop(choice: Choice) -> Graph:
    """Three items of one collection that the choice asks for and that are not pending."""
    graph = Graph(remover=FakeRemover([ItemRejected("no subject")] * 3 if choice is FAILED else []))
    for n in range(3):
        graph.source.put(f"c/{n}.png", product(n))
    graph.sync()
    graph.remover = FakeRemover()
    if choice is CHANGED:
        graph.change_recipe(side_px=1000)
        graph.sync()
    return graph


def unfinished_after(graph: Graph, choice: Choice, cap: int | None = None) -> tuple[BackfillResult, dict[str, str]]:
    graph.runs += 1
    result = BackfillResult()
    budget = Budget(f"run {graph.runs}", None if cap is None else Decimal(cap))
    backfill(graph.pipeline, Ask(AskedBy.BACKFILL, budget), choice, Quiet(), result)
    why = result.total.paused or result.total.left_because
    return result, find_unfinished(graph.catalogue, result.by_collection, why)


@pytest.mark.parametrize("choice", [FAILED, CHANGED])
@pytest.mark.parametrize("held", [2, 3])
def test_requested_items_that_another_run_holds_are_waited_for(choice: Choice, held: int) -> None:
    graph = shop(choice)
    claim = graph.claim(*(f"c/{n}.png" for n in range(held)), owner="another run")
    graph.while_asleep = lambda: graph.queue.release(claim)
    result, unfinished = unfinished_after(graph, choice)

    assert (result.total.published, unfinished) == (3, {})


@pytest.mark.parametrize("choice", [FAILED, CHANGED])
def test_a_stop_ends_the_wait_for_another_run(choice: Choice) -> None:
    graph = shop(choice)
    graph.claim("c/0.png", "c/1.png", owner="another run")
    graph.while_asleep = graph.stop.set
    result, unfinished = unfinished_after(graph, choice)

    assert (result.total.published, unfinished["c"]) == (1, "2 items are left: stopped on request")


@pytest.mark.parametrize("choice", [FAILED, CHANGED])
def test_requested_items_beyond_the_credit_limit_are_left(choice: Choice) -> None:
    result, unfinished = unfinished_after(shop(choice), choice, cap=1)

    assert (result.total.published, unfinished) == (1, {"c": "2 items are left: the credit limit is reached"})


def test_what_the_other_run_has_done_meanwhile_is_not_left() -> None:
    graph = shop(FAILED)
    claim = graph.claim("c/0.png", owner="another run")

    def done_elsewhere() -> None:
        graph.database.change_state("c/0.png", state=State.PUBLISHED)
        graph.queue.release(claim)

    graph.while_asleep = done_elsewhere
    result, unfinished = unfinished_after(graph, FAILED)

    assert (result.total.published, unfinished) == (2, {})


def test_an_item_that_failed_again_is_not_tried_again_after_a_pause() -> None:
    graph = shop(FAILED)
    graph.remover = FakeRemover([ItemRejected("no subject"), NoCredits("no credits")])

    def top_up() -> None:
        graph.gates.change_gate("bgeraser", lambda gate: gate.__class__(gate.account))

    graph.while_asleep = top_up
    result, unfinished = unfinished_after(graph, FAILED)

    assert (len(graph.remover.requests), result.total.published, result.total.failed) == (4, 2, 1)
    assert unfinished == {}
