"""The code location as a whole: its names, its sensors, its schedule."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
import yaml

import bg_pipeline
from bg_pipeline.orchestration.definitions import defs, nightly_delta_sync
from bg_pipeline.orchestration.resources import PipelineResource
from bg_pipeline.orchestration.sensors import delta_dispatch, low_credit_sensor
from bg_pipeline_tests.orchestration.conftest import Run, Shop
from bg_pipeline_tests.pictures import product

ROOT = Path(bg_pipeline.__file__).parent.parent


def context(instance: dg.DagsterInstance) -> dg.SensorEvaluationContext:
    return dg.build_sensor_context(instance, definitions=defs, resources={"pipeline": PipelineResource()})


def requests(instance: dg.DagsterInstance) -> tuple[list[dg.RunRequest], str]:
    # Called as a function: `evaluate_tick` would want the daemon round it to see dynamic partitions.
    found = list(delta_dispatch(context(instance)))
    said = "".join(f.skip_message or "" for f in found if isinstance(f, dg.SkipReason))
    return [f for f in found if isinstance(f, dg.RunRequest)], said


def credit_tick(instance: dg.DagsterInstance) -> str:
    tick = low_credit_sensor.evaluate_tick(context(instance))
    assert not tick.run_requests
    return tick.skip_message or ""


def test_the_names_that_others_rely_on_are_there() -> None:
    repository = defs.get_repository_def()

    assert {key.to_user_string() for key in repository.assets_defs_by_key} == {
        "source_images",
        "manifest",
        "image_delta",
        "cutouts",
        "review_gallery",
    }
    assert {"detect_delta", "process_delta", "retry_failed"} <= set(repository.job_names)
    assert [s.name for s in repository.schedule_defs] == ["nightly_delta_sync"]
    assert {s.name for s in repository.sensor_defs} == {"delta_dispatch", "low_credit_sensor"}


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


def test_a_pending_collection_is_asked_for_once_a_wave(shop: Shop, run: Run, instance: dg.DagsterInstance) -> None:
    assert requests(instance) == ([], "nothing is pending that no run works on")
    run("detect_delta")
    first, _ = requests(instance)
    again, _ = requests(instance)

    assert [r.partition_key for r in first] == ["bags", "shoes"]
    assert [r.run_key for r in first] == [r.run_key for r in again]

    shop.put("bags/8.png", product(8))
    run("detect_delta")
    next_wave, _ = requests(instance)
    assert {r.run_key for r in next_wave}.isdisjoint(r.run_key for r in first)


def test_nothing_is_asked_for_while_the_gate_is_closed_and_everything_after_a_top_up(
    shop: Shop, run: Run, instance: dg.DagsterInstance
) -> None:
    """`run_key` dedupes for ever: each pause must bring new ones, however many there are."""
    run("detect_delta")
    keys = set()
    for _ in range(3):
        shop.vendor.ledger.set_balance("bgeraser", Decimal(10))
        assert "10 credits are left" in credit_tick(instance)
        asked, said = requests(instance)
        assert (asked, "top up" in said) == ([], True)

        shop.vendor.ledger.set_balance("bgeraser", Decimal(500))
        assert "the gate is open" in credit_tick(instance)
        keys |= {r.run_key for r in requests(instance)[0]}

    assert len(keys) == 6


def test_the_gate_stays_closed_between_the_thresholds(shop: Shop, instance: dg.DagsterInstance) -> None:
    credits_and_words = [(10, "10 credits are left"), (99, "99 credits are left"), (100, "the gate is open")]
    for balance, words in credits_and_words:
        shop.vendor.ledger.set_balance("bgeraser", Decimal(balance))
        assert words in credit_tick(instance)


def test_an_engine_without_credits_needs_no_gate(instance: dg.DagsterInstance) -> None:
    assert credit_tick(instance) == "local: counts no credits, the gate is open"


@pytest.mark.parametrize("zone", ["America/New_York", "Europe/Berlin", "UTC"])
@pytest.mark.parametrize("month", [3, 10, 11])
def test_there_is_one_night_a_day_also_when_the_clocks_change(zone: str, month: int) -> None:
    schedule = dg.ScheduleDefinition(
        job=nightly_delta_sync.job, name="x", cron_schedule=nightly_delta_sync.cron_schedule, execution_timezone=zone
    )
    start = datetime(2027, month, 1, 12, tzinfo=UTC)
    ticks = schedule.get_cron_iterator(start.timestamp()) if hasattr(schedule, "get_cron_iterator") else None
    if ticks is None:
        from dagster._utils.schedules import schedule_execution_time_iterator

        ticks = schedule_execution_time_iterator(start.timestamp(), schedule.cron_schedule, zone)
    days = []
    for tick in ticks:
        if tick.timestamp() > (start + timedelta(days=28)).timestamp():
            break
        days.append(tick.astimezone(ZoneInfo(zone)).date())

    assert len(days) == len(set(days)) == 28


def test_the_workspace_and_the_instance_settings_are_what_dagster_reads() -> None:
    workspace = yaml.safe_load((ROOT / "workspace.yaml").read_text())
    module = workspace["load_from"][0]["python_module"]["module_name"]
    assert module == "bg_pipeline.orchestration.definitions"

    from dagster._core.instance.config import dagster_instance_config

    settings, _ = dagster_instance_config(str(ROOT))
    assert settings["telemetry"] == {"enabled": False}
    assert settings["run_retries"]["retry_on_asset_or_op_failure"] is False
