"""The sensors of the code location, by name."""

import dagster as dg

from bg_pipeline.orchestration.definitions import defs


def sensor(name: str) -> dg.SensorDefinition:
    return defs.get_repository_def().get_sensor_def(name)
