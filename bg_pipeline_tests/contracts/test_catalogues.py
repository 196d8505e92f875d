"""Two catalogues in one database, which share what was bought: in SQLite and in PostgreSQL."""

from dataclasses import replace
from decimal import Decimal

import pytest
from sqlalchemy import text

from bg_pipeline.core.alerts import HOLD_S, Alert, AlertCheck, Kind, plan_notifications
from bg_pipeline.core.credits import Budget, DayCap, Rules
from bg_pipeline.core.delta import Goal
from bg_pipeline.core.gate import GateReason, Thresholds, on_refusal
from bg_pipeline.core.records import Master, State
from bg_pipeline.core.runlog import BalanceRecord, RetryRecord
from bg_pipeline.errors import BeingBought, BudgetReached, ClaimLost
from bg_pipeline.manifest.catalogues import KnownAccount, catalogue_id, ensure_accounts
from bg_pipeline.manifest.database import Database
from bg_pipeline_tests.contracts.conftest import in_database
from bg_pipeline_tests.contracts.manifest import Manifest, keys_of, shown, up_to_date
from bg_pipeline_tests.fakes import FakeClock

GOAL = Goal(("cut",), ("rendition",), ("cut",))
BY = {"run_id": "run 1", "job": "sync", "collections": None, "started_at": 1.0}


@pytest.fixture
def shops(database: Database, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> tuple[Manifest, Manifest]:
    """Both have an item of the same key; one of them published it."""
    one, two = (in_database(database, clock, monkeypatch, name) for name in ("one", "two"))
    for each in (one, two):
        each.see_work("c/a.jpg", "c/b.jpg")
    one.publish("c/a.jpg", shown("c/a.png"))
    return one, two


def test_a_catalogue_keeps_its_number(database: Database) -> None:
    assert catalogue_id(database) == catalogue_id(database)
    assert catalogue_id(database) != catalogue_id(database, "another")


def test_items_of_another_catalogue_are_not_seen(shops: tuple[Manifest, Manifest]) -> None:
    one, two = shops
    one.observations.mark_absent(["c/b.jpg"])

    assert [key for key, *_ in two.observations.listing()] == [b"c/a.jpg", b"c/b.jpg"]
    assert [e.state for e in two.items.entries()] == [State.PENDING, State.PENDING]
    assert (two.entry("c/a.jpg").published, two.entry("c/b.jpg").absent) == (None, False)
    assert (two.items.states()["pending"], one.items.states()["pending"]) == (2, 1)
    assert (up_to_date(one.deltas, GOAL), up_to_date(two.deltas, GOAL)) == (1, 0)
    assert [e.key for e in two.deltas.out_of_date(GOAL)] == ["c/a.jpg", "c/b.jpg"]
    assert (list(two.deltas.published_names()), two.deltas.publishing_keys(["w"])) == ([], {})
    assert not two.trash.is_published("c/a.png")


def test_names_of_another_catalogue_are_free(shops: tuple[Manifest, Manifest]) -> None:
    one, two = shops

    assert (one.entry("c/a.jpg").stem, two.entry("c/a.jpg").stem) == ("c/a", "c/a")


def test_a_claim_holds_items_of_its_own_catalogue_only(shops: tuple[Manifest, Manifest]) -> None:
    one, two = shops
    claimed = one.claim_pending()
    assert claimed.claim is not None

    assert (keys_of(claimed), two.queue.claims()) == (["c/b.jpg"], [])
    assert keys_of(two.claim_pending()) == ["c/a.jpg", "c/b.jpg"]
    with pytest.raises(ClaimLost):
        two.queue.publish("c/b.jpg", shown("c/b.png"), claimed.claim)


def test_each_catalogue_has_its_own_detection(shops: tuple[Manifest, Manifest]) -> None:
    one, two = shops
    one.leases.acquire("detection", "one")

    assert two.leases.acquire("detection", "two").owner == "two"


def test_a_half_recorded_delta_holds_up_its_own_catalogue_only(shops: tuple[Manifest, Manifest]) -> None:
    one, two = shops
    one.batch(1)
    one.see("c/c.jpg", "c/d.jpg")
    with one.dying_after(1):
        one.see_work("c/c.jpg", "c/d.jpg")
    two.see_work("c/c.jpg")

    assert (one.queue.pending(), two.queue.pending()) == ({"c": 1}, {"c": 3})


def test_what_one_catalogue_bought_no_other_buys_again(shops: tuple[Manifest, Manifest]) -> None:
    one, two = shops
    attempt = one.buy("w")
    with pytest.raises(BeingBought):
        two.buy("w")
    one.purchases.keep(Master("w", "digest", 2, 1), attempt, Decimal(1))

    assert two.purchases.bought(["w"]) == {"w"}
    assert two.ledger.spent(0.0) == 1


def test_a_catalogue_has_its_own_run_log_and_shares_the_balances(shops: tuple[Manifest, Manifest]) -> None:
    one, two = shops
    one.run_log.write(RetryRecord(items=1, **BY))
    one.run_log.write(BalanceRecord(account="bgeraser", balance=Decimal(7), **BY))

    assert (len(one.run_log.read(RetryRecord)), two.run_log.read(RetryRecord)) == (1, [])
    assert [record.balance for record in two.run_log.read(BalanceRecord)] == [7]


def test_a_catalogue_has_its_own_incidents_and_shares_those_of_accounts(shops: tuple[Manifest, Manifest]) -> None:
    one, two = shops

    def look(shop: Manifest, *alerts: Alert) -> list[str]:
        check = AlertCheck(alerts)
        planned = shop.outbox.note(lambda known: plan_notifications(check, known, shop.clock.now), ["t"])
        return [each.title for each in planned.notifications]

    night, credits_ = Alert(Kind.NO_NIGHT, "", "no night"), Alert(Kind.CREDITS, "main", "credits are low")
    assert len(look(one, night, credits_)) == 2
    assert look(two, night, credits_) == ["bg_pipeline: no night"]
    two.clock.now += 2 * HOLD_S
    assert look(two, credits_) == ["bg_pipeline, recovered: no night"]
    assert look(one, night, credits_) == []


def test_the_ledger_says_which_catalogue_bought(shops: tuple[Manifest, Manifest]) -> None:
    one, two = shops
    one.buy("x")
    two.buy("y")

    assert [(each.purchase_id, each.catalogue) for each in one.ledger.log(0.0)] == [("x", "one"), ("y", "two")]
    assert [each.catalogue for each in two.ledger.attempts(["x"])] == ["one"]


def test_caps_of_a_day_hold_over_both_catalogues_and_the_cap_of_a_run_in_one(shops: tuple[Manifest, Manifest]) -> None:
    one, two = shops
    at_most = Rules(Thresholds(Decimal(0), Decimal(50)), (DayCap(Decimal(3), account="bgeraser"),))
    run = Budget("the night of 2 o'clock", Decimal(2))
    one.buy("elsewhere", "another", rules=at_most)
    one.buy("x1", rules=at_most, budget=run)
    one.buy("x2", rules=at_most, budget=run)
    with pytest.raises(BudgetReached, match="of this run"):
        one.buy("x3", rules=at_most, budget=run)
    two.buy("y1", rules=at_most, budget=run)
    with pytest.raises(BudgetReached, match="of the 3 of this day at bgeraser"):
        two.buy("y2", rules=at_most, budget=run)
    assert two.buy("y2", "another", rules=replace(at_most, day_caps=()))


def keyed(key: str) -> dict[str, KnownAccount]:
    return {"bgeraser": KnownAccount("bgeraser", key), "local": KnownAccount("local")}


def test_an_account_with_a_new_key_starts_afresh_and_the_key_itself_is_not_kept(
    database: Database, shops: tuple[Manifest, Manifest]
) -> None:
    gates = shops[0].gates

    def opened_with(key: str, now: float) -> bool:
        ensure_accounts(database, keyed(key), now)
        return gates.gate("bgeraser").is_open

    ensure_accounts(database, {"bgeraser": KnownAccount("bgeraser")}, 0.0)  # before keys were looked at
    gates.change_gate("bgeraser", lambda gate: on_refusal(gate, GateReason.BAD_KEY, "401", 1.0))
    gates.change_limits("bgeraser", lambda _found: {"width": 3})
    assert not opened_with("old-canary-key", 2.0)
    assert not opened_with("old-canary-key", 3.0)
    assert gates.limits("bgeraser") == {"width": 3}

    assert opened_with("new-canary-key", 4.0)
    gate = gates.gate("bgeraser")
    assert (gate.half_open, gate.cleared_at, gates.limits("bgeraser")) == (True, 4.0, None)
    with database.read() as conn:
        rows = conn.execute(text("SELECT name, vendor, key_digest FROM accounts ORDER BY name")).all()
    assert [(row.name, row.vendor, bool(row.key_digest)) for row in rows] == [
        ("bgeraser", "bgeraser", True),
        ("local", "local", False),
    ]
    assert "canary" not in str(rows)


def test_a_master_that_another_catalogue_uses_is_neither_unused_nor_the_items_own(
    shops: tuple[Manifest, Manifest],
) -> None:
    one, two = shops
    one.purchases.adopt(Master("w", "digest", 2, 1, content_hash="h"))
    one.observations.mark_absent(["c/a.jpg", "c/b.jpg"])
    one.trash.unpublish("c/a.jpg")
    assert one.retention.unused() == []
    assert one.erasures.traces("c/a.jpg", []).own == ()

    two.observations.mark_absent(["c/a.jpg", "c/b.jpg"])
    assert one.retention.unused() == ["w"]
    assert one.erasures.traces("c/a.jpg", []).own == ("w",)
