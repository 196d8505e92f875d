"""What Dagster shows after a run is the state after it: partitions, manifest and checks."""

import asyncio

import dagster as dg
import pytest
from dagster._core.definitions.data_version import CachingStaleStatusResolver, StaleStatus
from dagster._core.loader import LoadingContextForTest

from bg_pipeline.core.credits import Budget
from bg_pipeline.orchestration.definitions import defs
from bg_pipeline.pipeline.night import sync
from bg_pipeline.wiring import open_pipeline
from bg_pipeline.wiring.settings import load_settings
from bg_pipeline_tests.orchestration.conftest import Run, Shop
from bg_pipeline_tests.orchestration.runs import backfill, metadata_of, night, partitions_of
from bg_pipeline_tests.pictures import product

CHECKS = [
    ("manifest", "coverage"),
    ("manifest", "output_integrity"),
    ("cutouts", "spend"),
    ("credit_balance", "gate_open"),
]


def evaluated(instance: dg.DagsterInstance, asset: str, check: str) -> bool:
    """Whether Dagster's pages count the check as evaluated: for the newest materialization of its asset."""
    key = dg.AssetCheckKey(dg.AssetKey(asset), check)
    record = instance.event_log_storage.get_latest_asset_check_execution_by_key([key]).get(key)
    return record is not None and asyncio.run(record.targets_latest_materialization(LoadingContextForTest(instance)))


def observations(instance: dg.DagsterInstance, partition: str) -> list[str]:
    """What is said of a partition of `cutouts` beside its materializations."""
    chosen = dg.AssetRecordsFilter(asset_key=dg.AssetKey("cutouts"), asset_partitions=[partition])
    found = [record.asset_observation for record in instance.fetch_observations(chosen, limit=10).records]
    return [str(each.description) for each in found if each is not None]


def by_command() -> None:
    with open_pipeline(load_settings()) as pipeline:
        sync(pipeline, Budget("a command"))


def test_after_a_night_every_check_counts_as_evaluated(shop: Shop, run: Run, instance: dg.DagsterInstance) -> None:
    night(run)

    assert [check for check in CHECKS if not evaluated(instance, *check)] == []


def test_after_a_night_without_work_every_check_of_the_manifest_counts_as_evaluated(
    shop: Shop, run: Run, instance: dg.DagsterInstance
) -> None:
    by_command()
    run("detect_delta")

    assert [check for check in CHECKS[:2] if not evaluated(instance, *check)] == []


def test_the_delta_is_not_called_unsynced_by_the_count_after_the_work(
    shop: Shop, run: Run, instance: dg.DagsterInstance
) -> None:
    night(run)
    graph = defs.resolve_asset_graph()
    resolver = CachingStaleStatusResolver(
        instance=instance, asset_graph=graph, loading_context=LoadingContextForTest(instance)
    )

    assert resolver.get_status(dg.AssetKey("image_delta"), None) is StaleStatus.FRESH


def test_while_nothing_processes_it_the_manifest_shows_the_delta_as_pending(
    shop: Shop, run: Run, instance: dg.DagsterInstance
) -> None:
    run("detect_delta")

    assert metadata_of(instance, "manifest")["pending"] == 3


def test_after_a_backfill_the_manifest_shows_what_it_published(
    shop: Shop, run: Run, instance: dg.DagsterInstance
) -> None:
    run("detect_delta")
    backfill(run, "bags", "shoes")

    assert metadata_of(instance, "manifest")["published"] == 3
    assert [check for check in CHECKS[:3] if not evaluated(instance, *check)] == []


def test_a_partition_whose_items_all_failed_is_missing_and_says_why(
    shop: Shop, run: Run, instance: dg.DagsterInstance
) -> None:
    shop.put("bags/9.png", product(9)[:-25])
    night(run)

    assert partitions_of(instance, "cutouts") == ["shoes"]
    (said,) = observations(instance, "bags")
    assert said.startswith("not made: none of its items has a cutout; bags/9.png: cannot be read as a picture")
    assert observations(instance, "shoes") == []


def test_a_backfill_of_a_collection_that_fails_says_why_on_its_partition(
    shop: Shop, run: Run, instance: dg.DagsterInstance
) -> None:
    shop.put("bags/9.png", product(9)[:-25])
    run("detect_delta")
    result = backfill(run, "bags", "shoes")

    assert not result.success
    assert len(observations(instance, "bags")) == 1
    tags = instance.get_run_by_id(result.run_id).tags  # type: ignore[union-attr]
    assert tags["bg_pipeline/left_undone"].startswith("1 of 2 collections. bags: none of its items has a cutout")


def test_cutouts_that_a_command_made_are_shown_as_made_after_the_next_detection(
    shop: Shop, run: Run, instance: dg.DagsterInstance
) -> None:
    """As they are in a new DAGSTER_HOME, and after a run that was killed."""
    by_command()
    shop.put("caps/1.png", product(50))
    run("detect_delta")

    assert partitions_of(instance, "cutouts") == ["bags", "shoes"]
    event = instance.get_latest_materialization_event(dg.AssetKey("cutouts"))
    assert event is not None
    assert event.asset_materialization is not None
    assert event.asset_materialization.description == "the cutouts were there already"
    run("detect_delta")
    assert partitions_of(instance, "cutouts") == ["bags", "shoes"]


def test_cutouts_by_another_recipe_are_shown_as_made_and_as_outdated(
    shop: Shop, run: Run, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_command()
    monkeypatch.setenv("BG_MAX_PIXELS_SENT", "64")
    shop.put("caps/1.png", product(50))
    run("detect_delta")
    records = instance.fetch_materializations(dg.AssetKey("cutouts"), limit=10).records
    versions = {r.partition_key: r.asset_materialization.tags["dagster/code_version"] for r in records}  # type: ignore[union-attr,index]

    assert versions == {"bags": "", "shoes": ""}


def test_a_night_that_ends_at_a_limit_says_in_its_tags_what_it_left(
    shop: Shop, run: Run, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BG_MAX_CREDITS_PER_RUN", "1")
    _, result = night(run)

    tags = instance.get_run_by_id(result.run_id).tags  # type: ignore[union-attr]
    assert tags["bg_pipeline/left_undone"] == "2 items: the credit limit is reached"


def test_nothing_that_a_person_may_read_is_without_a_description() -> None:
    repository = defs.get_repository_def()
    graph = defs.resolve_asset_graph()
    jobs = [repository.get_job(name) for name in repository.job_names if not name.startswith("__")]
    named = [*repository.schedule_defs, *repository.sensor_defs, *jobs]
    checks = [graph.get(key) for key in graph.asset_check_keys]

    assert [each.name for each in named if not each.description] == []
    assert [str(each.key) for each in checks if not each.description] == []
    fields = [
        (node.name, name)
        for job in jobs
        for node in job.all_node_defs
        for name, field in getattr(node.config_field.config_type, "fields", {}).items()  # type: ignore[attr-defined]
        if not field.description
    ]
    assert fields == []
