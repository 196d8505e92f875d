"""
Run one night at once: `python -m bg_pipeline.orchestration.night`.

Execute the runs that the schedule and `delta_dispatch` would start, one after the other in this process, on the
instance of `DAGSTER_HOME`: for the demo, and for machines that have only cron.
"""

import sys

import dagster as dg

from bg_pipeline.errors import BgPipelineError
from bg_pipeline.orchestration.definitions import defs
from bg_pipeline.orchestration.sensors import request_run
from bg_pipeline.wiring import open_pipeline
from bg_pipeline.wiring.settings import load_settings


def run_night(instance: dg.DagsterInstance) -> bool:
    """Run one night; return True if every run succeeded."""
    detection = defs.resolve_job_def("detect_delta").execute_in_process(instance=instance, raise_on_error=False)
    if not detection.success:
        return False
    with open_pipeline(load_settings()) as pipeline:
        request = request_run(instance, pipeline)
    if isinstance(request, dg.SkipReason):
        return True
    process = defs.resolve_job_def("process_pending")
    return process.execute_in_process(instance=instance, tags=request.tags, raise_on_error=False).success


if __name__ == "__main__":
    try:
        with dg.DagsterInstance.get() as the_instance:
            sys.exit(0 if run_night(the_instance) else 1)
    except BgPipelineError as error:
        sys.exit(str(error))
