"""One suite for items, as people and upkeep see them: in memory, in SQLite, in PostgreSQL."""

from dataclasses import replace

from bg_pipeline.core.records import Reason, State
from bg_pipeline_tests.contracts.manifest import Manifest, keys_of, seen, shown, work


def test_collections_are_those_of_listed_items(manifest: Manifest) -> None:
    manifest.see("c/a.jpg", "c/b.jpg", "d/c.jpg", "top.jpg")
    manifest.observations.mark_absent(["d/c.jpg"])

    assert manifest.items.collections() == {"": 1, "c": 2}

    manifest.publish("c/b.jpg", shown("c/b.png"))
    assert manifest.items.collections(State.PUBLISHED) == {"c": 1}


def test_failed_items_become_pending_again_by_collection_or_key(manifest: Manifest) -> None:
    keys = ["c/a.jpg", "c/b.jpg", "d/c.jpg", "e/d.jpg"]
    manifest.see_work(*keys)
    for key in keys:
        manifest.set_state(key, State.FAILED, "corrupt")

    assert [e.detail for e in manifest.items.in_state(State.FAILED)] == ["corrupt"] * 4
    assert manifest.items.retry(["c"], ["c/a.jpg", "d/c.jpg"]) == ["c/a.jpg"]
    assert manifest.queue.pending() == {"c": 1}
    assert manifest.entry("c/a.jpg").reason is Reason.UNFINISHED
    assert manifest.items.retry(["c", "e"]) == ["c/b.jpg", "e/d.jpg"]
    assert manifest.items.retry() == ["d/c.jpg"]
    assert manifest.items.retry() == []


def test_what_was_skipped_by_a_setting_can_be_tried_again_and_what_is_no_picture_cannot(manifest: Manifest) -> None:
    manifest.see_work("c/film.gif")
    manifest.set_state("c/film.gif", State.SKIPPED, "more than one picture")
    manifest.see("c/notes.txt")
    manifest.record(replace(work("c/notes.txt"), reason=Reason.SKIPPED, becomes=State.SKIPPED))

    assert manifest.items.retry() == ["c/film.gif"]


def test_failed_items_that_are_gone_stay_as_they_are(manifest: Manifest) -> None:
    manifest.see_work("c/a.jpg")
    manifest.set_state("c/a.jpg", State.FAILED, "corrupt")
    manifest.observations.mark_absent(["c/a.jpg"])

    assert manifest.items.retry() == []


def test_a_detail_may_quote_a_name_that_is_no_text(manifest: Manifest) -> None:
    manifest.see("c/a.jpg")
    manifest.set_state("c/a.jpg", State.FAILED, "was c/\udcff\0.jpg")

    assert manifest.entry("c/a.jpg").detail.startswith("was c/")


def test_an_item_tells_when_it_was_published(manifest: Manifest) -> None:
    manifest.see("c/a.jpg")
    manifest.publish("c/a.jpg", shown("c/a.png"))

    assert manifest.entry("c/a.jpg").published_at == manifest.clock.now


def test_a_second_publication_takes_the_place_of_the_first(manifest: Manifest) -> None:
    manifest.see_work("c/a.jpg", "c/b.jpg")
    manifest.publish("c/a.jpg", shown("c/a.png"))
    manifest.publish("c/a.jpg", shown("c/a.webp", "another"))

    assert manifest.entry("c/a.jpg").published == shown("c/a.webp", "another")
    assert manifest.entry("c/b.jpg").published is None
    assert [e.key for e in manifest.items.entries()] == ["c/a.jpg", "c/b.jpg"]
    assert manifest.items.states()["published"] == 1


def test_a_stale_output_makes_its_item_pending_unless_it_was_published_again(manifest: Manifest) -> None:
    manifest.see_work("c/a.jpg")
    assert not manifest.items.mark_stale("c/a.jpg", "")
    manifest.publish("c/a.jpg", shown("c/a.png", "paid"))
    manifest.set_state("c/a.jpg", State.PUBLISHED, "", "another")
    assert not manifest.items.mark_stale("c/a.jpg", "an older digest")

    assert manifest.items.mark_stale("c/a.jpg", "digest")
    assert not manifest.items.mark_stale("c/a.jpg", "digest")
    (entry,) = manifest.claim_pending().entries
    assert (entry.reason, entry.purchase_id, entry.published) == (
        Reason.OUTPUT_MISSING,
        "paid",
        shown("c/a.png", "paid"),
    )


def test_the_quarantine_of_a_purchase_ends_for_all_its_items_and_no_others(manifest: Manifest) -> None:
    manifest.see(*(f"c/{n}.jpg" for n in "abcd"))
    for key, state, of in (
        ("c/a.jpg", State.QUARANTINED, "w"),
        ("c/b.jpg", State.QUARANTINED, "w"),
        ("c/c.jpg", State.QUARANTINED, "other"),
        ("c/d.jpg", State.FAILED, "w"),
    ):
        manifest.set_state(key, state, "empty", of)

    assert manifest.items.end_quarantine("w", State.PENDING, "approved") == ["c/a.jpg", "c/b.jpg"]
    assert manifest.items.end_quarantine("w", State.PENDING, "approved") == []
    claimed = manifest.claim_pending()
    assert keys_of(claimed) == ["c/a.jpg", "c/b.jpg"]
    assert [e.detail for e in claimed.entries] == ["approved", "approved"]
    assert [e.key for e in manifest.items.in_state(State.QUARANTINED)] == ["c/c.jpg"]


def test_a_stem_from_before_is_given_to_an_item_that_has_none(manifest: Manifest) -> None:
    manifest.see("c/a.jpg", "c/b.jpg")
    manifest.record(work("c/a.jpg"))
    manifest.items.restore_stems({})
    manifest.items.restore_stems({"c/a.jpg": "c/other", "c/b.jpg": "c/B~1"})

    assert [e.stem for e in manifest.items.entries()] == ["c/a", "c/B~1"]
    assert manifest.deltas.taken_stems(["c/b~1"]) == {"c/b~1"}


def test_an_item_that_was_never_seen_is_not_there(manifest: Manifest) -> None:
    manifest.observations.observe([seen("c/a.jpg")])

    assert manifest.items.entry("c/b.jpg") is None
