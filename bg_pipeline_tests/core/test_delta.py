"""What the delta says of one item, and of items together."""

from dataclasses import replace
from decimal import Decimal

import pytest

from bg_pipeline.core.delta import Delta, Goal, classify, settle, survey
from bg_pipeline.core.keys import fold
from bg_pipeline.core.recipe import Cut, Recipe, Rendition, work_id
from bg_pipeline.core.records import Change, Entry, Published, Reason, State

RECIPE = Recipe((Cut("bgeraser", 2500),), Rendition())
OTHER_CUT = Recipe((Cut("bgeraser", 1000),), Rendition())
OTHER_RENDITION = Recipe((Cut("bgeraser", 2500),), Rendition(format="webp"))


def published(content: str = "h", recipe: Recipe = RECIPE) -> Published:
    return Published(
        work_id(content, recipe.cut.hash), recipe.cut.hash, recipe.rendition.hash, "a.png", "digest", content
    )


def entry(key: str = "c/a.jpg", content: str = "h", state: State = State.PUBLISHED, **more: object) -> Entry:
    made = Entry(key, key.partition("/")[0], content, "image/jpeg", state, stem=key.rpartition(".")[0])
    if state is State.PUBLISHED:
        made = replace(made, published=published(content), reason=Reason.NEW)
    return replace(made, **more)  # type: ignore[arg-type]


def delta_of(
    *entries: Entry,
    bought: set[str] = frozenset(),
    apply: bool = False,
    recipe: Recipe = RECIPE,
    lost: set[str] = frozenset(),
    limit: int | None = None,
) -> Delta:  # type: ignore[assignment]
    found = survey(entries, recipe, missing_outputs=lost)
    unchanged = [
        e for e in entries if classify(e, Goal.of(recipe), output_missing=e.key in lost)[0] is Reason.UNCHANGED
    ]
    carriers = {e.published.work_id: e.key for e in reversed(unchanged) if e.published}
    return settle(
        found,
        price=lambda _entry: Decimal(1),
        bought=bought | set(carriers),
        carriers=carriers,
        taken={fold(e.stem) for e in entries if e.stem and not e.absent}.__contains__,
        apply_recipe_change=apply,
        recipe_change_limit=limit,
    )


def change(delta: Delta, key: str) -> Change:
    return next(c for c in delta.changes if c.key == key)


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
            entry(state=State.DELETED, published=published()), RECIPE, False, Reason.NEW, id="source came back"
        ),
        pytest.param(entry(state=State.PENDING, media_type=""), RECIPE, False, Reason.SKIPPED, id="no picture"),
        pytest.param(entry(state=State.PENDING, content=""), RECIPE, False, Reason.SKIPPED, id="unreadable"),
        pytest.param(entry("../a.jpg", state=State.PENDING), RECIPE, False, Reason.SKIPPED, id="climbs out"),
        pytest.param(entry(state=State.SKIPPED), RECIPE, False, Reason.CHANGED, id="became a picture"),
        pytest.param(
            entry(state=State.FAILED, work_id=work_id("h", RECIPE.cut.hash)), RECIPE, False, Reason.SKIPPED, id="failed"
        ),
        pytest.param(
            entry(state=State.FAILED, work_id=work_id("old", RECIPE.cut.hash)),
            RECIPE,
            False,
            Reason.CHANGED,
            id="failed, and was replaced since",
        ),
        pytest.param(
            entry(state=State.QUARANTINED, work_id=work_id("h", RECIPE.cut.hash)),
            RECIPE,
            False,
            Reason.SKIPPED,
            id="in quarantine",
        ),
    ],
)
def test_an_entry_is_classified_by_what_it_was_published_from(
    known: Entry, recipe: Recipe, output_missing: bool, expected: Reason
) -> None:
    reason, because = classify(known, Goal.of(recipe), output_missing=output_missing)

    assert reason is expected
    assert because


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


def test_one_vanished_key_explains_only_one_new_one() -> None:
    delta = delta_of(
        entry("c/old.jpg", absent=True), entry("c/x.jpg", state=State.PENDING), entry("c/y.jpg", state=State.PENDING)
    )

    assert delta.counts["renamed"] == 1
    assert delta.counts["duplicate"] == 1


def test_bytes_that_were_bought_before_are_free_under_any_name() -> None:
    delta = delta_of(entry("c/a.jpg", state=State.PENDING), bought={work_id("h", RECIPE.cut.hash)})

    assert (change(delta, "c/a.jpg").reason, delta.purchases) == (Reason.NEW, 0)


def test_a_changed_cut_is_priced_and_held_until_it_is_asked_for() -> None:
    """A slip in the settings must not buy the whole catalogue again."""
    held, applied = (delta_of(entry(), recipe=OTHER_CUT, apply=asked) for asked in (False, True))

    assert (held.purchases, len(held.held), held.work, held.held[0].credits) == (0, 1, (), Decimal(1))
    assert held.held[0].becomes is None
    assert (applied.purchases, applied.held) == (1, ())


def test_a_changed_rendition_is_free_and_not_held() -> None:
    known = entry()
    delta = delta_of(known, recipe=OTHER_RENDITION, bought={known.published.work_id})  # type: ignore[union-attr]

    assert (len(delta.work), delta.purchases, delta.held) == (1, 0, ())


def test_a_new_key_is_bought_although_its_twin_is_held() -> None:
    delta = delta_of(entry("c/a.jpg"), entry("c/b.jpg", state=State.PENDING), recipe=OTHER_CUT)

    assert change(delta, "c/b.jpg").purchase
    assert delta.purchases == 1


def test_what_failed_before_keeps_its_state() -> None:
    failed = entry(state=State.FAILED, work_id=work_id("h", RECIPE.cut.hash), detail="corrupt")

    assert delta_of(failed).changes[0].becomes is None


def test_a_deleted_entry_is_reported_once() -> None:
    assert delta_of(entry(absent=True, state=State.DELETED)).changes == ()


def test_items_that_want_one_name_get_different_ones_and_are_reported() -> None:
    a, b = entry("c/a.jpg", "1", State.PENDING, stem=""), entry("c/A.png", "2", State.PENDING, stem="")
    delta = delta_of(a, b)

    stems = {c.key: c.stem for c in delta.changes}
    assert stems["c/A.png"] == "c/A"
    assert stems["c/a.jpg"].startswith("c/a~")
    assert list(delta.collisions) == ["c/a.jpg"]


FALLBACK = Recipe((Cut("removebg", 2500), RECIPE.cut), Rendition())


def test_an_item_cut_by_a_fallback_is_as_it_should_be() -> None:
    assert delta_of(entry(), recipe=FALLBACK).changes == ()


def test_what_a_fallback_cut_is_rendered_renamed_and_copied_free() -> None:
    bought = {published().work_id}
    rendered = replace(FALLBACK, rendition=Rendition(format="webp"))
    away, moved = entry("c/old.jpg", absent=True), entry("c/new.jpg", state=State.PENDING)

    for delta in (
        delta_of(entry(), recipe=rendered, bought=bought),
        delta_of(away, moved, recipe=FALLBACK, bought=bought),
    ):
        assert (delta.purchases, [c.work_id for c in delta.work]) == (0, [published().work_id])


def test_what_a_fallback_cut_and_lost_its_master_and_output_is_bought_by_the_first_cut() -> None:
    delta = delta_of(entry(), recipe=FALLBACK, lost={"c/a.jpg"})

    assert (delta.purchases, delta.held) == (1, ())
    assert delta.work[0].work_id == work_id("h", FALLBACK.cut.hash)


def test_new_bytes_are_bought_by_the_first_cut() -> None:
    delta = delta_of(entry(content="h2", published=published("h")), recipe=FALLBACK)

    assert delta.work[0].work_id == work_id("h2", FALLBACK.cut.hash)


def test_of_a_changed_cut_the_oldest_are_bought_first_and_the_rest_is_held() -> None:
    ages = {"c/a.jpg": 30.0, "c/b.jpg": 10.0, "c/c.jpg": 20.0}
    known = [entry(key, key, published=published(key), published_at=at) for key, at in ages.items()]
    delta = delta_of(*known, recipe=OTHER_CUT, apply=True, limit=2)

    assert [c.key for c in delta.work] == ["c/b.jpg", "c/c.jpg"]
    assert [c.key for c in delta.held] == ["c/a.jpg"]


def test_a_share_counts_purchases_so_twins_come_along_free() -> None:
    known = [entry("c/a.jpg", published_at=1.0), entry("c/b.jpg", published_at=2.0)]
    delta = delta_of(*known, recipe=OTHER_CUT, apply=True, limit=1)

    assert (len(delta.work), delta.purchases, delta.held) == (2, 1, ())


def test_a_held_item_that_lost_its_output_gets_its_old_one_back_free() -> None:
    known = entry()
    delta = delta_of(known, recipe=OTHER_CUT, lost={known.key}, bought={published().work_id})

    (restored,) = delta.work
    assert (restored.reason, restored.work_id, delta.purchases) == (Reason.OUTPUT_MISSING, published().work_id, 0)


def test_a_held_item_that_lost_output_and_master_stays_held() -> None:
    known = entry()
    delta = delta_of(known, recipe=OTHER_CUT, lost={known.key})

    assert (delta.work, len(delta.held)) == ((), 1)


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
