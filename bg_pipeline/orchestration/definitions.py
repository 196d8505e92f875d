"""The code location."""

import dagster as dg

from bg_pipeline.orchestration.assets import (
    image_delta,
    manifest,
    nightly_cutouts,
    source_images,
)
from bg_pipeline.orchestration.backfills import cutouts, review_gallery
from bg_pipeline.orchestration.balance import credit_balance, gate_open
from bg_pipeline.orchestration.jobs import detect_delta, process_delta, process_pending, retry_failed
from bg_pipeline.orchestration.resources import PipelineResource
from bg_pipeline.orchestration.schedule import LOADED, SCHEDULE
from bg_pipeline.orchestration.sensors import (
    alerts,
    delta_dispatch,
    failed_runs,
    lost_runs,
    low_credit_sensor,
    missed_night,
    old_runs,
)

nightly_delta_sync = dg.ScheduleDefinition(
    name=SCHEDULE,
    job=detect_delta,
    cron_schedule=LOADED.settings.nightly_cron,
    execution_timezone=LOADED.settings.timezone,
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description=LOADED.problem
    or "Starts the night: `detect_delta` lists the catalogue, then `delta_dispatch` starts the run that buys "
    "and publishes. While it is switched off no night starts, and none is caught up.",
)

defs = dg.Definitions(
    assets=[source_images, manifest, image_delta, cutouts, nightly_cutouts, review_gallery, credit_balance],
    asset_checks=[gate_open],
    jobs=[detect_delta, process_pending, process_delta, retry_failed],
    schedules=[nightly_delta_sync],
    sensors=[delta_dispatch, low_credit_sensor, missed_night, lost_runs, old_runs, alerts, failed_runs],
    resources={"pipeline": PipelineResource()},
    # Steps mostly wait for the network; a process per step would only add start-up time.
    executor=dg.in_process_executor,
)
