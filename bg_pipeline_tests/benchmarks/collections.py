"""
How quick Dagster's UI is after many nights, and how large its records are.

    python -m bg_pipeline_tests.benchmarks.collections [--nights N] [--collections N] [--postgres URL]

Fills an instance with the events of such nights through Dagster's own storage, starts a webserver on it, and times the
queries that its pages send. Prints a Markdown table; the time is the median of five. Filling 200 nights in SQLite takes
about ten minutes of a quiet machine.
"""

import argparse
import os
import statistics
import tempfile
import time
from decimal import Decimal
from pathlib import Path

import dagster as dg
from dagster._core.events import AssetMaterializationPlannedData, DagsterEvent
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.dagster_run import DagsterRunStatus
from sqlalchemy import Engine, create_engine, event, text

from bg_pipeline.core.report import Summary
from bg_pipeline.orchestration import metadata, versions
from bg_pipeline.orchestration.dagster_private import StepMaterializationData
from bg_pipeline.orchestration.definitions import defs
from bg_pipeline.orchestration.names import Names
from bg_pipeline_tests.deployment import Deployment, deployed

QUERIES = {
    "graph of all assets": """{ assetNodes { assetKey { path } staleStatus partitionStats { numMaterialized numFailed }
        assetMaterializations(limit: 1) { timestamp runId } } }""",
    "`cutouts`: partitions": """{ assetNodeOrError(assetKey: {path: ["cutouts"]}) { ... on AssetNode {
        partitionKeysByDimension { partitionKeys } assetPartitionStatuses { __typename
        ... on DefaultPartitionStatuses { materializedPartitions failedPartitions } } } } }""",
    "`cutouts`: last 100 events": """{ assetOrError(assetKey: {path: ["cutouts"]}) { ... on Asset {
        assetMaterializations(limit: 100) { partition timestamp runId metadataEntries { label
        ... on IntMetadataEntry { intValue } ... on FloatMetadataEntry { floatValue } } } } } }""",
    "`cutouts`: one partition": """{ assetOrError(assetKey: {path: ["cutouts"]}) { ... on Asset {
        assetMaterializations(partitions: ["c0001"], limit: 100) { partition timestamp metadataEntries {
        label } } } } }""",
    "`nightly_cutouts`: plots": """{ assetOrError(assetKey: {path: ["nightly_cutouts"]}) { ... on Asset {
        assetMaterializations(limit: 200) { timestamp metadataEntries { label
        ... on IntMetadataEntry { intValue } ... on FloatMetadataEntry { floatValue } } } } } }""",
    "runs": """{ runsOrError(limit: 30) { ... on Runs { results { runId jobName status startTime endTime
        assetSelection { path } tags { key value } } } } }""",
    "overview": """{ workspaceOrError { ... on Workspace { locationEntries { locationOrLoadError {
        ... on RepositoryLocation { repositories { jobs { name runs(limit: 5) { runId status } } } } } } } } }""",
}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--nights", type=int, default=200)
    options.add_argument("--collections", type=int, default=300)
    options.add_argument("--postgres", default="", help="postgresql+psycopg2://… of an empty database")
    asked = options.parse_args()
    if not asked.postgres:
        # What is filled in is thrown away: it need not survive a power cut.
        event.listen(Engine, "connect", lambda made, _record: made.execute("PRAGMA synchronous=OFF").close())
    home = Path(tempfile.mkdtemp(prefix="bg-pipeline-collections-"))
    with deployed(home, postgres=asked.postgres) as made:
        os.environ["DAGSTER_HOME"] = str(home / "dagster")
        with dg.DagsterInstance.get() as instance:
            names = [f"c{n:04}" for n in range(asked.collections)]
            instance.add_dynamic_partitions("collections", names)
            before = _bytes(home, asked.postgres)
            for night in range(asked.nights):
                _night(instance, names, time.time() - (asked.nights - night) * 86_400)
            grown = _bytes(home, asked.postgres) - before
        print(f"| page, after {asked.nights} nights × {asked.collections} collections | ms |\n|---|---|")
        for name, query in QUERIES.items():
            print(f"| {name} | {_time(made, query):.0f} |")
        print(f"| KB a night, in {'PostgreSQL' if asked.postgres else 'SQLite'} | {grown / asked.nights / 1024:.0f} |")


def _night(instance: dg.DagsterInstance, names: list[str], at: float) -> None:
    """The events of the run that does everything, as `nightly_cutouts` writes them."""
    job = defs.resolve_job_def("process_pending")
    run = instance.create_run_for_job(job, status=DagsterRunStatus.STARTED, tags={"bg_pipeline/wave": str(at)})
    two = Summary(published=2, purchases=2, credits=Decimal(2))
    step = "nightly_cutouts"
    planned = DagsterEvent.build_asset_materialization_planned_event(
        "process_pending", step, AssetMaterializationPlannedData(dg.AssetKey(step))
    )
    events = [planned]
    for name in names:
        found = dg.AssetMaterialization(
            "cutouts",
            partition=name,
            description="2 credits",
            metadata=metadata.of_part(two),
            tags=versions.tags(Names(), "0" * 12, run.run_id),
        )
        events.append(_event(found))
    whole = Summary(published=2 * len(names), purchases=2 * len(names), credits=Decimal(2 * len(names)), seconds=150.0)
    found = dg.AssetMaterialization(step, metadata=metadata.of_summary(whole, []))
    events.append(_event(found))
    instance.event_log_storage.store_event_batch(
        [
            EventLogEntry(
                error_info=None,
                level=10,
                user_message="",
                run_id=run.run_id,
                timestamp=at,
                step_key=event.step_key,
                job_name="process_pending",
                dagster_event=event,
            )
            for event in events
        ]
    )
    instance.report_dagster_event(
        DagsterEvent(event_type_value="PIPELINE_SUCCESS", job_name="process_pending"), run.run_id
    )


def _event(found: dg.AssetMaterialization) -> DagsterEvent:
    kind = dg.DagsterEventType.ASSET_MATERIALIZATION.value
    return DagsterEvent(kind, "process_pending", event_specific_data=StepMaterializationData(found))


def _time(made: Deployment, query: str) -> float:
    """Milliseconds."""
    made.ask(query)
    taken = []
    for _ in range(5):
        started = time.perf_counter()
        made.ask(query)
        taken.append((time.perf_counter() - started) * 1000)
    return statistics.median(taken)


def _bytes(home: Path, postgres: str) -> int:
    if postgres:
        engine = create_engine(postgres)
        with engine.connect() as conn:
            return int(conn.execute(text("SELECT pg_database_size(current_database())")).scalar_one())
    return sum(path.stat().st_size for path in (home / "dagster").rglob("*") if path.is_file())


if __name__ == "__main__":
    main()
