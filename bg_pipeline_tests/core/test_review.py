"""What a person may decide about an item, and what becomes of it."""

from dataclasses import replace

import pytest

from bg_pipeline.core.delta import Delta, Goal
from bg_pipeline.core.recipe import AS_IT_IS, purchase_id
from bg_pipeline.core.records import Entry, Master, Published, Reason, State
from bg_pipeline.core.relations import price
from bg_pipeline.core.review import (
    REVIEWED,
    Result,
    ReviewDecision,
    is_in_sample,
    plan_decision,
    purchase_ids,
    reason_of,
    rejected_id,
    replaced_ids,
    result_of,
    suspicion,
)
from bg_pipeline.core.survey import survey
from bg_pipeline_tests.graph import RECIPE

CUT = RECIPE.cut.digest
BOUGHT = purchase_id("h", CUT)
MASTER = Master(BOUGHT, "m", 20, 10, "nothing was removed: the whole frame was kept", "sent", CUT, "h")
SHOWN = Published(BOUGHT, CUT, RECIPE.rendition.digest, "a.png", "o", "h")
PUBLISHED = Entry(
    "a.jpg", "", "h", "image/png", State.PUBLISHED, purchase_id=BOUGHT, stem="a", published=SHOWN, detail="cut out"
)
HELD = replace(PUBLISHED, state=State.QUARANTINED, published=None, detail=MASTER.suspicion)
TAKEN_OFF = replace(PUBLISHED, state=State.WITHDRAWN, purchase_id="", published=replace(SHOWN, output_name=""))
REJECTED = replace(TAKEN_OFF, purchase_id=rejected_id("h"))
NEW = Entry("b.jpg", "", "h", "image/png", State.PENDING)

APPROVE, REJECT, REDO, TAKE_OFF, SWAP = ReviewDecision


def delta(*entries: Entry) -> Delta:
    found = survey(entries, lambda _: Goal.of(RECIPE), {})
    return price(found, price=lambda _: 1, bought=(), publishing_keys={}, taken=lambda _: False)  # type: ignore[arg-type,return-value]


def classes(*entries: Entry) -> dict[str, tuple[Reason, State | None]]:
    return {change.key: (change.reason, change.becomes) for change in delta(*entries).changes}


@pytest.mark.parametrize("entry", [TAKEN_OFF, REJECTED], ids=["taken off", "rejected"])
def test_a_withdrawn_item_stays_so_also_while_its_picture_is_gone_or_unreadable(entry: Entry) -> None:
    assert classes(entry) == {"a.jpg": (Reason.SKIPPED, None)}
    assert classes(replace(entry, absent=True)) == {}
    (_, becomes), *_ = classes(replace(entry, content_hash="h2", media_type="")).values()
    assert becomes is None


@pytest.mark.parametrize("entry", [TAKEN_OFF, REJECTED], ids=["taken off", "rejected"])
@pytest.mark.parametrize("absent", [False, True])
def test_a_withdrawn_picture_does_not_come_back_under_another_name(entry: Entry, absent: bool) -> None:
    found = delta(replace(entry, absent=absent), NEW)
    change = found.changes[-1]

    assert (change.key, change.reason, change.becomes, found.purchases) == ("b.jpg", Reason.SKIPPED, State.SKIPPED, 0)
    assert "a.jpg" in change.because


def test_another_picture_ends_a_rejection_and_not_a_removal_from_the_shop() -> None:
    assert classes(replace(REJECTED, content_hash="h2")) == {"a.jpg": (Reason.CHANGED, State.PENDING)}
    assert classes(replace(TAKEN_OFF, content_hash="h2")) == {"a.jpg": (Reason.SKIPPED, None)}


@pytest.mark.parametrize("state", sorted(set(State) - set(REVIEWED)))
@pytest.mark.parametrize("decision", ReviewDecision)
def test_nothing_is_decided_about_items_that_no_review_shows(decision: ReviewDecision, state: State) -> None:
    plan = plan_decision(decision, replace(PUBLISHED, state=state), Result("o", "a.png"), RECIPE, "ana")

    assert state in plan.refused
    assert plan.becomes is None


@pytest.mark.parametrize(
    ("decision", "entry", "result", "becomes", "purchase"),
    [
        (APPROVE, PUBLISHED, Result("o", "a.png"), None, ""),
        (APPROVE, HELD, Result("m", "", MASTER, BOUGHT), State.PENDING, BOUGHT),
        (APPROVE, TAKEN_OFF, Result("m", "", MASTER, BOUGHT), State.PENDING, BOUGHT),
        (APPROVE, replace(TAKEN_OFF, trash_name=".trash/d/a.png"), Result("o"), State.PUBLISHED, BOUGHT),
        (APPROVE, replace(TAKEN_OFF, published=SHOWN), Result("o", "a.png"), State.PUBLISHED, BOUGHT),
        (REJECT, PUBLISHED, Result("o", "a.png"), State.WITHDRAWN, rejected_id("h")),
        (REJECT, HELD, Result("m", "", MASTER, BOUGHT), State.WITHDRAWN, rejected_id("h")),
        (REDO, PUBLISHED, Result("o", "a.png"), State.PENDING, BOUGHT),
        (REDO, replace(HELD, state=State.FAILED), Result(), State.PENDING, BOUGHT),
        (TAKE_OFF, PUBLISHED, Result("o", "a.png"), State.WITHDRAWN, ""),
        (TAKE_OFF, NEW, Result(), State.WITHDRAWN, ""),
    ],
)
def test_a_decision_gives_the_item_its_state(
    decision: ReviewDecision, entry: Entry, result: Result, becomes: State | None, purchase: str
) -> None:
    plan = plan_decision(decision, entry, result, RECIPE, "ana", "a halo")

    assert (plan.refused, plan.becomes, plan.purchase_id) == ("", becomes, purchase)
    assert becomes is None or plan.detail.endswith("by ana: a halo")


@pytest.mark.parametrize(
    ("decision", "entry", "result", "why"),
    [
        (APPROVE, replace(HELD, state=State.FAILED), Result(), "no paid result"),
        (REJECT, replace(HELD, state=State.FAILED), Result(), "no cutout"),
        (REDO, NEW, Result(), "waits to be bought already"),
        (REDO, replace(HELD, media_type=""), Result(), "cannot be read"),
        (REDO, PUBLISHED, Result("o", "", replace(MASTER, cut_digest=AS_IT_IS.digest)), "cutout already"),
        (APPROVE, replace(TAKEN_OFF, content_hash="h2", trash_name="t"), Result("o"), "no paid result"),
    ],
)
def test_a_decision_that_makes_no_sense_is_refused_with_a_sentence(
    decision: ReviewDecision, entry: Entry, result: Result, why: str
) -> None:
    plan = plan_decision(decision, entry, result, RECIPE, "ana")

    assert why in plan.refused
    assert entry.key in plan.refused
    assert (plan.becomes, plan.replaces, plan.returns) == (None, False, False)


def test_a_review_shows_what_is_on_the_shop_and_of_a_held_item_what_is_held() -> None:
    masters = {BOUGHT: MASTER}
    older = replace(HELD, published=replace(SHOWN, content_hash="older"))

    assert result_of(PUBLISHED, RECIPE, {}) == Result("o", "a.png")
    assert result_of(HELD, RECIPE, masters).digest == "m"
    assert result_of(older, RECIPE, masters).digest == "m"
    assert result_of(older, RECIPE, {}).digest == "o"
    assert result_of(replace(older, state=State.FAILED), RECIPE, masters).digest == "o"
    assert result_of(replace(TAKEN_OFF, trash_name=".trash/d/a.png"), RECIPE, {}) == Result("o", ".trash/d/a.png")
    assert result_of(NEW, RECIPE, {}) == Result()
    assert BOUGHT in purchase_ids(HELD, RECIPE)
    assert purchase_ids(replace(HELD, content_hash=""), RECIPE) == []


def test_the_sample_has_its_share_and_stays_the_same() -> None:
    digests = [purchase_id(str(number), "") for number in range(5_000)]
    chosen = [digest for digest in digests if is_in_sample(digest, 0.02)]

    assert 60 <= len(chosen) <= 140
    assert chosen == [digest for digest in digests if is_in_sample(digest, 0.02)]
    assert set(chosen) <= {digest for digest in digests if is_in_sample(digest, 0.05)}
    assert all(is_in_sample(digest, 1.0) for digest in digests)
    assert not any(is_in_sample(digest, 0.0) for digest in digests)
    assert not is_in_sample("", 1.0)


def test_what_needs_a_person_most_comes_first() -> None:
    charged = replace(HELD, detail="it was charged 3 times")
    others = [replace(PUBLISHED, state=state) for state in REVIEWED[1:]]
    order = [suspicion(entry) for entry in (HELD, charged, *others)]

    assert order == sorted(order, reverse=True)
    assert len(set(order)) == len(order)


@pytest.mark.parametrize(
    ("detail", "reason"),
    [
        ("nothing was removed: the whole frame was kept", "nothing was removed"),
        ("cannot be read; replace it", "cannot be read"),
        ("a.jpg is too large", "… is too large"),
        ("x" * 100, "x" * 59 + "…"),
    ],
)
def test_items_with_the_same_reason_can_be_chosen_together(detail: str, reason: str) -> None:
    assert reason_of(replace(HELD, detail=detail)) == reason
    assert reason_of(replace(PUBLISHED, detail=detail)) == ""


def test_each_replaced_result_has_a_name_of_its_own() -> None:
    names = list(replaced_ids(BOUGHT))

    assert len(set(names)) == len(names) > 10
    assert BOUGHT not in names
    assert all(len(name) == 64 for name in names)
