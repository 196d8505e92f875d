"""Pictures disappear, and their cutouts follow."""

from bg_pipeline.pipeline.trash import TrashResult, clear_out
from bg_pipeline_tests.graph import Graph

DAY_S = 86_400.0


def lose(graph: Graph, *keys: str) -> None:
    """Gone from the source, and a day and two listings later."""
    for key in keys:
        del graph.source.files[key]
    graph.sync()
    graph.clock.now += DAY_S


def cleared_out(graph: Graph) -> TrashResult:
    return clear_out(graph.catalogue, graph.policy, graph.run)


def in_trash(graph: Graph) -> list[str]:
    return [name for name in graph.outputs.blobs if name.startswith(".trash/")]
