"""One suite for what was bought and stored: in memory, in SQLite, in PostgreSQL."""

from dataclasses import replace
from decimal import Decimal

from bg_pipeline.core.credits import charges_of
from bg_pipeline.core.records import AttemptState, Master, Use
from bg_pipeline_tests.contracts.manifest import ONE, Manifest

MASTER = Master("w", "digest", 20, 10, "looks odd", "sent", "cut", use=Use.PICTURE)


def test_a_master_that_is_kept_closes_its_attempt_and_makes_the_purchase_bought(manifest: Manifest) -> None:
    attempt = manifest.buy("w")
    manifest.purchases.keep(MASTER, attempt, Decimal("0.5"), "r-1")

    assert manifest.purchases.find(["w"]) == MASTER
    assert manifest.purchases.bought(["w", "x"]) == {"w"}
    assert manifest.purchases.find(["x"]) is None
    (closed,) = manifest.ledger.attempts(["w"])
    assert (closed.state, closed.credits_charged, closed.request_id) == (AttemptState.CHARGED, Decimal("0.5"), "r-1")
    assert closed.ended_at == manifest.clock.now


def test_a_master_that_is_kept_again_takes_the_place_of_the_first(manifest: Manifest) -> None:
    manifest.purchases.keep(MASTER, None, Decimal(0))
    manifest.purchases.keep(replace(MASTER, digest="another"), None, Decimal(0))

    assert list(manifest.purchases.masters()) == [replace(MASTER, digest="another")]


def test_a_master_is_found_by_any_name_of_its_purchase_the_first_of_them_first(manifest: Manifest) -> None:
    manifest.purchases.adopt(MASTER)
    assert manifest.purchases.find(["now", "w"]) == MASTER
    assert manifest.purchases.find([]) is None

    manifest.purchases.adopt(replace(MASTER, purchase_id="now"))
    assert manifest.purchases.find(["now", "w"]) == replace(MASTER, purchase_id="now")
    assert manifest.purchases.find(["w", "now"]) == MASTER


def test_a_master_is_found_by_its_payload_under_any_name_of_the_cut(manifest: Manifest) -> None:
    manifest.purchases.adopt(MASTER)

    assert manifest.purchases.same_payload("sent", ["cut"]) == MASTER
    assert manifest.purchases.same_payload("sent", ["cut now", "cut"]) == MASTER
    assert manifest.purchases.same_payload("sent", ["other"]) is None
    assert manifest.purchases.same_payload("other", ["cut"]) is None


def test_a_master_that_is_forgotten_is_not_found(manifest: Manifest) -> None:
    manifest.purchases.adopt(MASTER)
    manifest.purchases.forget("w")
    manifest.purchases.forget("w")

    assert manifest.purchases.find(["w"]) is None
    assert manifest.purchases.bought(["w"]) == set()
    assert manifest.purchases.same_payload("sent", ["cut"]) is None


def test_a_master_that_no_attempt_tells_of_is_adopted_once(manifest: Manifest) -> None:
    assert manifest.purchases.adopt(MASTER)
    assert not manifest.purchases.adopt(replace(MASTER, digest="another"))
    assert manifest.purchases.adopt(replace(MASTER, purchase_id="a"))

    assert list(manifest.purchases.masters()) == [replace(MASTER, purchase_id="a"), MASTER]
    assert manifest.purchases.bought(["w"]) == {"w"}
    assert charges_of(manifest.ledger.attempts(["w"])) == 0


def test_a_master_that_was_approved_is_under_no_suspicion(manifest: Manifest) -> None:
    for name in ("w", "x"):
        manifest.purchases.adopt(replace(MASTER, purchase_id=name))
    manifest.purchases.approve("w")

    assert [m.suspicion for m in manifest.purchases.masters()] == ["", "looks odd"]


def test_many_purchases_can_be_asked_for_at_once(manifest: Manifest) -> None:
    manifest.purchases.keep(replace(MASTER, purchase_id="0999"), None, ONE)

    assert manifest.purchases.bought([f"{n:04}" for n in range(1100)]) == {"0999"}
    assert manifest.purchases.bought([]) == set()
