"""The only Dagster: assets, jobs, schedule and sensors, each a thin layer over one step."""
