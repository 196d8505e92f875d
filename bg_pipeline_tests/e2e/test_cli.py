"""The command line as a user meets it: whole processes, real files, the sandbox on a socket."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from bg_pipeline.manifest.control import SqlControl
from bg_pipeline.manifest.database import Database
from bg_pipeline.sandbox.faults import Fault
from bg_pipeline.sandbox.serve import running_sandbox
from bg_pipeline.sandbox.state import SandboxState
from bg_pipeline.steps.process import lease_name
from bg_pipeline_tests.pictures import opened, product
from bg_pipeline_tests.sandbox.client import cut_left_half

COMMAND = str(Path(sys.executable).parent / "bg-pipeline")


class Shop:
    """A folder with a catalogue, its vendor, and the command line."""

    def __init__(self, home: Path, vendor: SandboxState, base_url: str) -> None:
        self.home = home
        self.vendor = vendor
        self.env = {
            "PATH": os.environ["PATH"],
            "BG_PROVIDER": "bgeraser",
            "BGERASER_API_KEY": "canary-key",
            "BGERASER_BASE_URL": base_url,
        }

    def put(self, key: str, data: bytes) -> None:
        (self.home / "images" / key).parent.mkdir(parents=True, exist_ok=True)
        (self.home / "images" / key).write_bytes(data)

    def start(self, *words: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [COMMAND, *words],
            cwd=self.home,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *words: str, code: int = 0) -> str:
        """Standard output; the exit code is checked, and that nobody saw a traceback or the key."""
        process = self.start(*words)
        out, err = process.communicate(timeout=120)
        assert process.returncode == code, (process.returncode, out, err)
        assert "Traceback" not in err
        assert "canary-key" not in out + err
        self.err = err
        return out

    def json(self, *words: str, code: int = 0) -> Any:
        return json.loads(self.run(*words, "--json", code=code).splitlines()[-1])


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    vendor = SandboxState()
    with running_sandbox(vendor, cut_left_half) as running:
        made = Shop(tmp_path, vendor, running.base_url)
        for n in range(3):
            made.put(f"shoes/{n}.png", product(n))
        made.put("bags/9.jpg", product(9, kind="JPEG"))
        made.put("top.png", product(20))
        yield made


def test_plan_prices_the_delta_and_spends_nothing(shop: Shop) -> None:
    plan = shop.json("plan")

    assert set(plan) == {"counts", "purchases", "credits", "providers", "collections"}
    assert set(plan["counts"]) == {
        *("new", "changed", "recipe_changed", "unfinished", "duplicate", "renamed", "output_missing"),
        *("deleted", "unchanged", "skipped", "collision"),
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
        "bought_from": {"bgeraser": 5},
    }
    assert opened((shop.home / "cutouts/shoes/0.png").read_bytes()).mode == "RGBA"
    assert shop.json("sync")["published"] == 0
    assert len(shop.vendor.ledger.charges()) == 5


def test_without_a_terminal_progress_is_plain_lines_on_standard_error(shop: Shop) -> None:
    shop.run("sync")

    assert "cutting shoes: 3 of 3" in shop.err
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
    }
    assert status["gate"]["bgeraser"] == {"state": "open", "reason": None, "balance": 995.0}
    assert (status["credits_30d"], status["last_sync"][-1]) == (5.0, "Z")
    assert status["runs_out_on"] > "2026"


def test_what_a_service_refused_is_told_in_its_own_words_to_who_asks(shop: Shop) -> None:
    shop.vendor.faults.replace([Fault(kind="500", times=2)])
    shop.run("sync", "--collection", "bags")
    assert "answered:" not in shop.err
    shop.vendor.faults.replace([Fault(kind="500", times=1)])
    shop.run("-v", "sync")
    assert "is refused: bgeraser answered 500" in shop.err
    assert "answered: '{" in shop.err


def test_why_tells_each_purchase(shop: Shop) -> None:
    shop.vendor.faults.replace([Fault(kind="500")])
    shop.run("sync", "--collection", "bags")
    story = shop.json("why", "bags/9.jpg")

    assert [a["state"] for a in story["attempts"]] == ["refused", "charged"]
    assert story["output"] == "bags/9.png"
    shop.run("why", "bags/none.jpg", code=2)
    assert "not in the manifest" in shop.err


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


def test_a_collection_that_another_run_holds_is_named(shop: Shop) -> None:
    shop.run("plan")
    database = Database(f"sqlite:///{shop.home}/.bg_pipeline/manifest.db")
    SqlControl(database).acquire(lease_name("shoes"), "the night", 600.0)
    database.close()

    assert "the night" in shop.run("sync", code=6)


def test_wrong_settings_end_with_their_own_exit_code(shop: Shop) -> None:
    del shop.env["BGERASER_API_KEY"]
    shop.run("sync", code=2)

    assert "BGERASER_API_KEY" in shop.err


def test_the_doctor_finds_what_is_wrong_and_says_what_to_do(shop: Shop) -> None:
    assert all(finding["ok"] for finding in shop.json("doctor"))

    shop.vendor.ledger.set_balance("bgeraser", Decimal(1))
    shop.env["BG_SOURCE"] = "unmounted"
    (shop.home / "cutouts").rmdir()
    (shop.home / "cutouts").write_text("a file where a folder should be")
    shop.env["DAGSTER_HOME"] = str(shop.home)
    bad = {f["check"]: f["detail"] for f in shop.json("doctor", code=2) if not f["ok"]}
    assert set(bad) == {"dagster.yaml", "source", "output", "provider bgeraser"}
    assert "neither limits nor retention" in bad["dagster.yaml"]
    assert "top up" in bad["provider bgeraser"]


def test_names_with_control_characters_do_not_reach_the_terminal(shop: Shop) -> None:
    shop.put("shoes/\x1b[31mred\n.png", b"no picture")
    said = shop.run("plan")

    assert "\x1b[31m" not in said
    assert "\\x1b[31mred" in said


def test_a_terminated_sync_keeps_what_was_paid_for_and_buys_nothing_twice(shop: Shop) -> None:
    for n in range(40):
        shop.put(f"hats/{n}.png", product(100 + n))
    shop.vendor.latency_s = 0.3
    shop.env["BG_CONCURRENCY"] = "4"
    process = shop.start("sync", "--json")
    while len(shop.vendor.ledger.charges()) < 6:
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    stopped = json.loads(out.splitlines()[-1])
    assert (process.returncode, stopped["paused"]) == (3, "stopped on request"), err
    assert stopped["published"] == stopped["purchases"] == len(shop.vendor.ledger.charges()) < 45

    shop.vendor.latency_s = 0.0
    assert shop.json("sync")["pending"] == 0
    assert len(shop.vendor.ledger.charges()) == 45


def test_a_killed_sync_charges_at_most_one_extra_a_request_in_flight_and_all_are_on_record(shop: Shop) -> None:
    for n in range(40):
        shop.put(f"hats/{n}.png", product(100 + n))
    shop.vendor.latency_s = 0.3
    shop.env["BG_CONCURRENCY"] = "4"
    process = shop.start("sync")
    while len(shop.vendor.ledger.charges()) < 6:
        time.sleep(0.02)
    process.kill()
    process.communicate()
    shop.vendor.latency_s = 0.0

    database = Database(f"sqlite:///{shop.home}/.bg_pipeline/manifest.db")
    control = SqlControl(database, now=lambda: time.time() + 3600)
    for lease, _ in SqlControl(database).leases():
        control.release(lease)
    database.close()
    done = shop.json("sync")
    extra = len(shop.vendor.ledger.charges()) - 45
    assert done["pending"] == 0
    assert 0 <= extra <= done["in_doubt"] <= 4


def test_two_syncs_at_once_buy_each_picture_once(shop: Shop) -> None:
    """Two machines with one cron line."""
    for n in range(10):
        shop.put(f"hats/{n}.png", product(100 + n))
        shop.put(f"ties/{n}.png", product(200 + n))
    shop.vendor.latency_s = 0.2
    first = shop.start("sync", "--json")
    while not shop.vendor.ledger.charges():
        assert first.poll() is None, first.communicate()
        time.sleep(0.05)
    second = shop.start("sync", "--json")
    ended = [(*p.communicate(timeout=120), p.returncode) for p in (first, second)]

    assert {code for _, _, code in ended} <= {0, 6}, ended
    shop.run("sync")
    charges = [charge.sha256 for charge in shop.vendor.ledger.charges()]
    assert len(charges) == len(set(charges)) == 25
    assert len(list((shop.home / "cutouts").rglob("*.png"))) == 25


def test_a_night_under_every_kind_of_fault_ends_with_all_published_and_all_charges_on_record(shop: Shop) -> None:
    for n in range(20):
        shop.put(f"hats/{n}.png", product(100 + n))
    kinds = ("500", "429", "503", "reset_after_charge", "truncated_image", "200_html", "wrong_size", "empty_body")
    shop.vendor.faults.replace([Fault(kind=kind, after=2) for kind in kinds])  # type: ignore[arg-type]
    for _ in range(4):
        process = shop.start("sync")
        process.communicate(timeout=120)

    assert shop.json("status")["items"]["published"] == 25
    attempts = shop.json("ledger")["attempts"]
    maybe_charged = [a for a in attempts if a["became"] in {"charged", "unusable", "in_doubt"}]
    assert len(shop.vendor.ledger.charges()) <= len(maybe_charged)
    assert max(Counter(a["work_id"] for a in maybe_charged).values()) <= 3


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


def test_a_gate_that_a_person_closes_stays_closed_until_a_person_opens_it(shop: Shop) -> None:
    shop.run("gate", "close", "bgeraser", "--why", "stocktaking")
    assert "stocktaking" in shop.run("sync", code=3)
    assert not shop.vendor.ledger.charges()

    (gate,) = shop.json("gate")
    assert (gate["state"], gate["reason"]) == ("closed", "by_hand")
    shop.run("gate", "open", "bgeraser")
    assert shop.json("sync")["published"] == 5
    shop.run("gate", "open", "photoroom", code=2)


def test_the_sandbox_serves_and_ends_on_request(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [COMMAND, "sandbox", "--port", "0", "--credits", "7"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    assert "http://127.0.0.1:" in line
    base_url = line.split()[2]
    env = {"BG_PROVIDER": "bgeraser", "BGERASER_API_KEY": "any", "BGERASER_BASE_URL": base_url}
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
