"""
Every name of Dagster that it does not export and that is used here all the same. No other file may name one.

With another version of Dagster, look at each: a test names the version that this was done with.

- `dagster._core.events.StepMaterializationData`: the content of a `DagsterEvent`. The public ways to log a
  materialization either name step and resources with each (700 bytes, hundreds of times a night) or lose the run.
- `dagster._core.storage.event_log.ConsolidatedSqliteEventLogStorage`: in `dagster.yaml`, which wants the path of a
  class, and Dagster exports no storage.
- `dagster._utils.schedules.get_latest_completed_cron_tick`, `dagster._utils.schedules.get_smallest_cron_interval`: the
  ticks of a cron as Dagster's scheduler counts them, also when the clocks change; another library would count others.
- `dagster._daemon.auto_run_reexecution.event_log_consumer._create_cursor_key`: how the daemon names the place up to
  which it has looked for lost runs. Spelled out below, since it imports the daemon.
"""

import dagster as dg
from dagster._core.events import StepMaterializationData
from dagster._utils.schedules import get_latest_completed_cron_tick, get_smallest_cron_interval

__all__ = [
    "LOST_RUN_CURSORS",
    "StepMaterializationData",
    "get_latest_completed_cron_tick",
    "get_smallest_cron_interval",
]

LOST_RUN_CURSORS = [
    f"EVENT_LOG_CONSUMER_CURSOR-{kind.value}"
    for kind in (dg.DagsterEventType.RUN_FAILURE, dg.DagsterEventType.RUN_SUCCESS)
]
