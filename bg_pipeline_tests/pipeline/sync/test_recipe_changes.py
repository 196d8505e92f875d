"""Another recipe, and output names: what is held, restored, and bought a share at a time."""

from bg_pipeline.core.claims import Only
from bg_pipeline.core.keys import master_name
from bg_pipeline.core.records import Reason, State
from bg_pipeline_tests.graph import Graph
from bg_pipeline_tests.pictures import product


def test_a_changed_cut_is_held_also_for_files_that_were_away_or_moved(graph: Graph) -> None:
    graph.sync()
    graph.change_recipe(side_px=40)
    away = graph.source.files.pop("bags/9.png")
    graph.sync()
    graph.source.put("bags/9.png", away)
    graph.source.put("boots/0.png", graph.source.files.pop("shoes/0.png"))
    done = graph.sync()

    assert (done.summary.purchases, done.delta.held.items) == (0, 3)
    entry = graph.items.entry("bags/9.png")
    assert entry is not None
    assert entry.state is State.PUBLISHED  # as it was; the next delta holds its new cut
    assert graph.sync().delta.held.items == 4


def test_a_failure_ends_once_the_published_picture_is_back_although_the_recipe_has_changed(graph: Graph) -> None:
    graph.sync()
    graph.change_recipe(side_px=40)
    good = graph.source.files["bags/9.png"]
    graph.source.put("bags/9.png", good[: len(good) // 2])
    assert graph.sync().summary.failed == 1
    graph.source.put("bags/9.png", good)
    done = graph.sync()

    assert (done.summary.purchases, done.summary.standing) == (0, 0)
    entry = graph.items.entry("bags/9.png")
    assert entry is not None
    assert (entry.state, entry.reason) == (State.PUBLISHED, Reason.RETURNED)


def test_settings_that_change_between_detection_and_processing_buy_nothing(graph: Graph) -> None:
    graph.sync()
    graph.source.put("shoes/0.png", product(50))
    graph.sync(cap=0)
    graph.change_recipe(side_px=40)
    summary = graph.process().summary

    assert (summary.purchases, summary.pending) == (0, 1)


def test_only_part_of_the_delta_can_be_asked_for(graph: Graph) -> None:
    graph.sync()
    graph.source.put("shoes/0.png", product(60))
    graph.source.put("shoes/new.png", product(61))
    done = graph.sync(only=Only.NEW)

    assert (done.summary.by_reason, done.summary.pending) == ({Reason.NEW: 1}, 1)


def test_items_with_one_output_name_get_two_outputs(graph: Graph) -> None:
    graph.source.put("shoes/0.jpg", product(70, kind="JPEG"))
    done = graph.sync()

    assert len(done.delta.collisions) == 1
    assert len(graph.outputs.blobs) == 5


def test_a_name_once_given_stays_when_a_twin_comes_that_sorts_before_it(graph: Graph) -> None:
    graph.sync()
    before = graph.outputs.blobs["shoes/0.png"]
    graph.source.put("shoes/0.jpg", product(70, kind="JPEG"))
    graph.sync()

    assert graph.outputs.blobs["shoes/0.png"] == before


def test_a_new_export_under_another_extension_takes_over_the_name(graph: Graph) -> None:
    graph.sync()
    del graph.source.files["shoes/0.png"]
    graph.source.put("shoes/0.webp", product(50))
    done = graph.sync()

    assert done.delta.collisions == {}
    assert list(graph.outputs.list()) == ["bags/9.png", "shoes/0.png", "shoes/1.png", "shoes/2.png"]
    assert graph.sync().delta.changes == ()


def test_a_picture_that_comes_back_leaves_its_name_to_who_has_it_now(graph: Graph) -> None:
    graph.sync()
    picture = graph.source.files.pop("shoes/0.png")
    graph.source.put("shoes/0.webp", product(50))
    graph.sync()
    newer = graph.outputs.blobs["shoes/0.png"]
    graph.source.put("shoes/0.png", picture)
    done = graph.sync()

    assert (list(done.delta.collisions), done.summary.purchases) == (["shoes/0.png"], 0)
    assert graph.outputs.blobs["shoes/0.png"] == newer
    assert graph.sync().delta.changes == ()


def test_what_is_held_is_counted_and_not_kept(graph: Graph) -> None:
    """It can be a catalogue of a million items, night after night, until a person decides."""
    graph.sync()
    graph.change_recipe(side_px=40)
    delta = graph.sync().delta

    assert (delta.changes, delta.unchanged) == ((), 0)
    assert (delta.held.items, delta.held.credits, delta.counts["recipe_changed"]) == (4, 4, 4)


def test_a_held_copy_of_what_another_item_needs_is_free_in_the_next_night(graph: Graph) -> None:
    graph.sync()
    graph.change_recipe(side_px=40)
    graph.source.put("caps/new.png", graph.source.files["shoes/1.png"])
    bought, then = graph.sync(), graph.sync()

    assert (bought.published, bought.summary.purchases) == (["caps/new.png"], 1)
    assert (then.published, then.summary.purchases, then.delta.held.items) == (["shoes/1.png"], 0, 3)


def test_a_held_picture_that_lost_its_output_gets_its_old_one_back(graph: Graph) -> None:
    graph.sync()
    graph.change_recipe(side_px=40)
    graph.sync()
    before = graph.outputs.blobs.pop("shoes/1.png")
    done = graph.sync()

    assert (done.summary.by_reason, done.summary.purchases) == ({Reason.OUTPUT_MISSING: 1}, 0)
    assert graph.outputs.blobs["shoes/1.png"] == before
    assert graph.sync().delta.held.items == 4


def test_an_old_cut_is_never_bought_again_to_be_restored(graph: Graph) -> None:
    """Its master was sound when the delta was made, and is damaged when it is read."""
    graph.sync()
    graph.change_recipe(side_px=40)
    entry = graph.items.entry("shoes/1.png")
    assert entry is not None
    graph.outputs.blobs.pop("shoes/1.png")
    graph.masters.blobs[master_name(entry.purchase_id)] = b"rotten"
    done = graph.sync()

    assert (done.summary.purchases, done.summary.failures[0].key) == (0, "shoes/1.png")
    assert graph.sync().delta.held.items == 4


def test_a_changed_cut_can_be_bought_a_share_at_a_time(graph: Graph) -> None:
    graph.sync()
    graph.change_recipe(side_px=40)
    bought = [graph.sync(apply_recipe_change=True, recipe_change_limit=3).summary.purchases for _ in range(3)]

    assert bought == [3, 1, 0]


def test_a_held_rename_stays_a_rename(graph: Graph) -> None:
    """Were the old key forgotten, the next sync would take the new one for new, and buy it."""
    graph.sync()
    graph.change_recipe(side_px=40)
    graph.source.put("bags/moved.png", graph.source.files.pop("shoes/0.png"))

    assert [graph.sync().summary.purchases for _ in range(3)] == [0, 0, 0]
