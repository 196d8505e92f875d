"""Which cuts and renditions will do: those of a fallback, of an older name, of an older renderer."""

from dataclasses import replace

import pytest

from bg_pipeline.core.delta import Goal, Held, cut_of, is_up_to_date
from bg_pipeline.core.recipe import RENDERER, Cut, Recipe, Rendition, purchase_id, rendition_digests
from bg_pipeline.core.recipes import Recipes
from bg_pipeline.core.records import Reason, State
from bg_pipeline.core.survey import survey
from bg_pipeline_tests.core.deltas import OTHER_CUT, OTHER_RENDITION, RECIPE, delta_of, entry, published

FALLBACK = Recipe((Cut("removebg", 2500), RECIPE.cut), Rendition())


def test_an_item_cut_by_a_fallback_is_as_it_should_be() -> None:
    assert delta_of(entry(), recipe=FALLBACK).changes == ()


def test_what_a_fallback_cut_is_rendered_renamed_and_copied_free() -> None:
    bought = {published().purchase_id}
    rendered = replace(FALLBACK, rendition=Rendition(format="webp"))
    away, moved = entry("c/old.jpg", absent=True), entry("c/new.jpg", state=State.PENDING)

    for delta in (
        delta_of(entry(), recipe=rendered, bought=bought),
        delta_of(away, moved, recipe=FALLBACK, bought=bought),
    ):
        assert (delta.purchases, [c.purchase_id for c in delta.work]) == (0, [published().purchase_id])


def test_what_a_fallback_cut_and_lost_its_master_and_output_is_bought_by_the_first_cut() -> None:
    delta = delta_of(entry(), recipe=FALLBACK, lost={"c/a.jpg"})

    assert (delta.purchases, delta.held) == (1, Held())
    assert delta.work[0].purchase_id == purchase_id("h", FALLBACK.cut.digest)


def test_new_bytes_are_bought_by_the_first_cut() -> None:
    delta = delta_of(entry(content="h2", published=published("h")), recipe=FALLBACK)

    assert delta.work[0].purchase_id == purchase_id("h2", FALLBACK.cut.digest)


OLDER = replace(
    published(),
    purchase_id=purchase_id("h", RECIPE.cut.digests[-1]),
    cut_digest=RECIPE.cut.digests[-1],
    rendition_digest=RECIPE.rendition.digests[-1],
)
"""Published and bought under the names of the older schemes."""


def test_what_was_published_under_older_names_is_as_it_should_be() -> None:
    assert delta_of(entry(published=OLDER)).changes == ()


def test_what_was_bought_under_an_older_name_is_free_for_new_keys_lost_outputs_and_renditions() -> None:
    bought = {OLDER.purchase_id}

    for delta in (
        delta_of(entry(state=State.PENDING), bought=bought),
        delta_of(entry(published=OLDER), bought=bought, lost={"c/a.jpg"}),
        delta_of(entry(published=OLDER), bought=bought, recipe=OTHER_RENDITION),
        delta_of(entry("c/b.jpg", published=OLDER), entry("c/a.jpg", state=State.PENDING)),
    ):
        assert (delta.purchases, [c.purchase_id for c in delta.work]) == (0, [OLDER.purchase_id])


def test_what_is_bought_under_both_names_is_taken_by_the_present_one_and_new_purchases_have_it() -> None:
    present = purchase_id("h", RECIPE.cut.digest)

    for bought in ({OLDER.purchase_id, present}, set()):
        assert delta_of(entry(state=State.PENDING), bought=bought).work[0].purchase_id == present


def test_every_name_of_a_purchase_is_looked_up() -> None:
    works = survey([entry(state=State.PENDING)], Recipes(RECIPE).goals(), missing_outputs={}).purchase_ids

    assert {purchase_id("h", name) for name in RECIPE.cut.digests} <= set(works)


@pytest.mark.parametrize("state", [State.FAILED, State.QUARANTINED])
def test_what_failed_under_an_older_name_is_not_tried_again(state: State) -> None:
    assert delta_of(entry(state=state, purchase_id=OLDER.purchase_id)).counts["failed"] == 1


def test_what_is_pending_under_an_older_name_is_still_wanted_and_still_asked_for() -> None:
    """A changed cut that was asked for before must not be held again by a newer scheme."""
    pending = entry(
        state=State.PENDING,
        reason=Reason.RECIPE_CHANGED,
        purchase_id=OLDER.purchase_id,
        published=published("h", OTHER_CUT),
    )
    delta = delta_of(pending)

    assert cut_of(pending, Goal.of(RECIPE)) == OLDER.cut_digest
    assert (delta.purchases, delta.held, delta.requested) == (1, Held(), ())


def test_a_newer_renderer_leaves_what_is_published_until_it_is_asked_for() -> None:
    newer = replace(Goal.of(RECIPE), renditions=rendition_digests(RECIPE.rendition, RENDERER + 1))

    for shown in (published(), OLDER):
        assert is_up_to_date(entry(published=shown), newer)
        assert not is_up_to_date(entry(published=shown), replace(newer, renditions=newer.renditions[:1]))


def test_rendering_again_is_free_and_touches_only_what_the_present_renderer_did_not_make(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bg_pipeline.core.recipe.RENDERER", 2)
    known = entry("c/a.jpg"), entry("c/b.jpg", published=OLDER)
    delta = delta_of(*known, bought={OLDER.purchase_id}, rerender=True)

    assert [(c.key, c.reason, c.becomes) for c in delta.work] == [("c/b.jpg", Reason.RECIPE_CHANGED, State.PENDING)]
    assert (delta.purchases, delta.held) == (0, Held())
