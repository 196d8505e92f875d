"""Cutouts that come back, and those that are thrown away."""

import pytest

from bg_pipeline.core.records import Reason, State
from bg_pipeline.errors import ConfigurationError
from bg_pipeline.pipeline.trash import restore
from bg_pipeline_tests.graph import Graph
from bg_pipeline_tests.pictures import product
from bg_pipeline_tests.pipeline.trash.losing import DAY_S, in_trash, lose


def test_a_restored_cutout_is_back_and_stays(graph: Graph) -> None:
    cutout = graph.outputs.blobs["shoes/0.png"]
    lose(graph, "shoes/0.png")
    graph.sync()

    assert restore(graph.catalogue, graph.run, ["shoes/0.png"]) == ["shoes/0.png"]
    assert (graph.outputs.blobs["shoes/0.png"], in_trash(graph)) == (cutout, [])
    graph.clock.now += 2 * DAY_S
    graph.sync()
    assert graph.outputs.blobs["shoes/0.png"] == cutout


def test_only_what_is_in_the_trash_can_be_restored(graph: Graph) -> None:
    for key in ("shoes/1.png", "no/such.png"):
        with pytest.raises(ConfigurationError, match="not in the trash"):
            restore(graph.catalogue, graph.run, [key])


def test_a_name_that_is_in_use_again_is_not_overwritten_by_a_restore(graph: Graph) -> None:
    lose(graph, "shoes/0.png")
    graph.sync()
    graph.source.put("shoes/0.jpg", product(40))
    graph.sync()
    newer = graph.outputs.blobs["shoes/0.png"]
    with pytest.raises(ConfigurationError, match="in use again"):
        restore(graph.catalogue, graph.run, ["shoes/0.png"])

    assert graph.outputs.blobs["shoes/0.png"] == newer
    assert len(in_trash(graph)) == 1


def test_a_file_that_somebody_put_in_its_place_is_not_overwritten_by_a_restore(graph: Graph) -> None:
    lose(graph, "shoes/0.png")
    graph.sync()
    graph.outputs.blobs["shoes/0.png"] = b"made by hand"
    with pytest.raises(ConfigurationError, match="in use again"):
        restore(graph.catalogue, graph.run, ["shoes/0.png"])

    assert graph.outputs.blobs["shoes/0.png"] == b"made by hand"


def test_a_cutout_that_another_program_altered_in_the_trash_is_not_restored(graph: Graph) -> None:
    lose(graph, "shoes/0.png")
    graph.sync()
    (name,) = in_trash(graph)
    graph.outputs.blobs[name] = b"cut short"
    with pytest.raises(ConfigurationError, match="another program wrote"):
        restore(graph.catalogue, graph.run, ["shoes/0.png"])

    assert "shoes/0.png" not in graph.outputs.blobs


@pytest.mark.parametrize("trashed", [False, True])
def test_what_comes_back_unchanged_has_its_cutout_at_once(graph: Graph, trashed: bool) -> None:
    """Nothing is rendered, and no master is needed: an adopted cutout has none."""
    picture, cutout = graph.source.files["shoes/0.png"], graph.outputs.blobs["shoes/0.png"]
    lose(graph, "shoes/0.png")
    if trashed:
        graph.sync()
    assert bool(in_trash(graph)) == trashed
    graph.masters.blobs.clear()
    graph.source.put("shoes/0.png", picture)
    done = graph.sync()

    assert (done.summary.published, done.summary.purchases) == (0, 0)
    assert done.delta.counts[Reason.RETURNED] == 1
    assert (graph.outputs.blobs["shoes/0.png"], in_trash(graph)) == (cutout, [])
    entry = graph.items.entry("shoes/0.png")
    assert entry is not None
    assert entry.state is State.PUBLISHED
    assert graph.sync().delta.changes == ()


def test_what_comes_back_with_other_bytes_leaves_the_old_cutout_in_the_trash(graph: Graph) -> None:
    lose(graph, "shoes/0.png")
    graph.sync()
    graph.source.put("shoes/0.png", product(40))
    done = graph.sync()

    assert (done.summary.published, done.summary.purchases) == (1, 1)
    assert len(in_trash(graph)) == 1


def test_a_cutout_that_vanished_from_the_trash_is_rendered_again(graph: Graph) -> None:
    picture = graph.source.files["shoes/0.png"]
    lose(graph, "shoes/0.png")
    graph.sync()
    graph.outputs.blobs.pop(in_trash(graph)[0])
    graph.source.put("shoes/0.png", picture)
    done = graph.sync()

    assert (done.summary.published, done.summary.purchases) == (1, 0)
    assert "shoes/0.png" in graph.outputs.blobs


def test_a_picture_that_comes_back_after_the_recipe_changed_is_as_it_was_and_its_new_cut_is_held(
    graph: Graph,
) -> None:
    picture = graph.source.files["shoes/0.png"]
    lose(graph, "shoes/0.png")
    graph.sync()
    graph.source.put("shoes/0.png", picture)
    graph.change_recipe(side_px=40)
    done = graph.sync()

    assert done.summary.purchases == 0
    assert "shoes/0.png" in graph.outputs.blobs
    entry = graph.items.entry("shoes/0.png")
    assert entry is not None
    assert entry.state is State.PUBLISHED
    assert graph.sync().delta.held.items == len(graph.outputs.blobs)


def test_what_lay_in_the_trash_for_long_enough_is_thrown_away(graph: Graph) -> None:
    lose(graph, "shoes/0.png")
    graph.sync()
    graph.clock.now += 29 * DAY_S
    assert graph.sync().trash.purged == []
    graph.clock.now += DAY_S

    assert graph.sync().trash.purged == ["shoes/0.png"]
    assert in_trash(graph) == []
    assert graph.sync().trash.purged == []


def test_throwing_away_touches_no_cutout_that_is_published_again(graph: Graph) -> None:
    lose(graph, "shoes/0.png")
    graph.sync()
    graph.source.put("shoes/0.png", product(40))
    graph.clock.now += 31 * DAY_S
    done = graph.sync()

    assert done.trash.purged == ["shoes/0.png"]
    assert "shoes/0.png" in graph.outputs.blobs
    assert graph.sync().delta.changes == ()


def test_the_trash_is_no_output(graph: Graph) -> None:
    lose(graph, "shoes/0.png")
    graph.sync()

    assert [name for name in graph.outputs.list() if name.startswith("shoes/")] == ["shoes/1.png", "shoes/2.png"]
    assert not [name for name in graph.outputs.list() if "trash" in name]
    entry = graph.items.entry("shoes/0.png")
    assert entry is not None
    assert entry.state is State.DELETED


def test_a_stop_on_request_moves_nothing_more(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    lose(graph, "shoes/0.png", "shoes/1.png")
    real = graph.outputs.remove

    def remove(name: str) -> None:
        graph.stop.set()
        real(name)

    monkeypatch.setattr(graph.outputs, "remove", remove)

    assert graph.sync().trash.moved == ["shoes/0.png"]
