"""Old runs go, and what the UI says of partitions stays true."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from bg_pipeline.orchestration.definitions import defs
from bg_pipeline.orchestration.names import Names
from bg_pipeline.orchestration.retention import delete_old
from bg_pipeline_tests.deployment import INSTANCE
from bg_pipeline_tests.orchestration.conftest import Run, Shop
from bg_pipeline_tests.orchestration.location import sensor
from bg_pipeline_tests.pictures import product

LATER = timedelta(minutes=1)


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    """One that keeps its records as the shipped `dagster.yaml` says."""
    home = tmp_path / "dagster"
    home.mkdir()
    (home / "dagster.yaml").write_text(INSTANCE.read_text())
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    with dg.DagsterInstance.get() as made:
        yield made


def published(instance: dg.DagsterInstance) -> set[str]:
    return set(instance.get_materialized_partitions(dg.AssetKey("cutouts")))


def test_old_runs_go_with_what_they_logged_but_not_the_newest_of_a_collection(
    shop: Shop, run: Run, instance: dg.DagsterInstance
) -> None:
    first = [run("detect_delta").run_id, run("process_pending").run_id]
    shop.put("shoes/2.png", product(2))
    second = [run("detect_delta").run_id, run("process_pending").run_id]

    gone = delete_old(instance, datetime.now(UTC) + LATER, Names())

    # `bags` was published by the first night only.
    assert gone == first[:1]
    assert published(instance) == {"bags", "shoes"}
    assert {r.run_id for r in instance.get_runs()} == {first[1], *second}
    assert not instance.all_logs(gone[0])
    assert not (Path(instance.root_directory) / "storage" / gone[0]).exists()

    shop.put("bags/1.png", product(1))
    third = [run("detect_delta").run_id, run("process_pending").run_id]
    assert set(delete_old(instance, datetime.now(UTC) + LATER, Names())) == {first[1], second[0]}
    assert published(instance) == {"bags", "shoes"}
    assert {r.run_id for r in instance.get_runs()} == {second[1], *third}


def test_an_unfinished_run_stays_however_old_it_is(instance: dg.DagsterInstance) -> None:
    job = defs.resolve_job_def("detect_delta")
    open_ones = {
        instance.create_run_for_job(job, status=status).run_id
        for status in dg.DagsterRunStatus
        if status.value not in {"SUCCESS", "FAILURE", "CANCELED", "QUEUED"}
    }
    ended = instance.create_run_for_job(job, status=dg.DagsterRunStatus.FAILURE).run_id

    assert delete_old(instance, datetime.now(UTC) + LATER, Names()) == [ended]
    assert {r.run_id for r in instance.get_runs()} == open_ones


def test_a_run_of_today_stays(instance: dg.DagsterInstance) -> None:
    instance.create_run_for_job(defs.resolve_job_def("detect_delta"), status=dg.DagsterRunStatus.SUCCESS)

    tick = sensor("old_runs").evaluate_tick(dg.build_sensor_context(instance))

    assert tick.skip_message == "no run to delete"
    assert len(instance.get_runs()) == 1


def test_the_shipped_storage_takes_pools_and_is_brought_up_to_date(instance: dg.DagsterInstance) -> None:
    instance.event_log_storage.set_concurrency_slots("cutouts", 0)
    instance.upgrade()

    assert {pool.name: pool.limit for pool in instance.event_log_storage.get_pool_limits()} == {"cutouts": 0}
