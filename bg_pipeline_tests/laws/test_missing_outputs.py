"""A published output is missing if no run of the store's listing has it."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bg_pipeline.core import blocks
from bg_pipeline.core.keys import key_bytes
from bg_pipeline.errors import StoreError
from bg_pipeline.pipeline.detect import plan
from bg_pipeline_tests.fakes import MemoryStore
from bg_pipeline_tests.graph import Graph
from bg_pipeline_tests.pictures import product

KEYS = [f"c/{n}.png" for n in range(9)]


@pytest.fixture(scope="module")
def graph() -> Iterator[Graph]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "NAMES", 2)
        made = Graph()
        for n, key in enumerate(KEYS):
            made.source.put(key, product(n))
        made.sync()
        yield made


@given(
    lost=st.sets(st.sampled_from(KEYS)),
    gone=st.sets(st.sampled_from(KEYS)),
    strange=st.sets(st.sampled_from(["c/00.png", "c/4x.png", "d.png", "\udcff"])),
)
def test_outputs_are_missing_whatever_else_the_store_has(
    graph: Graph, lost: set[str], gone: set[str], strange: set[str]
) -> None:
    entries, blobs = dict(graph.database.entries), dict(graph.outputs.blobs)
    graph.observations.mark_absent(sorted(gone))
    for name in lost:
        del graph.outputs.blobs[name]
    graph.outputs.blobs |= dict.fromkeys(strange, b"")
    counts = plan(graph.catalogue, graph.accounts, graph.policy).counts
    graph.database.entries, graph.outputs.blobs = entries, blobs

    assert counts["output_missing"] == len(lost - gone)
    assert counts["unchanged"] == len(set(KEYS) - lost - gone)


def test_a_store_that_lists_out_of_order_stops_the_plan(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    backwards = sorted(graph.outputs.blobs, key=key_bytes, reverse=True)
    monkeypatch.setattr(MemoryStore, "list", lambda _: iter(backwards))
    with pytest.raises(StoreError, match="not in order"):
        plan(graph.catalogue, graph.accounts, graph.policy)
