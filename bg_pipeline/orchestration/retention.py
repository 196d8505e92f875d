"""Deletion of old runs, which Dagster does not do by itself."""

from datetime import datetime

import dagster as dg

from bg_pipeline.orchestration.names import ASSETS, Names
from bg_pipeline.orchestration.runs import ENDED

MOST_AT_ONCE = 50
"""Most runs deleted in one tick: a sensor's tick has to end within a minute."""

_BATCH = 500


def delete_old(instance: dg.DagsterInstance, before: datetime, names: Names, location: str | None = None) -> list[str]:
    """
    Delete runs of a catalogue that ended before this time, with their events and output.

    A run with the newest event of an asset or a partition stays: Dagster deletes a run's events with it, and would
    show its collections as missing.

    Args:
        instance: owner of the runs.
        before: aware time.
        names: of the catalogue.
        location: name of the code location; see `Names.owns`.

    Returns:
        Ids of the deleted runs, at most `MOST_AT_ONCE`.
    """
    ended = instance.get_runs(dg.RunsFilter(statuses=ENDED, updated_before=before))
    old = [run.run_id for run in ended if names.owns(run, location)]
    kept = _of_newest_events(instance, names) if old else set()
    deleted = [run_id for run_id in reversed(old) if run_id not in kept][:MOST_AT_ONCE]
    for run_id in deleted:
        instance.compute_log_manager.delete_logs(prefix=[run_id])
        instance.delete_run(run_id)
    return deleted


def _of_newest_events(instance: dg.DagsterInstance, names: Names) -> set[str]:
    """Return the ids of the runs with the newest event of an asset or a partition."""
    run_ids = set[str]()
    for key in map(names.key, ASSETS):
        last = instance.get_latest_materialization_event(key)
        run_ids |= {last.run_id} if last else set()
        newest = instance.event_log_storage.get_latest_storage_id_by_partition(
            key, dg.DagsterEventType.ASSET_MATERIALIZATION
        )
        ids = list(newest.values())
        for start in range(0, len(ids), _BATCH):
            batch = dg.AssetRecordsFilter(asset_key=key, storage_ids=ids[start : start + _BATCH])
            run_ids |= {record.run_id for record in instance.fetch_materializations(batch, limit=_BATCH).records}
    return run_ids
