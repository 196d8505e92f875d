"""The code location as a whole: its names, its sensors, its schedule."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
import yaml
from dagster._core.execution.plan.objects import StepRetryData, StepSuccessData
from dagster._utils.error import SerializableErrorInfo

import bg_pipeline
from bg_pipeline.orchestration.definitions import OPENERS, defs
from bg_pipeline.orchestration.opener import DELTA
from bg_pipeline.orchestration.runs import find_dead_runs
from bg_pipeline_tests.orchestration.conftest import Run, Shop
from bg_pipeline_tests.orchestration.location import sensor
from bg_pipeline_tests.pictures import product

ROOT = Path(bg_pipeline.__file__).parent.parent


def context(instance: dg.DagsterInstance) -> dg.SensorEvaluationContext:
    return dg.build_sensor_context(instance, definitions=defs)


def requests(instance: dg.DagsterInstance) -> tuple[list[dg.RunRequest], str]:
    tick = sensor("delta_dispatch").evaluate_tick(context(instance))
    return list(tick.run_requests or []), tick.skip_message or ""


def credit_tick(instance: dg.DagsterInstance) -> str:
    tick = sensor("low_credit_sensor").evaluate_tick(context(instance))
    assert not tick.run_requests
    return tick.skip_message or ""


def test_every_column_on_the_page_of_the_manifest_says_what_it_holds() -> None:
    spec = defs.resolve_asset_graph().get(dg.AssetKey("manifest"))
    columns = spec.metadata["dagster/column_schema"].columns

    assert len(columns) > 20
    assert [column.name for column in columns if not column.description] == []


def test_no_run_is_requested_while_a_store_takes_no_writes(
    shop: Shop, run: Run, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("detect_delta")
    assert len(requests(instance)[0]) == 1
    (shop.home / "file").write_bytes(b"")
    monkeypatch.setenv("BG_MASTERS", str(shop.home / "file" / "masters"))
    asked, why = requests(instance)

    assert asked == []
    assert "3 items are pending, and nothing is bought" in why


def test_the_names_that_others_rely_on_are_there() -> None:
    repository = defs.get_repository_def()

    assert {key.to_user_string() for key in repository.assets_defs_by_key} == {
        "source_images",
        "manifest",
        "image_delta",
        "cutouts",
        "nightly_cutouts",
        "review_gallery",
        "credit_balance",
    }
    assert {"detect_delta", "process_pending", "process_delta", "retry_failed"} <= set(repository.job_names)
    assert [s.name for s in repository.schedule_defs] == ["nightly_delta_sync"]
    assert {s.name for s in repository.sensor_defs} == {
        "delta_dispatch",
        "low_credit_sensor",
        "missed_night",
        "lost_runs",
        "old_runs",
        "alerts",
        "failed_runs",
    }


def test_the_graph_leads_from_catalogue_and_manifest_to_the_cutouts() -> None:
    graph = defs.resolve_asset_graph()

    assert graph.get(dg.AssetKey("image_delta")).parent_keys == {
        dg.AssetKey("source_images"),
        dg.AssetKey("manifest"),
    }
    assert graph.get(dg.AssetKey("cutouts")).parent_keys == {dg.AssetKey("image_delta")}
    assert isinstance(graph.get(dg.AssetKey("cutouts")).partitions_def, dg.DynamicPartitionsDefinition)


def test_every_asset_is_described_grouped_and_owned() -> None:
    graph = defs.resolve_asset_graph()
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        assert all((node.description, node.group_name, node.owners, node.kinds)), key


def test_everything_loads_with_an_empty_environment() -> None:
    dg.Definitions.validate_loadable(defs)


def test_one_run_is_requested_for_a_delta_however_many_collections_have_work(
    shop: Shop, run: Run, instance: dg.DagsterInstance
) -> None:
    assert requests(instance) == ([], "nothing is pending")
    run("detect_delta")
    (first,), _ = requests(instance)
    (again,), _ = requests(instance)
    assert first.run_key == again.run_key
    run("process_pending", tags=first.tags)
    assert requests(instance) == ([], "nothing is pending")

    shop.put("bags/8.png", product(8))
    run("detect_delta")
    (next_one,), _ = requests(instance)
    assert next_one.run_key != first.run_key


def test_a_run_that_was_lost_is_asked_for_again_after_a_wait_with_another_key(
    shop: Shop, run: Run, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("detect_delta")
    (first,), _ = requests(instance)
    with monkeypatch.context() as broken:
        broken.setenv("BG_OUTPUT", "/proc/nowhere")
        broken.setattr("bg_pipeline.orchestration.opener.RETRY", dg.RetryPolicy(max_retries=0))
        assert not run("process_pending", tags=first.tags).success
    asked, said = requests(instance)
    assert (asked, "next run in" in said) == ([], True)

    monkeypatch.setattr("bg_pipeline.core.dispatch.FIRST_WAIT_S", 0.0)
    (again,), _ = requests(instance)
    assert again.run_key != first.run_key


def test_no_key_comes_again_when_a_dead_run_of_another_delta_is_cleared_away(
    shop: Shop, run: Run, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bg_pipeline.orchestration.runs.GRACE_S", -1.0)
    monkeypatch.setattr("bg_pipeline.core.dispatch.FIRST_WAIT_S", 0.0)
    zombie = instance.create_run_for_job(
        defs.resolve_job_def("process_pending"), status=dg.DagsterRunStatus.STARTING, tags={DELTA: "1"}
    )
    instance.report_dagster_event(
        dg.DagsterEvent(event_type_value="PIPELINE_START", job_name="process_pending"), zombie.run_id
    )
    run("detect_delta")
    (first,), _ = requests(instance)
    instance.report_run_failed(zombie)
    with monkeypatch.context() as broken:
        broken.setenv("BG_OUTPUT", "/proc/nowhere")
        broken.setattr("bg_pipeline.orchestration.opener.RETRY", dg.RetryPolicy(max_retries=0))
        run("process_pending", tags=first.tags)
    (again,), _ = requests(instance)

    assert again.run_key != first.run_key


def test_a_backfill_that_reached_its_limit_keeps_nobody_from_doing_the_rest(
    shop: Shop, run: Run, instance: dg.DagsterInstance
) -> None:
    run("detect_delta")
    config = {"ops": {"cutouts": {"config": {"max_credits": 0}}}}
    assert run("process_delta", partition_key="bags", run_config=config).success
    asked, said = requests(instance)

    assert len(asked) == 1, said


def test_a_started_run_without_a_sign_of_life_is_marked_as_failed_at_the_second_look(
    shop: Shop, run: Run, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bg_pipeline.orchestration.runs.GRACE_S", -1.0)
    zombie = instance.create_run_for_job(
        defs.resolve_job_def("process_pending"), status=dg.DagsterRunStatus.STARTING, tags={DELTA: "1"}
    )
    instance.report_dagster_event(
        dg.DagsterEvent(event_type_value="PIPELINE_START", job_name="process_pending"), zombie.run_id
    )
    first = sensor("lost_runs").evaluate_tick(context(instance))
    status = instance.get_run_by_id(zombie.run_id).status  # type: ignore[union-attr]
    assert status is dg.DagsterRunStatus.STARTED

    again = dg.build_sensor_context(instance, cursor=first.cursor, definitions=defs)
    assert zombie.run_id[:8] in (sensor("lost_runs").evaluate_tick(again).skip_message or "")
    status = instance.get_run_by_id(zombie.run_id).status  # type: ignore[union-attr]
    assert status is dg.DagsterRunStatus.FAILURE


_FACTS = {
    "STEP_SUCCESS": StepSuccessData(duration_ms=1.0),
    "STEP_UP_FOR_RETRY": StepRetryData(error=SerializableErrorInfo("its lease is held", [], None)),
}


def told(instance: dg.DagsterInstance) -> tuple[Callable[..., None], Callable[[], bool]]:
    """What tells Dagster of an event of a new run, so many seconds ago, and what says if the run looks dead."""
    started = instance.create_run_for_job(
        defs.resolve_job_def("process_pending"), status=dg.DagsterRunStatus.STARTING, tags={DELTA: "1"}
    )
    now = time.time()

    def happens(kind: str, ago_s: float, step: str | None = None) -> None:
        event = dg.DagsterEvent(kind, "process_pending", step_key=step, event_specific_data=_FACTS.get(kind))
        instance.report_dagster_event(event, started.run_id, timestamp=now - ago_s)

    def is_dead() -> bool:
        with OPENERS[0].monitor() as monitor:
            return bool(find_dead_runs(instance, monitor, OPENERS[0].names))

    return happens, is_dead


def test_a_run_whose_next_step_begins_on_another_machine_is_no_dead_one(
    shop: Shop, run: Run, instance: dg.DagsterInstance
) -> None:
    happens, is_dead = told(instance)
    happens("PIPELINE_START", 900)
    happens("STEP_START", 800, "nightly_cutouts.work_1")
    assert is_dead(), "its step is at work, without a lease"
    happens("STEP_SUCCESS", 60, "nightly_cutouts.work_1")
    assert not is_dead()
    happens("STEP_START", 700, "nightly_cutouts.work_2")
    happens("STEP_SUCCESS", 600, "nightly_cutouts.work_2")
    assert not is_dead()


def test_a_run_whose_step_waits_for_its_next_attempt_is_no_dead_one(
    shop: Shop, run: Run, instance: dg.DagsterInstance
) -> None:
    happens, is_dead = told(instance)
    happens("PIPELINE_START", 900)
    happens("STEP_START", 800, "nightly_cutouts.work_1")
    happens("STEP_UP_FOR_RETRY", 700, "nightly_cutouts.work_1")
    assert is_dead(), "no wait is as long"
    happens("STEP_RESTARTED", 50, "nightly_cutouts.work_1")
    assert is_dead(), "its step is at work, without a lease"
    happens("STEP_UP_FOR_RETRY", 40, "nightly_cutouts.work_1")
    assert not is_dead()


def test_a_missed_night_is_caught_up_by_one_run(
    shop: Shop, run: Run, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tick() -> tuple[list[str | None], str]:
        found = sensor("missed_night").evaluate_tick(context(instance))
        return [r.run_key for r in found.run_requests or []], found.skip_message or ""

    assert tick() == ([], "there was no night yet: the schedule starts the first")
    run("detect_delta")
    assert "is complete" in tick()[1]

    # An hour later by the cron, and no detection since.
    due = datetime.now(UTC) + timedelta(hours=1)
    monkeypatch.setattr("bg_pipeline.orchestration.schedule.get_latest_completed_cron_tick", lambda *_: due)
    assert "the schedule may still start" in tick()[1]
    monkeypatch.setattr("bg_pipeline.orchestration.sensors.LATE_S", -7200.0)
    (key,), _ = tick()
    assert key is not None
    assert key.startswith(f"night of {due.isoformat(timespec='minutes')}, ")
    assert tick()[0] == [key]

    later = time.time() + 3700
    monkeypatch.setattr(time, "time", lambda: later)
    assert tick()[0] != [key]


def test_nothing_is_asked_for_while_the_gate_is_closed_and_everything_after_a_top_up(
    shop: Shop, run: Run, instance: dg.DagsterInstance
) -> None:
    """`run_key` dedupes without end: each pause must bring new ones, however many there are."""
    run("detect_delta")
    keys = set()
    for _ in range(3):
        shop.vendor.ledger.set_balance("bgeraser", Decimal(10))
        assert "10 credits are left" in credit_tick(instance)
        asked, said = requests(instance)
        assert (asked, "top up" in said) == ([], True)

        shop.vendor.ledger.set_balance("bgeraser", Decimal(500))
        assert "requests are allowed" in credit_tick(instance)
        keys |= {r.run_key for r in requests(instance)[0]}

    assert len(keys) == 3


def test_the_pool_is_at_zero_while_the_gate_is_closed_and_then_what_it_was(
    shop: Shop, instance: dg.DagsterInstance
) -> None:
    def limit() -> int:
        return next(p.limit for p in instance.event_log_storage.get_pool_limits() if p.name == "cutouts")

    instance.event_log_storage.set_concurrency_slots("cutouts", 7)
    for _ in range(3):
        shop.vendor.ledger.set_balance("bgeraser", Decimal(10))
        credit_tick(instance)
        credit_tick(instance)
        assert limit() == 0
        shop.vendor.ledger.set_balance("bgeraser", Decimal(500))
        credit_tick(instance)
        assert limit() == 7

    instance.event_log_storage.set_concurrency_slots("cutouts", 0)
    credit_tick(instance)
    assert limit() == 0, "a person chose that"


def test_the_gate_stays_closed_between_the_thresholds(shop: Shop, instance: dg.DagsterInstance) -> None:
    credits_and_words = [(10, "10 credits are left"), (99, "99 credits are left"), (100, "requests are allowed")]
    for balance, words in credits_and_words:
        shop.vendor.ledger.set_balance("bgeraser", Decimal(balance))
        assert words in credit_tick(instance)


def test_an_engine_without_credits_needs_no_gate(instance: dg.DagsterInstance) -> None:
    assert credit_tick(instance) == "local: counts no credits, requests are allowed"


@pytest.mark.parametrize("zone", ["America/New_York", "Europe/Berlin", "UTC"])
@pytest.mark.parametrize("month", [3, 10, 11])
def test_there_is_one_night_a_day_also_when_the_clocks_change(zone: str, month: int) -> None:
    from dagster._utils.schedules import schedule_execution_time_iterator

    start = datetime(2027, month, 1, 12, tzinfo=UTC)
    days = []
    (nightly,) = defs.get_repository_def().schedule_defs
    for tick in schedule_execution_time_iterator(start.timestamp(), nightly.cron_schedule, zone):
        if tick.timestamp() > (start + timedelta(days=28)).timestamp():
            break
        days.append(tick.astimezone(ZoneInfo(zone)).date())

    assert len(days) == len(set(days)) == 28


def test_the_workspace_and_the_instance_settings_are_what_dagster_reads() -> None:
    workspace = yaml.safe_load((ROOT / "workspace.yaml").read_text())
    module = workspace["load_from"][0]["python_module"]["module_name"]
    assert module == "bg_pipeline.orchestration.definitions"

    from dagster._core.instance.config import dagster_instance_config

    settings, _ = dagster_instance_config(str(ROOT / "bg_pipeline" / "orchestration"))
    assert settings["telemetry"] == {"enabled": False}
    assert settings["run_retries"]["retry_on_asset_or_op_failure"] is False
