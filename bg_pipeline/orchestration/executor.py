"""The executor of all jobs, by BG_EXECUTOR."""

import importlib
from pathlib import Path
from typing import Any

import dagster as dg
import yaml

from bg_pipeline.errors import ConfigurationError
from bg_pipeline.pipeline.settings import ExecutorSettings
from bg_pipeline.settings.reader import RawSettings


def executor_of(raw: RawSettings) -> dg.ExecutorDefinition:
    """
    Return the executor that the settings name, with its config, which Dagster validates when a run is launched.

    Raises:
        ConfigurationError: there is no such executor, or no such file.
    """
    settings = raw.part(ExecutorSettings)
    definition = _imported(settings.executor)
    return definition.configured(_config_in(settings.executor_config)) if settings.executor_config else definition


def _imported(path: str) -> dg.ExecutorDefinition:
    module, _, name = path.rpartition(".")
    try:
        definition = getattr(importlib.import_module(module or path), name, None)
    except ImportError as error:
        raise ConfigurationError(
            f"BG_EXECUTOR: {path} cannot be imported ({error}); `pip install 'bg-pipeline[cluster]'` brings those of "
            "Dagster's other packages"
        ) from None
    if not isinstance(definition, dg.ExecutorDefinition):
        raise ConfigurationError(f"BG_EXECUTOR: {path} is no executor of Dagster, such as dagster.in_process_executor")
    return definition


def _config_in(file: str) -> Any:
    """Return what the file has under `execution: config:`, as in the launchpad and for `dagster-celery worker`."""
    try:
        return yaml.safe_load(Path(file).read_text("utf-8"))["execution"]["config"]
    except (OSError, ValueError, yaml.YAMLError, TypeError, KeyError):
        raise ConfigurationError(
            f"BG_EXECUTOR_CONFIG: {file} must be a file of YAML with `execution:`, and in it `config:`"
        ) from None
