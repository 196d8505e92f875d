"""The only reader of the environment, `.env` and `bg_pipeline.toml`. Other packages define parts: see `part.Part`."""
