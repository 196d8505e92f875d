"""Sensors that report failures, while settings are wrong, runs are killed, and the schedule is off."""

import time
from datetime import UTC, datetime

import dagster as dg
import pytest
from dagster._core.scheduler.instigation import InstigatorStatus

from bg_pipeline.core.alerts import Notification, Target
from bg_pipeline.core.runlog import DetectRecord, FailureKind, FailureRecord, Stage
from bg_pipeline.orchestration.definitions import defs
from bg_pipeline.orchestration.failures import alerts
from bg_pipeline.orchestration.opener import Opener
from bg_pipeline.orchestration.schedule import SCHEDULE, LoadedSchedule, nights_due, schedule_state
from bg_pipeline.pipeline.settings import ScheduleSettings
from bg_pipeline.settings.reader import read
from bg_pipeline.wiring import open_monitor
from bg_pipeline_tests.orchestration.conftest import Run, Shop, switch
from bg_pipeline_tests.orchestration.location import sensor

MISSING_KEY = "BG_PROVIDER=bgeraser needs BGERASER_API_KEY"


@pytest.fixture
def got(monkeypatch: pytest.MonkeyPatch) -> list[Notification]:
    """Notifications that a target accepted."""
    monkeypatch.setenv("BG_ALERT_URLS", "json://127.0.0.1:9/")
    accepted: list[Notification] = []

    def send(_sink: object, _target: Target, notification: Notification) -> str:
        accepted.append(notification)
        return ""

    monkeypatch.setattr("bg_pipeline.alerts.apprise.AppriseSink.send", send)
    return accepted


def context(instance: dg.DagsterInstance) -> dg.SensorEvaluationContext:
    return dg.build_sensor_context(instance, definitions=defs)


def tick(instance: dg.DagsterInstance) -> str:
    return sensor("alerts").evaluate_tick(context(instance)).skip_message or ""


def notice(instance: dg.DagsterInstance, run: dg.DagsterRun, event: dg.DagsterEvent) -> None:
    """What Dagster does after a failed run."""
    status = dg.build_run_status_sensor_context(
        "failed_runs", dagster_instance=instance, dagster_run=run, dagster_event=event
    )
    sensor("failed_runs")(status.for_run_failure())


def failures() -> list[FailureRecord]:
    with open_monitor(read()) as monitor:
        return list(monitor.run_log.read(FailureRecord, limit=9))


def test_a_missing_key_is_told_once_with_its_setting_and_over_when_it_is_there(
    shop: Shop, run: Run, instance: dg.DagsterInstance, got: list[Notification], monkeypatch: pytest.MonkeyPatch
) -> None:
    run("detect_delta")
    monkeypatch.setenv("BG_OPERATING_URL", "https://docs.test/operating.md")
    with monkeypatch.context() as wrong:
        wrong.delenv("BGERASER_API_KEY")
        for _ in range(3):
            result = run("detect_delta")
            (event,) = (e for e in result.all_events if e.event_type == dg.DagsterEventType.RUN_FAILURE)
            notice(instance, result.dagster_run, event)
            shown = tick(instance)
    assert [n.title.partition(":")[2].startswith(f" a setting is wrong: {MISSING_KEY}") for n in got] == [True]
    assert "bg-pipeline doctor" in got[0].body
    assert all("https://docs.test/operating.md#alert-settings" in text for text in (got[0].body, shown))

    later = time.time() + 3600
    run("detect_delta")
    monkeypatch.setattr(time, "time", lambda: later)
    tick(instance)
    assert [n.title.startswith("bg_pipeline, recovered: a setting is wrong") for n in got] == [False, True]


def test_a_night_that_failed_by_its_settings_is_told_also_after_they_were_corrected(
    shop: Shop, run: Run, instance: dg.DagsterInstance, got: list[Notification], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as wrong:
        wrong.delenv("BGERASER_API_KEY")
        result = run("detect_delta")
        (event,) = (e for e in result.all_events if e.event_type == dg.DagsterEventType.RUN_FAILURE)
        notice(instance, result.dagster_run, event)
    (note,) = failures()
    assert (note.failure, note.stage) == (FailureKind.SETTINGS, Stage.DETECTION)
    tick(instance)

    assert MISSING_KEY in got[0].title
    assert result.dagster_run.run_id in got[0].body


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [("BG_ALERT_URLS", "nonsense", "BG_ALERT_URLS: entry 1"), ("BG_STATE", "nonsense", "BG_STATE is not a usable")],
)
def test_without_usable_targets_or_manifest_the_tick_fails_with_the_sentence(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(dg.Failure, match=said):
        tick(instance)


def killed(instance: dg.DagsterInstance, job: str) -> None:
    """A run whose process is gone: it started, and no step says how it ended."""
    run = instance.create_run_for_job(defs.resolve_job_def(job), status=dg.DagsterRunStatus.STARTING)
    event = instance.report_run_failed(run, "its process is gone")
    notice(instance, run, event)


def test_a_killed_cutting_run_and_a_source_that_fails_a_minute_later_are_two_incidents(
    shop: Shop, run: Run, instance: dg.DagsterInstance, got: list[Notification], monkeypatch: pytest.MonkeyPatch
) -> None:
    run("detect_delta")
    killed(instance, "process_pending")
    tick(instance)
    (shop.home / "images").rename(shop.home / "elsewhere")
    result = run("detect_delta")
    (event,) = (e for e in result.all_events if e.event_type == dg.DagsterEventType.RUN_FAILURE)
    notice(instance, result.dagster_run, event)
    tick(instance)

    first, second = (n.title.removeprefix("bg_pipeline: ") for n in got)
    assert first == "run ended early: processing: its process is gone"
    assert "Dagster starts another run" in got[0].body
    assert second.startswith("the source failed in detection: ")
    assert "mount the source" in got[1].body

    (shop.home / "elsewhere").rename(shop.home / "images")
    run("process_pending")
    later = time.time() + 3600
    monkeypatch.setattr(time, "time", lambda: later)
    tick(instance)
    assert [n.title for n in got[2:]] == [f"bg_pipeline, recovered: {first}"]


def test_while_the_schedule_is_off_no_night_is_requested_or_missed(
    shop: Shop, run: Run, stored: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("detect_delta")
    noon = (time.time() // 86_400 + 3.5) * 86_400  # in the first hour of a night the schedule may still start it
    monkeypatch.setattr(time, "time", lambda: noon)
    every_night = ScheduleSettings()
    assert sensor("missed_night").evaluate_tick(context(stored)).run_requests
    assert nights_due(every_night, schedule_state(context(stored), SCHEDULE), noon)

    switch(stored, InstigatorStatus.STOPPED)
    off = sensor("missed_night").evaluate_tick(context(stored))
    assert not off.run_requests
    assert f"the schedule {SCHEDULE} is switched off" in (off.skip_message or "")
    assert nights_due(every_night, schedule_state(context(stored), SCHEDULE), noon) == []

    switch(stored, InstigatorStatus.RUNNING, since=noon - 1)
    on = sensor("missed_night").evaluate_tick(context(stored))
    assert not on.run_requests
    assert "it starts the next night" in (on.skip_message or "")
    assert nights_due(every_night, schedule_state(context(stored), SCHEDULE), noon) == []


def test_a_missed_night_is_told_by_the_schedule(
    shop: Shop, run: Run, stored: dg.DagsterInstance, got: list[Notification], monkeypatch: pytest.MonkeyPatch
) -> None:
    weekly = LoadedSchedule(ScheduleSettings(nightly_cron="0 2 * * 1"))
    telling = alerts(Opener(), weekly)
    run("detect_delta")
    with open_monitor(read()) as monitor:
        (detected,) = monitor.run_log.read(DetectRecord)
    due = max(nights_due(weekly.settings, schedule_state(context(stored), SCHEDULE), time.time()))
    next_due = due + 7 * 86_400
    assert next_due > detected.ended_at
    nights = []
    for now in (next_due + 3600, next_due + 3 * 3600):
        monkeypatch.setattr(time, "time", lambda now=now: now)
        telling.evaluate_tick(context(stored))
        nights.append([n.title for n in got if "the night of" in n.title])

    assert [len(titles) for titles in nights] == [0, 1]
    assert nights[1][0].endswith(" is not complete")


def test_work_of_a_night_that_was_caught_up_after_its_window_waits_for_the_next_without_an_alert(
    shop: Shop, run: Run, stored: dg.DagsterInstance, got: list[Notification], monkeypatch: pytest.MonkeyPatch
) -> None:
    due, ended = (datetime.fromtimestamp(time.time() - 3600 * h, UTC) for h in (3, 1))
    weekly = ScheduleSettings(
        nightly_cron=f"{due.minute} {due.hour} * * {due.isoweekday() % 7}", night_until=f"{ended:%H:%M}"
    )
    run("detect_delta")
    now = time.time() + 2 * 86_400
    monkeypatch.setattr(time, "time", lambda: now)
    told = []
    for settings in (weekly, weekly.model_copy(update={"night_until": ""})):
        alerts(Opener(), LoadedSchedule(settings)).evaluate_tick(context(stored))
        told.append([n.title.removeprefix("bg_pipeline: ") for n in got])

    assert told == [[], ["work is pending but nothing is processing it"]]
