"""Recipes for some pictures: each item has the first that matches its key, and a change is for only its items."""

from dataclasses import replace

import pytest

from bg_pipeline.core.filters import Filter
from bg_pipeline.core.recipes import SpecialRecipe
from bg_pipeline.core.records import State
from bg_pipeline.pipeline.detect import count_outdated_outputs
from bg_pipeline_tests.graph import RECIPE, Graph
from bg_pipeline_tests.pictures import opened, product

WHITE = replace(RECIPE, rendition=replace(RECIPE.rendition, background="white", canvas=(20, 20)))
SHADOW = replace(RECIPE, cuts=(replace(RECIPE.cut, params={"add_shadow": "true"}),))


@pytest.fixture
def graph() -> Graph:
    made = Graph(special=[SpecialRecipe(("cars/",), SHADOW), SpecialRecipe(("bags/*.png", "cars/"), WHITE)])
    for number, key in enumerate(("bags/1.png", "bags/1.jpg", "cars/1.png", "cars/2.png", "shoes/1.png")):
        made.source.put(key, product(number, kind="JPEG" if key.endswith("jpg") else "PNG"))
    return made


def params(graph: Graph) -> dict[str, dict[str, str]]:
    return {request.item_key: dict(request.params) for request in graph.remover.requests}


def size(graph: Graph, name: str) -> tuple[int, int]:
    return opened(graph.outputs.blobs[name]).size


def test_each_item_is_cut_and_rendered_by_the_first_recipe_that_matches_its_key(graph: Graph) -> None:
    summary = graph.sync().summary

    assert (summary.published, summary.purchases) == (5, 5)
    assert {key for key, sent in params(graph).items() if sent} == {"cars/1.png", "cars/2.png"}
    white = {name for name in graph.outputs.blobs if size(graph, name) == (20, 20)}
    assert len(white) == 1
    assert next(iter(white)).startswith("bags/")


def test_a_second_sync_does_nothing_and_counts_all_as_unchanged(graph: Graph) -> None:
    graph.sync()
    done = graph.sync()

    assert (done.delta.counts["unchanged"], len(done.delta.changes), done.summary.published) == (5, 0, 0)
    graph.outputs.blobs.pop("cars/1.png")
    done = graph.sync()
    assert (done.delta.counts["unchanged"], done.delta.counts["output_missing"]) == (4, 1)
    assert (done.summary.published, done.summary.purchases) == (1, 0)


def test_a_changed_rendition_of_one_recipe_renders_only_its_items_and_buys_nothing(graph: Graph) -> None:
    graph.sync()
    cars, bags = graph.special
    graph.special = [cars, replace(bags, recipe=replace(WHITE, rendition=replace(WHITE.rendition, canvas=(30, 30))))]
    done = graph.sync()

    assert (done.published, done.summary.purchases) == (["bags/1.png"], 0)


def test_a_changed_cut_of_one_recipe_holds_only_its_items(graph: Graph) -> None:
    graph.sync()
    cars, bags = graph.special
    graph.special = [replace(cars, recipe=RECIPE), bags]
    done = graph.sync()
    assert (done.delta.held.items, done.delta.held.collections) == (2, {"cars"})
    assert (done.summary.purchases, done.delta.counts["unchanged"]) == (0, 3)

    done = graph.sync(apply_recipe_change=True)
    assert sorted(done.published) == ["cars/1.png", "cars/2.png"]
    assert graph.sync().delta.counts["unchanged"] == 5


@pytest.mark.parametrize(
    ("added", "held", "rendered"),
    [((0,), 2, []), ((1,), 0, ["bags/1.png", "cars/1.png", "cars/2.png"])],
    ids=["another cut", "another rendition"],
)
def test_a_recipe_that_is_added_holds_or_renders_only_its_items(
    graph: Graph, added: tuple[int, ...], held: int, rendered: list[str]
) -> None:
    special, graph.special = graph.special, []
    graph.sync()
    graph.special = [special[number] for number in added]
    done = graph.sync()

    assert (done.delta.held.items, sorted(done.published)) == (held, rendered)
    assert (done.summary.purchases, done.delta.counts["unchanged"]) == (0, 5 - held - len(rendered))


def test_what_a_pattern_leaves_out_stays_as_published_under_every_recipe(graph: Graph) -> None:
    graph.sync()
    graph.filter = Filter(exclude=("bags/", "cars/", "shoes/"))

    assert graph.sync().delta.counts["unchanged"] == 5


def test_a_picture_of_two_recipes_is_bought_once_for_each_cut(graph: Graph) -> None:
    for key in ("bags/same.png", "cars/same.png", "shoes/same.png"):
        graph.source.put(key, product(50))
    graph.sync()
    bought = [request.item_key for request in graph.remover.requests if request.item_key.endswith("same.png")]

    assert sorted(key.partition("/")[0] == "cars" for key in bought) == [False, True]
    assert (size(graph, "bags/same.png"), size(graph, "shoes/same.png")) == ((20, 20), (48, 32))
    assert all(entry.state is State.PUBLISHED for entry in graph.items.entries())


def test_an_item_that_moves_to_another_recipe_is_made_by_that(graph: Graph) -> None:
    graph.sync()
    graph.source.put("bags/2.png", graph.source.files.pop("shoes/1.png"))
    done = graph.sync()

    assert (done.published, done.summary.purchases, size(graph, "bags/2.png")) == (["bags/2.png"], 0, (20, 20))


def test_outputs_of_an_older_renderer_are_counted_by_the_recipe_of_each(graph: Graph) -> None:
    graph.sync()
    assert count_outdated_outputs(graph.deltas, graph.policy.recipes) == 0
    entry = graph.database.entries["bags/1.png"]
    assert entry.published is not None
    older = replace(entry.published, rendition_digest=WHITE.rendition.digests[1])
    graph.database.entries["bags/1.png"] = replace(entry, published=older)

    assert count_outdated_outputs(graph.deltas, graph.policy.recipes) == 1
    assert graph.sync().delta.counts["unchanged"] == 5
    assert graph.sync(rerender=True).published == ["bags/1.png"]
