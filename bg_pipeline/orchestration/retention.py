"""Deletion of old runs, which Dagster does not do by itself."""

from datetime import datetime

import dagster as dg

from bg_pipeline.orchestration.runs import ENDED

MOST_AT_ONCE = 50
"""Most runs deleted in one tick: a sensor's tick has to end within a minute."""

_BATCH = 500


def delete_old(instance: dg.DagsterInstance, before: datetime) -> list[str]:
    """
    Delete runs that ended before this time, with their events and output.

    A run with the newest event of an asset or a partition stays: Dagster deletes a run's events with it, and would
    show its collections as missing.

    Returns:
        Ids of the deleted runs, at most `MOST_AT_ONCE`.
    """
    old = instance.get_run_ids(dg.RunsFilter(statuses=ENDED, updated_before=before))
    kept = _of_newest_events(instance) if old else set()
    deleted = [run_id for run_id in reversed(old) if run_id not in kept][:MOST_AT_ONCE]
    for run_id in deleted:
        instance.compute_log_manager.delete_logs(prefix=[run_id])
        instance.delete_run(run_id)
    return deleted


def _of_newest_events(instance: dg.DagsterInstance) -> set[str]:
    """Return the ids of the runs with the newest event of an asset or a partition."""
    run_ids = set[str]()
    for key in instance.all_asset_keys():
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
