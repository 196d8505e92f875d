"""One suite for reviews: in memory, in SQLite, in PostgreSQL."""

from dataclasses import replace

import pytest

from bg_pipeline.core.records import Master, State
from bg_pipeline.core.review import DecisionPlan, DecisionRecord, ReviewDecision, Seen
from bg_pipeline.errors import ClaimLost
from bg_pipeline_tests.contracts.manifest import Manifest, seen, shown

MADE = DecisionRecord("c/a.jpg", ReviewDecision.REJECT, "ana", "a halo", Seen("h", "digest"))


def test_items_are_listed_in_the_order_in_which_they_need_a_person(manifest: Manifest) -> None:
    manifest.see("c/a.jpg", "c/b.jpg", "c/c.jpg", "c/d.jpg", "c/e.jpg", "c/gone.jpg", "d/a.jpg", "c/skipped.jpg")
    manifest.publish("c/a.jpg", replace(shown("c/a.png"), output_digest="2"))
    manifest.publish("c/b.jpg", replace(shown("c/b.png"), output_digest="1"))
    manifest.set_state("c/c.jpg", State.FAILED)
    manifest.set_state("c/d.jpg", State.QUARANTINED)
    manifest.set_state("c/e.jpg", State.WITHDRAWN)
    manifest.set_state("c/skipped.jpg", State.SKIPPED)
    manifest.set_state("d/a.jpg", State.FAILED)
    manifest.observations.mark_absent(["c/gone.jpg"])

    expected = ["c/d.jpg", "c/c.jpg", "c/e.jpg", "c/b.jpg", "c/a.jpg"]
    assert [e.key for e in manifest.reviews.listed("c", 10)] == expected
    assert [e.key for e in manifest.reviews.listed("c", 4)] == expected[:4]
    assert [e.key for e in manifest.reviews.listed(None, 3)] == ["c/d.jpg", "c/c.jpg", "d/a.jpg"]
    assert manifest.reviews.listed("none", 10) == []


def test_items_with_the_same_picture_are_listed_ones(manifest: Manifest) -> None:
    manifest.see("c/b.jpg", "c/a.jpg", "c/gone.jpg")
    manifest.observations.observe([seen("c/other.jpg", content="another")])
    manifest.observations.mark_absent(["c/gone.jpg"])

    assert [e.key for e in manifest.reviews.same_picture("h")] == ["c/a.jpg", "c/b.jpg"]


def test_a_decision_and_the_state_that_follows_are_recorded_together(manifest: Manifest) -> None:
    manifest.see("c/a.jpg", "c/b.jpg")
    before = manifest.entry("c/a.jpg").revision
    plan = DecisionPlan(becomes=State.WITHDRAWN, detail="rejected by ana", purchase_id="p")
    manifest.reviews.record([MADE, replace(MADE, key="c/b.jpg")], {"c/a.jpg": plan}, manifest.claim("c/a.jpg"))

    entry = manifest.entry("c/a.jpg")
    assert (entry.state, entry.detail, entry.purchase_id) == (State.WITHDRAWN, "rejected by ana", "p")
    assert entry.revision > before
    assert manifest.entry("c/b.jpg").state is State.PENDING
    made = manifest.reviews.decisions(["c/a.jpg", "c/none.jpg"])
    assert made == {"c/a.jpg": [replace(MADE, decided_at=manifest.clock.now)]}


def test_decisions_are_kept_oldest_first_and_quote_names_that_are_no_text(manifest: Manifest) -> None:
    manifest.see("c/\udcff.jpg")
    for number, decision in enumerate(ReviewDecision):
        made = replace(MADE, key="c/\udcff.jpg", decision=decision, reason=f"{number} c/\udcff.jpg")
        manifest.reviews.record([made], {}, manifest.claim("c/\udcff.jpg"))
        manifest.clock.now += 30

    (made_all,) = manifest.reviews.decisions(["c/\udcff.jpg"]).values()
    assert [each.decision for each in made_all] == list(ReviewDecision)
    assert [each.key for each in made_all] == ["c/\udcff.jpg"] * len(ReviewDecision)


def test_without_the_claim_neither_decision_nor_state_is_recorded(manifest: Manifest) -> None:
    manifest.see("c/a.jpg", "c/b.jpg")
    other = manifest.claim("c/b.jpg")
    plan = DecisionPlan(becomes=State.WITHDRAWN)
    with pytest.raises(ClaimLost):
        manifest.reviews.record([MADE], {"c/b.jpg": plan, "c/a.jpg": plan}, manifest.claim("c/a.jpg"))

    assert manifest.reviews.decisions(["c/a.jpg"]) == {}
    assert {manifest.entry(key).state for key in ("c/a.jpg", "c/b.jpg")} == {State.PENDING}
    manifest.queue.release(other)


def test_withdrawn_items_on_the_shop_are_those_with_an_output(manifest: Manifest) -> None:
    manifest.see("c/a.jpg", "c/b.jpg", "c/c.jpg")
    for key in ("c/a.jpg", "c/b.jpg", "c/c.jpg"):
        manifest.publish(key, shown(f"{key}.png"))
    manifest.set_state("c/a.jpg", State.WITHDRAWN)
    manifest.set_state("c/b.jpg", State.WITHDRAWN)
    manifest.trash.unpublish("c/b.jpg")

    assert [e.key for e in manifest.reviews.withdrawn_on_shop()] == ["c/a.jpg"]


def test_many_masters_are_returned_at_once(manifest: Manifest) -> None:
    first, second = Master("w", "1", 1, 1), Master("x", "2", 1, 1)
    for each in (first, second):
        manifest.purchases.adopt(each)

    assert manifest.purchases.get_many(["w", "x", "y"]) == {"w": first, "x": second}
    assert manifest.purchases.get_many([]) == {}
