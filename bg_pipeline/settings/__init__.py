"""The only reader of the environment, `.env` and `bg_pipeline.toml`. What is set, other rooms say: see `part.Part`."""
