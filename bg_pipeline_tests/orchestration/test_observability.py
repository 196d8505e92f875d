"""What a night tells besides its results: log lines for programs, and numbers that Dagster's UI plots."""

import json
from collections import Counter
from pathlib import Path

import dagster as dg
import pytest

from bg_pipeline_tests.orchestration.conftest import Run, Shop
from bg_pipeline_tests.orchestration.runs import metadata_of, night


def test_the_steps_of_a_night_log_as_json_under_the_names_of_their_runs(
    shop: Shop, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BG_LOG_JSON", str(tmp_path / "log.jsonl"))
    detected, processed = night(run)
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]

    look, work = ([line for line in lines if line.get("run_id") == each.run_id] for each in (detected, processed))
    assert Counter(line.get("event") for line in look)["detect"] == 1
    events = Counter(line.get("event") for line in work)
    assert (events["attempt"], events["item"], events["process"]) == (3, 3, 1)
    assert any(line["message"].startswith("cutting: 3 ") for line in work)


def test_the_plots_of_a_night_are_numbers_by_outcome_stage_account_and_balance(
    shop: Shop, run: Run, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BG_DELETE_POLICY", "trash")
    night(run)
    plotted = {
        asset: {name for name, value in metadata_of(instance, asset).items() if isinstance(value, int | float)}
        for asset in ("source_images", "image_delta", "nightly_cutouts", "credit_balance")
    }
    told = metadata_of(instance, "nightly_cutouts")

    assert {"published", "purchases", "failed", "quarantined", "pending", "in_doubt"} <= plotted["nightly_cutouts"]
    assert all("seconds" in plotted[asset] for asset in ("source_images", "image_delta", "nightly_cutouts"))
    assert "clear_out_seconds" in plotted["image_delta"]
    assert told["credits"] == told["credits_at_bgeraser"] == 3.0
    assert any(name.startswith("balance") for name in plotted["credit_balance"])
