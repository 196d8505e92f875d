"""What holds for every catalogue, manifest and recipe."""

from collections.abc import Collection, Iterable
from dataclasses import replace
from decimal import Decimal

from hypothesis import example, given
from hypothesis import strategies as st

from bg_pipeline.core.delta import WORK_REASONS, Delta
from bg_pipeline.core.keys import fold, key_bytes
from bg_pipeline.core.recipe import Recipe, purchase_id
from bg_pipeline.core.recipes import Recipes
from bg_pipeline.core.records import Entry, Published, Reason, State
from bg_pipeline.core.relations import price, stays_until_asked
from bg_pipeline.core.survey import survey
from bg_pipeline_tests.laws.strategies import CUTS, RENDITIONS, entries, published, recipes


def planned(
    known: Iterable[Entry],
    recipe: Recipe,
    bought: frozenset[str] = frozenset(),
    *,
    apply: bool = True,
    aside: Collection[str] = (),
) -> Delta:
    """The delta of all; of those set aside, only their outputs are known."""
    known = list(known)
    # Of several keys that carry one work, a manifest names the first.
    last_first = sorted(known, key=lambda e: key_bytes(e.key), reverse=True)
    publishing_keys = {
        e.published.purchase_id: e.key
        for e in last_first
        if e.published and e.state is State.PUBLISHED and not e.absent
    }
    return price(
        survey([e for e in known if e.key not in aside], Recipes(recipe).goals(), {}),
        price=lambda _entry: Decimal(1),
        bought=bought,
        publishing_keys=publishing_keys,
        taken={fold(e.stem) for e in known if e.stem}.__contains__,
        apply_recipe_change=apply,
    )


def completed(delta: Delta, known: Iterable[Entry], recipe: Recipe) -> list[Entry]:
    """The manifest after everything in the delta went well."""
    by_key = {e.key: e for e in known}
    for change in delta.changes:
        entry = by_key[change.key]
        if change.renamed_from:
            by_key[change.renamed_from] = replace(by_key[change.renamed_from], state=State.DELETED)
        if change.reason in WORK_REASONS:
            stem = change.stem or entry.stem
            shown = published(entry.content_hash, recipe, stem)
            by_key[change.key] = replace(entry, state=State.PUBLISHED, published=shown, stem=stem, reason=change.reason)
        elif change.becomes:
            by_key[change.key] = replace(entry, state=change.becomes, reason=change.reason)
    return list(by_key.values())


@given(known=entries(), recipe=recipes)
def test_planning_again_after_a_completed_plan_yields_no_work(known: list[Entry], recipe: Recipe) -> None:
    first = planned(known, recipe)
    done = completed(first, known, recipe)
    again = planned(done, recipe, frozenset(e.published.purchase_id for e in done if e.published))

    assert again.work == ()
    assert again.purchases == 0


@given(known=entries(), recipe=recipes)
def test_every_listed_key_is_in_exactly_one_class(known: list[Entry], recipe: Recipe) -> None:
    delta = planned(known, recipe)
    keys = [change.key for change in delta.changes]
    listed = {e.key for e in known if not e.absent}
    counts = delta.counts

    assert len(keys) == len(set(keys))
    assert {key for key in keys if key in listed} <= listed
    assert sum(counts.values()) - counts["collision"] - counts["deleted"] == len(listed)


@given(known=entries(), recipe=recipes, random=st.randoms(use_true_random=False))
def test_the_order_of_the_listing_does_not_matter(known: list[Entry], recipe: Recipe, random) -> None:  # type: ignore[no-untyped-def]
    shuffled = list(known)
    random.shuffle(shuffled)

    assert planned(shuffled, recipe) == planned(known, recipe)


@given(known=entries(), recipe=recipes)
def test_distinct_keys_get_distinct_outputs(known: list[Entry], recipe: Recipe) -> None:
    done = completed(planned(known, recipe), known, recipe)
    stems = [fold(e.stem) for e in done if e.stem]

    assert len(stems) == len(set(stems))


@given(known=entries(), recipe=recipes)
def test_no_work_is_bought_twice_in_one_plan(known: list[Entry], recipe: Recipe) -> None:
    buying = [change.purchase_id for change in planned(known, recipe).changes if change.purchase]

    assert len(buying) == len(set(buying))


@given(known=entries(), recipe=recipes)
def test_what_has_a_master_is_never_bought(known: list[Entry], recipe: Recipe) -> None:
    for name in recipe.cut.digests:
        every_work = frozenset(purchase_id(e.content_hash, name) for e in known)

        assert planned(known, recipe, every_work).purchases == 0


NAMES = {name: of.digests for of in (*CUTS, *RENDITIONS) for name in of.digests}


def under(scheme: int, known: Iterable[Entry]) -> list[Entry]:
    """The same manifest with the names of one scheme: 0 for the present one, -1 for the oldest."""
    renamed = []
    for entry in known:
        shown = entry.published
        if shown:
            cut, rendition = NAMES[shown.cut_digest][scheme], NAMES[shown.rendition_digest][scheme]
            work = purchase_id(shown.content_hash, cut)
            shown = replace(shown, purchase_id=work, cut_digest=cut, rendition_digest=rendition)
            entry = replace(entry, published=shown, purchase_id=work)  # noqa: PLW2901
        renamed.append(entry)
    return renamed


@given(known=entries(), recipe=recipes)
def test_a_newer_scheme_changes_no_class_no_price_and_no_hold(known: list[Entry], recipe: Recipe) -> None:
    present, older = (
        [
            replace(change, purchase_id="")
            for change in planned(
                renamed, recipe, frozenset(e.published.purchase_id for e in renamed if e.published)
            ).changes
        ]
        for renamed in (under(0, known), under(-1, known))
    )

    assert present == older


@given(known=entries(), recipe=recipes)
def test_every_change_says_why(known: list[Entry], recipe: Recipe) -> None:
    assert all(change.because for change in planned(known, recipe).changes)


def of_one(key: str, state: State, content: str, shown: Published, *, absent: bool) -> Entry:
    return Entry(key, "", content, "image/png", state, purchase_id=shown.purchase_id, absent=absent, published=shown)


BY_1000, BY_2500 = (Recipe((cut,), RENDITIONS[0]) for cut in CUTS[:2])


@given(known=entries(), recipe=recipes)
# A key that was deleted is back with the bytes of another key that vanished.
@example(
    known=[
        of_one("a", State.DELETED, "2" * 64, published("1" * 64, BY_2500, "a"), absent=False),
        of_one("b", State.PUBLISHED, "2" * 64, published("2" * 64, BY_1000, "b"), absent=True),
    ],
    recipe=BY_2500,
)
def test_a_changed_recipe_makes_nothing_pending_that_it_alone_asks_to_buy(known: list[Entry], recipe: Recipe) -> None:
    before = {e.key: e for e in known}

    for change in planned(known, recipe).changes:
        shown = before[change.key].published
        if change.on_request:
            assert change.becomes is None
            assert shown is not None
            assert shown.cut_digest not in recipe.cut.digests
        elif change.reason is Reason.RECIPE_CHANGED and change.purchase:
            assert shown is not None
            assert shown.cut_digest in {name for cut in recipe.accepted for name in cut.digests}


@given(known=entries(), recipe=recipes, data=st.data())
def test_what_stays_until_asked_is_held_and_changes_nothing_else(
    known: list[Entry], recipe: Recipe, data: st.DataObject
) -> None:
    found = survey(known, Recipes(recipe).goals(), {})
    bought = frozenset(data.draw(st.sets(st.sampled_from(found.purchase_ids))) if found.purchase_ids else ())
    aside = {each.entry.key for each in found.candidates if stays_until_asked(each, (), bought)}
    whole = planned(known, recipe, bought, apply=False)
    bought_now = {change.purchase_id for change in whole.work}

    held = [change for change in whole.changes if change.key in aside]
    assert len(held) == len(aside)
    # A copy of what is bought tonight for another item is free, tonight or in the next night.
    assert all((change.held and change.becomes is None) or change.purchase_id in bought_now for change in held)
    rest = tuple(change for change in whole.changes if change.key not in aside)
    assert planned(known, recipe, bought, apply=False, aside=aside).changes == rest
