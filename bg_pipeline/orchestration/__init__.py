"""All code that uses Dagster: assets, jobs, schedule and sensors, each a thin layer over one step."""

import warnings

# Dagster has called it beta since 2023, and would warn whenever this code is loaded.
warnings.filterwarnings("ignore", message="Parameter `backfill_policy`")
