"""Twins, renames, prices and output names."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import pytest

from bg_pipeline.core.delta import Goal, Held
from bg_pipeline.core.recipe import Recipe, purchase_id
from bg_pipeline.core.records import Entry, Reason, State
from bg_pipeline.core.relations import stays_until_asked
from bg_pipeline.core.revert import Reverted
from bg_pipeline.core.survey import survey
from bg_pipeline_tests.core.deltas import OTHER_CUT, OTHER_RENDITION, RECIPE, change, delta_of, entry, published


def test_two_new_keys_with_the_same_bytes_are_bought_once() -> None:
    delta = delta_of(entry("c/a.jpg", state=State.PENDING), entry("c/b.jpg", state=State.PENDING))

    assert [c.reason for c in delta.changes] == [Reason.NEW, Reason.DUPLICATE]
    assert delta.purchases == 1


def test_a_new_key_with_published_bytes_is_a_duplicate_and_free() -> None:
    delta = delta_of(entry("c/z.jpg"), entry("c/a.jpg", state=State.PENDING))

    assert change(delta, "c/a.jpg").reason is Reason.DUPLICATE
    assert delta.purchases == 0


def test_a_key_that_went_and_a_new_one_with_its_bytes_are_one_rename() -> None:
    delta = delta_of(entry("c/old.jpg", absent=True), entry("c/new.jpg", state=State.PENDING))

    assert change(delta, "c/new.jpg").renamed_from == "c/old.jpg"
    assert delta.counts["renamed"] == 1
    assert delta.counts["deleted"] == 0


@pytest.mark.parametrize("content", ["h", "other"])
@pytest.mark.parametrize(("old", "new"), [("c/a.jpg", "c/A.jpg"), ("C/a.jpg", "c/a.png")])
def test_a_key_that_comes_back_in_another_case_keeps_the_spelling_of_its_output(
    old: str, new: str, content: str
) -> None:
    """Where case counts, the old output would stay beside the new one; where it does not, both are one file."""
    delta = delta_of(entry(old, absent=True), entry(new, content, state=State.PENDING, stem=""))

    assert change(delta, new).stem == old.rpartition(".")[0]


def test_one_vanished_key_explains_only_one_new_one() -> None:
    delta = delta_of(
        entry("c/old.jpg", absent=True), entry("c/x.jpg", state=State.PENDING), entry("c/y.jpg", state=State.PENDING)
    )

    assert delta.counts["renamed"] == 1
    assert delta.counts["duplicate"] == 1


def test_bytes_that_were_bought_before_are_free_under_any_name() -> None:
    delta = delta_of(entry("c/a.jpg", state=State.PENDING), bought={purchase_id("h", RECIPE.cut.digest)})

    assert (change(delta, "c/a.jpg").reason, delta.purchases) == (Reason.NEW, 0)


def test_a_changed_cut_is_priced_and_held_until_it_is_asked_for() -> None:
    """A slip in the settings must not buy the whole catalogue again."""
    held, applied = (delta_of(entry(), recipe=OTHER_CUT, apply=asked) for asked in (False, True))

    assert (held.purchases, held.held, held.work) == (0, Held(1, Decimal(1), frozenset({"c"})), ())
    assert change(held, "c/a.jpg").becomes is None
    assert (applied.purchases, applied.held) == (1, Held())


def test_a_changed_cut_that_was_asked_for_is_left_to_the_run_that_was_asked() -> None:
    """On record as pending, it would be bought by a later run after a cap had stopped this one."""
    delta = delta_of(entry(), recipe=OTHER_CUT, apply=True)

    (asked,) = delta.work
    assert delta.requested == (asked,)
    assert (asked.purchase, asked.on_request, asked.held, asked.becomes) == (True, True, False, None)


def test_a_rename_that_needs_the_changed_cut_is_pending_because_it_has_no_cutout_to_stay_with() -> None:
    away, moved = entry("c/old.jpg", absent=True), entry("c/new.jpg", state=State.PENDING)
    held, applied = (delta_of(away, moved, recipe=OTHER_CUT, apply=asked) for asked in (False, True))

    assert (held.held.items, held.work) == (1, ())
    assert [(c.reason, c.purchase, c.becomes) for c in applied.work] == [(Reason.RENAMED, True, State.PENDING)]
    assert applied.requested == ()


def test_what_a_person_wants_again_is_bought_by_the_changed_cut_that_was_asked_for() -> None:
    """Found in lives of the model: it waited without end for a purchase of the former cut."""
    again = entry(state=State.PENDING, reason=Reason.UNFINISHED, published=published())
    again = replace(again, purchase_id=purchase_id("h", RECIPE.cut.digest))
    (change,) = delta_of(again, recipe=OTHER_CUT, apply=True).work

    assert (change.on_request, change.becomes) == (False, State.PENDING)
    assert change.purchase_id == purchase_id("h", OTHER_CUT.cut.digest)


@pytest.mark.parametrize("lost", [True, False])
def test_an_item_without_an_output_that_needs_the_changed_cut_is_pending_under_a_name(lost: bool) -> None:
    """Found in lives of the model: what came back after another item had taken its name was published without one."""
    gone = replace(published(), output_name="" if not lost else "a.png")
    back = entry(state=State.DELETED, published=gone, stem="")
    delta = delta_of(back, recipe=OTHER_CUT, apply=True, lost={"c/a.jpg"} if lost else set())

    assert [(c.on_request, c.becomes, c.stem) for c in delta.work] == [(False, State.PENDING, "c/a")]


def test_an_item_that_can_be_read_again_and_needs_the_changed_cut_is_pending_and_no_longer_failed() -> None:
    """Found in lives of the model: it counted as failed until the cut was bought, while its output was there."""
    readable = replace(entry(state=State.FAILED, published=published()), reason=Reason.FAILED, purchase_id="")
    (change,) = delta_of(readable, recipe=OTHER_CUT, apply=True).work

    assert (change.on_request, change.becomes) == (False, State.PENDING)


@pytest.mark.parametrize(
    "twin",
    [
        pytest.param(entry("c/b.jpg", state=State.PENDING), id="new"),
        pytest.param(entry("c/b.jpg", published=published("old")), id="changed"),
    ],
)
def test_a_twin_of_what_was_asked_for_is_pending_as_usual_if_it_needs_the_cut_anyway(twin: Entry) -> None:
    delta = delta_of(entry("c/a.jpg"), twin, recipe=OTHER_CUT, apply=True)

    assert [(c.key, c.on_request, c.becomes) for c in delta.work] == [
        ("c/a.jpg", True, None),
        ("c/b.jpg", False, State.PENDING),
    ]
    assert delta.purchases == 1


def test_a_change_names_the_row_that_it_was_decided_on() -> None:
    delta = delta_of(entry("c/a.jpg", state=State.PENDING, revision=7), entry("c/b.jpg", "2", absent=True, revision=8))

    assert {c.key: c.revision for c in delta.changes} == {"c/a.jpg": 7, "c/b.jpg": 8}


def test_a_changed_rendition_is_free_and_not_held() -> None:
    known = entry()
    delta = delta_of(known, recipe=OTHER_RENDITION, bought={known.published.purchase_id})  # type: ignore[union-attr]

    assert (len(delta.work), delta.purchases, delta.held) == (1, 0, Held())


def test_a_new_key_is_bought_although_its_twin_is_held() -> None:
    delta = delta_of(entry("c/a.jpg"), entry("c/b.jpg", state=State.PENDING), recipe=OTHER_CUT)

    assert change(delta, "c/b.jpg").purchase
    assert delta.purchases == 1


def test_items_that_want_one_name_get_different_ones_and_are_reported() -> None:
    a, b = entry("c/a.jpg", "1", State.PENDING, stem=""), entry("c/A.png", "2", State.PENDING, stem="")
    delta = delta_of(a, b)

    stems = {c.key: c.stem for c in delta.changes}
    assert stems["c/A.png"] == "c/A"
    assert stems["c/a.jpg"].startswith("c/a~")
    assert list(delta.collisions) == ["c/a.jpg"]


def test_of_a_changed_cut_the_oldest_are_bought_first_and_the_rest_is_held() -> None:
    ages = {"c/a.jpg": 30.0, "c/b.jpg": 10.0, "c/c.jpg": 20.0}
    known = [entry(key, key, published=published(key), published_at=at) for key, at in ages.items()]
    delta = delta_of(*known, recipe=OTHER_CUT, apply=True, limit=2)

    assert [c.key for c in delta.work] == ["c/b.jpg", "c/c.jpg"]
    assert [c.key for c in delta.changes if c.held] == ["c/a.jpg"]
    assert delta.requested == delta.work


def test_a_share_counts_purchases_so_twins_come_along_free() -> None:
    known = [entry("c/a.jpg", published_at=1.0), entry("c/b.jpg", published_at=2.0)]
    delta = delta_of(*known, recipe=OTHER_CUT, apply=True, limit=1)

    assert (len(delta.work), delta.purchases, delta.held) == (2, 1, Held())
    assert delta.requested == delta.work
    assert [c.becomes for c in delta.requested] == [None, None]


def test_a_held_item_that_lost_its_output_gets_its_old_one_back_free() -> None:
    known = entry()
    delta = delta_of(known, recipe=OTHER_CUT, lost={known.key}, bought={published().purchase_id})

    (restored,) = delta.work
    assert (restored.reason, restored.purchase_id, delta.purchases) == (
        Reason.OUTPUT_MISSING,
        published().purchase_id,
        0,
    )


def test_a_held_item_that_lost_output_and_master_stays_held() -> None:
    known = entry()
    delta = delta_of(known, recipe=OTHER_CUT, lost={known.key})

    assert (delta.work, delta.held.items) == ((), 1)


def test_a_new_export_takes_over_the_name_of_the_one_that_is_gone() -> None:
    delta = delta_of(entry("c/a.jpg", absent=True), entry("c/a.png", "2", State.PENDING, stem=""))

    assert (change(delta, "c/a.png").stem, delta.collisions) == ("c/a", {})


def test_a_renamed_item_keeps_a_marked_name_while_the_plain_one_is_in_use() -> None:
    twin = entry("c/A.jpg", "2")
    old, new = entry("c/a.jpg", absent=True, stem="c/a~1"), entry("c/a.png", state=State.PENDING, stem="")

    assert change(delta_of(twin, old, new), "c/a.png").stem == "c/a~1"


def test_a_name_that_a_rename_takes_along_is_given_to_nobody_else() -> None:
    old = entry("c/a.jpg", absent=True)
    renamed, other = (entry("c/a.webp", state=State.PENDING, stem=""), entry("c/A.png", "2", State.PENDING, stem=""))
    delta = delta_of(old, renamed, other)

    assert change(delta, "c/a.webp").stem == "c/a"
    assert change(delta, "c/A.png").stem.startswith("c/A~")


def test_what_was_reverted_is_neither_bought_nor_made_whatever_was_requested() -> None:
    taken_back = Reverted.of("c/a.jpg", replace(published(recipe=OTHER_CUT), run="run 2"), "ana")
    twin = entry("c/b.jpg", state=State.PENDING)
    for apply in (False, True):
        delta = delta_of(entry(), twin, recipe=OTHER_CUT, apply=apply, reverted=[taken_back])
        reverted = change(delta, "c/a.jpg")
        assert (reverted.reverted, reverted.becomes, reverted.purchase, reverted.credits) == ("run 2", None, False, 0)
        assert (delta.reverted, delta.held, [c.key for c in delta.work]) == ({"run 2": 1}, Held(), ["c/b.jpg"])
        # What a new picture needs is bought for it all the same.
        assert (change(delta, "c/b.jpg").purchase, delta.purchases) == (True, 1)


def test_what_was_reverted_takes_no_place_in_a_share() -> None:
    taken_back = Reverted.of("c/a.jpg", replace(published(recipe=OTHER_CUT), run="run 2"), "ana")
    other = entry("c/b.jpg", "other", published=published("other"), published_at=9.0)
    delta = delta_of(entry(published_at=1.0), other, recipe=OTHER_CUT, apply=True, limit=1, reverted=[taken_back])

    assert [c.key for c in delta.requested] == ["c/b.jpg"]


def test_what_a_canary_bought_is_held_until_it_is_accepted_or_requested() -> None:
    cut = OTHER_CUT.cut.digest
    bought = {purchase_id("h", cut)}
    held = delta_of(entry(), recipe=OTHER_CUT, bought=bought, on_trial={cut})
    free = delta_of(entry(), recipe=OTHER_CUT, bought=bought)

    assert (held.held, held.work) == (Held(1, Decimal(0), frozenset({"c"})), ())
    assert change(held, "c/a.jpg").becomes is None
    assert (free.held, len(free.work), free.purchases) == (Held(), 1, 0)


def test_new_pictures_take_a_cut_on_trial_because_it_is_that_of_the_recipe() -> None:
    cut = OTHER_CUT.cut.digest
    new = entry("c/n.jpg", "new", state=State.PENDING)
    delta = delta_of(new, recipe=OTHER_CUT, bought={purchase_id("new", cut)}, on_trial={cut})

    assert (delta.held, len(delta.work)) == (Held(), 1)


def test_a_lost_output_whose_new_cut_is_on_trial_is_restored_from_the_old_one() -> None:
    cut = OTHER_CUT.cut.digest
    bought = {purchase_id("h", each.cut.digest) for each in (RECIPE, OTHER_CUT)}
    delta = delta_of(entry(), recipe=OTHER_CUT, bought=bought, on_trial={cut}, lost={"c/a.jpg"})

    (restored,) = delta.work
    assert (restored.reason, restored.purchase_id) == (Reason.OUTPUT_MISSING, purchase_id("h", RECIPE.cut.digest))


@pytest.mark.parametrize(
    ("recipe", "reverted", "stays"),
    [
        (OTHER_CUT, (), True),
        (OTHER_CUT, (Reverted.of("c/a.jpg", replace(published(recipe=OTHER_CUT), run="run 2"), "a person"),), False),
        (OTHER_RENDITION, (), False),
    ],
    ids=["another cut", "reverted", "another rendition, and its master is gone"],
)
def test_only_what_another_cut_asks_for_stays_until_a_person_asks(
    recipe: Recipe, reverted: Sequence[Reverted], stays: bool
) -> None:
    found = survey([entry()], lambda _key: Goal.of(recipe), {}, reverted={"c/a.jpg": reverted})

    assert [stays_until_asked(each, (), ()) for each in found.candidates] == [stays]
