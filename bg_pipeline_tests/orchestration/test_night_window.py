"""Runs that Dagster starts by itself, and the end of the night."""

import time
from datetime import UTC, datetime

import dagster as dg
import pytest
from dagster._core.scheduler.instigation import InstigatorStatus

from bg_pipeline.core.runlog import ProcessRecord
from bg_pipeline.orchestration.definitions import defs
from bg_pipeline.orchestration.opener import UNTIL
from bg_pipeline.settings.reader import read
from bg_pipeline.wiring import open_monitor
from bg_pipeline_tests.orchestration.conftest import Run, Shop, switch
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


def two_hours_later(monkeypatch: pytest.MonkeyPatch) -> float:
    """Put the pipeline's clock two hours ahead of Dagster's; return the time of Dagster's."""
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + 2 * 3600)
    return now()


@pytest.mark.parametrize(("until_h", "bought"), [(1, 0), (3, 3)])
def test_a_launch_buys_until_the_time_that_its_person_typed(
    shop: Shop, run: Run, monkeypatch: pytest.MonkeyPatch, until_h: int, bought: int
) -> None:
    run("detect_delta")
    now = two_hours_later(monkeypatch)
    until = f"{datetime.fromtimestamp(now + 3600 * until_h, UTC):%H:%M}"
    assert run("process_pending", run_config=launch("nightly_cutouts", until)).success

    assert summary_of_last() == (bought, 3 - bought, bought == 0)


def test_a_backfill_buys_until_the_time_that_its_person_typed(
    shop: Shop, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("detect_delta")
    now = two_hours_later(monkeypatch)
    until = f"{datetime.fromtimestamp(now + 3600, UTC):%H:%M}"
    run("process_delta", partition_key="shoes", run_config=launch("cutouts", until))

    assert summary_of_last() == (0, 3, True)


@pytest.mark.parametrize(("job", "asset"), [("process_pending", "nightly_cutouts"), ("process_delta", "cutouts")])
def test_what_is_no_time_of_day_fails_the_launch_in_one_sentence(shop: Shop, run: Run, job: str, asset: str) -> None:
    run("detect_delta")
    options = {"partition_key": "shoes"} if asset == "cutouts" else {}
    failed = run(job, run_config=launch(asset, "6 am"), **options).failure_data_for_node(asset)

    assert failed is not None
    assert failed.user_failure_data is not None
    assert failed.user_failure_data.description == (
        "until: must be a time of day from 00:00 to 23:59, such as 06:00 (it is '6 am')"
    )
    assert not shop.vendor.ledger.charges()


def launch(asset: str, until: str) -> dict[str, object]:
    return {"ops": {asset: {"config": {"until": until}}}}


def test_with_the_schedule_off_the_window_begins_with_the_detection_that_a_person_launched(
    shop: Shop, run: Run, stored: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    night(monkeypatch, -3, -1)
    switch(stored, InstigatorStatus.STOPPED)
    run("detect_delta")
    detected_at = time.time()
    request = tick(stored)
    assert isinstance(request, dg.RunRequest)
    assert 22 * 3600 < datetime.fromisoformat(request.tags[UNTIL]).timestamp() - detected_at <= 23 * 3600

    # Its window goes through the hour of the next night, and ends at the same time of day.
    for hours, waits in ((22, False), (24, True)):
        monkeypatch.setattr(time, "time", lambda at=detected_at + hours * 3600: at)
        assert isinstance(tick(stored), str) is waits
