"""All code that uses Dagster: assets, jobs, schedule and sensors, each a thin layer over one use case."""

import warnings

from bg_pipeline.settings.reader import note_dotenv

# Beta since 2023: Dagster warns each time this code is loaded.
warnings.filterwarnings("ignore", message="Parameter `backfill_policy`")

# Dagster has written `.env` over the environment of this process, and runs inherit it from the code server.
note_dotenv()
