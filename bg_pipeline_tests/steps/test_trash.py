"""Cutouts of pictures that are gone: each guard keeps them, and the trash gives them back."""

import contextlib
from typing import Any

import pytest

from bg_pipeline.core.deletes import DeletePolicy
from bg_pipeline.core.records import State
from bg_pipeline.errors import ConfigurationError, GuardStopped, SourceUnreadable
from bg_pipeline.ports import Silent
from bg_pipeline.steps.detect import scan
from bg_pipeline.steps.parts import leased
from bg_pipeline.steps.process import lease_name
from bg_pipeline.steps.trash import clear_out, restore
from bg_pipeline_tests.graph import Graph
from bg_pipeline_tests.pictures import product

_DAY = 86_400.0


@pytest.fixture
def graph() -> Graph:
    made = Graph(deletes=DeletePolicy(trash=True))
    for n in range(3):
        made.source.put(f"shoes/{n}.png", product(n))
    made.source.put("bags/9.png", product(9))
    made.sync()
    return made


def lose(graph: Graph, *keys: str) -> None:
    """Gone from the source, and a day and two listings later."""
    for key in keys:
        del graph.source.files[key]
    graph.sync()
    graph.clock.now += _DAY


def in_trash(graph: Graph) -> list[str]:
    return [name for name in graph.outputs.blobs if name.startswith(".trash/")]


def test_a_cutout_goes_to_the_trash_after_a_day_and_two_listings(graph: Graph) -> None:
    cutout = graph.outputs.blobs["shoes/0.png"]
    lose(graph, "shoes/0.png")
    assert "shoes/0.png" in graph.outputs.blobs
    done = graph.sync()

    assert done.trashed.moved == ["shoes/0.png"]
    assert "shoes/0.png" not in graph.outputs.blobs
    assert [graph.outputs.blobs[name] for name in in_trash(graph)] == [cutout]
    assert graph.sync().trashed.moved == []


def test_nothing_is_moved_unless_it_is_asked_for(graph: Graph) -> None:
    graph.deletes = DeletePolicy()
    lose(graph, "shoes/0.png")

    assert graph.sync().trashed.moved == []
    assert "shoes/0.png" in graph.outputs.blobs


def test_a_second_listing_within_a_day_moves_nothing(graph: Graph) -> None:
    lose(graph, "shoes/0.png")
    graph.clock.now -= 1

    assert graph.sync().trashed.moved == []


def test_a_day_without_a_second_listing_moves_nothing(graph: Graph) -> None:
    lose(graph, "shoes/0.png")

    assert clear_out(graph.parts, "a test").moved == []


def test_a_picture_that_was_back_in_between_starts_anew(graph: Graph) -> None:
    picture = graph.source.files["shoes/0.png"]
    lose(graph, "shoes/0.png")
    graph.source.put("shoes/0.png", picture)
    graph.sync()
    del graph.source.files["shoes/0.png"]

    assert graph.sync().trashed.moved == []


def test_a_picture_that_no_listing_has_and_that_is_there_keeps_its_cutout(graph: Graph) -> None:
    graph.source.hidden = {"shoes/0.png"}
    graph.sync()
    graph.clock.now += _DAY
    done = graph.sync()

    assert done.trashed.moved == []
    assert "its picture is there" in done.trashed.left["shoes/0.png"]


def test_a_source_that_cannot_tell_moves_nothing(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    def exists(_key: str) -> bool:
        raise SourceUnreadable("not mounted")

    lose(graph, "shoes/0.png")
    monkeypatch.setattr(graph.source, "exists", exists)
    with pytest.raises(SourceUnreadable):
        graph.sync()

    assert in_trash(graph) == []


def test_a_cutout_that_somebody_else_wrote_is_never_moved(graph: Graph) -> None:
    graph.outputs.blobs["shoes/0.png"] = b"retouched by hand"
    lose(graph, "shoes/0.png")
    done = graph.sync()

    assert done.trashed.moved == []
    assert "somebody else" in done.trashed.left["shoes/0.png"]
    assert graph.outputs.blobs["shoes/0.png"] == b"retouched by hand"


def test_a_cutout_whose_name_went_to_another_item_is_left_to_that_one(graph: Graph) -> None:
    """A re-export under another extension has the very bytes of the old cutout, if the picture is the same."""
    graph.source.put("shoes/0.jpg", graph.source.files["shoes/0.png"])
    lose(graph, "shoes/0.png")
    done = graph.sync()

    assert (done.trashed.moved, in_trash(graph)) == ([], [])
    entry = graph.manifest.entry("shoes/0.jpg")
    assert entry is not None
    assert entry.published is not None
    assert entry.published.output_name == "shoes/0.png"


@pytest.fixture
def large() -> Graph:
    made = Graph(deletes=DeletePolicy(trash=True))
    for n in range(30):
        made.source.put(f"shoes/{n:02}.png", product(n))
    made.sync()
    return made


def test_more_than_the_ceiling_stops_before_anything_is_moved(large: Graph) -> None:
    lose(large, *(f"shoes/{n:02}.png" for n in range(21)))
    done = large.sync()

    assert "21 cutouts" in done.trashed.stopped
    assert "--allow-deletes 21" in done.trashed.stopped
    assert in_trash(large) == []

    assert len(large.sync(allow_deletes=21).trashed.moved) == 21


def test_as_many_as_the_ceiling_go(large: Graph) -> None:
    lose(large, *(f"shoes/{n:02}.png" for n in range(20)))

    assert len(large.sync().trashed.moved) == 20


def test_after_a_listing_that_broke_off_nothing_is_moved(graph: Graph) -> None:
    lose(graph, "shoes/0.png")
    graph.sync(collection="shoes")
    graph.source.fail_after = 1
    with contextlib.suppress(SourceUnreadable):
        scan(graph.parts, "a test", Silent())
    with pytest.raises(GuardStopped, match="did not come to its end"):
        clear_out(graph.parts, "a test")

    assert in_trash(graph) == []


def test_without_any_listing_nothing_is_moved(graph: Graph) -> None:
    graph.database.syncs.clear()
    with pytest.raises(GuardStopped, match="did not come to its end"):
        clear_out(graph.parts, "a test")


@pytest.mark.parametrize("part", [{"collection": "shoes"}, {"only": frozenset({"new"})}, {"keys": frozenset({"x"})}])
def test_a_sync_of_a_part_moves_nothing(graph: Graph, part: dict[str, Any]) -> None:
    lose(graph, "shoes/0.png")

    assert graph.sync(**part).trashed.moved == []
    assert graph.sync().trashed.moved == ["shoes/0.png"]


def test_a_collection_that_another_run_works_on_is_left_until_later(graph: Graph) -> None:
    lose(graph, "shoes/0.png", "bags/9.png")
    with leased(graph.parts, lease_name("shoes"), "another run"):
        done = graph.sync()

    assert done.trashed.moved == ["bags/9.png"]
    assert "another run" in done.trashed.left["shoes/0.png"]


@pytest.mark.parametrize("step", ["write", "remove", "take_off_show"])
def test_a_kill_at_any_step_loses_nothing_and_the_next_sync_ends_it(
    graph: Graph, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    cutout = graph.outputs.blobs["shoes/0.png"]
    lose(graph, "shoes/0.png")

    def killed(*_args: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(graph.manifest if step == "take_off_show" else graph.outputs, step, killed)
        with pytest.raises(KeyboardInterrupt):
            clear_out_after_scan(graph)
    assert cutout in graph.outputs.blobs.values()
    graph.clock.now += _DAY
    graph.sync()

    assert [graph.outputs.blobs[name] for name in in_trash(graph)] == [cutout]
    assert "shoes/0.png" not in graph.outputs.blobs
    assert restore(graph.parts, "a test", ["shoes/0.png"]) == ["shoes/0.png"]


def clear_out_after_scan(graph: Graph) -> None:
    scan(graph.parts, "a test", Silent())
    clear_out(graph.parts, "a test")


def test_a_restored_cutout_is_back_and_stays(graph: Graph) -> None:
    cutout = graph.outputs.blobs["shoes/0.png"]
    lose(graph, "shoes/0.png")
    graph.sync()

    assert restore(graph.parts, "a test", ["shoes/0.png"]) == ["shoes/0.png"]
    assert (graph.outputs.blobs["shoes/0.png"], in_trash(graph)) == (cutout, [])
    graph.clock.now += 2 * _DAY
    graph.sync()
    assert graph.outputs.blobs["shoes/0.png"] == cutout


def test_only_what_is_in_the_trash_can_be_restored(graph: Graph) -> None:
    for key in ("shoes/1.png", "no/such.png"):
        with pytest.raises(ConfigurationError, match="not in the trash"):
            restore(graph.parts, "a test", [key])


def test_a_name_that_is_in_use_again_is_not_overwritten_by_a_restore(graph: Graph) -> None:
    lose(graph, "shoes/0.png")
    graph.sync()
    graph.source.put("shoes/0.jpg", product(40))
    graph.sync()
    newer = graph.outputs.blobs["shoes/0.png"]
    with pytest.raises(ConfigurationError, match="in use again"):
        restore(graph.parts, "a test", ["shoes/0.png"])

    assert graph.outputs.blobs["shoes/0.png"] == newer
    assert len(in_trash(graph)) == 1


def test_a_file_that_somebody_put_in_its_place_is_not_overwritten_by_a_restore(graph: Graph) -> None:
    lose(graph, "shoes/0.png")
    graph.sync()
    graph.outputs.blobs["shoes/0.png"] = b"made by hand"
    with pytest.raises(ConfigurationError, match="in use again"):
        restore(graph.parts, "a test", ["shoes/0.png"])

    assert graph.outputs.blobs["shoes/0.png"] == b"made by hand"


def test_a_picture_that_comes_back_gets_its_cutout_again_free(graph: Graph) -> None:
    picture = graph.source.files["shoes/0.png"]
    lose(graph, "shoes/0.png")
    graph.sync()
    graph.source.put("shoes/0.png", picture)
    done = graph.sync()

    assert (done.summary.published, done.summary.purchases) == (1, 0)
    assert "shoes/0.png" in graph.outputs.blobs


def test_a_picture_that_comes_back_after_the_recipe_changed_is_held(graph: Graph) -> None:
    picture = graph.source.files["shoes/0.png"]
    lose(graph, "shoes/0.png")
    graph.sync()
    graph.source.put("shoes/0.png", picture)
    graph.change_recipe(max_side_px=40)
    done = graph.sync()

    assert done.summary.purchases == 0
    assert "shoes/0.png" in {c.key for c in done.delta.held}


def test_what_lay_in_the_trash_for_long_enough_is_thrown_away(graph: Graph) -> None:
    lose(graph, "shoes/0.png")
    graph.sync()
    graph.clock.now += 29 * _DAY
    assert graph.sync().trashed.purged == []
    graph.clock.now += _DAY

    assert graph.sync().trashed.purged == ["shoes/0.png"]
    assert in_trash(graph) == []
    assert graph.sync().trashed.purged == []


def test_throwing_away_touches_no_cutout_that_is_on_show_again(graph: Graph) -> None:
    picture = graph.source.files["shoes/0.png"]
    lose(graph, "shoes/0.png")
    graph.sync()
    graph.source.put("shoes/0.png", picture)
    graph.clock.now += 31 * _DAY
    done = graph.sync()

    assert done.trashed.purged == ["shoes/0.png"]
    assert "shoes/0.png" in graph.outputs.blobs
    assert graph.sync().delta.changes == ()


def test_the_trash_is_no_output(graph: Graph) -> None:
    lose(graph, "shoes/0.png")
    graph.sync()

    assert list(graph.outputs.list()) == ["bags/9.png", "shoes/1.png", "shoes/2.png"]
    entry = graph.manifest.entry("shoes/0.png")
    assert entry is not None
    assert entry.state is State.DELETED


def test_a_stop_on_request_moves_nothing_more(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    lose(graph, "shoes/0.png", "shoes/1.png")
    real = graph.outputs.remove

    def remove(name: str) -> None:
        graph.stop.set()
        real(name)

    monkeypatch.setattr(graph.outputs, "remove", remove)

    assert graph.sync().trashed.moved == ["shoes/0.png"]
