"""Which cutouts go to the trash, and when."""

from contextlib import nullcontext

import pytest

from bg_pipeline.core.deletes import DeletePolicy
from bg_pipeline.errors import SourceUnreadable, StoreError
from bg_pipeline_tests.graph import Graph
from bg_pipeline_tests.pipeline.trash.losing import DAY_S, cleared_out, in_trash, lose


def test_a_cutout_goes_to_the_trash_after_a_day_and_two_listings(graph: Graph) -> None:
    cutout = graph.outputs.blobs["shoes/0.png"]
    lose(graph, "shoes/0.png")
    assert "shoes/0.png" in graph.outputs.blobs
    done = graph.sync()

    assert done.trash.moved == ["shoes/0.png"]
    assert "shoes/0.png" not in graph.outputs.blobs
    assert [graph.outputs.blobs[name] for name in in_trash(graph)] == [cutout]
    assert graph.sync().trash.moved == []


def test_nothing_is_moved_unless_it_is_asked_for(graph: Graph) -> None:
    graph.deletes = DeletePolicy()
    lose(graph, "shoes/0.png")

    assert graph.sync().trash.moved == []
    assert "shoes/0.png" in graph.outputs.blobs


def test_a_second_listing_within_a_day_moves_nothing(graph: Graph) -> None:
    lose(graph, "shoes/0.png")
    graph.clock.now -= 1

    assert graph.sync().trash.moved == []


def test_a_day_without_a_second_listing_moves_nothing(graph: Graph) -> None:
    lose(graph, "shoes/0.png")

    assert cleared_out(graph).moved == []


def test_a_picture_that_was_back_in_between_starts_again_from_the_beginning(graph: Graph) -> None:
    picture = graph.source.files["shoes/0.png"]
    lose(graph, "shoes/0.png")
    graph.source.put("shoes/0.png", picture)
    graph.sync()
    del graph.source.files["shoes/0.png"]

    assert graph.sync().trash.moved == []


def test_a_picture_that_no_listing_has_and_that_is_there_keeps_its_cutout(graph: Graph) -> None:
    graph.source.hidden = {"shoes/0.png"}
    graph.sync()
    graph.clock.now += DAY_S
    done = graph.sync()

    assert done.trash.moved == []
    assert "its picture exists" in done.trash.left["shoes/0.png"]


@pytest.mark.parametrize("whole", [True, False])
def test_a_source_that_cannot_tell_moves_nothing(graph: Graph, monkeypatch: pytest.MonkeyPatch, whole: bool) -> None:
    """Where the others can be listed, only this cutout stays: the night goes on."""

    def exists(_key: str) -> bool:
        graph.source.fail_after = 0 if whole else None
        raise SourceUnreadable("not mounted")

    lose(graph, "shoes/0.png")
    monkeypatch.setattr(graph.source, "exists", exists)
    with pytest.raises(SourceUnreadable) if whole else nullcontext():
        assert graph.sync().trash.left == {"shoes/0.png": "not mounted"}

    assert in_trash(graph) == []


@pytest.mark.parametrize("method", ["read", "write", "remove"])
def test_a_cutout_that_cannot_be_moved_stays_and_the_others_go(
    graph: Graph, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    real = getattr(graph.outputs, method)

    def refuse(name: str, *args: object) -> object:
        if name.endswith("shoes/0.png"):
            raise StoreError("Permission denied")
        return real(name, *args)

    lose(graph, "shoes/0.png", "shoes/1.png")
    monkeypatch.setattr(graph.outputs, method, refuse)
    done = graph.sync()

    assert (done.trash.moved, done.trash.left) == (["shoes/1.png"], {"shoes/0.png": "Permission denied"})


def test_a_cutout_that_somebody_else_wrote_is_never_moved(graph: Graph) -> None:
    graph.outputs.blobs["shoes/0.png"] = b"retouched by hand"
    lose(graph, "shoes/0.png")
    done = graph.sync()

    assert done.trash.moved == []
    assert "another program" in done.trash.left["shoes/0.png"]
    assert graph.outputs.blobs["shoes/0.png"] == b"retouched by hand"


def test_a_cutout_whose_name_went_to_another_item_is_left_to_that_one(graph: Graph) -> None:
    """A re-export under another extension has the very bytes of the old cutout, if the picture is the same."""
    graph.source.put("shoes/0.jpg", graph.source.files["shoes/0.png"])
    lose(graph, "shoes/0.png")
    done = graph.sync()

    assert (done.trash.moved, in_trash(graph)) == ([], [])
    entry = graph.items.entry("shoes/0.jpg")
    assert entry is not None
    assert entry.published is not None
    assert entry.published.output_name == "shoes/0.png"
