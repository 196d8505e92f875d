"""
One night, here and now: `python -m bg_pipeline.orchestration.night`.

The runs that the schedule and `delta_dispatch` would start, one after the other in this process, on the instance of
`DAGSTER_HOME`: for the demo, and for a machine where cron is all there is.
"""

import sys

import dagster as dg

from bg_pipeline.config import load_settings
from bg_pipeline.errors import BgPipelineError
from bg_pipeline.orchestration.definitions import defs
from bg_pipeline.orchestration.sensors import run_requests
from bg_pipeline.wiring import opened


def run_night(instance: dg.DagsterInstance) -> bool:
    """Whether every run succeeded."""
    detected = defs.resolve_job_def("detect_delta").execute_in_process(instance=instance, raise_on_error=False)
    if not detected.success:
        return False
    with opened(load_settings()) as parts:
        requests = run_requests(parts, parts.control.gate(parts.provider))
    process = defs.resolve_job_def("process_delta")
    runs = [
        process.execute_in_process(
            instance=instance, partition_key=request.partition_key, tags=request.tags, raise_on_error=False
        )
        for request in requests
    ]
    return all(run.success for run in runs)


if __name__ == "__main__":
    try:
        with dg.DagsterInstance.get() as the_instance:
            sys.exit(0 if run_night(the_instance) else 1)
    except BgPipelineError as error:
        sys.exit(str(error))
