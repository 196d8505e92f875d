"""
All private names of Dagster that this package uses. No other file may import one.

Check each one after a change of the Dagster version: a test names the version that was last checked.

- `dagster._core.events.StepMaterializationData`: the content of a `DagsterEvent`. The public ways to log a
  materialization either add step and resources to each (700 bytes, hundreds of times a night) or lose the run.
- `dagster._core.storage.event_log.ConsolidatedSqliteEventLogStorage`: in `dagster.yaml`, which needs the path of a
  class, and Dagster exports no storage.
- `dagster._utils.schedules.get_latest_completed_cron_tick`, `dagster._utils.schedules.get_smallest_cron_interval`: the
  ticks of a cron as Dagster's scheduler counts them, also when the clocks change; another library counts differently.
- `dagster._utils.schedules.is_valid_cron_schedule`: the check that a `ScheduleDefinition` makes, and raises over.
- `dagster._core.scheduler.instigation.InstigatorStatus`: tells a schedule that a person switched on from one that runs
  by default.
- The tag `.dagster/repository`, by which the UI lists the runs of a job. Only daemon and webserver set it on their own.
- The job `__ASSET_JOB`, of runs that materialize assets without a job.
- `dagster._daemon.auto_run_reexecution.event_log_consumer._create_cursor_key`: the name of the cursor up to which the
  daemon has searched for lost runs. Written out below, because importing it would load the daemon.
"""

import dagster as dg
from dagster._core.events import StepMaterializationData
from dagster._core.scheduler.instigation import InstigatorStatus
from dagster._utils.schedules import get_latest_completed_cron_tick, get_smallest_cron_interval, is_valid_cron_schedule

__all__ = [
    "AD_HOC_JOB",
    "InstigatorStatus",
    "LOST_RUN_CURSORS",
    "OF_THIS_LOCATION",
    "REPOSITORY_TAG",
    "StepMaterializationData",
    "get_latest_completed_cron_tick",
    "get_smallest_cron_interval",
    "is_valid_cron_schedule",
]

AD_HOC_JOB = "__ASSET_JOB"

REPOSITORY_TAG = ".dagster/repository"

OF_THIS_LOCATION = {REPOSITORY_TAG: "__repository__@bg_pipeline"}
"""Tags of a run of the code location in `workspace.yaml`."""

LOST_RUN_CURSORS = [
    f"EVENT_LOG_CONSUMER_CURSOR-{kind.value}"
    for kind in (dg.DagsterEventType.RUN_FAILURE, dg.DagsterEventType.RUN_SUCCESS)
]
