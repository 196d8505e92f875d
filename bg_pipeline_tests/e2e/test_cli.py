"""The command line as a user meets it: whole processes, real files, the sandbox on a socket."""

import csv
import io
import json
import os
import signal
import subprocess
from pathlib import Path

import pytest
from sqlalchemy import text

from bg_pipeline.manifest.database import Database
from bg_pipeline.sandbox.faults import Fault
from bg_pipeline_tests.e2e.shop import COMMAND, Shop
from bg_pipeline_tests.pictures import opened, product


def test_plan_prices_the_delta_and_spends_nothing(shop: Shop) -> None:
    plan = shop.json("plan")

    assert set(plan) == {
        *("counts", "purchases", "credits", "providers", "collections", "rerender", "not_looked"),
        *("left_out", "still_written", "copies", "order"),
        *("pruned", "unreadable", "hosts_down", "exit", "ends_of_service", "recipes", "reverted"),
    }
    assert set(plan["counts"]) == {
        *("new", "changed", "recipe_changed", "unfinished", "duplicate", "renamed", "output_missing"),
        *("returned", "deleted", "unchanged", "skipped", "failed", "collision"),
    }
    assert (plan["counts"]["new"], plan["purchases"], plan["credits"]) == (5, 5, 5.0)
    assert plan["collections"] == {".": {"pending": 1}, "bags": {"pending": 1}, "shoes": {"pending": 3}}
    assert plan["providers"]["bgeraser"] == {"credits": 5.0, "money_usd": 0.2, "balance": 1000.0, "enough": True}
    assert not shop.vendor.ledger.charges()
    assert not (shop.home / "cutouts").exists()


def test_a_plan_does_not_change_the_class_that_the_sync_sees(shop: Shop) -> None:
    assert shop.json("plan")["counts"] == shop.json("plan")["counts"]
    assert "5 new" not in shop.run("sync")
    assert shop.json("plan")["counts"]["unchanged"] == 5


def test_sync_publishes_and_says_what_it_did(shop: Shop) -> None:
    done = shop.json("sync")

    assert {k: v for k, v in done.items() if k != "seconds"} == {
        "published": 5,
        "purchases": 5,
        "credits": 5.0,
        "duplicates": 0,
        "renamed": 0,
        "failed": 0,
        "quarantined": 0,
        "pending": 0,
        "paused": None,
        "saved": 0.0,
        "in_doubt": 0,
        "credits_in_doubt": 0.0,
        "wasted": 0,
        "awaited": 0,
        "bought_from": {"bgeraser": 5},
        "window_ended": False,
        "left_before": None,
        "not_looked": {},
        "hosts_down": [],
        "standing": 0,
        "failures": [],
        "exit": {"code": 0, "name": "done", "reason": "done, and no failure stands"},
    }
    assert opened((shop.home / "cutouts/shoes/0.png").read_bytes()).mode == "RGBA"
    assert shop.json("sync")["published"] == 0
    assert len(shop.vendor.ledger.charges()) == 5


def test_without_a_terminal_progress_is_plain_lines_on_standard_error(shop: Shop) -> None:
    shop.run("sync")

    assert "cutting: 5 of 5" in shop.err
    assert "\x1b" not in shop.err


def test_a_corrupt_picture_is_named_and_the_rest_is_done(shop: Shop) -> None:
    shop.put("shoes/broken.png", product(7)[:-25])
    said = shop.run("sync", code=1)
    assert "shoes/broken.png" in said

    assert shop.json("failures")[0]["key"] == "shoes/broken.png"
    assert "truncated" in shop.json("why", "shoes/broken.png")["detail"].lower()
    assert shop.json("retry", code=1)["failed"] == 1
    shop.put("shoes/broken.png", product(7))
    assert shop.json("sync")["published"] == 1
    assert "nothing failed" in shop.run("failures")


def test_retry_buys_what_failed_and_nothing_else(shop: Shop) -> None:
    shop.put("bags/bad.png", product(7)[:-25])
    shop.run("sync", "--collection", "bags", code=1)
    before = len(shop.vendor.ledger.charges())
    shop.json("retry", code=1)
    shop.json("sync", "--only", "failed", code=1)

    assert len(shop.vendor.ledger.charges()) == before


def test_status_tells_states_gate_and_money(shop: Shop) -> None:
    shop.run("sync")
    status = shop.json("status")

    assert status["items"] == {
        "published": 5,
        "pending": 0,
        "failed": 0,
        "quarantined": 0,
        "skipped": 0,
        "deleted": 0,
        "forgotten": 0,
        "withdrawn": 0,
    }
    assert status["gate"]["bgeraser"] == {
        "state": "open",
        "reason": None,
        "balance": 995.0,
        "reading": 1000.0,
        "drift": 0.0,
    }
    assert (status["failures"], status["hosts_down"]) == (0, [])
    assert status["limits"]["bgeraser"]["waits_until"] == "–"
    assert (status["credits_30d"], status["last_sync"][-1]) == (5.0, "Z")
    assert status["runs_out_on"] > "2026"


def test_what_a_service_refused_is_told_in_its_own_words_to_who_asks(shop: Shop) -> None:
    shop.vendor.faults.replace([Fault(kind="500", times=2)])
    shop.run("sync", "--collection", "bags")
    assert "answered:" not in shop.err
    shop.vendor.faults.replace([Fault(kind="500", times=1)])
    shop.run("-v", "sync")
    assert "is in_doubt: bgeraser answered 500" in shop.err
    assert "answered: '{" in shop.err


def test_why_tells_each_purchase(shop: Shop) -> None:
    shop.vendor.faults.replace([Fault(kind="500")])
    shop.run("sync", "--collection", "bags")
    story = shop.json("why", "bags/9.jpg")

    assert [a["state"] for a in story["attempts"]] == ["in_doubt", "charged"]
    assert story["output"] == "bags/9.png"
    shop.run("why", "bags/none.jpg", code=2)
    assert "not in the manifest" in shop.err


def test_the_ledger_tells_every_attempt_as_table_csv_and_json(shop: Shop) -> None:
    shop.put("shoes/=cmd.png", product(50))
    shop.run("sync")

    told = shop.json("ledger")
    assert {a["became"] for a in told["attempts"]} == {"charged"}
    assert told["providers"]["bgeraser"]["charged"] == 6.0
    rows = list(csv.DictReader(io.StringIO(shop.run("ledger", "--csv"))))
    assert {row["credits_charged"] for row in rows} == {"1.0"}
    assert "shoes/=cmd.png" in {row["item"] for row in rows}
    assert "top.png" in shop.run("ledger")
    run = told["attempts"][0]["run"]
    assert len(shop.json("ledger", "--run", run)["attempts"]) == 6
    assert shop.json("ledger", "--run", "another")["attempts"] == []


def test_the_sandbox_serves_and_ends_on_request(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [COMMAND, "sandbox", "--port", "0", "--credits", "7"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    assert "http://127.0.0.1:" in line
    base_url = line.split()[2]
    env = {"BG_PROVIDER": "bgeraser", "BGERASER_API_KEY": "any", "BGERASER_BASE_URL": base_url, "BG_STABLE_S": "0"}
    (tmp_path / "images").mkdir()
    told = subprocess.run(
        [COMMAND, "plan", "--json"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], **env},
        capture_output=True,
        check=True,
    )
    assert json.loads(told.stdout)["providers"]["bgeraser"]["balance"] == 7.0
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert (process.returncode, "Traceback" in err) == (0, False)


@pytest.mark.parametrize(
    "words",
    [["plan", "--nonsense"], ["sync", "--only", "everything"], ["sandbox", "--port", "99999"], ["no-such-command"]],
    ids=" ".join,
)
def test_a_wrong_command_line_is_explained(words: list[str], tmp_path: Path) -> None:
    done = subprocess.run([COMMAND, *words], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert (done.returncode, "Usage:" in done.stderr, "Traceback" in done.stderr) == (2, True, False)


def test_a_cutout_goes_to_the_trash_and_is_restored_by_name(shop: Shop) -> None:
    shop.env["BG_DELETE_POLICY"] = "trash"
    shop.run("sync")
    cutout = (shop.home / "cutouts/bags/9.png").read_bytes()
    (shop.home / "images/bags/9.jpg").unlink()
    shop.run("sync")
    database = Database(f"sqlite:///{shop.home}/.bg_pipeline/manifest.db")
    with database.write() as conn:
        conn.execute(text("UPDATE items SET absent_since = absent_since - 86400 WHERE absent"))
    database.close()

    assert "1 cutouts went to the trash" in shop.run("sync")
    assert not (shop.home / "cutouts/bags/9.png").exists()
    assert "bags/9.jpg" in shop.run("trash")
    assert [row["key"] for row in json.loads(shop.run("trash", "list", "--json"))] == ["bags/9.jpg"]
    assert "restored bags/9.png" in shop.run("trash", "restore", "bags/9.jpg")
    assert (shop.home / "cutouts/bags/9.png").read_bytes() == cutout
    assert "empty" in shop.run("trash")
    shop.run("trash", "restore", code=2)
    shop.run("trash", "restore", "no/such.png", code=2)
