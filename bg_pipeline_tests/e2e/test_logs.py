"""Logs as programs read them: JSON, one object a line."""

import json
import logging
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bg_pipeline.redaction import keep_secret
from bg_pipeline.sandbox.faults import Fault
from bg_pipeline.settings.logs import LogSettings, log_as_json
from bg_pipeline_tests.e2e.shop import Shop

Line = dict[str, Any]


def lines_of(text: str) -> list[Line]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Path]:
    """A file that this process logs to."""
    file = tmp_path / "log.jsonl"
    log_as_json(LogSettings(log_json=str(file)))
    yield file
    log_as_json(LogSettings())


def test_a_sync_tells_each_stage_attempt_and_item_on_a_line_and_nothing_else(shop: Shop) -> None:
    shop.env["BG_LOG_JSON"] = "-"
    shop.run("sync")
    lines = lines_of(shop.err)

    assert all({"time", "level", "logger", "message"} <= set(line) for line in lines)
    events = [line for line in lines if "event" in line]
    assert Counter(line["event"] for line in events) >= Counter(scan=1, detect=1, process=1, attempt=5, item=5)
    assert {line["catalogue"] for line in events} == {"default"}
    (run_id,) = {line["run_id"] for line in events}
    assert run_id in shop.run("ledger", "--csv")

    attempts = [line for line in events if line["event"] == "attempt"]
    keys = sorted(str(file.relative_to(shop.home / "images")) for file in (shop.home / "images").rglob("*.*"))
    assert sorted(line["item"] for line in attempts) == keys
    assert {(line["account"], line["state"], line["credits"]) for line in attempts} == {("bgeraser", "charged", 1.0)}
    assert sorted(line["item"] for line in events if line["event"] == "item" and line["state"] == "published") == keys


def test_an_error_of_a_command_is_a_line_too(shop: Shop) -> None:
    shop.env |= {"BG_LOG_JSON": "-", "BG_SOURCE": "nowhere"}
    shop.run("sync", code=7)

    assert "nowhere" in next(line["message"] for line in lines_of(shop.err) if line["level"] == "error")


def test_processes_append_to_one_file_and_people_still_read_their_terminal(shop: Shop) -> None:
    shop.env["BG_LOG_JSON"] = "log.jsonl"
    for process in [shop.start("sync"), shop.start("sync")]:
        _, err = shop.end(process)
        assert process.returncode in {0, 6}
        assert "{" not in err
    lines = lines_of((shop.home / "log.jsonl").read_text())

    assert len({line["run_id"] for line in lines if "run_id" in line}) == 2


def test_a_log_that_cannot_be_written_ends_no_sync_and_is_told_once(shop: Shop) -> None:
    shop.env["BG_LOG_JSON"] = "/dev/full"
    shop.run("sync")

    assert shop.err.count("BG_LOG_JSON: [Errno 28] No space left on device; log records are left out") == 1
    shop.env["BG_LOG_JSON"] = "no/such/folder/log"
    shop.run("sync", code=2)
    assert "BG_LOG_JSON: " in shop.err


def test_a_closed_gate_is_a_line_with_its_account(shop: Shop) -> None:
    shop.env["BG_LOG_JSON"] = "log.jsonl"
    shop.vendor.faults.replace([Fault(kind="401", times=9)])
    shop.run("sync", code=3)
    gates = [line for line in lines_of((shop.home / "log.jsonl").read_text()) if line.get("event") == "gate"]

    assert [(line["account"], line["state"], line["reason"]) for line in gates] == [("bgeraser", "closed", "bad_key")]


def test_no_secret_is_in_a_line_and_no_text_breaks_one(log: Path) -> None:
    keep_secret('a"quoted-canary')
    said = 'Bearer abc"def https://u:canary@host/?sig=canary a"quoted-canary\n\x1b[0m {"'
    logging.getLogger("bg_pipeline.test").warning("%s", said, extra={"facts": {"item": f"{said}\udcff"}})
    (line,) = lines_of(log.read_text())

    assert "canary" not in log.read_text()
    assert line["item"] == line["message"] + "\udcff"
    assert line["message"].endswith('\n\x1b[0m {"')
