"""Logs of Dagster's steps as programs read them."""

import json
from collections import Counter
from pathlib import Path

import pytest

from bg_pipeline_tests.orchestration.conftest import Run, Shop
from bg_pipeline_tests.orchestration.runs import night


def test_the_steps_of_a_night_log_as_json_under_the_names_of_their_runs(
    shop: Shop, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BG_LOG_JSON", str(tmp_path / "log.jsonl"))
    detected, processed = night(run)
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]

    of_run = {
        each.run_id: [line for line in lines if line.get("run_id") == each.run_id] for each in (detected, processed)
    }
    assert Counter(line.get("event") for line in of_run[detected.run_id])["detect"] == 1
    events = Counter(line.get("event") for line in of_run[processed.run_id])
    assert (events["attempt"], events["item"], events["process"]) == (3, 3, 1)
    assert any(line["message"].startswith("cutting: 3 ") for line in work)
