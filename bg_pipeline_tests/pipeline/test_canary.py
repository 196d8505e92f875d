"""A changed recipe is tried on a few pictures before it is bought for all: nothing is bought twice, none published."""

from dataclasses import replace
from decimal import Decimal

import pytest

from bg_pipeline.core.canary import CANARY_PAGE, SAMPLE, Rating, rating_of
from bg_pipeline.core.claims import Ask, AskedBy
from bg_pipeline.core.credits import Budget
from bg_pipeline.core.recipes import SpecialRecipe
from bg_pipeline.core.records import Change, State
from bg_pipeline.core.runlog import CanaryRecord
from bg_pipeline.errors import (
    AccountError,
    BudgetReached,
    ConfigurationError,
    ForeignStore,
    GuardStopped,
    ItemRejected,
    StoreError,
)
from bg_pipeline.pipeline import erase
from bg_pipeline.pipeline.backfill import BackfillResult, backfill
from bg_pipeline.pipeline.canary import accept, find_golden, try_recipe
from bg_pipeline.pipeline.choice import Choice
from bg_pipeline_tests.fakes import MemoryStore
from bg_pipeline_tests.graph import Graph
from bg_pipeline_tests.pictures import product

pytestmark = pytest.mark.pictures

PICTURES = 9


@pytest.fixture
def graph() -> Graph:
    """Nine published items, and a recipe whose cut has changed since."""
    made = Graph()
    for n in range(PICTURES):
        made.source.put(f"{'ab'[n % 2]}/{n}.png", product(n))
    assert made.sync().summary.published == PICTURES
    made.change_recipe(side_px=40)
    return made


def tried(graph: Graph, golden: list[Change] | None = None, cap: int | None = None) -> CanaryRecord:
    graph.runs += 1
    ask = Ask(AskedBy.SYNC, Budget(f"run {graph.runs}", None if cap is None else Decimal(cap)))
    chosen = find_golden(graph.pipeline) if golden is None else golden
    return try_recipe(graph.pipeline, ask, chosen, pages(graph))


def pages(graph: Graph) -> MemoryStore:
    return graph.__dict__.setdefault("pages", MemoryStore())  # type: ignore[no-any-return]


def accepted(graph: Graph) -> CanaryRecord:
    return accept(graph.catalogue, graph.policy, graph.run, "ana", "good edges")


def bought(graph: Graph) -> int:
    return len(graph.remover.requests)


def test_a_trial_buys_a_few_publishes_nothing_and_writes_a_page(graph: Graph) -> None:
    shop, entries = dict(graph.outputs.blobs), list(graph.items.entries())
    golden = find_golden(graph.pipeline)
    assert [each.credits for each in golden] == [Decimal(1)] * SAMPLE
    assert bought(graph) == PICTURES
    record = tried(graph)

    assert bought(graph) == PICTURES + SAMPLE
    assert graph.outputs.blobs == shop
    assert list(graph.items.entries()) == entries
    assert graph.queue.claims() == []
    assert [each.key for each in record.trials] == [each.key for each in golden]
    assert all(rating_of(each) in {Rating.AS_BEFORE, Rating.SLIGHT, Rating.CLEAR} for each in record.trials)
    page = pages(graph).blobs[CANARY_PAGE].decode()
    assert page.count("<figure>") == SAMPLE
    assert "pixels changed" in page
    assert all(each.key in page for each in golden)


def test_a_recipe_is_bought_for_all_only_after_a_person_accepted_its_canary(graph: Graph) -> None:
    with pytest.raises(GuardStopped, match=f"{PICTURES} purchases of a changed recipe .*bg-pipeline canary"):
        graph.sync(apply_recipe_change=True)
    assert (bought(graph), graph.items.states()[State.PENDING]) == (PICTURES, 0)
    # Of the others, few enough are left to need none: more pictures come.
    for n in range(20, 26):
        graph.source.put(f"a/{n}.png", product(n))
    graph.recipe = replace(graph.recipe, cuts=(replace(graph.recipe.cut, side_px=2500),))
    graph.sync()
    graph.change_recipe(side_px=40)
    tried(graph)
    with pytest.raises(GuardStopped):
        graph.sync(apply_recipe_change=True)
    accepted(graph)
    before = bought(graph)
    done = graph.sync(apply_recipe_change=True)

    assert (done.summary.published, bought(graph) - before) == (PICTURES + 6, PICTURES + 6 - SAMPLE)
    assert graph.sync().delta.changes == ()


def test_what_a_canary_bought_is_held_until_it_is_accepted(graph: Graph) -> None:
    tried(graph)
    shop = dict(graph.outputs.blobs)
    done = graph.sync()
    assert (done.summary.published, done.delta.held.items) == (0, PICTURES)
    assert graph.outputs.blobs == shop

    accepted(graph)
    before = bought(graph)
    done = graph.sync()
    assert (done.summary.published, bought(graph), done.delta.held.items) == (SAMPLE, before, PICTURES - SAMPLE)


def test_what_a_killed_canary_bought_is_held_too(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(BaseException):
        pass

    def die(*_: object) -> bytes:
        raise Killed

    golden = find_golden(graph.pipeline)
    monkeypatch.setattr(graph.outputs, "read", die)
    with pytest.raises(Killed):
        tried(graph, golden)
    monkeypatch.undo()
    graph.clock.now += 1000

    assert bought(graph) == PICTURES + 1
    assert graph.sync().summary.published == 0
    with pytest.raises(ConfigurationError, match="nothing to accept"):
        accepted(graph)


def test_a_trial_of_the_same_recipe_again_buys_nothing(graph: Graph) -> None:
    first = tried(graph)
    before = bought(graph)
    again = tried(graph)

    assert bought(graph) == before
    assert again.trials == first.trials


def test_a_recipe_that_is_changed_back_costs_and_changes_nothing(graph: Graph) -> None:
    tried(graph)
    graph.change_recipe(side_px=2500)

    assert graph.sync().delta.changes == ()


def test_a_person_can_request_a_recipe_without_a_canary(graph: Graph) -> None:
    done = graph.sync(apply_recipe_change=True, without_canary=True)

    assert done.summary.purchases == PICTURES


def test_a_person_who_requests_it_all_the_same_publishes_what_was_tried_too(graph: Graph) -> None:
    tried(graph)
    done = graph.sync(apply_recipe_change=True, without_canary=True)

    assert (done.summary.published, done.summary.purchases) == (PICTURES, PICTURES - SAMPLE)


def test_a_few_need_no_canary(graph: Graph) -> None:
    assert graph.sync(apply_recipe_change=True, recipe_change_limit=SAMPLE).summary.purchases == SAMPLE
    assert graph.sync(apply_recipe_change=True).summary.purchases == PICTURES - SAMPLE


def test_only_the_requested_collections_count(graph: Graph) -> None:
    assert graph.sync(apply_recipe_change=True, collection="a").summary.purchases == 5


def test_a_backfill_is_refused_as_a_sync_is(graph: Graph) -> None:
    ask = Ask(AskedBy.BACKFILL, Budget("a backfill"))
    choice = Choice(apply_recipe_change=True)
    with pytest.raises(GuardStopped, match="no canary of it is accepted"):
        backfill(graph.pipeline, ask, choice, None, BackfillResult())  # type: ignore[arg-type]
    assert bought(graph) == PICTURES

    result = BackfillResult()
    backfill(graph.pipeline, ask, replace(choice, without_canary=True), None, result)  # type: ignore[arg-type]
    assert result.total.purchases == PICTURES


def test_an_acceptance_holds_for_exactly_this_recipe(graph: Graph) -> None:
    tried(graph)
    accepted(graph)
    graph.change_recipe(side_px=44)

    with pytest.raises(GuardStopped):
        graph.sync(apply_recipe_change=True)
    with pytest.raises(ConfigurationError, match="nothing to accept"):
        accepted(graph)


def test_a_special_recipe_needs_a_trial_of_its_own(graph: Graph) -> None:
    special = replace(graph.recipe, cuts=(replace(graph.recipe.cut, side_px=44),))
    graph.special = (SpecialRecipe(("b/",), special),)
    golden = find_golden(graph.pipeline)
    assert {each.collection for each in golden} == {"a", "b"}
    tried(graph, [each for each in golden if each.collection == "a"])
    record = accepted(graph)

    assert record.cuts == (graph.recipe.cut.digest,)
    assert graph.sync(apply_recipe_change=True, collection="a").summary.purchases > 0
    for n in range(30, 36):
        graph.source.put(f"b/{n}.png", product(n))
    graph.special = ()
    graph.recipe = replace(graph.recipe, cuts=(replace(graph.recipe.cut, side_px=2500),))
    graph.sync()
    graph.special = (SpecialRecipe(("b/",), special),)
    with pytest.raises(GuardStopped):
        graph.sync(apply_recipe_change=True, collection="b")


def test_a_cut_without_a_cutout_is_not_accepted_with_the_others(graph: Graph) -> None:
    special = replace(graph.recipe, cuts=(replace(graph.recipe.cut, side_px=44),))
    graph.special = (SpecialRecipe(("b/",), special),)
    golden = find_golden(graph.pipeline)
    for key in [each.key for each in golden if each.collection == "b"]:
        graph.source.put(key, product(78))
    tried(graph, golden)

    assert accepted(graph).cuts == (graph.recipe.cut.digest,)


def test_golden_pictures_are_those_of_the_setting(graph: Graph) -> None:
    graph.golden = ("b/3.png", "a/4.png")

    assert [each.key for each in find_golden(graph.pipeline)] == ["a/4.png", "b/3.png"]


def test_without_a_changed_recipe_there_is_nothing_to_try(graph: Graph) -> None:
    graph.change_recipe(side_px=2500)

    assert find_golden(graph.pipeline) == []


def test_a_picture_that_cannot_be_tried_stops_no_other_and_its_reason_is_on_record(graph: Graph) -> None:
    golden = find_golden(graph.pipeline)
    lost, changed, held, refused, _ = (each.key for each in golden)
    del graph.outputs.blobs[lost]
    graph.source.put(changed, product(77))
    graph.claim(held)
    answers = iter([None, ItemRejected("too dark")])
    cut = graph.remover.cut

    def refuse(request: object) -> object:
        if (error := next(answers, None)) is not None:
            raise error
        return cut(request)  # type: ignore[arg-type]

    graph.remover.cut = refuse  # type: ignore[method-assign, assignment]
    record = tried(graph, golden)

    problems = {each.key: each.problem for each in record.trials}
    assert "not in the output" in problems[lost]
    assert "changed since the last scan" in problems[changed]
    assert "another run has claimed it" in problems[held]
    assert "too dark" in problems[refused]
    assert [rating_of(each) for each in record.trials].count(Rating.NONE) == 4
    assert "too dark" in pages(graph).blobs[CANARY_PAGE].decode()
    assert accepted(graph).accepted_by == "ana"


def test_a_canary_without_a_cutout_cannot_be_accepted(graph: Graph) -> None:
    golden = find_golden(graph.pipeline)
    graph.outputs.blobs.clear()
    tried(graph, golden)

    with pytest.raises(ConfigurationError, match="made no cutout"):
        accepted(graph)


def test_nothing_is_bought_for_a_trial_while_a_store_takes_no_writes(
    graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    golden = find_golden(graph.pipeline)

    def full(_size_bytes: int = 0) -> None:
        raise StoreError("the disk is full")

    monkeypatch.setattr(graph.outputs, "probe", full)
    with pytest.raises(StoreError):
        tried(graph, golden)
    assert bought(graph) == PICTURES


@pytest.mark.parametrize("fail", [AccountError("the key is refused"), None])
def test_an_account_that_cannot_serve_or_a_cap_ends_the_trial_and_the_same_command_goes_on(
    graph: Graph, fail: AccountError | None
) -> None:
    cut = graph.remover.cut

    def refuse(request: object) -> object:
        raise fail or AssertionError

    if fail:
        graph.remover.cut = refuse  # type: ignore[method-assign, assignment]
        with pytest.raises(AccountError):
            tried(graph)
    else:
        with pytest.raises(BudgetReached):
            tried(graph, cap=2)
    assert bought(graph) == PICTURES + (0 if fail else 2)
    assert graph.queue.claims() == []
    graph.remover.cut = cut  # type: ignore[method-assign]
    if not fail:
        tried(graph)
        assert bought(graph) == PICTURES + SAMPLE


def test_nothing_is_tried_in_foreign_stores(graph: Graph) -> None:
    golden = find_golden(graph.pipeline)
    graph.identity = "mine"
    graph.masters.set_owner("another")

    with pytest.raises(ForeignStore):
        tried(graph, golden)
    assert bought(graph) == PICTURES


def test_an_erased_item_is_on_no_page_of_a_canary(graph: Graph) -> None:
    record = tried(graph)
    key = record.trials[0].key
    del graph.source.files[key]
    erase.forget(graph.pipeline, pages(graph), (key,))

    assert CANARY_PAGE not in pages(graph).blobs
