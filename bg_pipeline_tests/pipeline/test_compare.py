"""A comparison buys like every run, keeps what it bought, and publishes nothing."""

import threading
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from PIL.PngImagePlugin import PngInfo

from bg_pipeline.core.filters import Filter
from bg_pipeline.core.gate import GateReason, on_refusal
from bg_pipeline.core.recipe import Cut, Recipe, Rendition
from bg_pipeline.core.recipes import Recipes, SpecialRecipe
from bg_pipeline.core.records import State
from bg_pipeline.errors import (
    ConfigurationError,
    ForeignStore,
    ItemRejected,
    LeaseHeld,
    NoCredits,
    OutcomeUnknown,
    StoreError,
    TransientError,
    UnusableAnswer,
)
from bg_pipeline.pipeline.compare import Comparison, ComparisonPlan, compare, plan_comparison
from bg_pipeline.pipeline.detect import scan
from bg_pipeline.pipeline.gallery import picture_rows
from bg_pipeline.pipeline.retry import try_again
from bg_pipeline_tests.fakes import FakeRemover
from bg_pipeline_tests.graph import Graph
from bg_pipeline_tests.pictures import cutout_of, encoded, opened, product

pytestmark = pytest.mark.pictures

FIRST, SECOND, ENGINE = Cut("bgeraser", 2500, variant="tools"), Cut("removebg", 2500), Cut("local", 2500)
RECIPE = Recipe((FIRST, SECOND, ENGINE), Rendition())


def shop(pictures: int = 6, first: FakeRemover | None = None, second: FakeRemover | None = None, **more: Any) -> Graph:
    others = {"removebg": second or FakeRemover(), "local": FakeRemover()}
    graph = Graph(**{"recipe": RECIPE, "remover": first or FakeRemover(), "others": others} | more)
    for n in range(pictures):
        graph.source.put(f"{'abc'[n % 3]}/{n}.png", product(n + 1))
    return graph


def planned(graph: Graph, count: int = 20, most: int = 8, collection: str | None = None) -> ComparisonPlan:
    catalogue, accounts, policy, run = graph.pipeline.context
    scan(catalogue, policy, run)
    return plan_comparison(catalogue, accounts, policy, count, dict.fromkeys(policy.accounts, most), collection)


def compared(
    graph: Graph, plan: ComparisonPlan | None = None, cap: str | None = None, synced: Recipe | None = None
) -> Comparison:
    """`synced` is the recipe of the catalogue, if its accounts are not all that are compared."""
    graph.runs += 1
    plan = plan or planned(graph)
    recipes = Recipes(synced or graph.recipe, graph.special)
    return compare(graph.pipeline, plan, recipes, None if cap is None else Decimal(cap))


def sent(graph: Graph) -> dict[str, int]:
    clients = {"bgeraser": graph.remover, **graph.others}
    return {name: len(client.requests) for name, client in clients.items()}


def failures(comparison: Comparison, account: str) -> list[str]:
    return [each.failure for each in comparison.results[account] if each.failure]


def test_every_account_gets_the_same_pictures_and_nothing_is_published() -> None:
    graph = shop()
    plan = planned(graph, count=5)
    before = {e.key: (e.state, e.revision) for e in graph.items.entries()}
    done = compared(graph, plan)

    assert sent(graph) == {"bgeraser": 5, "removebg": 5, "local": 5}
    pictures = [{r.content_hash for r in each.requests} for each in (graph.remover, *graph.others.values())]
    assert pictures[0] == pictures[1] == pictures[2]
    assert [len(results) for results in done.results.values()] == [5, 5, 5]
    assert {each.master is not None for results in done.results.values() for each in results} == {True}
    assert graph.outputs.blobs == {}
    assert {e.key: (e.state, e.revision) for e in graph.items.entries()} == before
    assert graph.queue.claims() == []


def test_the_plan_buys_nothing_and_its_price_is_what_is_charged() -> None:
    graph = shop()
    plan = planned(graph)

    assert sent(graph) == {"bgeraser": 0, "removebg": 0, "local": 0}
    assert {name: part.credits for name, part in plan.parts.items()} == {"bgeraser": 6, "removebg": 6, "local": 0}
    done = compared(graph, plan)
    assert graph.ledger.spent(0.0) == plan.credits == 12
    costs = [each.cost.credits for each in done.results["removebg"]]
    assert costs == [1] * 6


def test_a_second_comparison_sends_nothing_and_shows_the_same_results_and_costs() -> None:
    graph = shop()
    first = compared(graph)
    plan = planned(graph)
    again = compared(graph, plan)

    assert (plan.credits, plan.to_make) == (0, 0)
    assert sent(graph) == {"bgeraser": 6, "removebg": 6, "local": 6}
    for account, results in first.results.items():
        repeated = again.results[account]
        assert [each.master for each in repeated] == [each.master for each in results]
        assert [each.cost.seconds for each in repeated] == [each.cost.seconds for each in results]
        assert [each.cost.credits for each in repeated] == [each.cost.credits for each in results]
        assert {each.cost.credits_now for each in repeated} == {0}
    assert set(again.throughput.values()) == {()}


def test_a_sync_buys_nothing_that_a_comparison_bought_and_a_comparison_nothing_that_a_sync_bought() -> None:
    graph = shop()
    compared(graph, planned(graph, count=4))
    done = graph.sync()

    assert (done.summary.published, sent(graph)["bgeraser"], sent(graph)["removebg"]) == (6, 6, 4)
    plan = planned(graph)
    assert {name: len(part.missing) for name, part in plan.parts.items()} == {"bgeraser": 0, "removebg": 2, "local": 2}


def test_a_special_recipe_is_compared_by_its_own_cut_which_a_sync_then_has() -> None:
    special = Recipe((Cut("bgeraser", 1000, variant="tools"), SECOND, ENGINE), Rendition())
    graph = shop(special=[SpecialRecipe(("a/",), special)])
    compared(graph)
    graph.sync()

    assert sent(graph) == {"bgeraser": 6, "removebg": 6, "local": 6}
    shown = {e.collection: e.published.cut_digest for e in graph.items.entries() if e.published}
    assert shown == {"a": special.cut.digest, "b": FIRST.digest, "c": FIRST.digest}


@pytest.mark.parametrize("cap", ["0", "4", "7", "11"])
def test_nothing_is_spent_over_the_cap_and_what_is_left_says_so(cap: str) -> None:
    graph = shop(concurrency=4)
    done = compared(graph, cap=cap)

    assert graph.ledger.spent(0.0) == Decimal(cap)
    missing = failures(done, "bgeraser") + failures(done, "removebg")
    assert len(missing) == 12 - int(cap)
    assert {why.partition(" costs ")[0] for why in missing} == {"the next image"}
    assert failures(done, "local") == []


def test_retries_that_may_be_charged_do_not_cost_more_than_was_agreed() -> None:
    lost = [TransientError("500", free=False)] * 3
    graph = shop(2, first=FakeRemover(lost), recipe=Recipe((FIRST,), Rendition()))
    done = compared(graph)

    assert sent(graph)["bgeraser"] == graph.ledger.spent(0.0) == 2
    assert len(failures(done, "bgeraser")) == 2


def test_the_cap_of_a_day_and_a_closed_gate_hold_here_too() -> None:
    graph = shop(day_cap=Decimal(3))
    graph.gates.change_gate("removebg", lambda gate: on_refusal(gate, GateReason.NO_CREDITS, "402", now=1.0))
    done = compared(graph)

    assert graph.ledger.spent(0.0) == 3
    assert sent(graph)["removebg"] == 0
    assert len(failures(done, "removebg")) == 6
    assert {"no credits are left" in why for why in failures(done, "removebg")} == {True}


def test_an_account_that_is_refused_gets_no_further_requests_and_the_others_go_on() -> None:
    graph = shop(first=FakeRemover([NoCredits("402")]))
    done = compared(graph)

    assert sent(graph)["bgeraser"] <= 3  # two more may have been on their way
    assert len(failures(done, "bgeraser")) == 6
    assert failures(done, "removebg") == []


@pytest.mark.parametrize(
    "error",
    [ItemRejected("no subject"), OutcomeUnknown("reset"), UnusableAnswer("no alpha")],
    ids=lambda e: type(e).__name__,
)
def test_a_picture_that_fails_at_one_account_stops_nothing_else_and_is_told(error: Exception) -> None:
    graph = shop(first=FakeRemover([error]))
    done = compared(graph)

    assert len(failures(done, "bgeraser")) == 1
    assert str(error) in failures(done, "bgeraser")[0]
    assert sum(each.master is not None for each in done.results["bgeraser"]) == 5
    assert failures(done, "removebg") == failures(done, "local") == []


def test_a_doubtful_result_is_shown_with_its_reason() -> None:
    empty = encoded(opened(cutout_of(product(1))).point(lambda _value: 0))
    graph = shop(1, first=FakeRemover([empty]))
    plan = planned(graph)
    done = compared(graph, plan)
    (row,) = picture_rows(*graph.pipeline.context, plan, done)

    assert "empty" in done.results["bgeraser"][0].doubt
    assert [(cell.is_doubtful, "empty" in cell.note) for cell in row.cells] == [
        (True, True),
        (False, False),
        (False, False),
    ]
    assert {opened(each.picture).format for each in row.cells if each.picture} == {"WEBP"}
    assert graph.items.entry("a/0.png").state is State.PENDING  # type: ignore[union-attr]


def test_a_cutout_that_is_already_one_is_shown_and_bought_nowhere() -> None:
    graph = shop(0)
    graph.source.put("a/cut.png", cutout_of(product(1)))
    done = compared(graph)

    assert sent(graph) == {"bgeraser": 0, "removebg": 0, "local": 0}
    assert all(results[0].master for results in done.results.values())


def test_each_load_has_no_more_requests_in_flight_than_it_says() -> None:
    graph = shop(20, recipe=Recipe((FIRST,), Rendition()), concurrency=8)
    lock, in_flight, most = threading.Lock(), [0], list[int]()
    arrived = threading.Event()

    def watch(_request: object) -> None:
        with lock:
            in_flight[0] += 1
            most.append(in_flight[0])
        arrived.wait(0.005)
        with lock:
            in_flight[0] -= 1

    graph.remover.before = watch
    done = compared(graph)

    assert [(each.in_flight, each.pictures) for each in done.throughput["bgeraser"]] == [(1, 2), (2, 3), (5, 6), (8, 9)]
    assert (max(most[:2]), max(most[:5]) <= 2, max(most[:11]) <= 5, max(most) <= 8) == (1, True, True, True)
    assert all(each.per_minute > 0 for each in done.throughput["bgeraser"])


def test_a_stop_reads_and_sends_nothing_more_and_keeps_what_came() -> None:
    graph = shop()
    plan = planned(graph)
    graph.source.reads.clear()
    graph.remover.before = lambda _request: graph.stop.set()
    done = compared(graph, plan)

    assert sum(sent(graph).values()) <= 2
    assert len(graph.source.reads) <= 2
    assert any("stopped on request" in why for why in failures(done, "local"))
    assert len(graph.masters.blobs) == sum(sent(graph).values())


def test_masters_that_cannot_be_written_cost_nothing() -> None:
    graph = shop()
    plan = planned(graph)
    graph.masters.full = True
    with pytest.raises(StoreError):
        compared(graph, plan)

    assert sum(sent(graph).values()) == 0
    assert graph.queue.claims() == []


def test_items_of_another_run_are_left_to_it() -> None:
    graph = shop()
    plan = planned(graph)
    graph.claim("a/0.png", owner="a night")
    done = compared(graph, plan)

    assert [each.key for each in done.results["local"] if each.failure] == ["a/0.png"]
    assert sent(graph) == {"bgeraser": 5, "removebg": 5, "local": 5}

    graph.claim(*(e.key for e in plan.entries if e.key != "a/0.png"), owner="a night")
    with pytest.raises(LeaseHeld):
        compared(graph, plan)


def test_a_picture_that_changed_since_the_plan_is_not_bought() -> None:
    graph = shop()
    plan = planned(graph)
    graph.source.put("a/0.png", product(99))
    done = compared(graph, plan)

    assert sent(graph) == {"bgeraser": 5, "removebg": 5, "local": 5}
    assert "changed" in failures(done, "bgeraser")[0]


def test_only_the_chosen_collection_is_compared_and_nothing_that_is_left_out() -> None:
    graph = shop()

    assert {e.collection for e in planned(graph, collection="c").entries} == {"c"}
    assert "b/1.png" in {e.key for e in planned(graph).entries}
    graph.filter = Filter(exclude=("b/1.png",))
    assert "b/1.png" not in {e.key for e in planned(graph).entries}


def test_two_accounts_that_sell_the_same_cut_are_refused_before_anything_is_bought() -> None:
    graph = shop(recipe=Recipe((FIRST, SECOND), Rendition()))
    catalogue, accounts, policy, run = graph.pipeline.context
    scan(catalogue, policy, run)
    twice = Graph(recipe=Recipe((FIRST, FIRST), Rendition())).policy.recipes
    twin = replace(policy, recipes=twice)
    with pytest.raises(ConfigurationError, match="bgeraser and removebg sell the same cut"):
        plan_comparison(catalogue, accounts, twin, 5, dict.fromkeys(policy.accounts, 8))


def test_an_empty_catalogue_is_told_and_not_compared() -> None:
    with pytest.raises(ConfigurationError, match="no picture to compare"):
        planned(shop(0))


def test_a_store_of_another_manifest_stops_it_before_anything_is_bought() -> None:
    graph = shop(identity="ours")
    plan = planned(graph)
    graph.masters.marked_by = "theirs"
    with pytest.raises(ForeignStore):
        compared(graph, plan)

    assert sum(sent(graph).values()) == 0


def test_a_comparison_after_a_killed_one_ends_what_that_left_open() -> None:
    graph = shop(1, first=FakeRemover([KeyboardInterrupt()]), recipe=Recipe((FIRST,), Rendition()))
    with pytest.raises(KeyboardInterrupt):
        compared(graph)
    graph.stop.clear()
    done = compared(graph)

    assert [each.master is not None for each in done.results["bgeraser"]] == [True]
    assert (sent(graph)["bgeraser"], done.results["bgeraser"][0].cost.in_doubt) == (2, 1)


def test_two_files_of_one_picture_at_once_are_bought_once_and_both_have_the_result() -> None:
    graph = shop(0, recipe=Recipe((FIRST,), Rendition()), concurrency=8)
    for n in range(2):
        text = PngInfo()
        text.add_text("copy", str(n))
        graph.source.put(f"a/{n}.png", encoded(opened(product(1)), pnginfo=text))
    other_waits = threading.Event()
    graph.remover.before = lambda _request: other_waits.wait(0.3)  # until the other one is at its turn
    done = compared(graph)

    assert sent(graph)["bgeraser"] == 1
    assert failures(done, "bgeraser") == []


def detected(first: FakeRemover) -> Graph:
    """A shop whose one picture waits, and whose doubts wait for a person."""
    graph = shop(1, first=first, recipe=Recipe((FIRST,), Rendition()), hold_in_doubt=True)
    graph.sync(cap=0)
    return graph


def test_what_may_have_been_charged_is_held_where_a_person_wants_that() -> None:
    graph = detected(FakeRemover([OutcomeUnknown("reset")]))
    compared(graph)
    done = graph.sync()

    assert (sent(graph)["bgeraser"], done.summary.published) == (1, 0)
    entry = graph.items.entry("a/0.png")
    assert entry is not None
    assert (entry.state, "BG_IN_DOUBT is hold" in entry.detail) == (State.FAILED, True)
    try_again(graph.pipeline)
    assert (graph.sync().summary.published, sent(graph)["bgeraser"]) == (1, 2)


def test_what_a_killed_comparison_left_is_held_too() -> None:
    graph = detected(FakeRemover([KeyboardInterrupt()]))
    with pytest.raises(KeyboardInterrupt):
        compared(graph)
    graph.stop.clear()

    assert (graph.sync().summary.published, sent(graph)["bgeraser"]) == (0, 1)


def test_a_doubt_at_an_account_that_no_sync_buys_from_holds_nothing() -> None:
    graph = detected(FakeRemover([OutcomeUnknown("reset")]))
    compared(graph, synced=Recipe((SECOND,), Rendition()))

    entry = graph.items.entry("a/0.png")
    assert entry is not None
    assert entry.state is State.PENDING


def test_a_picture_that_could_not_be_held_is_not_compared() -> None:
    with pytest.raises(ConfigurationError, match="with BG_IN_DOUBT=hold a sync has to detect it first"):
        planned(shop(1, hold_in_doubt=True))
