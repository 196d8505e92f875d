"""A night whose work several steps share, each in a process of its own."""

import os
import signal
import threading
import time
from decimal import Decimal

import dagster as dg
import pytest

from bg_pipeline.core.runlog import ProcessRecord
from bg_pipeline.orchestration.build import build
from bg_pipeline.orchestration.definitions import OPENERS
from bg_pipeline_tests.orchestration.conftest import Shop
from bg_pipeline_tests.orchestration.runs import metadata_of
from bg_pipeline_tests.pictures import product

PICTURES = 16


def night_job() -> dg.JobDefinition:
    return build().resolve_job_def("process_pending")


def detect_job() -> dg.JobDefinition:
    return build().resolve_job_def("detect_delta")


@pytest.fixture
def shared(shop: Shop, monkeypatch: pytest.MonkeyPatch, stored: dg.DagsterInstance) -> Shop:
    """A shop with one collection to do, and two steps for it."""
    monkeypatch.setenv("BG_EXECUTOR", "dagster.multiprocess_executor")
    monkeypatch.setenv("BG_NIGHT_STEPS", "2")
    monkeypatch.setenv("BG_CONCURRENCY", "2")
    for n in range(PICTURES - 3):
        shop.put(f"shoes/more-{n}.png", product(100 + n))
    detect_job().execute_in_process(instance=stored)
    shop.vendor.latency_s = 1.5
    return shop


def worked(instance: dg.DagsterInstance, run_id: str) -> list[int]:
    """How many items of `shoes` each step published, by what it logged."""
    logs = instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
    made = [log.get_dagster_event().step_materialization_data.materialization for log in logs]
    parts = [each for each in made if each.asset_key == dg.AssetKey("cutouts") and each.partition == "shoes"]
    return [int(str(each.metadata["published"].value)) for each in parts]


def at_work(instance: dg.DagsterInstance) -> dict[str, int]:
    """The process of each step that works on the night, by name."""
    run = instance.get_runs(dg.RunsFilter(job_name="process_pending"))[0]
    logs = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_WORKER_STARTED)
    return {
        str(log.step_key): int(log.get_dagster_event().engine_event_data.metadata["pid"].value)  # type: ignore[arg-type]
        for log in logs
    }


@pytest.mark.processes
def test_two_steps_share_a_night_and_one_does_the_work_of_the_other_when_that_is_killed(
    shared: Shop, stored: dg.DagsterInstance
) -> None:
    with dg.execute_job(dg.reconstructable(night_job), instance=stored) as result:
        assert result.success
    shares = worked(stored, result.run_id)
    assert len(shares) == 2, "both had a part in the one collection"
    assert sum(shares) == PICTURES - 1
    assert len(shared.vendor.ledger.charges()) == PICTURES
    assert len({charge.sha256 for charge in shared.vendor.ledger.charges()}) == PICTURES
    told = metadata_of(stored, "nightly_cutouts")
    assert (told["published"], told["purchases"], told["credits"], told["pending"]) == (PICTURES, PICTURES, PICTURES, 0)

    for n in range(8):
        shared.put(f"shoes/next-{n}.png", product(200 + n))
    detect_job().execute_in_process(instance=stored)
    killing = threading.Thread(target=kill_one_while_both_work, args=(shared, stored))
    killing.start()
    with dg.execute_job(dg.reconstructable(night_job), instance=stored, raise_on_error=False) as result:
        failed = {event.step_key for event in result.all_events if event.is_step_failure}
    killing.join()
    assert failed == {"nightly_cutouts.work_1"}
    assert len(list(shared.home.glob("cutouts/**/*.png"))) == PICTURES + 8
    assert len(shared.vendor.ledger.charges()) <= PICTURES + 8 + 2, "at most what was in flight is bought twice"


def test_a_pause_ends_every_step_and_closes_the_pool_after_the_last_one(
    shop: Shop, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BG_NIGHT_STEPS", "3")
    detect_job().execute_in_process(instance=instance)
    shop.vendor.ledger.set_balance("bgeraser", Decimal(51))
    result = night_job().execute_in_process(instance=instance)

    steps = [event.step_key for event in result.all_events if event.event_type is dg.DagsterEventType.STEP_SUCCESS]
    assert steps == [*(f"nightly_cutouts.work_{n}" for n in (1, 2, 3)), "nightly_cutouts.report"]
    told = metadata_of(instance, "nightly_cutouts")
    assert 0 < int(str(told["pending"])) < 3
    assert "credits" in str(told["paused"])
    assert [pool.limit for pool in instance.event_log_storage.get_pool_limits()] == [0]
    with OPENERS[0].monitor() as monitor:
        (record,) = monitor.run_log.read(ProcessRecord, limit=9)
    assert (record.run_id, record.summary.pending) == (result.run_id, told["pending"])

    shop.vendor.ledger.set_balance("bgeraser", Decimal(500))
    assert night_job().execute_in_process(instance=instance).success
    assert metadata_of(instance, "nightly_cutouts")["pending"] == 0
    assert len(shop.vendor.ledger.charges()) == 3


def kill_one_while_both_work(shop: Shop, instance: dg.DagsterInstance) -> None:
    deadline = time.monotonic() + 120
    while len(shop.vendor.ledger.charges()) < PICTURES + 2 or len(at_work(instance)) < 2:
        assert time.monotonic() < deadline, "they never began"
        time.sleep(0.1)
    os.kill(at_work(instance)["nightly_cutouts.work_1"], signal.SIGKILL)
