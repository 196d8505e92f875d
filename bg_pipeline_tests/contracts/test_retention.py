"""One suite for masters that no item uses: in memory, in SQLite, in PostgreSQL."""

from decimal import Decimal

import pytest

from bg_pipeline.core.records import AttemptState, Master, Reason, State
from bg_pipeline_tests.contracts.manifest import Manifest, seen, shown, work


def master(purchase_id: str, picture: str) -> Master:
    return Master(purchase_id, "digest", 2, 1, content_hash=picture)


@pytest.fixture
def gone(manifest: Manifest) -> Manifest:
    """A picture `h` that was published and is not listed any more, and its master `w`."""
    manifest.purchases.adopt(master("w", "h"))
    manifest.see_work("c/a.jpg")
    manifest.publish("c/a.jpg", shown("c/a.png"))
    manifest.observations.mark_absent(["c/a.jpg"])
    return manifest


def test_a_master_is_used_while_a_picture_is_listed_whatever_its_state(manifest: Manifest) -> None:
    manifest.purchases.adopt(master("w", "h"))
    assert manifest.retention.unused() == ["w"]
    manifest.see("c/a.jpg")
    for state in (State.PENDING, State.FAILED, State.QUARANTINED, State.SKIPPED):
        manifest.set_state("c/a.jpg", state)
        assert manifest.retention.unused() == [], state


def test_a_master_is_used_while_its_cutout_is_published_or_in_the_trash(gone: Manifest) -> None:
    assert gone.retention.unused() == []
    gone.trash.begin_trash("c/a.jpg", ".trash/c/a.png")
    gone.trash.unpublish("c/a.jpg")
    assert gone.retention.unused() == []
    gone.trash.end_trash("c/a.jpg")
    assert gone.retention.unused() == ["w"]


def test_the_master_of_the_published_bytes_is_used_while_other_bytes_wait(manifest: Manifest) -> None:
    for each in (master("w", "h"), master("x", "h2")):
        manifest.purchases.adopt(each)
    manifest.see_work("c/a.jpg")
    manifest.publish("c/a.jpg", shown("c/a.png"))
    manifest.observations.observe([seen("c/a.jpg", content="h2")])
    assert manifest.retention.unused() == []


def test_one_of_two_items_with_the_same_picture_is_enough(gone: Manifest) -> None:
    gone.trash.unpublish("c/a.jpg")
    assert gone.retention.unused() == ["w"]
    gone.see("d/twin.jpg")
    assert gone.retention.unused() == []


def test_a_master_of_an_unknown_picture_is_used_and_becomes_known_when_it_is_published(manifest: Manifest) -> None:
    manifest.purchases.adopt(master("w", ""))
    assert manifest.retention.unused() == []
    manifest.see_work("c/a.jpg")
    manifest.publish("c/a.jpg", shown("c/a.png"))

    known = manifest.purchases.find(["w"])
    assert known is not None
    assert known.content_hash == "h"


@pytest.mark.parametrize("state", [AttemptState.INTENT, AttemptState.ANSWERED, AttemptState.IN_DOUBT])
def test_a_master_with_an_unsettled_attempt_is_used(manifest: Manifest, state: AttemptState) -> None:
    attempt = manifest.buy("w")
    manifest.purchases.adopt(master("w", "gone"))
    if state is not AttemptState.INTENT:
        manifest.ledger.close_attempt(attempt, state, Decimal(1))
    assert manifest.retention.unused() == []
    manifest.ledger.close_attempt(attempt, AttemptState.CHARGED, Decimal(1))
    assert manifest.retention.unused() == ["w"]


def test_the_time_of_disuse_is_the_first_that_was_marked_and_use_ends_it(gone: Manifest) -> None:
    gone.trash.unpublish("c/a.jpg")
    first = gone.clock.now
    assert (gone.retention.mark_unused(), gone.retention.unused(first - 1)) == (1, [])
    gone.clock.now += 100
    gone.retention.mark_unused()
    assert gone.retention.unused(first) == ["w"]

    gone.see("c/a.jpg")
    assert (gone.retention.mark_unused(), gone.retention.unused(first)) == (0, [])
    gone.observations.mark_absent(["c/a.jpg"])
    assert gone.retention.unused(gone.clock.now) == []
    gone.clock.now += 100
    gone.retention.mark_unused()
    assert (gone.retention.unused(gone.clock.now - 1), gone.retention.unused(gone.clock.now)) == ([], ["w"])


def test_a_picture_that_is_seen_again_between_two_nights_has_all_its_days_again(gone: Manifest) -> None:
    """`plan`, or a sync of another part, saw it: no night has marked it as used."""
    gone.trash.unpublish("c/a.jpg")
    gone.retention.mark_unused()
    gone.clock.now += 100
    gone.see("c/a.jpg")
    gone.observations.mark_absent(["c/a.jpg"])

    assert (gone.retention.unused(), gone.retention.unused(gone.clock.now)) == (["w"], [])


def test_a_retired_master_is_off_record_until_its_bytes_are_gone_and_its_time_stays_known(gone: Manifest) -> None:
    gone.trash.unpublish("c/a.jpg")
    gone.purchases.adopt(master("x", "another"))
    gone.retention.mark_unused()
    marked = gone.clock.now
    gone.clock.now += 100
    gone.observations.observe([seen("d/another.jpg", content="another")])

    assert gone.retention.count() == 2
    assert gone.retention.retire(marked) == ["w"]
    assert (gone.purchases.find(["w"]), gone.retention.count()) == (None, 1)
    assert gone.retention.leftovers() == ["w"]
    assert gone.retention.clear(["w"], lambda _name: False) == []
    assert gone.retention.clear(["x"], lambda _name: True) == []
    assert gone.retention.leftovers() == ["w"]
    assert gone.retention.clear(["w", "x"], lambda _name: True) == ["w"]
    assert gone.retention.leftovers() == []
    assert gone.retention.pruned_at(["w", "x"]) == {"w": marked + 100}


def test_what_is_wanted_or_recorded_again_is_no_leftover(gone: Manifest) -> None:
    gone.trash.unpublish("c/a.jpg")
    gone.purchases.adopt(master("x", "other"))
    gone.retention.mark_unused()
    assert gone.retention.retire(gone.clock.now) == ["w", "x"]
    gone.see("c/a.jpg")
    assert gone.retention.leftovers() == ["x"]
    gone.purchases.adopt(master("x", "other"))
    assert gone.retention.leftovers() == []
    gone.retention.mark_unused()
    assert gone.retention.retire(gone.clock.now) == ["x"]


def test_the_bytes_of_what_is_wanted_or_recorded_again_are_not_removed(gone: Manifest) -> None:
    gone.trash.unpublish("c/a.jpg")
    gone.purchases.adopt(master("x", "other"))
    gone.purchases.adopt(master("y", "third"))
    gone.retention.mark_unused()
    retired, removed = gone.retention.retire(gone.clock.now), list[str]()
    gone.see("c/a.jpg")
    gone.purchases.adopt(master("x", "other"))

    assert gone.retention.clear(retired, lambda name: not removed.append(name)) == ["y"]  # type: ignore[func-returns-value]
    assert removed == ["y"]


def test_a_forgotten_item_uses_nothing(manifest: Manifest) -> None:
    manifest.purchases.adopt(master("w", "h"))
    manifest.see_work("c/a.jpg")
    manifest.publish("c/a.jpg", shown("c/a.png"))
    manifest.erasures.begin("c/a.jpg", manifest.claim("c/a.jpg"))
    assert manifest.retention.unused() == ["w"]


def test_many_masters_can_be_retired_at_once(manifest: Manifest) -> None:
    names = [f"{n:04}" for n in range(1100)]
    for name in names:
        manifest.purchases.adopt(master(name, name))
    manifest.retention.mark_unused()
    assert manifest.retention.retire(manifest.clock.now) == names
    assert manifest.retention.leftovers() == names
    assert len(manifest.retention.pruned_at(names)) == 1100


def test_deleted_items_without_a_cutout_use_nothing(manifest: Manifest) -> None:
    manifest.purchases.adopt(master("w", "h"))
    manifest.see("c/a.jpg")
    manifest.observations.mark_absent(["c/a.jpg"])
    manifest.record(work("c/a.jpg", Reason.DELETED, becomes=State.DELETED, stem=""))
    assert manifest.retention.unused() == ["w"]
