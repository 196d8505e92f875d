"""Runs that Dagster starts by itself, and the end of the night."""

import time
from datetime import UTC, datetime

import dagster as dg
import pytest

from bg_pipeline.core.runlog import ProcessRecord
from bg_pipeline.orchestration.definitions import defs
from bg_pipeline.orchestration.opener import UNTIL
from bg_pipeline.settings.reader import read
from bg_pipeline.wiring import open_monitor
from bg_pipeline_tests.orchestration.conftest import Run, Shop
from bg_pipeline_tests.orchestration.location import sensor


def tick(instance: dg.DagsterInstance) -> dg.RunRequest | str:
    context = dg.build_sensor_context(instance, definitions=defs)
    data = sensor("delta_dispatch").evaluate_tick(context)
    return data.run_requests[0] if data.run_requests else data.skip_message or ""


def night(monkeypatch: pytest.MonkeyPatch, due_h: float, until_h: float) -> None:
    """Let the night begin and end so many hours from now."""
    begins, ends = (datetime.fromtimestamp(time.time() + 3600 * h, UTC) for h in (due_h, until_h))
    monkeypatch.setenv("BG_NIGHTLY_CRON", f"{begins.minute} {begins.hour} * * *")
    monkeypatch.setenv("BG_NIGHT_UNTIL", f"{ends:%H:%M}")


def summary_of_last() -> tuple[int, int, bool]:
    with open_monitor(read()) as monitor:
        (record,) = monitor.run_log.read(ProcessRecord)
    return record.summary.purchases, record.summary.pending, record.summary.window_ended


def test_a_run_in_the_window_has_its_end(
    shop: Shop, run: Run, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    night(monkeypatch, -1, 2)
    run("detect_delta")
    request = tick(instance)

    assert isinstance(request, dg.RunRequest)
    assert 3600 < datetime.fromisoformat(request.tags[UNTIL]).timestamp() - time.time() <= 7200


def test_a_run_that_starts_after_its_window_buys_nothing_and_no_other_is_requested(
    shop: Shop, run: Run, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It waited in Dagster's queue."""
    night(monkeypatch, -1, 2)
    run("detect_delta")
    request = tick(instance)
    assert isinstance(request, dg.RunRequest)
    late = run("process_pending", tags=request.tags | {UNTIL: datetime.now(UTC).isoformat()})

    assert late.success
    assert summary_of_last() == (0, 3, True)
    assert "end of its night" in str(tick(instance))


def test_nothing_is_requested_after_the_window_also_for_a_night_that_was_caught_up(
    shop: Shop, run: Run, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    night(monkeypatch, -3, -1)
    run("detect_delta")

    assert "3 items are pending: the window of the last night is over" in str(tick(instance))


def test_a_night_buys_what_is_left_only_after_its_own_detection(
    shop: Shop, run: Run, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("detect_delta")
    now = time.time()
    night(monkeypatch, 1, 3)
    monkeypatch.setattr(time, "time", lambda: now + 2 * 3600)

    assert "detection of this night is not complete" in str(tick(instance))


def test_a_person_is_bound_only_by_what_the_launch_says(
    shop: Shop, run: Run, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    night(monkeypatch, -3, -1)
    run("detect_delta")
    assert run("process_pending").success

    assert summary_of_last() == (3, 0, False)
