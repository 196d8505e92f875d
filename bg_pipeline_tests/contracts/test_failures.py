"""One suite for failures that stand and their acceptance: in memory, in SQLite, in PostgreSQL."""

from dataclasses import replace

import pytest

from bg_pipeline.core.delta import Goal
from bg_pipeline.core.records import Observation, Reason, State
from bg_pipeline_tests.contracts.manifest import Manifest, seen, shown, up_to_date, work


def locked(key: str, why: str = "Permission denied") -> Observation:
    return replace(seen(key, content="", fingerprint=""), size_bytes=0, media_type="", problem=why)


def standing(manifest: Manifest) -> list[tuple[str, str, str]]:
    """Key, reason and acceptance of each."""
    return [(each.key, each.why, each.accepted) for each in manifest.failures.standing()]


@pytest.fixture
def failed(manifest: Manifest) -> Manifest:
    manifest.see_work("c/a.jpg")
    manifest.set_state("c/a.jpg", State.FAILED, "corrupt")
    return manifest


def test_what_failed_waits_for_a_review_or_cannot_be_read_stands_in_the_order_of_keys(manifest: Manifest) -> None:
    manifest.see_work("c/b.jpg", "c/c.jpg", "c/d.jpg", "c/e.jpg")
    manifest.set_state("c/d.jpg", State.FAILED, "corrupt")
    manifest.set_state("c/b.jpg", State.QUARANTINED, "nothing was removed")
    manifest.publish("c/c.jpg", shown("c/c.png"))
    manifest.observations.observe([locked("c/c.jpg"), locked("c/a.jpg")])

    failures = manifest.failures.standing()
    assert [(each.key, each.state, each.why) for each in failures] == [
        ("c/a.jpg", State.PENDING, "Permission denied"),
        ("c/b.jpg", State.QUARANTINED, "nothing was removed"),
        ("c/c.jpg", State.PUBLISHED, "Permission denied"),
        ("c/d.jpg", State.FAILED, "corrupt"),
    ]
    assert [each.unreadable for each in failures] == [True, False, True, False]
    assert {each.collection for each in failures} == {"c"}


@pytest.mark.parametrize("state", [State.SKIPPED, State.DELETED])
def test_an_item_that_is_gone_or_left_out_has_no_failure(manifest: Manifest, state: State) -> None:
    manifest.observations.observe([locked("c/a.jpg"), locked("c/b.jpg")])
    manifest.set_state("c/a.jpg", state)
    manifest.set_state("c/b.jpg", State.FAILED)
    manifest.observations.mark_absent(["c/b.jpg"])

    assert manifest.failures.standing() == []
    assert manifest.failures.accept(["c/a.jpg", "c/b.jpg"], "sold out") == []


def test_an_item_that_cannot_be_read_keeps_what_was_known_of_its_bytes(manifest: Manifest) -> None:
    manifest.see("c/a.jpg")
    before = manifest.entry("c/a.jpg")
    manifest.observations.observe([locked("c/a.jpg")])
    entry = manifest.entry("c/a.jpg")

    assert (entry.content_hash, entry.size_bytes, entry.media_type) == ("h", 7, "image/png")
    assert (entry.problem, entry.revision > before.revision) == ("Permission denied", True)
    assert [row[1] for row in manifest.observations.listing()] == [""]

    manifest.observations.observe([seen("c/a.jpg")])
    assert manifest.entry("c/a.jpg").problem == ""


def test_an_acceptance_has_its_reason_and_time_and_the_last_one_counts(failed: Manifest) -> None:
    assert failed.failures.accept(["c/a.jpg", "c/none.jpg"], "sold out") == ["c/a.jpg"]
    (accepted,) = failed.failures.standing()
    assert (accepted.accepted, accepted.accepted_at) == ("sold out", failed.clock.now)

    failed.failures.accept(["c/a.jpg"], "a test image")
    assert standing(failed) == [("c/a.jpg", "corrupt", "a test image")]


def test_an_acceptance_holds_while_nothing_changes(failed: Manifest) -> None:
    failed.failures.accept(["c/a.jpg"], "sold out")
    failed.observations.observe([seen("c/a.jpg")])
    failed.record(work("c/a.jpg", Reason.FAILED, becomes=None))

    assert standing(failed) == [("c/a.jpg", "corrupt", "sold out")]


@pytest.mark.parametrize("change", ["other bytes", "cannot be read", "failed again", "gone and back"])
def test_an_acceptance_falls_with_any_change_of_the_item_or_its_failure(failed: Manifest, change: str) -> None:
    failed.failures.accept(["c/a.jpg"], "sold out")
    match change:
        case "other bytes":
            failed.observations.observe([seen("c/a.jpg", content="h2")])
        case "cannot be read":
            failed.observations.observe([locked("c/a.jpg")])
        case "failed again":
            failed.set_state("c/a.jpg", State.FAILED, "refused")
        case _:
            failed.observations.mark_absent(["c/a.jpg"])
            failed.see("c/a.jpg")

    assert [row[2] for row in standing(failed)] == [""]


def test_an_acceptance_of_what_cannot_be_read_falls_with_another_reason(manifest: Manifest) -> None:
    manifest.observations.observe([locked("c/a.jpg")])
    manifest.failures.accept(["c/a.jpg"], "private")
    manifest.observations.observe([locked("c/a.jpg")])
    assert standing(manifest) == [("c/a.jpg", "Permission denied", "private")]

    manifest.observations.observe([locked("c/a.jpg", "in an archive")])
    assert standing(manifest) == [("c/a.jpg", "in an archive", "")]


def test_what_could_not_be_read_is_not_retried_by_itself(manifest: Manifest) -> None:
    manifest.observations.observe([locked("c/a.jpg")])
    manifest.record(work("c/a.jpg", Reason.FAILED, becomes=State.FAILED, purchase_id=""))

    assert manifest.items.retry() == []


def test_a_published_item_that_cannot_be_read_is_not_up_to_date(manifest: Manifest) -> None:
    goal = Goal(("cut",), ("rendition",), ("cut",))
    manifest.see_work("c/a.jpg")
    manifest.publish("c/a.jpg", shown("c/a.png"))
    assert (up_to_date(manifest.deltas, goal), list(manifest.deltas.out_of_date(goal))) == (1, [])

    manifest.observations.observe([locked("c/a.jpg")])
    assert up_to_date(manifest.deltas, goal) == 0
    assert [entry.key for entry in manifest.deltas.out_of_date(goal)] == ["c/a.jpg"]
