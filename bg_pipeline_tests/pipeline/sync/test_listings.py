"""Sources that lose files, break off, are empty, or change while a run reads them."""

import pytest

from bg_pipeline.core.records import State
from bg_pipeline.errors import GuardStopped, SourceUnreadable
from bg_pipeline_tests.graph import Graph
from bg_pipeline_tests.pictures import product
from bg_pipeline_tests.pipeline.states import state_of


def test_a_file_replaced_after_it_was_hashed_goes_back_to_pending(graph: Graph) -> None:
    """What is hashed is what is sent."""
    graph.concurrency = 1
    replaced = product(99)

    def replace(_request: object) -> None:
        graph.source.files["shoes/2.png"] = replaced

    graph.remover.before = replace
    first = graph.sync(collection="shoes")
    assert (first.summary.published, first.summary.purchases, state_of(graph, "shoes/2.png")) == (2, 2, State.PENDING)

    assert graph.sync(collection="shoes").summary.published == 1


def test_a_file_removed_after_it_was_hashed_is_left_to_the_next_sync(graph: Graph) -> None:
    graph.remover.before = lambda _request: graph.source.files.pop("shoes/2.png", None)
    graph.sync(collection="shoes")

    assert graph.sync().delta.counts["deleted"] == 1


def test_a_listing_that_breaks_off_deletes_nothing(graph: Graph) -> None:
    graph.sync()
    graph.source.fail_after = 2

    with pytest.raises(SourceUnreadable):
        graph.sync()
    graph.source.fail_after = None
    assert graph.sync().delta.counts["deleted"] == 0


def test_an_empty_source_that_was_not_empty_stops_the_sync(graph: Graph) -> None:
    """An unmounted share looks just like this."""
    graph.sync()
    graph.source.files.clear()

    with pytest.raises(GuardStopped, match="held 4 items before"):
        graph.sync()
    assert graph.items.states()["deleted"] == 0


def test_a_deleted_source_keeps_its_cutout(graph: Graph) -> None:
    graph.sync()
    del graph.source.files["bags/9.png"]
    done = graph.sync()

    assert done.delta.counts["deleted"] == 1
    assert "bags/9.png" in graph.outputs.blobs


def test_a_source_that_comes_back_is_published_again_without_work(graph: Graph) -> None:
    graph.sync()
    gone = graph.source.files.pop("bags/9.png")
    graph.sync()
    graph.source.put("bags/9.png", gone)
    done = graph.sync()

    assert (done.summary.published, done.summary.purchases) == (0, 0)
    assert graph.items.states()["published"] == len(graph.source.files)
