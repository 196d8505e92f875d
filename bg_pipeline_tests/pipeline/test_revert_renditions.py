"""A run is reverted whose items have several outputs: all of them return together, and no other stays."""

from dataclasses import replace

import pytest

from bg_pipeline.core.recipe import Recipe
from bg_pipeline.core.records import Output, Published
from bg_pipeline.core.revert import PREVIOUS
from bg_pipeline.pipeline.revert import redo, revert
from bg_pipeline_tests.graph import RECIPE, Graph
from bg_pipeline_tests.pictures import product
from bg_pipeline_tests.pipeline.test_renditions import ALL, THUMB

KEY = "bags/a.png"
LARGER = replace(RECIPE, others={"thumb": replace(THUMB, longest_side=30)})
RENAMED = replace(RECIPE, others={"thumb": replace(THUMB, output_name="small/{folder}/{stem}")})


def state_of(graph: Graph) -> tuple[dict[str, bytes], dict[str, Published | None], dict[str, list[Output]]]:
    outputs = {name: graph.outputs.blobs[name] for name in graph.outputs.list()}
    shown = {e.key: e.published for e in graph.items.entries() if e.published and e.published.output_name}
    return outputs, shown, graph.items.outputs(list(shown))


@pytest.mark.parametrize("new_picture", [False, True])
@pytest.mark.parametrize(
    ("before", "after"),
    [(RECIPE, ALL), (ALL, RECIPE), (ALL, LARGER), (LARGER, RENAMED), (ALL, ALL)],
    ids=["more", "fewer", "another size", "another name", "the same"],
)
def test_all_outputs_of_an_item_return_to_the_byte(before: Recipe, after: Recipe, new_picture: bool) -> None:
    graph = Graph(recipe=before)
    graph.source.put(KEY, product(1))
    graph.source.put("bags/b.png", product(2))
    graph.sync()
    was = state_of(graph)
    if new_picture:
        graph.source.put(KEY, product(50))
    graph.recipe = after
    published = graph.sync().summary.published
    now = state_of(graph)
    bought = len(graph.remover.requests)
    assert (published > 0) == (now != was)
    if not published:
        return
    result = revert(graph.pipeline, "run 2", "ana")

    assert state_of(graph) == was
    assert result.left == {}
    assert graph.sync().summary.published == 0
    assert state_of(graph) == was
    redo(graph.pipeline, "run 2", "ana")
    graph.sync()
    assert state_of(graph)[0] == now[0]
    assert len(graph.remover.requests) == bought


def test_a_file_of_any_output_that_another_program_wrote_leaves_the_item() -> None:
    graph = Graph(recipe=ALL)
    graph.source.put(KEY, product(1))
    graph.sync()
    graph.source.put(KEY, product(50))
    graph.sync()
    graph.outputs.blobs["bags/a.thumb.webp"] = b"another program's"
    was = state_of(graph)

    assert "another program wrote bags/a.thumb.webp" in revert(graph.pipeline, "run 2", "ana").left[KEY]
    assert state_of(graph) == was


def test_all_outputs_of_a_new_picture_go_to_the_trash() -> None:
    graph = Graph(recipe=ALL)
    graph.source.put(KEY, product(1))
    graph.sync()
    was = state_of(graph)
    graph.source.put("bags/new.png", product(60))
    graph.sync()
    assert revert(graph.pipeline, "run 2", "ana").taken_off == ["bags/new.png"]

    assert state_of(graph)[0] == was[0]
    redo(graph.pipeline, "run 2", "ana")
    assert len(state_of(graph)[0]) == 6


def test_an_output_that_stayed_as_it_was_is_not_copied_and_outlives_the_days() -> None:
    graph = Graph(recipe=RECIPE)
    graph.source.put(KEY, product(1))
    graph.sync()
    graph.recipe = replace(RECIPE, others={"thumb": THUMB})
    graph.sync()
    was = state_of(graph)[0]
    assert [name for name in graph.outputs.blobs if name.startswith(PREVIOUS)] == []

    graph.clock.now += 8 * 86_400
    graph.sync()
    assert state_of(graph)[0] == was
    assert graph.catalogue.previous.of_run("run 2") == {}
