"""The order of purchases."""

from dataclasses import replace
from decimal import Decimal

import pytest

from bg_pipeline.core.buying import MOST_PATTERNS, BuyOrder, Limit, Need, need_of, plan_purchases, position_of, sort_key
from bg_pipeline.core.records import NO_PRIORITY, Change, Entry, Reason, State
from bg_pipeline_tests.core.deltas import delta_of, entry, published

pytestmark = pytest.mark.unit

BAGS_THEN_SHOES = BuyOrder(("bags", "/shoes/red/", "*.gif"))


@pytest.mark.parametrize(
    ("item", "missing", "need"),
    [
        (entry(state=State.PENDING), False, Need.NEW),
        (entry(), True, Need.NEW),
        (entry(published=replace(published(), output_name="")), False, Need.NEW),
        (entry(content="h2", published=published("h1")), False, Need.CHANGED),
        (entry(content="h2", published=published("h1")), True, Need.NEW),
        (entry(), False, Need.AGAIN),
    ],
)
def test_what_a_shop_cannot_show_at_all_comes_before_what_it_shows_wrongly(
    item: Entry, missing: bool, need: Need
) -> None:
    assert need_of(item, output_missing=missing) is need


def test_an_unfinished_item_keeps_its_place_from_night_to_night() -> None:
    """It is no longer called new or changed, but is as urgent as before."""
    new, changed = entry("a.jpg", state=State.PENDING), entry("b.jpg", "h2", published=published("h1"))
    first = delta_of(new, changed)
    again = delta_of(*(replace(e, state=State.PENDING, reason=Reason.NEW) for e in (new, changed)))

    assert [c.reason for c in first.changes] == [Reason.NEW, Reason.CHANGED]
    assert {c.reason for c in again.changes} == {Reason.UNFINISHED}
    assert [c.step for c in first.changes] == [c.step for c in again.changes] == [0, 1000]


def test_within_a_need_the_first_pattern_that_matches_decides() -> None:
    keys = ["hats/a.jpg", "shoes/red/a.gif", "shoes/a.gif", "bags/b/c.jpg", "bags.jpg"]
    in_order = sorted(keys, key=lambda key: BAGS_THEN_SHOES.step_of(entry(key), output_missing=True))

    assert in_order == ["bags/b/c.jpg", "shoes/red/a.gif", "shoes/a.gif", "hats/a.jpg", "bags.jpg"]
    changed = entry("bags/a.jpg", "h2", published=published("h1"))
    new = entry("hats/a.jpg", state=State.PENDING)
    assert BAGS_THEN_SHOES.step_of(new, output_missing=False) < BAGS_THEN_SHOES.step_of(changed, output_missing=False)


def test_a_shorter_list_leaves_new_before_changed_also_beside_steps_of_the_longer_one() -> None:
    changed = entry("bags/a.jpg", "h2", published=published("h1"))
    new = entry("hats/a.jpg", state=State.PENDING)

    assert BAGS_THEN_SHOES.step_of(new, output_missing=False) < BuyOrder().step_of(changed, output_missing=False)


def test_within_a_step_the_priority_decides_and_then_the_key() -> None:
    places = [("b", 1.0), ("a", 1.0), ("c", -2.5), ("d", NO_PRIORITY), ("a\udcff", NO_PRIORITY)]
    items = [entry(key, priority=priority) for key, priority in places]

    in_order = sorted(items, key=lambda item: sort_key(position_of(item)))
    assert [item.key for item in in_order] == ["c", "a", "b", "a\udcff", "d"]


@pytest.mark.parametrize(
    ("patterns", "said"),
    [(["!shoes"], "pattern 1 begins with !"), (["a", "{b"], "pattern 2"), (["a"] * (MOST_PATTERNS + 1), "at most 999")],
)
def test_patterns_that_have_no_meaning_are_refused(patterns: list[str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        BuyOrder(patterns)


def buys(key: str, purchase_id: str = "", price: int = 1, step: int = 0, **more: object) -> Change:
    change = Change(key, "c", Reason.NEW, "", purchase_id=purchase_id or key, step=step, **more)  # type: ignore[arg-type]
    return replace(change, credits=Decimal(price), purchase=bool(price))


@pytest.mark.parametrize(
    ("limits", "affordable", "ends"),
    [
        ([], [2, 1, 1], ""),
        ([4], [2, 1, 1], ""),
        ([3], [2, 1, 0], "cap 3 ends within changed, others: 0 of 1"),
        ([9, 1], [1, 0, 0], "cap 1 ends within new, bags: 1 of 2"),
        ([0], [0, 0, 0], "cap 0 ends within new, bags: 0 of 2"),
    ],
)
def test_a_plan_says_in_which_step_the_tightest_limit_ends(limits: list[int], affordable: list[int], ends: str) -> None:
    work = [buys("a", step=3), buys("b"), buys("c"), buys("d", step=1003), buys("e", price=0)]
    plan = plan_purchases(work, BAGS_THEN_SHOES, [Limit(Decimal(n), f"cap {n}") for n in limits])

    assert [step.step for step in plan.steps] == ["new, bags", "new, others", "changed, others"]
    assert [step.affordable for step in plan.steps] == affordable
    assert plan.ends == ends


def test_a_purchase_counts_in_the_step_of_its_first_item_with_all_of_its_items() -> None:
    """Its price is written at the item with the first key, wherever that comes in the order."""
    work = [buys("a", "w", step=1000), buys("b", "w", price=0), buys("c", "x", price=2, step=1000)]
    plan = plan_purchases(work, BuyOrder(), [])

    assert [(step.step, step.items, step.purchases, step.credits) for step in plan.steps] == [
        ("new", 2, 1, Decimal(1)),
        ("changed", 1, 1, Decimal(2)),
    ]


def test_what_is_bought_on_request_comes_after_what_is_pending() -> None:
    work = [buys("a", on_request=True, step=2000), buys("b", step=2000)]
    plan = plan_purchases(work, BuyOrder(), [Limit(Decimal(1), "cap")])

    assert [(step.step, step.purchases, step.affordable) for step in plan.steps] == [("again", 2, 1)]
