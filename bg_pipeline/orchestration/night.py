"""
Run one night of every catalogue at once: `python -m bg_pipeline.orchestration.night`.

Execute the runs that the schedule and `delta_dispatch` would start, one after the other in this process, on the
instance of `DAGSTER_HOME`: for the demo, and for machines that have only cron.
"""

import sys
from collections.abc import Mapping
from functools import partial

import dagster as dg

from bg_pipeline.errors import BgPipelineError
from bg_pipeline.orchestration.dagster_private import OF_THIS_LOCATION
from bg_pipeline.orchestration.definitions import OPENERS, defs
from bg_pipeline.orchestration.names import DETECT, PROCESS_PENDING
from bg_pipeline.orchestration.opener import Opener
from bg_pipeline.orchestration.schedule import ScheduleState, night_of
from bg_pipeline.orchestration.sensors import request_run
from bg_pipeline.wiring import open_pipeline


def run_night(instance: dg.DagsterInstance, opener: Opener) -> bool:
    """Run one night of a catalogue; return True if every run succeeded."""
    names = opener.names
    if not _execute(instance, names.name(DETECT), {}):
        return False
    with open_pipeline(opener.settings()) as pipeline:
        # It is night when this is called, whenever the schedule would start one.
        night = partial(night_of, opener.schedule(), ScheduleState(is_on=False))
        request = request_run(instance, pipeline, names, night)
    if isinstance(request, dg.SkipReason):
        return True
    return _execute(instance, names.name(PROCESS_PENDING), request.tags)


def _execute(instance: dg.DagsterInstance, job: str, tags: Mapping[str, str]) -> bool:
    run = defs.resolve_job_def(job).execute_in_process(
        instance=instance, tags={**tags, **OF_THIS_LOCATION}, raise_on_error=False
    )
    return run.success


def _succeeds(instance: dg.DagsterInstance, opener: Opener) -> bool:
    """Run a night; an expected error is one sentence, and stops no other catalogue."""
    try:
        return run_night(instance, opener)
    except BgPipelineError as error:
        print(error, file=sys.stderr)  # noqa: T201  as the command line does
        return False


if __name__ == "__main__":
    with dg.DagsterInstance.get() as the_instance:
        succeeded = [_succeeds(the_instance, opener) for opener in OPENERS]
    sys.exit(0 if all(succeeded) else 1)
