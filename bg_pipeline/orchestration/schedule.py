"""
The schedule as the code location is loaded with it.

A wrong setting unloads nothing, because the sensors that tell about it would go too: the location loads with defaults,
and every run fails with the sentence.
"""

from dataclasses import dataclass

from bg_pipeline.errors import ConfigurationError
from bg_pipeline.orchestration.dagster_private import is_valid_cron_schedule
from bg_pipeline.pipeline.settings import ScheduleSettings
from bg_pipeline.wiring.settings import load_schedule


@dataclass(frozen=True, slots=True)
class LoadedSchedule:
    """The schedule, or the defaults and what is wrong with the settings."""

    settings: ScheduleSettings
    problem: str = ""


def valid_schedule() -> ScheduleSettings:
    """
    Return the schedule of the current settings.

    Raises:
        ConfigurationError: Dagster cannot follow it, or a setting is wrong.
    """
    settings = load_schedule()
    # croniter would raise on a blank expression.
    if not settings.nightly_cron.strip() or not is_valid_cron_schedule(settings.nightly_cron):
        raise ConfigurationError(
            f"BG_NIGHTLY_CRON: must be five fields, minute hour day month weekday, such as 0 2 * * * "
            f"(it is {settings.nightly_cron!r})"
        )
    return settings


def loaded_schedule() -> LoadedSchedule:
    """Return the schedule for the definitions."""
    try:
        return LoadedSchedule(valid_schedule())
    except ConfigurationError as error:
        return LoadedSchedule(ScheduleSettings(), str(error))


LOADED = loaded_schedule()
"""The schedule that this process was loaded with; a change waits for a reload of the code location."""
