"""The code location."""

import dagster as dg

from bg_pipeline.config import load_night
from bg_pipeline.orchestration.assets import cutouts, image_delta, manifest, review_gallery, source_images
from bg_pipeline.orchestration.jobs import detect_delta, process_delta, retry_failed
from bg_pipeline.orchestration.resources import PipelineResource
from bg_pipeline.orchestration.sensors import delta_dispatch, low_credit_sensor

_night = load_night()

nightly_delta_sync = dg.ScheduleDefinition(
    name="nightly_delta_sync",
    job=detect_delta,
    cron_schedule=_night.bg_nightly_cron,
    execution_timezone=_night.bg_timezone,
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Finds the night's delta; `delta_dispatch` does the rest.",
)

defs = dg.Definitions(
    assets=[source_images, manifest, image_delta, cutouts, review_gallery],
    jobs=[detect_delta, process_delta, retry_failed],
    schedules=[nightly_delta_sync],
    sensors=[delta_dispatch, low_credit_sensor],
    resources={"pipeline": PipelineResource()},
    # Steps wait for the network most of their time; a process for each would only cost its start.
    executor=dg.in_process_executor,
)
