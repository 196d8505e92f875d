"""Every write that alters an exported row moves its time: in memory, in SQLite, in PostgreSQL."""

from collections.abc import Callable

import pytest

from bg_pipeline.core.records import Reason, State
from bg_pipeline_tests.contracts.manifest import Manifest, shown, work

WRITES: dict[str, Callable[[Manifest], object]] = {
    "another collection": lambda m: m.observations.set_places({"c/a.jpg": ("d", 0.0)}),
    "a state": lambda m: m.set_state("c/a.jpg", State.FAILED, "corrupt"),
    "a publication": lambda m: m.publish("c/a.jpg", shown("c/a.webp")),
    "a delta": lambda m: m.record(work("c/a.jpg", Reason.CHANGED, stem="")),
    "a stale output": lambda m: m.items.mark_stale("c/a.jpg", "digest"),
    "no output": lambda m: m.trash.unpublish("c/a.jpg"),
    "a restored output": lambda m: m.trash.end_trash("c/a.jpg", "c/b.png"),
}


@pytest.mark.parametrize("name", WRITES)
def test_a_write_that_alters_an_exported_row_moves_its_time(manifest: Manifest, name: str) -> None:
    manifest.see_work("c/a.jpg")
    manifest.publish("c/a.jpg", shown("c/a.png"))
    manifest.clock.now += 100
    WRITES[name](manifest)

    assert manifest.entry("c/a.jpg").changed_at == manifest.clock.now


def test_a_name_that_another_item_takes_moves_the_time_of_its_former_item(manifest: Manifest) -> None:
    manifest.see_work("c/a.jpg")
    manifest.publish("c/a.jpg", shown("c/a.png"))
    manifest.observations.mark_absent(["c/a.jpg"])
    manifest.see("c/A.jpg")
    manifest.clock.now += 100
    manifest.record(work("c/A.jpg", stem="c/a"))

    assert manifest.entry("c/a.jpg").changed_at == manifest.clock.now


def test_what_no_export_shows_moves_no_time(manifest: Manifest) -> None:
    manifest.see_work("c/a.jpg")
    before = manifest.entry("c/a.jpg").changed_at
    manifest.clock.now += 100
    manifest.see("c/a.jpg")
    manifest.observations.set_places({"c/a.jpg": ("c", 3.0)})

    assert manifest.entry("c/a.jpg").changed_at == before
