"""One suite for the trash: in memory, in SQLite, in PostgreSQL."""

import pytest

from bg_pipeline.core.records import Reason, State
from bg_pipeline_tests.contracts.manifest import Manifest, seen, shown, work


@pytest.fixture
def gone_at(manifest: Manifest) -> float:
    """When two items were missed for the first time; only `c/a.jpg` has a cutout."""
    manifest.see_work("c/a.jpg", "c/b.jpg")
    manifest.publish("c/a.jpg", shown("c/a.png"))
    assert manifest.trash.is_published("c/a.png")
    manifest.observations.mark_absent(["c/a.jpg", "c/b.jpg"])
    gone_at = manifest.clock.now
    manifest.clock.now += 100
    return gone_at


def test_items_that_are_gone_and_have_a_cutout_are_known_since_when(manifest: Manifest, gone_at: float) -> None:
    assert manifest.trash.gone_since(gone_at - 1) == []
    assert [e.key for e in manifest.trash.gone_since(gone_at)] == ["c/a.jpg"]
    assert not manifest.trash.is_published("c/a.png")


def test_copies_of_a_purchase_are_listed_items_with_an_output(manifest: Manifest, gone_at: float) -> None:
    assert manifest.trash.copies([shown("").purchase_id]) == {}
    for key in ("c/c.jpg", "c/d.jpg", "c/e.jpg"):
        manifest.see_work(key)
        manifest.publish(key, shown(key.replace("jpg", "png")))
    manifest.trash.unpublish("c/e.jpg")

    assert manifest.trash.copies([shown("").purchase_id] * 2) == {shown("").purchase_id: 2}
    assert manifest.trash.copies(["another"]) == {}
    assert manifest.trash.copies([]) == {}


def test_a_picture_that_is_listed_again_with_the_bytes_of_its_trash_returned(
    manifest: Manifest, gone_at: float
) -> None:
    manifest.record(work("c/a.jpg", Reason.DELETED, becomes=State.DELETED, stem=""))
    manifest.trash.begin_trash("c/a.jpg", ".trash/c/a.png")
    manifest.trash.unpublish("c/a.jpg")
    assert manifest.trash.returned() == []

    manifest.observations.observe([seen("c/a.jpg", content="other")])
    assert manifest.trash.returned() == []
    manifest.see("c/a.jpg")
    assert [e.key for e in manifest.trash.returned()] == ["c/a.jpg"]

    manifest.trash.end_trash("c/a.jpg")
    assert manifest.trash.returned() == []


def test_a_cutout_goes_to_the_trash_in_steps_that_are_on_record(manifest: Manifest, gone_at: float) -> None:
    manifest.trash.begin_trash("c/a.jpg", ".trash/c/a.png")
    (entry,) = manifest.trash.in_trash()
    assert (entry.trash_name, entry.trashed_at) == (".trash/c/a.png", gone_at + 100)
    assert [e.key for e in manifest.trash.gone_since(gone_at)] == ["c/a.jpg"]

    manifest.trash.unpublish("c/a.jpg")
    assert manifest.trash.gone_since(gone_at) == []
    assert manifest.trash.in_trash(before=gone_at) == []
    assert [e.key for e in manifest.trash.in_trash(before=gone_at + 100)] == ["c/a.jpg"]


def test_a_restored_cutout_is_published_under_its_name_and_stays(manifest: Manifest, gone_at: float) -> None:
    manifest.trash.begin_trash("c/a.jpg", ".trash/c/a.png")
    manifest.trash.unpublish("c/a.jpg")
    manifest.trash.end_trash("c/a.jpg", "c/a.png")

    entry = manifest.entry("c/a.jpg")
    assert (entry.trash_name, entry.trashed_at, entry.absent_since) == ("", None, None)
    assert entry.published == shown("c/a.png")
    assert manifest.trash.gone_since(manifest.clock.now + 1e6) == []

    manifest.see("c/a.jpg")
    assert manifest.trash.is_published("c/a.png")


def test_a_cutout_that_is_thrown_away_is_neither_published_nor_in_the_trash(manifest: Manifest, gone_at: float) -> None:
    manifest.trash.begin_trash("c/a.jpg", ".trash/c/a.png")
    manifest.trash.unpublish("c/a.jpg")
    manifest.trash.end_trash("c/a.jpg")

    entry = manifest.entry("c/a.jpg")
    assert (entry.trash_name, entry.trashed_at, entry.absent_since) == ("", None, gone_at)
    assert entry.published == shown("")
    assert manifest.trash.in_trash() == []


def test_a_gone_item_gets_the_name_back_that_another_took(manifest: Manifest, gone_at: float) -> None:
    (gone,) = manifest.trash.gone_since(gone_at)
    assert gone.published is not None
    digest = gone.published.output_digest
    manifest.trash.give_back("c/x.png", digest)
    assert manifest.entry("c/a.jpg").published == shown("c/a.png")

    manifest.trash.unpublish("c/a.jpg")
    manifest.trash.give_back("c/x.png", "other bytes")
    assert manifest.entry("c/a.jpg").published == shown("")
    manifest.trash.give_back("c/x.png", digest)
    assert manifest.entry("c/a.jpg").published == shown("c/x.png")
    assert not manifest.trash.is_published("c/x.png")


def test_what_is_in_the_trash_gets_no_name_back(manifest: Manifest, gone_at: float) -> None:
    manifest.trash.begin_trash("c/a.jpg", ".trash/c/a.png")
    manifest.trash.unpublish("c/a.jpg")
    manifest.trash.give_back("c/a.png", shown("").output_digest)

    assert manifest.entry("c/a.jpg").published == shown("")


def test_a_published_item_without_its_main_output_waits_for_the_next_delta(manifest: Manifest) -> None:
    manifest.see_work("c/b.jpg")
    manifest.publish("c/b.jpg", shown("c/b.png"))
    manifest.trash.unpublish("c/b.jpg")

    entry = manifest.entry("c/b.jpg")
    assert (entry.state, entry.purchase_id, entry.published) == (State.PENDING, "", shown(""))
    assert "the next sync decides" in entry.detail
