"""What becomes of an item whose run is reverted, and under which name a replaced output is kept."""

from dataclasses import replace

import pytest

from bg_pipeline.core.delta import Goal
from bg_pipeline.core.records import Entry, Published, State
from bg_pipeline.core.revert import (
    PREVIOUS,
    Previous,
    Reverted,
    Step,
    is_the_same,
    plan_revert,
    previous_name,
    refusal_of_kept,
    refusal_of_present,
    reverted_by,
)

OLD = Published("p1", "cut", "rendition", "c/a.png", "d1", "h1", "run 1")
NEW = Published("p2", "cut 2", "rendition 2", "c/a.png", "d2", "h2", "run 2")
KEPT = Previous("c/a.jpg", "run 2", OLD, 1.0, "kept", "d1")
ENTRY = Entry("c/a.jpg", "c", "h2", "image/png", State.PUBLISHED, published=NEW)


@pytest.mark.parametrize(
    ("entry", "previous", "step"),
    [
        (ENTRY, [KEPT], Step.PUT_BACK),
        (ENTRY, [], Step.TAKE_OFF),
        (ENTRY, [KEPT, replace(KEPT, rendition="thumb", kept_name="", kept_digest="")], Step.LEAVE),
        (ENTRY, [replace(KEPT, published=None)], Step.TAKE_OFF),
        (ENTRY, [KEPT, replace(KEPT, published=None, rendition="thumb")], Step.PUT_BACK),
        (replace(ENTRY, published=replace(NEW, run="run 3")), [KEPT], Step.LEAVE),
        (replace(ENTRY, published=replace(NEW, run="")), [], Step.LEAVE),
        (replace(ENTRY, published=replace(NEW, output_name="")), [KEPT], Step.LEAVE),
        (replace(ENTRY, published=None), [KEPT], Step.LEAVE),
    ],
)
def test_only_what_the_run_published_last_is_reverted(entry: Entry, previous: list[Previous], step: Step) -> None:
    decided, why = plan_revert(entry, "run 2", previous)

    assert decided is step
    assert why


@pytest.mark.parametrize("present", [None, "d2", "d1"])
def test_an_output_is_put_back_over_our_own_bytes_only(present: str | None) -> None:
    assert refusal_of_present(NEW, [KEPT], present) == ""
    assert "another program wrote c/a.png" in refusal_of_present(NEW, [KEPT], "d9")


@pytest.mark.parametrize("kept", [None, "d9"])
def test_nothing_is_put_back_from_other_bytes_than_those_that_were_kept(kept: str | None) -> None:
    assert refusal_of_kept(KEPT, "d1") == ""
    assert "kept" in refusal_of_kept(KEPT, kept)


def test_any_other_output_replaces_the_former() -> None:
    made = replace(OLD, run="")
    assert is_the_same({"main": OLD}, {"main": made})
    assert not is_the_same({}, {"main": made})
    assert not is_the_same({"main": OLD}, {"main": made, "thumb": made})
    names = ("purchase_id", "cut_digest", "rendition_digest", "output_name", "output_digest", "content_hash")
    for name in names:
        assert not is_the_same({"main": OLD}, {"main": replace(made, **{name: "another"})})


def test_what_was_taken_back_is_held_while_the_delta_would_publish_just_that() -> None:
    goal = Goal(("cut 2",), ("rendition 2",), ("cut 2",))
    taken_back = Reverted.of(ENTRY.key, NEW, "ana")

    assert reverted_by(ENTRY, goal, [taken_back]) == taken_back
    assert reverted_by(ENTRY, goal, []) is None
    for name in ("content_hash", "cut_digest", "rendition_digest"):
        assert reverted_by(ENTRY, goal, [replace(taken_back, **{name: "another"})]) is None


def test_kept_names_are_short_hidden_and_differ_by_item_and_bytes() -> None:
    long = "ü" * 2000 + ".webp"
    name = previous_name("c/a.jpg", "d1", long)

    assert name.startswith(f"{PREVIOUS}/")
    assert name.endswith(".webp")
    assert len(name.encode()) < 100
    assert len({name, previous_name("c/b.jpg", "d1", long), previous_name("c/a.jpg", "d2", long)}) == 3
    assert "." not in previous_name("c/a.jpg", "d1", "x.y/name").rpartition("/")[2]
    assert previous_name("c/\udcff.jpg", "d1", "c/\udcff.png").isascii()
