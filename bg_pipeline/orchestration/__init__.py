"""All code that uses Dagster: assets, jobs, schedule and sensors, each a thin layer over one use case."""

import warnings

# Beta since 2023: Dagster warns each time this code is loaded.
warnings.filterwarnings("ignore", message="Parameter `backfill_policy`")
