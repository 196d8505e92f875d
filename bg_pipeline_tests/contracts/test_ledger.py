"""One suite for the ledger: in memory, in SQLite, in PostgreSQL."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal

import pytest

from bg_pipeline.core.claims import LEASE_S, Ask, AskedBy
from bg_pipeline.core.credits import Budget, DayCap, Rules
from bg_pipeline.core.gate import GateReason, GateState, Thresholds
from bg_pipeline.core.records import AttemptState, Master, Totals, Use
from bg_pipeline.core.refusals import FIRST_WAIT_S
from bg_pipeline.core.responses import ResponseKind
from bg_pipeline.errors import (
    BeingBought,
    BudgetReached,
    ClaimLost,
    GateClosed,
    RefusedForNow,
)
from bg_pipeline_tests.contracts.manifest import ASK, ONE, Manifest


def test_an_attempt_is_written_down_whole_before_it_is_sent(manifest: Manifest) -> None:
    attempt = manifest.buy(
        "w",
        "removebg",
        Decimal("0.25"),
        item_key="c/\udcff.jpg",
        collection="c/\udcff",
        sent_digest="sent",
        cut_digests=("cut now", "cut before"),
        use=Use.PICTURE,
    )

    (found,) = manifest.ledger.attempts(["w"])
    assert (found.id, found.purchase_id, found.account, found.state) == (attempt, "w", "removebg", AttemptState.INTENT)
    assert (found.item_key, found.collection, found.run) == ("c/\udcff.jpg", "c/\udcff", ASK.budget.run)
    assert (found.sent_digest, found.cut_digest, found.use) == ("sent", "cut now", Use.PICTURE)
    assert (found.started_at, found.ended_at) == (manifest.clock.now, None)
    assert (found.credits_expected, found.credits_charged) == (Decimal("0.25"), 0)


def test_one_purchase_has_one_open_attempt(manifest: Manifest) -> None:
    attempt = manifest.buy("w")
    with pytest.raises(BeingBought):
        manifest.buy("w")

    manifest.ledger.close_attempt(attempt, AttemptState.REFUSED, Decimal(0), "503")
    manifest.buy("w")
    assert [a.state for a in manifest.ledger.attempts(["w"])] == [AttemptState.REFUSED, AttemptState.INTENT]


@pytest.mark.parametrize("processes", [1, 6])
def test_of_several_that_want_to_buy_the_same_at_once_one_may(manifest: Manifest, processes: int) -> None:
    seen_by = manifest.as_others_see_it(processes)
    keys = [f"c/{n}.jpg" for n in range(6)]
    manifest.see(*keys)
    claims = {key: manifest.claim(key) for key in keys}
    together = threading.Barrier(6)

    def buy(key: str) -> bool:
        together.wait()
        try:
            number = keys.index(key)
            account = ("bgeraser", "removebg")[number % 2]
            seen_by[number % processes].buy("w", account, claim=claims[key], item_key=key)
        except BeingBought:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(buy, keys)).count(True) == 1


@pytest.mark.parametrize("processes", [1, 8])
@pytest.mark.parametrize(
    ("limit", "accounts"),
    [
        ("cap of a day of the account", ["bgeraser"]),
        ("cap of a day of all accounts", ["bgeraser", "removebg"]),
        ("cap of the run", ["bgeraser", "removebg"]),
        ("threshold", ["bgeraser"]),
    ],
)
def test_many_that_buy_different_pictures_at_once_never_overspend(
    manifest: Manifest, limit: str, accounts: list[str], processes: int
) -> None:
    """Each decides on what the others have not yet written down."""
    day_caps = {accounts[0]: DayCap(Decimal(5), account="bgeraser"), "": DayCap(Decimal(5))}
    caps = {"cap of a day of the account": (day_caps[accounts[0]],), "cap of a day of all accounts": (day_caps[""],)}
    rules = Rules(Thresholds(Decimal(5 if limit == "threshold" else 0), Decimal(50)), caps.get(limit, ()))
    budget = Budget("a run", Decimal(5) if limit == "cap of the run" else None)
    if limit == "threshold":
        manifest.gates.change_gate("bgeraser", lambda gate: replace(gate, balance=Decimal(9), balance_at=1.0))
    keys = [f"c/{n}.jpg" for n in range(16)]
    manifest.see(*keys)
    claim = manifest.claim(*keys, ask=Ask(AskedBy.NIGHT, budget))
    seen_by, together = manifest.as_others_see_it(processes), threading.Barrier(8)

    def buy(number: int) -> bool:
        if number < 8:
            seen_by[number % processes].ledger.spent(0.0)  # each has its connection
            together.wait()
        try:
            account = accounts[number % len(accounts)]
            mine = seen_by[number % processes]
            mine.buy(f"w{number}", account, claim=claim, item_key=keys[number], rules=rules)
        except (BudgetReached, GateClosed):
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(buy, range(16))).count(True) == 5


def test_nothing_is_bought_for_an_item_that_is_not_under_the_claim(manifest: Manifest) -> None:
    manifest.see("c/a.jpg", "c/b.jpg", "c/c.jpg")
    claim, others = manifest.claim("c/a.jpg", "c/c.jpg"), manifest.claim("c/b.jpg")
    manifest.queue.release(others)

    for lost, key in ((claim, "c/b.jpg"), (others, "c/a.jpg"), (others, "c/b.jpg")):
        with pytest.raises(ClaimLost):
            manifest.buy("w", claim=lost, item_key=key)
    assert manifest.ledger.attempts(["w"]) == []
    assert manifest.buy("w", claim=claim, item_key="c/a.jpg")


def test_nothing_is_bought_under_a_claim_that_another_run_found_dead(manifest: Manifest) -> None:
    """Its slots are given away, though its items were not taken."""
    manifest.see("c/a.jpg", "c/b.jpg")
    slept = manifest.claim("c/a.jpg")
    manifest.clock.now += LEASE_S + 1
    manifest.claim("c/b.jpg")

    with pytest.raises(ClaimLost):
        manifest.buy("w", claim=slept, item_key="c/a.jpg")


def test_a_claim_that_none_found_dead_is_alive_again_with_its_next_purchase(manifest: Manifest) -> None:
    manifest.see("c/a.jpg")
    slept = manifest.claim("c/a.jpg")
    manifest.clock.now += LEASE_S + 1
    manifest.buy("w", claim=slept, item_key="c/a.jpg")

    assert manifest.gates.dead_claims([slept.id]) == set()


def test_credits_are_exact_to_a_thousandth(manifest: Manifest) -> None:
    for number in range(3):
        attempt = manifest.buy(f"w{number}", "removebg", Decimal("0.25"))
        manifest.ledger.close_attempt(attempt, AttemptState.CHARGED, Decimal("0.1"))

    assert manifest.ledger.spent(0.0) == Decimal("0.3")
    assert manifest.ledger.spent(manifest.clock.now + 1) == 0
    assert manifest.ledger.attempts(["w0"])[0].credits_expected == Decimal("0.25")


def test_what_is_in_flight_or_in_doubt_counts_as_spent_by_its_account(manifest: Manifest) -> None:
    manifest.buy("a")
    manifest.ledger.close_attempt(manifest.buy("b", "removebg"), AttemptState.IN_DOUBT, Decimal(0))
    manifest.ledger.close_attempt(manifest.buy("c"), AttemptState.REFUSED, Decimal(0))

    assert manifest.ledger.spent(0.0) == 2
    assert manifest.ledger.spent(0.0, "removebg") == 1
    assert manifest.ledger.spent(manifest.clock.now + 1) == 1


def test_a_purchase_with_a_master_cannot_be_bought_until_its_master_is_forgotten(manifest: Manifest) -> None:
    """A twin in another collection may have looked before the master was there."""
    attempt = manifest.buy("w")
    manifest.purchases.keep(Master("w", "digest", 20, 10), attempt, ONE)
    with pytest.raises(BeingBought):
        manifest.buy("w")

    manifest.purchases.forget("w")
    assert manifest.buy("w")


def test_a_purchase_that_has_a_master_or_an_attempt_under_its_older_name_is_not_made(manifest: Manifest) -> None:
    open_before = manifest.buy("before")
    with pytest.raises(BeingBought):
        manifest.buy("now", purchase_ids=("now", "before"))

    manifest.purchases.keep(Master("before", "digest", 20, 10), open_before, ONE)
    with pytest.raises(BeingBought):
        manifest.buy("now", purchase_ids=("now", "before"))
    manifest.purchases.forget("before")
    assert manifest.buy("now", purchase_ids=("now", "before"))


def test_the_same_bytes_are_not_bought_twice_at_once_under_two_names(manifest: Manifest) -> None:
    """Two files that differ in their metadata only are sent as the same bytes."""
    same = {"sent_digest": "same", "cut_digests": ("c",)}
    first = manifest.buy("w", **same)
    with pytest.raises(BeingBought):
        manifest.buy("x", **same)
    with pytest.raises(BeingBought):
        manifest.buy("x", sent_digest="same", cut_digests=("c now", "c"))
    assert manifest.buy("y", sent_digest="same", cut_digests=("another",))

    manifest.purchases.keep(Master("w", "digest", 20, 10, "", "same", "c"), first, ONE)
    with pytest.raises(BeingBought):
        manifest.buy("x", **same)
    with pytest.raises(BeingBought):
        manifest.buy("x", sent_digest="same", cut_digests=("c now", "c"))
    manifest.purchases.forget("w")
    assert manifest.buy("x", **same)


def test_bytes_without_a_digest_are_not_taken_for_the_same(manifest: Manifest) -> None:
    manifest.buy("w")
    manifest.purchases.adopt(Master("v", "digest", 2, 1))

    assert manifest.buy("x")


def test_the_cap_of_a_run_counts_what_is_spent_in_flight_and_in_doubt_wherever_it_runs(manifest: Manifest) -> None:
    budget = Budget("the night", Decimal(3))
    charged = manifest.buy("a", budget=budget)
    manifest.ledger.close_attempt(charged, AttemptState.CHARGED, ONE)
    doubtful = manifest.buy("b", budget=budget)
    manifest.ledger.close_attempt(doubtful, AttemptState.IN_DOUBT, Decimal(0))
    manifest.buy("c", budget=budget)

    with pytest.raises(BudgetReached):
        manifest.buy("d", budget=budget)
    assert manifest.buy("e", budget=Budget("another run", Decimal(3)))
    assert manifest.buy("f", budget=Budget("the night", Decimal(4)))


def test_the_cap_of_a_day_holds_for_all_runs_and_ends_at_midnight(manifest: Manifest) -> None:
    rules = Rules(Thresholds(Decimal(0), Decimal(50)), (DayCap(ONE, "Asia/Tokyo"),))
    manifest.ledger.close_attempt(manifest.buy("a", rules=rules), AttemptState.CHARGED, ONE)
    with pytest.raises(BudgetReached):
        manifest.buy("b", rules=rules, budget=Budget("another run"))

    manifest.clock.now += 86_400
    assert manifest.buy("b", rules=rules)


def test_purchases_since_the_last_reading_count_against_the_threshold_and_close_the_gate_for_all(
    manifest: Manifest,
) -> None:
    """Two runs near the threshold must not dip below it together."""
    read_at = manifest.clock.now
    manifest.gates.change_gate("bgeraser", lambda gate: replace(gate, balance=Decimal(11), balance_at=read_at))
    manifest.clock.now += 1
    manifest.buy("a", low=10)
    manifest.ledger.close_attempt(manifest.buy("b", low=10), AttemptState.CHARGED, ONE)

    with pytest.raises(GateClosed):
        manifest.buy("c", low=10)
    gate = manifest.gates.gate("bgeraser")
    assert (gate.state, gate.reason, gate.balance) == (GateState.CLOSED, GateReason.LOW_CREDITS, Decimal(11))
    assert (gate.balance_at, gate.pause) == (read_at, 1)


def test_a_gate_is_changed_by_what_its_account_spent_while_no_purchase_is_decided(manifest: Manifest) -> None:
    manifest.ledger.close_attempt(manifest.buy("a"), AttemptState.CHARGED, ONE)
    manifest.clock.now += 10
    later = manifest.clock.now
    manifest.buy("b")
    manifest.buy("c", "removebg")
    moved = manifest.ledger.change_gate(
        "bgeraser", lambda gate, spent: replace(gate, reading=spent(0.0), expected=spent(later))
    )

    assert (moved.reading, moved.expected) == (2, 1)
    assert manifest.gates.gate("bgeraser") == moved


def test_a_picture_that_was_refused_waits_at_this_account_until_its_time_is_over_or_its_refusals_are_cleared(
    manifest: Manifest,
) -> None:
    kind = ResponseKind.REFUSED
    manifest.ledger.close_attempt(manifest.buy("w"), AttemptState.REFUSED, Decimal(0), "403", kind=kind)
    assert [attempt.kind for attempt in manifest.ledger.attempts(["w"])] == [kind]
    with pytest.raises(RefusedForNow, match="403"):
        manifest.buy("w")
    with pytest.raises(RefusedForNow):
        manifest.buy("now", purchase_ids=("now", "w"))
    assert len(manifest.ledger.attempts(["w", "now"])) == 1
    manifest.ledger.close_attempt(manifest.buy("w", "removebg"), AttemptState.REFUSED, Decimal(0))

    manifest.clock.now += FIRST_WAIT_S
    manifest.ledger.close_attempt(manifest.buy("w"), AttemptState.REFUSED, Decimal(0), "403", kind=kind)
    with pytest.raises(RefusedForNow, match="2 times"):
        manifest.buy("w")
    manifest.gates.change_gate("bgeraser", lambda gate: replace(gate, cleared_at=manifest.clock.now))
    assert manifest.buy("w")


def test_no_purchase_passes_a_closed_gate(manifest: Manifest) -> None:
    manifest.gates.change_gate(
        "bgeraser", lambda gate: replace(gate, state=GateState.CLOSED, reason=GateReason.BY_HAND)
    )

    with pytest.raises(GateClosed):
        manifest.buy("a")
    assert manifest.buy("a", "removebg")


def test_open_attempts_are_abandoned_once_their_claim_is_dead_or_gone(manifest: Manifest) -> None:
    manifest.see("c/a.jpg", "c/b.jpg", "c/c.jpg")
    dying, leaving, closing = (manifest.claim(f"c/{name}.jpg") for name in "abc")
    manifest.buy("w", claim=dying, item_key="c/a.jpg", collection="c")
    manifest.buy("x", claim=leaving, item_key="c/b.jpg")
    closed = manifest.buy("y", claim=closing, item_key="c/c.jpg")
    manifest.ledger.close_attempt(closed, AttemptState.REFUSED, Decimal(0))
    assert manifest.ledger.abandoned() == []

    manifest.queue.release(leaving)
    assert [a.purchase_id for a in manifest.ledger.abandoned()] == ["x"]
    manifest.clock.now += LEASE_S + 1
    assert [(a.purchase_id, a.item_key, a.collection) for a in manifest.ledger.abandoned()] == [
        ("w", "c/a.jpg", "c"),
        ("x", "c/b.jpg", ""),
    ]


def test_the_log_has_every_attempt_whole_and_the_totals_add_them_up(manifest: Manifest) -> None:
    began = manifest.clock.now
    first = manifest.buy("a", item_key="c/\udcff.jpg", collection="c")
    manifest.clock.now += 2
    manifest.ledger.close_attempt(first, AttemptState.UNUSABLE, ONE, "no picture", "<html>", "r-1")
    second = manifest.buy("b", "removebg", Decimal("0.25"), budget=Budget("other"))
    manifest.purchases.keep(Master("b", "digest", 2, 1), second, Decimal("0.25"), "r-2")

    one, two = manifest.ledger.log(began)
    assert (one.item_key, one.collection, one.run) == ("c/\udcff.jpg", "c", "a run")
    assert (one.detail, one.answer, one.request_id, one.credits_wasted) == ("no picture", "<html>", "r-1", ONE)
    assert (one.started_at, one.ended_at, two.request_id, two.credits_wasted) == (began, began + 2, "r-2", 0)
    assert [a.purchase_id for a in manifest.ledger.log(began, "other")] == ["b"]
    assert [a.purchase_id for a in manifest.ledger.log(began + 1)] == ["b"]
    assert manifest.ledger.totals(began, began + 9) == {
        AttemptState.UNUSABLE: Totals(1, ONE, ONE),
        AttemptState.CHARGED: Totals(1, Decimal("0.25"), Decimal("0.25")),
    }
    assert manifest.ledger.totals(began, began + 9, "removebg").keys() == {AttemptState.CHARGED}
    assert manifest.ledger.totals(began, began + 1).keys() == {AttemptState.UNUSABLE}


def test_an_attempt_that_ended_keeps_its_end_but_for_a_master_that_proves_the_charge(manifest: Manifest) -> None:
    charged, doubted = manifest.buy("a"), manifest.buy("b")
    manifest.purchases.keep(Master("a", "digest", 2, 1), charged, ONE)
    for attempt in (charged, doubted):
        manifest.ledger.close_attempt(attempt, AttemptState.IN_DOUBT, Decimal(0), "the run was killed")
    manifest.purchases.keep(Master("b", "digest", 2, 1), doubted, ONE)

    assert [a.state for a in manifest.ledger.attempts(["a", "b"])] == [AttemptState.CHARGED] * 2
