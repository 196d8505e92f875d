"""
Run one night at once: `python -m bg_pipeline.orchestration.night`.

Execute the runs that the schedule and `delta_dispatch` would start, one after the other in this process, on the
instance of `DAGSTER_HOME`: for the demo, and for machines that have only cron.
"""

import sys
from collections.abc import Mapping
from functools import partial

import dagster as dg

from bg_pipeline.errors import BgPipelineError
from bg_pipeline.orchestration.dagster_private import OF_THIS_LOCATION
from bg_pipeline.orchestration.definitions import defs
from bg_pipeline.orchestration.schedule import ScheduleState, night_of, valid_schedule
from bg_pipeline.orchestration.sensors import request_run
from bg_pipeline.wiring import open_pipeline
from bg_pipeline.wiring.settings import load_settings


def run_night(instance: dg.DagsterInstance) -> bool:
    """Run one night; return True if every run succeeded."""
    if not _execute(instance, "detect_delta", {}):
        return False
    with open_pipeline(load_settings()) as pipeline:
        # It is night when this is called, whenever the schedule would start one.
        night = partial(night_of, valid_schedule(), ScheduleState(is_on=False))
        request = request_run(instance, pipeline, night)
    if isinstance(request, dg.SkipReason):
        return True
    return _execute(instance, "process_pending", request.tags)


def _execute(instance: dg.DagsterInstance, job: str, tags: Mapping[str, str]) -> bool:
    run = defs.resolve_job_def(job).execute_in_process(
        instance=instance, tags={**tags, **OF_THIS_LOCATION}, raise_on_error=False
    )
    return run.success


if __name__ == "__main__":
    try:
        with dg.DagsterInstance.get() as the_instance:
            sys.exit(0 if run_night(the_instance) else 1)
    except BgPipelineError as error:
        sys.exit(str(error))
