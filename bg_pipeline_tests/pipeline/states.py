"""The state of one item."""

from bg_pipeline.core.records import State
from bg_pipeline_tests.graph import Graph


def state_of(graph: Graph, key: str) -> State:
    entry = graph.items.entry(key)
    assert entry is not None
    return entry.state
