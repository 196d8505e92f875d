"""Bytes that a person erased are not cut out again; others are."""

from dataclasses import replace

import pytest

from bg_pipeline.core.delta import Delta
from bg_pipeline.core.erasure import forgotten_id, output_names
from bg_pipeline.core.outputs import all_outputs
from bg_pipeline.core.recipe import Rendition
from bg_pipeline.core.recipes import Recipes
from bg_pipeline.core.records import Entry, Output, Published, Reason, State
from bg_pipeline.core.relations import price
from bg_pipeline.core.survey import survey
from bg_pipeline_tests.graph import RECIPE

FORGOTTEN = Entry("a.jpg", "", "h", "image/jpeg", State.FORGOTTEN, purchase_id=forgotten_id("h"))
NEW = Entry("b.jpg", "", "h", "image/jpeg", State.PENDING)


def delta(*entries: Entry) -> Delta:
    found = survey(entries, Recipes(RECIPE).goals(), {})
    return price(found, price=lambda _: 1, bought=(), publishing_keys={}, taken=lambda _: False)  # type: ignore[arg-type,return-value]


def reasons(*entries: Entry) -> dict[str, tuple[Reason, State | None]]:
    return {c.key: (c.reason, c.becomes) for c in delta(*entries).changes}


def test_a_forgotten_item_is_skipped_and_stays_forgotten() -> None:
    assert reasons(FORGOTTEN) == {"a.jpg": (Reason.SKIPPED, None)}
    assert [change.because for change in delta(FORGOTTEN).changes] == ["erased on request"]
    assert reasons(replace(FORGOTTEN, absent=True)) == {}


def test_other_bytes_under_its_key_are_new() -> None:
    assert reasons(replace(FORGOTTEN, content_hash="h2")) == {"a.jpg": (Reason.NEW, State.PENDING)}


def test_what_is_no_picture_for_a_moment_does_not_end_it() -> None:
    assert reasons(replace(FORGOTTEN, content_hash="h2", media_type="")) == {"a.jpg": (Reason.FAILED, None)}


@pytest.mark.parametrize("absent", [False, True])
def test_the_same_bytes_under_another_key_are_not_bought(absent: bool) -> None:
    """A rename at the source would bring back what was erased."""
    found = delta(replace(FORGOTTEN, absent=absent), NEW)
    change = found.changes[-1]

    assert (change.key, change.reason, change.becomes, found.purchases) == ("b.jpg", Reason.SKIPPED, State.SKIPPED, 0)
    assert "a.jpg" in change.because
    assert reasons(FORGOTTEN, replace(NEW, state=State.SKIPPED))["b.jpg"] == (Reason.SKIPPED, State.SKIPPED)


def test_an_item_that_had_the_same_picture_before_goes_on() -> None:
    shown = Published("w", "an older cut", "an older rendition", "b.png", "d", "h")
    pending = replace(NEW, reason=Reason.NEW)
    published = replace(NEW, key="c.jpg", state=State.PUBLISHED, published=shown, stem="c")
    classes = {key: reason for key, (reason, _) in reasons(FORGOTTEN, pending, published).items()}

    assert classes["b.jpg"] is Reason.UNFINISHED
    assert classes["c.jpg"] in {Reason.RECIPE_CHANGED, Reason.DUPLICATE}


def test_all_files_that_an_item_can_have_in_the_output_store_are_named() -> None:
    shown = Published("w", "c", "r", "old/a.png", "d", "h")
    entry = replace(FORGOTTEN, stem="a", published=shown, trash_name=".trash/2026-01-01/old/a.png")

    outputs = [*all_outputs(entry, [Output("thumb", replace(shown, output_name="t/a.webp"))])]
    renditions = [Rendition(), Rendition(output_name="{stem}.thumb")]

    assert output_names("a", renditions, outputs) == (
        *("a.png", "a.webp", "a.jpg", "a.avif", "a.thumb.png", "a.thumb.webp", "a.thumb.jpg", "a.thumb.avif"),
        *("old/a.png", ".trash/2026-01-01/old/a.png", "t/a.webp"),
    )
    assert output_names("", renditions, ()) == ()
