"""A lost manifest, and another one, under Dagster."""

import dagster as dg

from bg_pipeline.core.alerts import Alert, Kind
from bg_pipeline.core.runlog import FailureRecord
from bg_pipeline.orchestration.definitions import defs
from bg_pipeline.pipeline.alerting.find import find_alerts
from bg_pipeline.stores.file.blobs import FolderStore
from bg_pipeline.wiring import open_pipeline
from bg_pipeline.wiring.settings import load_settings
from bg_pipeline_tests.orchestration.conftest import Run, Shop
from bg_pipeline_tests.orchestration.location import sensor
from bg_pipeline_tests.orchestration.runs import backfill, night


def dispatched(instance: dg.DagsterInstance) -> tuple[int, str]:
    context = dg.build_sensor_context(instance, definitions=defs)
    tick = sensor("delta_dispatch").evaluate_tick(context)
    return len(tick.run_requests or []), tick.skip_message or ""


def notice(instance: dg.DagsterInstance, result: dg.ExecuteInProcessResult) -> str:
    """What the sensor for failed runs does; returns what the run failed with."""
    (failure,) = (event for event in result.all_events if event.event_type == dg.DagsterEventType.RUN_FAILURE)
    context = dg.build_run_status_sensor_context(
        "failed_runs", dagster_instance=instance, dagster_run=result.dagster_run, dagster_event=failure
    )
    sensor("failed_runs")(context.for_run_failure())
    return str(next(event for event in result.all_events if event.is_step_failure).step_failure_data.user_failure_data)


def found() -> tuple[tuple[Alert, ...], int]:
    """Alerts, and the records of failures."""
    with open_pipeline(load_settings()) as pipeline:
        return find_alerts(pipeline).alerts, len(pipeline.catalogue.run_log.read(FailureRecord, limit=9))


def test_a_lost_manifest_fails_the_detection_in_one_sentence_and_buys_nothing(
    shop: Shop, run: Run, instance: dg.DagsterInstance
) -> None:
    night(run)
    for file in (shop.home / ".bg_pipeline").glob("manifest.db*"):
        file.unlink()
    results = night(run)
    whys = [notice(instance, result) for result in results]

    assert [result.success for result in results] == [False, False]
    assert all("belongs to another manifest" in why and "bg-pipeline rebuild" in why for why in whys)
    assert dispatched(instance) == (0, "nothing is pending")
    assert len(shop.vendor.ledger.charges()) == 3


def test_beside_the_stores_of_another_manifest_no_run_is_dispatched_and_there_is_one_alert(
    shop: Shop, run: Run, instance: dg.DagsterInstance
) -> None:
    run("detect_delta")
    masters = FolderStore(shop.home / ".bg_pipeline" / "masters")
    ours = masters.owner()
    masters.set_owner("b" * 32)
    requests, why = dispatched(instance)
    assert requests == 0
    assert "BG_MASTERS" in why
    assert "belongs to another manifest" in why

    for result in (*night(run), backfill(run, "bags", "shoes"), run("retry_failed")):
        assert not result.success
        assert "belongs to another manifest" in notice(instance, result)
    alerts, failures = found()
    assert [(alert.kind, alert.subject) for alert in alerts] == [(Kind.GUARD, "stores")]
    assert "bg-pipeline rebuild" in "\n".join(alerts[0].lines)
    assert failures == 0
    assert not shop.vendor.ledger.charges()

    masters.set_owner(ours)
    assert found() == ((), 0)
    assert dispatched(instance)[0] == 1
