"""What keeps every cutout where it is, and a run that is killed on the way."""

import contextlib
from typing import Any

import pytest

from bg_pipeline.core.claims import Only
from bg_pipeline.core.deletes import DeletePolicy
from bg_pipeline.core.runlog import ClearOutRecord
from bg_pipeline.errors import GuardStopped, LeaseHeld, SourceUnreadable
from bg_pipeline.pipeline.detect import scan
from bg_pipeline.pipeline.trash import restore
from bg_pipeline.ports.context import DETECTION, LEASE_S
from bg_pipeline_tests.graph import Graph
from bg_pipeline_tests.pictures import product
from bg_pipeline_tests.pipeline.trash.losing import DAY_S, cleared_out, in_trash, lose


def test_more_than_the_ceiling_stops_before_anything_is_moved(large: Graph) -> None:
    lose(large, *(f"shoes/{n:02}.png" for n in range(21)))
    done = large.sync()

    assert "21 cutouts" in done.trash.stopped
    assert "--allow-deletes 21" in done.trash.stopped
    assert in_trash(large) == []

    assert len(large.sync(allow_deletes=21).trash.moved) == 21


def test_as_many_as_the_ceiling_go(large: Graph) -> None:
    lose(large, *(f"shoes/{n:02}.png" for n in range(7)))

    assert len(large.sync().trash.moved) == 7


def test_the_old_cutouts_of_a_renamed_collection_go_unasked(large: Graph) -> None:
    for key in list(large.source.files):
        large.source.put(key.replace("shoes/", "boots/"), large.source.files[key])
    lose(large, *(key for key in large.source.files if key.startswith("shoes/")))
    done = large.sync()

    assert (done.trash.stopped, len(done.trash.moved)) == ("", 30)
    assert sorted(large.outputs.list()) == [f"boots/{n:02}.png" for n in range(30)]


def test_one_copy_that_stays_is_no_proof_for_thirty_that_go(large: Graph) -> None:
    same = [f"placeholder/{n:02}.png" for n in range(30)]
    for key in same:
        large.source.put(key, product(77))
    large.sync()
    lose(large, *same[1:])

    assert "28 cutouts" in large.sync().trash.stopped


def test_after_a_listing_that_broke_off_nothing_is_moved(graph: Graph) -> None:
    lose(graph, "shoes/0.png")
    graph.sync(collection="shoes")
    graph.source.fail_after = 1
    with contextlib.suppress(SourceUnreadable):
        scan(graph.catalogue, graph.policy, graph.run)
    with pytest.raises(GuardStopped, match="missing or incomplete"):
        cleared_out(graph)

    assert in_trash(graph) == []


def test_without_any_listing_nothing_is_moved(graph: Graph) -> None:
    graph.database.records.clear()
    with pytest.raises(GuardStopped, match="missing or incomplete"):
        cleared_out(graph)


@pytest.mark.parametrize("part", [{"collection": "shoes"}, {"only": Only.NEW}, {"only": Only.FAILED}, {"sample": 1}])
def test_a_sync_of_a_part_moves_nothing(graph: Graph, part: dict[str, Any]) -> None:
    lose(graph, "shoes/0.png")

    assert graph.sync(**part).trash.moved == []
    assert graph.sync().trash.moved == ["shoes/0.png"]


def test_an_item_that_another_run_has_is_left_until_later(graph: Graph) -> None:
    lose(graph, "shoes/0.png", "bags/9.png")
    claim = graph.claim("shoes/0.png", owner="another run")
    done = graph.sync()

    assert done.trash.moved == ["bags/9.png"]
    assert "another run" in done.trash.left["shoes/0.png"]
    assert len(in_trash(graph)) == 1
    graph.queue.release(claim)
    assert graph.sync().trash.moved == ["shoes/0.png"]


def test_an_item_that_another_run_takes_over_meanwhile_keeps_its_cutout(
    graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that was suspended wakes up after its claim has expired, and the other run publishes there."""
    lose(graph, "shoes/0.png")
    real = graph.outputs.write

    def write(name: str, data: bytes) -> None:
        real(name, data)
        graph.clock.now += 2 * LEASE_S
        graph.claim("shoes/0.png", owner="another run")

    monkeypatch.setattr(graph.outputs, "write", write)
    done = graph.sync()

    assert "another run" in done.trash.left["shoes/0.png"]
    assert "shoes/0.png" in graph.outputs.blobs


def test_every_claim_is_released_in_the_end(large: Graph) -> None:
    keys = [f"shoes/{n:02}.png" for n in range(21)]
    lose(large, *keys)
    large.sync(allow_deletes=21)
    restore(large.catalogue, large.run, keys[:1])

    assert large.queue.claims() == []
    large.claim(*keys)


def test_nothing_is_restored_of_an_item_that_another_run_has(graph: Graph) -> None:
    lose(graph, "shoes/0.png")
    graph.sync()
    graph.claim("shoes/0.png", owner="another run")
    with pytest.raises(LeaseHeld, match="another run"):
        restore(graph.catalogue, graph.run, ["shoes/0.png"])

    assert len(in_trash(graph)) == 1


def test_nothing_is_cleared_out_or_restored_while_a_detection_runs(graph: Graph) -> None:
    lose(graph, "shoes/0.png")
    graph.leases.acquire(DETECTION, "the night", 100.0)
    with pytest.raises(LeaseHeld):
        cleared_out(graph)
    with pytest.raises(LeaseHeld):
        restore(graph.catalogue, graph.run, ["shoes/0.png"])


def test_the_run_log_tells_what_was_moved_and_thrown_away_and_by_which_run(graph: Graph) -> None:
    lose(graph, "shoes/0.png")
    graph.sync()
    (record,) = graph.run_log.read(ClearOutRecord)
    assert (record.moved, record.purged, record.stopped) == (1, 0, "")
    assert (record.run_id, record.job, record.collections) == (graph.run.name.run_id, "sync", None)

    graph.clock.now += 30 * DAY_S
    graph.sync()
    (record,) = graph.run_log.read(ClearOutRecord)
    assert (record.moved, record.purged) == (0, 1)


def test_the_run_log_tells_that_a_guard_stopped_it(large: Graph) -> None:
    lose(large, *(f"shoes/{n:02}.png" for n in range(21)))
    done = large.sync()
    (record,) = large.run_log.read(ClearOutRecord)

    assert (record.moved, record.stopped) == (0, done.trash.stopped)
    assert "21 cutouts" in record.stopped


def test_where_cutouts_are_kept_nothing_is_logged_of_clearing_out(graph: Graph) -> None:
    graph.deletes = DeletePolicy()
    graph.database.records.clear()
    graph.sync()

    assert graph.run_log.read(ClearOutRecord) == []


@pytest.mark.parametrize("step", ["write", "remove", "unpublish"])
def test_a_kill_at_any_step_loses_nothing_and_the_next_sync_ends_it(
    graph: Graph, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    cutout = graph.outputs.blobs["shoes/0.png"]
    lose(graph, "shoes/0.png")

    def killed(*_args: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(graph.trash if step == "unpublish" else graph.outputs, step, killed)
        with pytest.raises(KeyboardInterrupt):
            clear_out_after_scan(graph)
    assert cutout in graph.outputs.blobs.values()
    graph.clock.now += DAY_S
    graph.sync()

    assert [graph.outputs.blobs[name] for name in in_trash(graph)] == [cutout]
    assert "shoes/0.png" not in graph.outputs.blobs
    assert restore(graph.catalogue, graph.run, ["shoes/0.png"]) == ["shoes/0.png"]


def clear_out_after_scan(graph: Graph) -> None:
    scan(graph.catalogue, graph.policy, graph.run)
    cleared_out(graph)
