"""A night, and what a run tells of itself."""

import dagster as dg

from bg_pipeline_tests.orchestration.conftest import Run


def metadata_of(instance: dg.DagsterInstance, asset: str) -> dict[str, object]:
    event = instance.get_latest_materialization_event(dg.AssetKey(asset))
    assert event is not None
    materialization = event.asset_materialization
    assert materialization is not None
    return {name: value.value for name, value in materialization.metadata.items()}


def checks_of(result: dg.ExecuteInProcessResult) -> dict[str, bool]:
    return {e.check_name: e.passed for e in result.get_asset_check_evaluations()}


def night(run: Run) -> list[dg.ExecuteInProcessResult]:
    return [run("detect_delta"), run("process_pending")]


def partitions_of(instance: dg.DagsterInstance, asset: str) -> list[str]:
    found = instance.fetch_materializations(dg.AssetKey(asset), limit=100).records
    return sorted(str(record.partition_key) for record in found)


def backfill(run: Run, *partition_keys: str, **config: object) -> dg.ExecuteInProcessResult:
    """What the backfill daemon starts: one run for neighbouring partitions."""
    tags = {
        "dagster/asset_partition_range_start": partition_keys[0],
        "dagster/asset_partition_range_end": partition_keys[-1],
    }
    return run("process_delta", tags=tags, run_config={"ops": {"cutouts": {"config": config}}})
