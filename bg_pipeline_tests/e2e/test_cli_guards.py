"""What stops a command, and what it says then."""

import json
from decimal import Decimal

from sqlalchemy import text

from bg_pipeline.manifest.database import Database
from bg_pipeline.sandbox.faults import Fault
from bg_pipeline_tests.e2e.shop import Shop
from bg_pipeline_tests.pictures import product


def test_an_empty_account_pauses_and_goes_on_after_a_top_up(shop: Shop) -> None:
    shop.vendor.ledger.set_balance("bgeraser", Decimal(51))
    first = shop.json("sync", code=3)
    assert (first["purchases"], first["failed"]) == (2, 0)
    assert "top up" in first["paused"]

    shop.vendor.ledger.set_balance("bgeraser", Decimal(500))
    assert shop.json("sync")["pending"] == 0


def test_a_refused_key_pauses_and_names_the_setting(shop: Shop) -> None:
    shop.vendor.faults.replace([Fault(kind="401", times=50)])

    assert "BGERASER_API_KEY" in shop.run("sync", code=3)


def test_a_limit_ends_with_its_own_exit_code(shop: Shop) -> None:
    assert shop.json("sync", "--max-credits", "2", code=4)["purchases"] == 2


def test_part_of_the_delta_can_be_asked_for(shop: Shop) -> None:
    assert shop.json("sync", "--collection", "shoes")["published"] == 3
    assert shop.json("sync", "--collection", ".")["published"] == 1
    assert shop.json("sync", "--only", "changed")["published"] == 1
    shop.run("sync", "--collection", "shose", code=2)
    assert "there are: ., bags, shoes" in shop.err


def test_an_emptied_source_is_stopped_by_its_guard(shop: Shop) -> None:
    shop.run("sync")
    for file in (shop.home / "images").rglob("*.*"):
        file.unlink()
    shop.run("sync", code=5)

    assert "Nothing was deleted" in shop.err


def test_a_source_that_is_not_there_is_fatal(shop: Shop) -> None:
    shop.env["BG_SOURCE"] = "unmounted"
    shop.run("sync", code=7)

    assert "BG_SOURCE" in shop.err


def test_wrong_settings_end_with_their_own_exit_code(shop: Shop) -> None:
    del shop.env["BGERASER_API_KEY"]
    shop.run("sync", code=2)

    assert "BGERASER_API_KEY" in shop.err


def test_the_doctor_finds_what_is_wrong_and_says_what_to_do(shop: Shop) -> None:
    assert all(finding["ok"] for finding in shop.json("doctor"))

    shop.vendor.ledger.set_balance("bgeraser", Decimal(1))
    shop.env["BG_SOURCE"] = "unmounted"
    (shop.home / "cutouts").write_text("a file where a folder should be")
    shop.env["DAGSTER_HOME"] = str(shop.home)
    bad = {f["check"]: f["detail"] for f in shop.json("doctor", code=2) if not f["ok"]}
    assert set(bad) == {"dagster.yaml", "source", "output", "account bgeraser"}
    assert "no limit and no retention" in bad["dagster.yaml"]
    assert "top up" in bad["account bgeraser"]


def test_names_with_control_characters_do_not_reach_the_terminal(shop: Shop) -> None:
    shop.put("shoes/\x1b[31mred\n.png", b"no picture")
    said = shop.run("plan")

    assert "\x1b[31m" not in said
    assert "\\x1b[31mred" in said


def test_a_gate_that_a_person_closes_stays_closed_until_a_person_opens_it(shop: Shop) -> None:
    shop.run("gate", "close", "bgeraser", "--why", "stocktaking")
    assert "stocktaking" in shop.run("sync", code=3)
    assert not shop.vendor.ledger.charges()

    (gate,) = shop.json("gate")
    assert (gate["state"], gate["reason"]) == ("closed", "by_hand")
    shop.run("gate", "open", "bgeraser")
    assert shop.json("sync")["published"] == 5
    shop.run("gate", "open", "photoroom", code=2)


def test_a_guard_that_keeps_cutouts_ends_the_sync_with_its_own_exit_code(shop: Shop) -> None:
    shop.env["BG_DELETE_POLICY"] = "trash"
    for n in range(22):
        shop.put(f"hats/{n}.png", product(n))
    shop.run("sync")
    for n in range(21):
        (shop.home / f"images/hats/{n}.png").unlink()
    shop.run("sync")
    database = Database(f"sqlite:///{shop.home}/.bg_pipeline/manifest.db")
    with database.write() as conn:
        conn.execute(text("UPDATE items SET absent_since = absent_since - 86400 WHERE absent"))
    database.close()

    assert json.loads(shop.run("sync", "--json", code=5).splitlines()[-1])["failed"] == 0
    assert (shop.home / "cutouts/hats/0.png").exists()
    assert "21 cutouts went to the trash" in shop.run("sync", "--allow-deletes", "21")
