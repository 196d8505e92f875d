"""Which class an entry has, and what that costs."""

from dataclasses import replace

import pytest

from bg_pipeline.core.delta import Goal, SetAside, classify
from bg_pipeline.core.erasure import forgotten_id
from bg_pipeline.core.recipe import Recipe, purchase_id
from bg_pipeline.core.records import Entry, Reason, State
from bg_pipeline_tests.core.deltas import OTHER_CUT, OTHER_RENDITION, RECIPE, change, delta_of, entry, published


@pytest.mark.parametrize(
    ("known", "recipe", "output_missing", "expected"),
    [
        pytest.param(entry(state=State.PENDING), RECIPE, False, Reason.NEW, id="never seen before"),
        pytest.param(entry(), RECIPE, False, Reason.UNCHANGED, id="published and the same"),
        pytest.param(entry(content="h2", published=published("h")), RECIPE, False, Reason.CHANGED, id="other bytes"),
        pytest.param(entry(), OTHER_CUT, False, Reason.RECIPE_CHANGED, id="other cut"),
        pytest.param(entry(), OTHER_RENDITION, False, Reason.RECIPE_CHANGED, id="other rendition"),
        pytest.param(
            entry(content="h2", published=published("h")), OTHER_CUT, False, Reason.CHANGED, id="other bytes and cut"
        ),
        pytest.param(entry(), RECIPE, True, Reason.OUTPUT_MISSING, id="output lost"),
        pytest.param(
            entry(state=State.PENDING, reason=Reason.NEW), RECIPE, False, Reason.UNFINISHED, id="an earlier run stopped"
        ),
        pytest.param(
            entry(state=State.PENDING, reason=Reason.CHANGED, published=published("old")),
            RECIPE,
            False,
            Reason.UNFINISHED,
            id="an earlier run stopped before a change was cut",
        ),
        pytest.param(entry(absent=True), RECIPE, False, Reason.DELETED, id="source gone"),
        pytest.param(
            entry(state=State.DELETED, published=published()), RECIPE, False, Reason.RETURNED, id="source came back"
        ),
        pytest.param(
            entry(state=State.DELETED, published=published()), RECIPE, True, Reason.NEW, id="back, and its output lost"
        ),
        pytest.param(
            entry(state=State.DELETED, published=replace(published(), output_name="")),
            RECIPE,
            False,
            Reason.NEW,
            id="back, and its output in the trash",
        ),
        pytest.param(
            entry(state=State.DELETED, published=published()),
            OTHER_RENDITION,
            False,
            Reason.NEW,
            id="back, other recipe",
        ),
        pytest.param(
            entry(state=State.SKIPPED, published=published()), RECIPE, False, Reason.RETURNED, id="readable again"
        ),
        pytest.param(
            entry("a.txt", state=State.PENDING, media_type=""), RECIPE, False, Reason.SKIPPED, id="no picture"
        ),
        pytest.param(
            entry(state=State.PENDING, media_type=""), RECIPE, False, Reason.FAILED, id="a picture by name only"
        ),
        pytest.param(entry(state=State.PENDING, content=""), RECIPE, False, Reason.SKIPPED, id="a film"),
        pytest.param(entry(state=State.PENDING, problem="locked"), RECIPE, False, Reason.FAILED, id="unreadable"),
        pytest.param(entry(problem="locked"), RECIPE, False, Reason.FAILED, id="published, and unreadable now"),
        pytest.param(
            entry(state=State.FAILED, published=published()),
            RECIPE,
            False,
            Reason.RETURNED,
            id="readable again, as published",
        ),
        pytest.param(
            entry(state=State.FAILED, published=None), RECIPE, False, Reason.NEW, id="readable for the first time"
        ),
        pytest.param(entry("../a.jpg", state=State.PENDING), RECIPE, False, Reason.SKIPPED, id="climbs out"),
        pytest.param(entry(state=State.SKIPPED), RECIPE, False, Reason.CHANGED, id="became a picture"),
        pytest.param(
            entry(state=State.FAILED, purchase_id=purchase_id("h", RECIPE.cut.digest)),
            RECIPE,
            False,
            Reason.FAILED,
            id="failed",
        ),
        pytest.param(
            entry(state=State.FAILED, purchase_id=purchase_id("old", RECIPE.cut.digest)),
            RECIPE,
            False,
            Reason.CHANGED,
            id="failed, and was replaced since",
        ),
        pytest.param(
            entry(state=State.QUARANTINED, purchase_id=purchase_id("h", RECIPE.cut.digest)),
            RECIPE,
            False,
            Reason.FAILED,
            id="in quarantine",
        ),
    ],
)
def test_an_entry_is_classified_by_what_it_was_published_from(
    known: Entry, recipe: Recipe, output_missing: bool, expected: Reason
) -> None:
    reason, because = classify(known, Goal.of(recipe), missing_output="a.png" * output_missing)

    assert reason is expected
    assert because


def test_what_failed_before_keeps_its_state() -> None:
    failed = entry(state=State.FAILED, purchase_id=purchase_id("h", RECIPE.cut.digest), detail="corrupt")

    assert delta_of(failed).changes == ()
    assert delta_of(failed).set_aside == {Reason.FAILED: SetAside(1, failed.key, "failed before: corrupt")}


def test_a_deleted_entry_is_reported_once() -> None:
    assert delta_of(entry(absent=True, state=State.DELETED)).changes == ()


@pytest.mark.parametrize("state", [State.FAILED, State.QUARANTINED])
def test_a_failure_of_other_bytes_does_not_hide_that_they_are_no_picture(state: State) -> None:
    """An unchanged row would keep the old reason, and a person's acceptance of it."""
    old = entry(state=state, media_type="", detail="the vendor refuses it", purchase_id="of the old bytes")
    (change,) = delta_of(old).changes
    assert (change.reason, change.becomes) == (Reason.FAILED, State.FAILED)

    known = replace(old, state=State.FAILED, purchase_id="", detail=change.because)
    assert delta_of(known).changes == ()


def test_what_was_skipped_is_recorded_once() -> None:
    new = entry("c/notes.txt", state=State.PENDING, media_type="")
    (skipped,) = delta_of(new).changes
    assert (skipped.reason, skipped.becomes) == (Reason.SKIPPED, State.SKIPPED)

    known = replace(
        new, key="c/notes.txt", state=State.SKIPPED, reason=Reason.SKIPPED, detail=skipped.because, revision=3
    )
    again = delta_of(known)
    assert (again.changes, again.judged) == ((), [("c/notes.txt", 3)])
    assert again.counts["skipped"] == 1
    assert again.rows == [
        {"class": "skipped", "items": 1, "to_buy": 0, "credits": 0.0, "why": f"c/notes.txt: {skipped.because}"}
    ]


def test_what_is_skipped_because_of_another_item_is_judged_every_time() -> None:
    erased = entry("c/a.jpg", state=State.FORGOTTEN, purchase_id=forgotten_id("h"))
    twin = entry("c/b.jpg", state=State.PENDING)
    because = change(delta_of(erased, twin), "c/b.jpg").because
    skipped = replace(twin, state=State.SKIPPED, reason=Reason.SKIPPED, detail=because)

    assert delta_of(erased, skipped).judged == []
    assert change(delta_of(erased, skipped), "c/b.jpg").becomes is None
    assert change(delta_of(skipped), "c/b.jpg").becomes is State.PENDING


def test_a_failed_item_whose_output_is_missing_is_judged_every_time() -> None:
    wanted = purchase_id("h", RECIPE.cut.digest)
    failed = entry(state=State.FAILED, published=published("older"), purchase_id=wanted, detail="corrupt")

    assert delta_of(failed).judged == [(failed.key, 0)]
    assert delta_of(failed, lost={failed.key}).judged == []
