"""One suite for the observations of a catalogue: in memory, in SQLite, in PostgreSQL."""

from collections.abc import Callable

import pytest

from bg_pipeline.core.blocks import KnownBlock
from bg_pipeline.core.keys import key_bytes
from bg_pipeline.core.records import NO_PRIORITY, State
from bg_pipeline_tests.contracts.manifest import Manifest, seen, shown, work

NASTY = [
    "c/a\nb.jpg",
    "c/a b.jpg",
    "c/a\udcff.jpg",
    "c/a.jpg",
    "c/A.jpg",
    "c/é.jpg",
    "c/\U0001f45f.jpg",
    "c/z'\";--.jpg",
]


def test_keys_of_any_bytes_come_back_in_byte_order(manifest: Manifest) -> None:
    manifest.see(*NASTY)
    in_order = sorted(NASTY, key=lambda key: key.encode("utf-8", "surrogateescape"))

    assert [key for key, *_ in manifest.observations.listing()] == [key_bytes(key) for key in in_order]
    assert [e.key for e in manifest.items.entries()] == in_order
    assert manifest.items.entry("c/a\udcff.jpg") is not None


def test_an_observation_replaces_the_last_and_leaves_state_and_output_alone(manifest: Manifest) -> None:
    manifest.see_work("c/a.jpg")
    manifest.publish("c/a.jpg", shown("c/a.png"))
    manifest.observations.observe([seen("c/a.jpg", "h2", "e2")])

    entry = manifest.entry("c/a.jpg")
    assert (entry.content_hash, entry.state, entry.published) == ("h2", State.PUBLISHED, shown("c/a.png"))
    assert [fingerprint for _, fingerprint, *_ in manifest.observations.listing()] == ["e2"]


def test_other_bytes_are_a_new_revision_of_an_item_and_another_fingerprint_is_none(manifest: Manifest) -> None:
    """A plan that was made on the old bytes is not carried out on the new ones."""
    manifest.see("c/a.jpg")
    before = manifest.entry("c/a.jpg").revision
    manifest.observations.observe([seen("c/a.jpg", "h", "e2")])
    assert manifest.entry("c/a.jpg").revision == before

    manifest.observations.observe([seen("c/a.jpg", "h2", "e3")])
    assert manifest.entry("c/a.jpg").revision > before


def test_an_item_that_went_or_came_back_has_a_new_revision(manifest: Manifest) -> None:
    manifest.see("c/a.jpg")
    listed = manifest.entry("c/a.jpg").revision
    manifest.observations.mark_absent(["c/a.jpg"])
    gone = manifest.entry("c/a.jpg").revision
    manifest.see("c/a.jpg")

    assert listed < gone < manifest.entry("c/a.jpg").revision


def test_split_points_are_every_nth_listed_key_in_order(manifest: Manifest) -> None:
    manifest.see(*(f"c/{name}" for name in ("7", "a", "Z", "é", "b", "gone", "\udcff")))
    manifest.observations.mark_absent(["c/gone"])

    assert manifest.observations.split_points(2) == ["c/Z", "c/b", "c/\udcff"]
    assert manifest.observations.split_points(100) == []


def test_an_absent_item_is_not_listed_until_it_is_seen_again(manifest: Manifest) -> None:
    manifest.see("c/a.jpg", "c/b.jpg")
    manifest.observations.mark_absent(["c/a.jpg"])
    manifest.observations.mark_absent([])
    assert [key for key, *_ in manifest.observations.listing()] == [b"c/b.jpg"]

    manifest.see("c/a.jpg")
    assert [key for key, *_ in manifest.observations.listing()] == [b"c/a.jpg", b"c/b.jpg"]


def test_since_when_an_item_is_gone_is_kept_until_it_is_back(manifest: Manifest) -> None:
    manifest.see("c/a.jpg")
    assert manifest.entry("c/a.jpg").absent_since is None
    manifest.observations.mark_absent(["c/a.jpg"])
    assert manifest.entry("c/a.jpg").absent_since == manifest.clock.now
    manifest.see("c/a.jpg")
    assert manifest.entry("c/a.jpg").absent_since is None


def test_a_hash_that_was_invalidated_is_looked_at_again(manifest: Manifest) -> None:
    manifest.see("c/a.jpg", "c/b.jpg")
    manifest.observations.invalidate_hash("c/a.jpg")

    assert [fingerprint for _, fingerprint, *_ in manifest.observations.listing()] == ["", "e1"]


def test_the_listing_is_in_order_over_many_pages(manifest: Manifest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bg_pipeline.manifest.repeated.CHUNK", 3)
    keys = [f"c/{n}.jpg" for n in range(9)]
    manifest.see(*keys)

    assert list(manifest.observations.listing()) == [(key.encode(), "e1", b"c", NO_PRIORITY) for key in keys]


def test_the_listing_may_be_written_to_while_it_is_read(manifest: Manifest) -> None:
    """As a scan does: it remembers what it hashed while it goes on."""
    keys = [f"c/{n}.jpg" for n in range(9)]
    manifest.see(*keys)
    for key, *_ in manifest.observations.listing():
        manifest.observations.observe([seen(key.decode(), "h2", "e2")])

    assert [fingerprint for _, fingerprint, *_ in manifest.observations.listing()] == ["e2"] * 9


def test_items_can_be_moved_to_another_collection_and_priority(manifest: Manifest) -> None:
    manifest.see_work("c/a.jpg", "c/b.jpg")
    revision = manifest.entry("c/b.jpg").revision
    manifest.observations.set_places({"c/b.jpg": ("c/d\udcff", -0.5)})
    manifest.observations.set_places({})

    assert [row[3] for row in manifest.observations.listing()] == [NO_PRIORITY, -0.5]
    assert (manifest.entry("c/b.jpg").priority, manifest.entry("c/b.jpg").revision) == (-0.5, revision)

    assert manifest.items.collections() == {"c": 1, "c/d\udcff": 1}
    assert manifest.queue.pending() == {"c": 1, "c/d\udcff": 1}


def test_an_observed_item_is_no_work_until_a_delta_says_so(manifest: Manifest) -> None:
    manifest.see("c/a.jpg")

    assert manifest.queue.pending() == {}
    assert manifest.claim_pending().claim is None


def test_what_was_recorded_stays_when_an_item_is_seen_again(manifest: Manifest) -> None:
    manifest.see("c/a.jpg")
    manifest.record(work("c/a.jpg"))
    manifest.see("c/a.jpg")

    assert manifest.queue.pending() == {"c": 1}


def test_a_range_of_the_listing_begins_with_its_first_key_and_ends_before_its_end(manifest: Manifest) -> None:
    manifest.see("c/a", "c/b", "c/c", "c/d")

    assert [key for key, *_ in manifest.observations.listing(b"c/b", b"c/d")] == [b"c/b", b"c/c"]
    assert [key for key, *_ in manifest.observations.listing(b"c/bb")] == [b"c/c", b"c/d"]


def test_blocks_come_back_as_they_were_and_the_next_ones_replace_them(manifest: Manifest) -> None:
    known = [KnownBlock(b"", "d", 3, 1 << 40, {"*.txt": 2}, has_sentinel=True)]
    known += [KnownBlock(key, "e") for key in sorted(map(key_bytes, NASTY))]
    manifest.observations.set_blocks(known)
    assert manifest.observations.blocks() == known

    manifest.observations.set_blocks(known[:1])
    assert manifest.observations.blocks() == known[:1]


@pytest.mark.parametrize(
    "changed",
    [
        lambda manifest: manifest.observations.observe([seen("c/a.jpg")]),
        lambda manifest: manifest.observations.set_places({"c/a.jpg": ("d", 1.0)}),
        lambda manifest: manifest.observations.mark_absent(["c/a.jpg"]),
        lambda manifest: manifest.erasures.lift("c/forgotten.jpg"),
    ],
)
def test_a_row_that_changes_voids_all_blocks(manifest: Manifest, changed: Callable[[Manifest], object]) -> None:
    manifest.see("c/a.jpg", "c/forgotten.jpg")
    claim = manifest.claim("c/forgotten.jpg")
    manifest.erasures.begin("c/forgotten.jpg", claim)
    manifest.erasures.finish("c/forgotten.jpg", claim)
    manifest.observations.set_blocks([KnownBlock(b"", "d", 1)])
    changed(manifest)

    assert manifest.observations.blocks() == []


def test_what_has_to_be_hashed_and_what_is_forgotten_is_in_question(manifest: Manifest) -> None:
    manifest.see("c/a.jpg", "c/b.jpg", "c/c.jpg", "c/d.jpg")
    manifest.observations.invalidate_hash("c/d.jpg")
    manifest.observations.invalidate_hash("c/c.jpg")
    manifest.observations.mark_absent(["c/c.jpg"])
    manifest.erasures.begin("c/b.jpg", manifest.claim("c/b.jpg"))

    assert list(manifest.observations.in_question()) == [b"c/b.jpg", b"c/d.jpg"]
