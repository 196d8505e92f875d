"""What tests of reversions share: a shop after its first run, and the changes that a second one publishes."""

from bg_pipeline.core.formats import Format
from bg_pipeline.core.records import Published
from bg_pipeline.core.revert import PREVIOUS
from bg_pipeline.pipeline.revert import RevertResult, revert
from bg_pipeline_tests.graph import Graph
from bg_pipeline_tests.pictures import product

KEYS = ("bags/a.png", "shoes/b.png", "shoes/c.png")

State_ = tuple[dict[str, bytes], dict[str, Published | None]]


def three_published() -> Graph:
    """Three items, published by run 1."""
    made = Graph()
    for n, key in enumerate(KEYS):
        made.source.put(key, product(n))
    assert made.sync().summary.published == 3
    return made


def state_of(graph: Graph) -> State_:
    """The shop: outputs, and the publication of each that has one."""
    outputs = {name: graph.outputs.blobs[name] for name in graph.outputs.list()}
    shown = {e.key: e.published for e in graph.items.entries() if e.published and e.published.output_name}
    return outputs, shown


def kept(graph: Graph) -> list[str]:
    return sorted(name for name in graph.outputs.blobs if name.startswith(PREVIOUS))


def taken_back(graph: Graph, run: str = "run 2", collection: str | None = None) -> RevertResult:
    bought = len(graph.remover.requests)
    result = revert(graph.pipeline, run, "ana", collection)
    assert len(graph.remover.requests) == bought
    return result


def another_picture(graph: Graph) -> None:
    graph.source.put(KEYS[0], product(50))


def a_new_picture(graph: Graph) -> None:
    graph.source.put("shoes/new.png", product(60))


def a_name_of_a_picture_that_is_gone(graph: Graph) -> None:
    del graph.source.files[KEYS[0]]
    graph.source.put("bags/a.webp", product(50))


def another_rendition(graph: Graph) -> None:
    graph.change_recipe(background="red")


def another_format(graph: Graph) -> None:
    graph.change_recipe(format=Format.WEBP)


def another_cut(graph: Graph) -> None:
    graph.change_recipe(side_px=40)


def all_at_once(graph: Graph) -> None:
    for change in (another_picture, a_new_picture, another_format, another_cut):
        change(graph)
