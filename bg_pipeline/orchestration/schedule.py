"""
The nightly schedule of a catalogue: as its definitions are built with it, its switch in Dagster, and its nights.

A wrong setting unloads nothing, because the sensors that tell about it would go too: the location loads with defaults,
and every run fails with the sentence.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import dagster as dg

from bg_pipeline.core.alerts import GRACES_S
from bg_pipeline.core.night_window import Night
from bg_pipeline.errors import ConfigurationError
from bg_pipeline.orchestration.dagster_private import (
    InstigatorStatus,
    get_latest_completed_cron_tick,
    is_valid_cron_schedule,
)
from bg_pipeline.pipeline.settings import ScheduleSettings
from bg_pipeline.settings.reader import RawSettings
from bg_pipeline.wiring.settings import choose, schedule_of

SCHEDULE = "nightly_delta_sync"


@dataclass(frozen=True, slots=True)
class LoadedSchedule:
    """The schedule, or the defaults and what is wrong with the settings."""

    settings: ScheduleSettings
    problem: str = ""


def valid_schedule(raw: RawSettings, catalogue: str | None = None) -> ScheduleSettings:
    """
    Return the schedule of a catalogue.

    Args:
        raw: the settings as written.
        catalogue: name of the catalogue; None for the only one.

    Raises:
        ConfigurationError: Dagster cannot follow it, or a setting is wrong.
    """
    settings = schedule_of(raw, catalogue)
    # croniter would raise on a blank expression.
    if not settings.nightly_cron.strip() or not is_valid_cron_schedule(settings.nightly_cron):
        shown = raw.shown(ScheduleSettings, "catalogue", choose(raw, catalogue))["nightly_cron"]
        raise ConfigurationError(
            f"{shown}: must be five fields, minute hour day month weekday, such as 0 2 * * * "
            f"(it is {settings.nightly_cron!r})"
        )
    return settings


def loaded_schedule(load: Callable[[], ScheduleSettings]) -> LoadedSchedule:
    """Return the schedule for the definitions. A change waits until the code location is loaded again."""
    try:
        return LoadedSchedule(load())
    except ConfigurationError as error:
        return LoadedSchedule(ScheduleSettings(), str(error))


@dataclass(frozen=True, slots=True)
class ScheduleState:
    """The switch of the schedule in Dagster's UI."""

    is_on: bool = True
    on_since: float = 0.0
    """Epoch second at which a person switched it on; 0 if it runs by default. Earlier nights are not due."""


def location_name(context: dg.SensorEvaluationContext) -> str | None:
    """Return the name of the code location of a sensor; None outside of a daemon."""
    return context.code_location_origin.location_name if context.code_location_origin else None


def schedule_state(context: dg.SensorEvaluationContext, schedule: str) -> ScheduleState:
    """Return the state of the schedule beside this sensor; a code location elsewhere may have one of the same name."""
    location = location_name(context)
    # An instance in memory has no storage of schedules, and so no switch.
    states = context.instance.all_instigator_state() if context.instance.schedule_storage else []
    for state in states:
        origin = state.origin.repository_origin.code_location_origin
        if state.instigator_name != schedule or location not in (None, origin.location_name):
            continue
        if not state.is_running:
            return ScheduleState(is_on=False)
        if state.status is InstigatorStatus.RUNNING:
            return ScheduleState(on_since=getattr(state.instigator_data, "start_timestamp", None) or 0.0)
    return ScheduleState()


def last_due(night: ScheduleSettings, now: float) -> float:
    """Return the time of the last night that was due at `now`, both in epoch seconds."""
    tick = get_latest_completed_cron_tick(night.nightly_cron, datetime.fromtimestamp(now, UTC), night.timezone)
    return tick.timestamp()


def night_of(night: ScheduleSettings, state: ScheduleState, detected_at: float, now: float) -> Night | None:
    """
    Return the night in which detected work is bought at `now`, and the end of its window; None if nights have no end.

        schedule      the night begins
        switched on   when it is due
        switched off  with the detection: a person launched it, or another scheduler

    Args:
        night: the settings of nights.
        state: of the schedule in Dagster.
        detected_at: end of the last detection, or of the last request to try items again.
        now: epoch seconds, like all times.
    """
    begins = last_due(night, now) if state.is_on else detected_at
    ends = night.window_ends_at(begins)
    return None if ends is None else Night(begins, ends)


def nights_due(night: ScheduleSettings, state: ScheduleState, now: float) -> list[float]:
    """Return the times of nights for `core.alerts.missed_night`; none while the schedule is switched off."""
    due = {last_due(night, now - grace_s) for grace_s in GRACES_S} if state.is_on else set()
    return sorted(each for each in due if each >= state.on_since)
