"""One suite for deltas: in memory, in SQLite, in PostgreSQL."""

from dataclasses import replace

import pytest

from bg_pipeline.core.claims import EVERYTHING, LEASE_S
from bg_pipeline.core.delta import Goal
from bg_pipeline.core.keys import key_bytes
from bg_pipeline.core.recipe import Cut, Recipe, Rendition
from bg_pipeline.core.records import Published, Reason, State
from bg_pipeline.errors import Stopped
from bg_pipeline_tests.contracts.manifest import Manifest, keys_of, shown, up_to_date, work

RECIPE = Recipe((Cut("bgeraser", 2500), Cut("local", 2500)), Rendition())


def test_a_delta_makes_items_pending_skipped_or_deleted(manifest: Manifest) -> None:
    manifest.see(*(f"c/{name}.jpg" for name in "abcd"))
    manifest.record(
        work("c/a.jpg"),
        work("c/b.jpg", Reason.SKIPPED, becomes=State.SKIPPED, stem=""),
        work("c/c.jpg", Reason.DELETED, becomes=State.DELETED, stem=""),
        work("c/d.jpg", Reason.RECIPE_CHANGED, becomes=None),
    )

    assert manifest.queue.pending() == {"c": 1}
    entry = manifest.entry("c/a.jpg")
    assert (entry.state, entry.reason, entry.detail, entry.purchase_id) == (
        State.PENDING,
        Reason.NEW,
        "a reason",
        "w",
    )
    assert manifest.entry("c/d.jpg").reason is None
    assert manifest.items.states() == {
        "published": 0,
        "pending": 2,
        "failed": 0,
        "quarantined": 0,
        "skipped": 1,
        "deleted": 1,
        "forgotten": 0,
        "withdrawn": 0,
    }


def test_what_was_published_after_a_delta_looked_stays_published(manifest: Manifest) -> None:
    """Another host's detection listed the outputs before, and misses this one."""
    manifest.see_work("c/a.jpg", "c/b.jpg")
    manifest.publish("c/a.jpg", shown("c/a.png"))
    seen_at = manifest.clock.now
    manifest.clock.now += 1
    manifest.publish("c/b.jpg", shown("c/b.png"))
    missing = [
        work(key, Reason.OUTPUT_MISSING, revision=manifest.entry(key).revision) for key in ("c/a.jpg", "c/b.jpg")
    ]
    manifest.deltas.record(missing, seen_at)

    assert [manifest.entry(change.key).state for change in missing] == [State.PENDING, State.PUBLISHED]


def test_what_was_published_by_a_clock_that_was_ahead_can_change(manifest: Manifest) -> None:
    """It would stay as it is until the clock is there, a year later where the clock was a year ahead."""
    manifest.clock.now += 3600
    manifest.see_work("c/a.jpg")
    manifest.publish("c/a.jpg", shown("c/a.png"))
    manifest.clock.now -= 3600
    manifest.record(work("c/a.jpg", Reason.CHANGED))

    assert manifest.entry("c/a.jpg").state is State.PENDING


def test_a_rename_marks_the_old_key_as_deleted(manifest: Manifest) -> None:
    manifest.see("c/new.jpg", "c/old.jpg")
    manifest.record(work("c/new.jpg", Reason.RENAMED, renamed_from="c/old.jpg"))

    old = manifest.entry("c/old.jpg")
    assert (old.state, old.reason, old.detail) == (State.DELETED, Reason.DELETED, "renamed to c/new.jpg")


def test_a_rename_that_is_held_leaves_the_old_key_as_it_is(manifest: Manifest) -> None:
    manifest.see_work("c/old.jpg")
    manifest.see("c/new.jpg")
    manifest.record(work("c/new.jpg", Reason.RENAMED, renamed_from="c/old.jpg", becomes=None, held=True))

    assert manifest.entry("c/old.jpg").state is State.PENDING


def test_a_stem_once_given_is_kept_and_taken(manifest: Manifest) -> None:
    manifest.see("c/A.jpg")
    manifest.record(work("c/A.jpg"))
    manifest.record(work("c/A.jpg", Reason.UNFINISHED, stem=""))

    assert manifest.entry("c/A.jpg").stem == "c/A"
    assert manifest.deltas.taken_stems(["c/a", "c/b"]) == {"c/a"}


@pytest.mark.parametrize("batch", [1, 1000])
@pytest.mark.parametrize(("gone", "comes"), [("c/a.jpg", "c/A.png"), ("c/A.jpg", "c/a.png")])
def test_an_item_that_is_gone_gives_its_name_to_the_one_that_asks_for_it(
    manifest: Manifest, batch: int, gone: str, comes: str
) -> None:
    """Also where the delta that gives the name away marks the old item as deleted, in whichever order."""
    manifest.batch(batch)
    manifest.see_work(gone)
    manifest.publish(gone, shown("c/a.png"))
    assert manifest.deltas.taken_stems(["c/a"]) == {"c/a"}

    manifest.observations.mark_absent([gone])
    assert manifest.deltas.taken_stems(["c/a"]) == set()
    manifest.see(comes)
    changes = [work(gone, Reason.DELETED, becomes=State.DELETED, stem=""), work(comes)]
    manifest.record(*sorted(changes, key=lambda change: change.key))

    old, new = manifest.entry(gone), manifest.entry(comes)
    assert (old.state, old.stem, new.stem) == (State.DELETED, "", comes.rpartition(".")[0])
    assert old.published is not None
    assert (old.published.output_name, old.published.purchase_id) == ("", "w")
    assert manifest.trash.gone_since(manifest.clock.now) == []


def test_published_names_are_those_of_listed_items_in_byte_order(manifest: Manifest) -> None:
    manifest.see_work("c/a.jpg", "c/b.jpg", "c/c.jpg")
    for key, name in (("c/a.jpg", "c/z.png"), ("c/b.jpg", "c/y.png"), ("c/c.jpg", "c/x.png")):
        manifest.publish(key, shown(name))
    manifest.observations.mark_absent(["c/c.jpg"])

    assert list(manifest.deltas.published_names()) == [("c/y.png", "c/b.jpg"), ("c/z.png", "c/a.jpg")]
    assert manifest.deltas.publishing_keys(["w", "other"]) == {"w": "c/a.jpg"}


def test_an_item_that_waits_again_carries_its_purchase_no_more(manifest: Manifest) -> None:
    manifest.see_work("c/a.jpg", "c/b.jpg")
    for key in ("c/a.jpg", "c/b.jpg"):
        manifest.publish(key, shown(key))
    manifest.set_state("c/a.jpg", State.PENDING)

    assert manifest.deltas.publishing_keys(["w"]) == {"w": "c/b.jpg"}


def test_up_to_date_items_are_counted_and_the_others_are_listed(manifest: Manifest) -> None:
    first, fallback = RECIPE.cuts
    goal = Goal.of(RECIPE)
    manifest.see_work(*(f"c/{name}.jpg" for name in "abcdef"))
    good = Published("w", first.digest, RECIPE.rendition.digest, "c/a.png", "digest", "h")
    for name, published in {
        "a": good,
        "b": replace(good, cut_digest=fallback.digest),
        "c": replace(good, cut_digest="other"),
        "d": replace(good, rendition_digest="other"),
        "e": replace(good, content_hash="other"),
    }.items():
        manifest.publish(f"c/{name}.jpg", replace(published, output_name=f"c/{name}.png"))

    assert up_to_date(manifest.deltas, goal) == 2
    assert [e.key for e in manifest.deltas.out_of_date(goal)] == ["c/c.jpg", "c/d.jpg", "c/e.jpg", "c/f.jpg"]

    manifest.observations.mark_absent(["c/a.jpg", "c/c.jpg"])
    manifest.record(work("c/c.jpg", Reason.DELETED, becomes=State.DELETED, stem=""))
    assert up_to_date(manifest.deltas, goal) == 1
    assert [e.key for e in manifest.deltas.out_of_date(goal)] == ["c/a.jpg", "c/d.jpg", "c/e.jpg", "c/f.jpg"]


def test_what_is_called_by_an_older_name_is_up_to_date(manifest: Manifest) -> None:
    goal = Goal(cuts=("cut", "older cut"), renditions=("rendition", "older rendition"), first=("cut",))
    manifest.see_work("c/a.jpg", "c/b.jpg", "c/c.jpg", "c/d.jpg")
    manifest.publish("c/a.jpg", shown("c/a.png"))
    manifest.publish("c/b.jpg", replace(shown("c/b.png"), cut_digest="older cut"))
    manifest.publish("c/c.jpg", replace(shown("c/c.png"), rendition_digest="older rendition"))
    manifest.publish("c/d.jpg", replace(shown("c/d.png"), rendition_digest="another"))

    assert up_to_date(manifest.deltas, goal) == 3
    assert [e.key for e in manifest.deltas.out_of_date(goal)] == ["c/d.jpg"]
    assert up_to_date(manifest.deltas, replace(goal, renditions=("rendition",))) == 2


def test_entries_can_be_asked_for_by_key(manifest: Manifest) -> None:
    keys = [f"c/{n:04}.jpg" for n in range(1100)]
    manifest.see(*keys)

    assert [e.key for e in manifest.deltas.get_many([*keys[:1050], "d/unknown.jpg"])] == keys[:1050]
    assert manifest.deltas.get_many([]) == []


def test_every_write_of_state_name_or_publication_is_a_new_revision(manifest: Manifest) -> None:
    manifest.see("c/a.jpg")
    revisions = [manifest.entry("c/a.jpg").revision]
    for write in (
        lambda: manifest.record(work("c/a.jpg")),
        lambda: manifest.publish("c/a.jpg", shown("c/a.png")),
        lambda: manifest.set_state("c/a.jpg", State.FAILED),
        manifest.items.retry,
        lambda: manifest.set_state("c/a.jpg", State.QUARANTINED),
        lambda: manifest.items.end_quarantine("w", State.PUBLISHED, "approved"),
        lambda: manifest.items.mark_stale("c/a.jpg", "digest"),
        lambda: manifest.trash.begin_trash("c/a.jpg", ".trash/c/a.png"),
        lambda: manifest.trash.unpublish("c/a.jpg"),
        lambda: manifest.trash.end_trash("c/a.jpg"),
    ):
        write()
        revisions.append(manifest.entry("c/a.jpg").revision)

    assert revisions == sorted(set(revisions))


def test_a_change_that_was_decided_on_an_older_row_is_left_out(manifest: Manifest) -> None:
    manifest.see("c/a.jpg", "c/b.jpg", "c/new.jpg", "c/old.jpg")
    planned = [replace(work(key), revision=manifest.entry(key).revision) for key in ("c/a.jpg", "c/b.jpg", "c/new.jpg")]
    planned[2] = replace(planned[2], renamed_from="c/old.jpg")
    for key in ("c/a.jpg", "c/new.jpg"):
        manifest.set_state(key, State.FAILED, "meanwhile")
    manifest.deltas.record(planned, manifest.clock.now)

    assert manifest.queue.pending() == {"c": 1}
    assert (manifest.entry("c/a.jpg").state, manifest.entry("c/a.jpg").stem) == (State.FAILED, "")
    assert manifest.entry("c/old.jpg").state is State.PENDING


def test_a_change_of_an_item_in_the_hands_of_a_living_claim_is_left_out(manifest: Manifest) -> None:
    manifest.see("c/a.jpg", "c/b.jpg")
    manifest.claim("c/a.jpg")
    manifest.record(work("c/a.jpg"), work("c/b.jpg"))
    assert [manifest.entry(key).reason for key in ("c/a.jpg", "c/b.jpg")] == [None, Reason.NEW]

    manifest.clock.now += LEASE_S + 1
    manifest.record(work("c/a.jpg"))
    assert manifest.entry("c/a.jpg").reason is Reason.NEW


def test_a_name_is_not_taken_from_the_gone_item_by_a_change_that_is_left_out(manifest: Manifest) -> None:
    manifest.see_work("c/a.jpg")
    manifest.publish("c/a.jpg", shown("c/a.png"))
    manifest.observations.mark_absent(["c/a.jpg"])
    manifest.see("c/A.png")
    manifest.claim("c/A.png")
    manifest.record(work("c/A.png"))

    assert (manifest.entry("c/a.jpg").stem, manifest.entry("c/A.png").stem) == ("c/a", "")


def test_a_name_is_not_taken_from_an_item_that_is_listed_or_in_the_hands_of_a_living_claim(
    manifest: Manifest,
) -> None:
    """It may be written to under that name at this moment."""
    manifest.see_work("c/a.jpg", "c/b.jpg")
    manifest.observations.mark_absent(["c/b.jpg"])
    manifest.claim("c/b.jpg")
    manifest.see("c/A.png", "c/B.png", "c/c.png")
    manifest.record(work("c/A.png"), work("c/B.png"), work("c/c.png", renamed_from="c/b.jpg"))

    assert [manifest.entry(key).stem for key in ("c/a.jpg", "c/b.jpg")] == ["c/a", "c/b"]
    assert [manifest.entry(key).reason for key in ("c/A.png", "c/B.png", "c/c.png")] == [None, None, Reason.NEW]
    assert manifest.entry("c/b.jpg").state is State.PENDING


def test_a_delta_of_many_batches_is_recorded_whole(manifest: Manifest) -> None:
    manifest.batch(2)
    keys = [f"c/{n}.jpg" for n in range(7)]
    manifest.see_work(*keys)

    assert keys_of(manifest.claim_pending()) == keys


def test_nothing_of_a_half_recorded_delta_can_be_claimed_until_the_next_one_completes_it(manifest: Manifest) -> None:
    manifest.see_work("c/old.jpg")
    manifest.batch(2)
    keys = [f"c/{n}.jpg" for n in range(5)]
    manifest.see(*keys)
    with manifest.dying_after(1):
        manifest.record(*(work(key, purchase_id=key) for key in keys))

    assert [manifest.entry(key).reason for key in keys] == [Reason.NEW, Reason.NEW, None, None, None]
    assert manifest.queue.pending() == {"c": 1}
    assert manifest.queue.pending_keys(EVERYTHING, 9) == ["c/old.jpg"]
    first = manifest.claim_pending()
    assert keys_of(first) == ["c/old.jpg"]
    assert first.claim is not None
    manifest.queue.release(first.claim)

    manifest.record(*(work(key, purchase_id=key) for key in keys[2:]))
    assert manifest.queue.pending() == {"c": 6}
    assert keys_of(manifest.claim_pending()) == [*keys, "c/old.jpg"]


def test_a_delta_that_is_ended_between_two_batches_is_half_recorded(manifest: Manifest) -> None:
    manifest.batch(2)
    keys = [f"c/{n}.jpg" for n in range(5)]
    manifest.see(*keys)
    batches = iter(range(2))

    def end_at_the_third() -> None:
        if next(batches, None) is None:
            raise Stopped("stopped on request")

    changes = [replace(work(key, purchase_id=key), revision=manifest.entry(key).revision) for key in keys]
    with pytest.raises(Stopped):
        manifest.deltas.record(changes, manifest.clock.now, end_at_the_third)

    assert [manifest.entry(key).reason for key in keys] == [Reason.NEW] * 4 + [None]
    assert manifest.queue.pending() == {}
    manifest.record(work(keys[4], purchase_id=keys[4]))
    assert manifest.queue.pending() == {"c": 5}


def test_a_delta_without_changes_completes_one_that_was_recorded_half(manifest: Manifest) -> None:
    manifest.batch(1)
    manifest.see("c/a.jpg", "c/b.jpg")
    with manifest.dying_after(1):
        manifest.record(work("c/a.jpg"), work("c/b.jpg"))
    assert manifest.queue.pending() == {}

    manifest.record()
    assert manifest.queue.pending() == {"c": 1}


def test_names_that_a_half_recorded_delta_gave_away_stay_given(manifest: Manifest) -> None:
    manifest.batch(1)
    manifest.see_work("c/b.jpg")
    manifest.publish("c/b.jpg", shown("c/b.png"))
    manifest.observations.mark_absent(["c/b.jpg"])
    manifest.see("c/B.png", "c/z.jpg")
    with manifest.dying_after(1):
        manifest.record(work("c/B.png"), work("c/z.jpg"))
    manifest.record(work("c/B.png", Reason.UNFINISHED, stem=""), work("c/z.jpg"))

    assert (manifest.entry("c/b.jpg").stem, manifest.entry("c/B.png").stem) == ("", "c/B")
    assert manifest.queue.pending() == {"c": 2}


def test_joined_names_are_all_that_are_on_record_also_of_items_that_are_gone(manifest: Manifest) -> None:
    names = sorted((f"c/{name}.png" for name in ("a\nb", "a\udcff", "é", "z", "b")), key=key_bytes)
    for number, name in enumerate(names):
        manifest.see_work(f"c/{number}.jpg")
        manifest.publish(f"c/{number}.jpg", shown(name))
    manifest.observations.mark_absent([f"c/{names.index('c/b.png')}.jpg"])

    assert manifest.deltas.joined_names(b"", None) == b"\0".join(map(key_bytes, names))
    assert manifest.deltas.joined_names(key_bytes(names[1]), key_bytes(names[3])) == b"\0".join(
        map(key_bytes, names[1:3])
    )
    assert manifest.deltas.joined_names(b"d", None) == b""
    of_listed = [name for name in names if name != "c/b.png"]
    assert [name for name, _ in manifest.deltas.published_names()] == of_listed
    assert [name for name, _ in manifest.deltas.published_names(b"c/z", b"c/z.pnh")] == ["c/z.png"]
    assert [name for name, _ in manifest.deltas.published_names(b"c/z.pnh")] == of_listed[-1:]
