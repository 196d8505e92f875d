"""What counts as a charge, and answers that wait: in memory, in SQLite, in PostgreSQL."""

from dataclasses import replace
from decimal import Decimal

import pytest

from bg_pipeline.core.credits import MAX_CHARGES, charges_of
from bg_pipeline.core.records import AttemptState, Master
from bg_pipeline.errors import (
    AnswerWaiting,
    ChargedTooOften,
    PurchaseDeferred,
)
from bg_pipeline_tests.contracts.manifest import Manifest


@pytest.mark.parametrize(
    ("state", "charges"),
    [
        (AttemptState.REFUSED, 0),
        (AttemptState.CHARGED, 1),
        (AttemptState.UNUSABLE, 1),
        (AttemptState.IN_DOUBT, 0),
        (AttemptState.LOST, 0),
    ],
)
def test_only_known_charges_count_against_a_picture(manifest: Manifest, state: AttemptState, charges: int) -> None:
    attempt = manifest.buy("w")
    assert charges_of(manifest.ledger.attempts(["w"])) == 0
    manifest.ledger.close_attempt(attempt, state, Decimal(0))

    assert charges_of(manifest.ledger.attempts(["w"])) == charges


def test_charges_are_counted_over_all_names_of_a_purchase(manifest: Manifest) -> None:
    for name in ("now", "before", "other"):
        manifest.ledger.close_attempt(manifest.buy(name), AttemptState.UNUSABLE, Decimal(0))

    assert charges_of(manifest.ledger.attempts(["now", "before"])) == 2
    assert [a.purchase_id for a in manifest.ledger.attempts(["now", "before"])] == ["now", "before"]
    assert charges_of(manifest.ledger.attempts([])) == 0


@pytest.mark.parametrize(
    ("state", "end"), [(AttemptState.UNUSABLE, Decimal(1)), (AttemptState.REFUSED, Decimal(0))], ids=["charged", "free"]
)
def test_an_attempt_in_doubt_can_be_settled_and_a_settled_one_stays(
    manifest: Manifest, state: AttemptState, end: Decimal
) -> None:
    attempt = manifest.buy("w")
    manifest.ledger.close_attempt(attempt, AttemptState.IN_DOUBT, Decimal(0), "timeout")
    manifest.ledger.close_attempt(attempt, state, end, "timeout; the balance tells")
    manifest.ledger.close_attempt(attempt, AttemptState.IN_DOUBT, Decimal(0), "late")

    (settled,) = manifest.ledger.attempts(["w"])
    assert (settled.state, settled.credits_charged, settled.detail) == (state, end, "timeout; the balance tells")


def test_a_purchase_is_not_made_a_fourth_time_under_whichever_name_or_account(manifest: Manifest) -> None:
    names = ("now", "before", "elsewhere")
    for number, account in enumerate(("bgeraser", "bgeraser", "removebg")):
        attempt = manifest.buy(names[number], account, limit_ids=names)
        manifest.ledger.close_attempt(attempt, AttemptState.UNUSABLE, Decimal(1))

    with pytest.raises(ChargedTooOften, match="retry --again"):
        manifest.buy("now", limit_ids=names)
    assert manifest.ledger.abandoned() == []


def test_charges_that_a_person_waived_no_longer_count_and_stay_spent(manifest: Manifest) -> None:
    for _ in range(MAX_CHARGES):
        manifest.ledger.close_attempt(manifest.buy("w"), AttemptState.UNUSABLE, Decimal(1))
    manifest.ledger.waive(["w", "unknown"])

    assert charges_of(manifest.ledger.attempts(["w"])) == 0
    assert manifest.ledger.spent(0.0) == MAX_CHARGES
    assert manifest.buy("w")


def test_what_may_have_been_charged_three_times_waits_for_a_reading_of_the_balance(manifest: Manifest) -> None:
    manifest.gates.change_gate("bgeraser", lambda gate: replace(gate, balance=Decimal(100)))
    for _ in range(MAX_CHARGES):
        manifest.ledger.close_attempt(manifest.buy("w"), AttemptState.IN_DOUBT, Decimal(0))
    with pytest.raises(PurchaseDeferred):
        manifest.buy("w")

    manifest.gates.change_gate("bgeraser", lambda gate: replace(gate, balance=None))
    with pytest.raises(ChargedTooOften):
        manifest.buy("w")


def test_an_answer_that_waits_is_paid_and_keeps_its_purchase_from_being_made_again(manifest: Manifest) -> None:
    attempt = manifest.buy("w", sent_digest="sent", cut_digests=("cut",))
    manifest.ledger.close_attempt(attempt, AttemptState.ANSWERED, Decimal("0.5"), "503", request_id="r-1")
    (waiting,) = manifest.ledger.answered()

    assert (waiting.id, waiting.credits_charged, waiting.detail, waiting.request_id) == (
        attempt,
        Decimal("0.5"),
        "503",
        "r-1",
    )
    assert manifest.ledger.abandoned() == []
    assert manifest.ledger.spent(0.0) == Decimal("0.5")
    assert charges_of(manifest.ledger.attempts(["w"])) == 0
    for name, sent, cut in (("w", "", "other"), ("other name", "sent", "cut")):
        with pytest.raises(AnswerWaiting) as caught:
            manifest.buy(name, sent_digest=sent, cut_digests=(cut,))
        assert caught.value.attempt == waiting
    manifest.buy("other cut", sent_digest="sent", cut_digests=("other",))


@pytest.mark.parametrize("state", [AttemptState.UNUSABLE, AttemptState.LOST])
def test_an_answer_that_waited_can_still_end_as_none(manifest: Manifest, state: AttemptState) -> None:
    attempt = manifest.buy("w")
    manifest.ledger.close_attempt(attempt, AttemptState.ANSWERED, Decimal(1))
    manifest.ledger.close_attempt(attempt, state, Decimal(1), "expired")

    assert manifest.ledger.answered() == []
    assert [(a.state, a.detail) for a in manifest.ledger.attempts(["w"])] == [(state, "expired")]
    assert manifest.buy("w")


def test_an_answer_that_waited_becomes_a_charge_with_its_master(manifest: Manifest) -> None:
    attempt = manifest.buy("w")
    manifest.ledger.close_attempt(attempt, AttemptState.ANSWERED, Decimal(1))
    manifest.purchases.keep(Master("w", "d", 1, 1), attempt, Decimal(1))

    assert manifest.ledger.answered() == []
    assert [a.state for a in manifest.ledger.attempts(["w"])] == [AttemptState.CHARGED]
