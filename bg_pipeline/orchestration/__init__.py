"""The only Dagster: assets, jobs, schedule and sensors, each a thin layer over one step."""

import warnings

# Dagster has called it beta since 2023, and would say so whenever this code is loaded.
warnings.filterwarnings("ignore", message="Parameter `backfill_policy`")
