"""The definitions of catalogues and accounts, for one code location or to merge with those of others."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

import dagster as dg

from bg_pipeline.errors import ConfigurationError
from bg_pipeline.orchestration import assets, backfills, failures, sensors
from bg_pipeline.orchestration.balance import AccountOpener, build_account
from bg_pipeline.orchestration.jobs import build_jobs
from bg_pipeline.orchestration.names import DETECT, AccountNames, Names
from bg_pipeline.orchestration.nightly import nightly_cutouts
from bg_pipeline.orchestration.opener import Opener
from bg_pipeline.orchestration.schedule import SCHEDULE, LoadedSchedule, loaded_schedule
from bg_pipeline.settings.reader import RawSettings, read
from bg_pipeline.wiring.settings import account_names


def build(*catalogues: str, folder: Path | None = None, start: bool = False) -> dg.Definitions:
    """
    Return the definitions of catalogues, and of the accounts that they buy at.

    Args:
        catalogues: names of catalogues in the settings, which are the prefix of all names in Dagster; without any, the
            only catalogue, with names that have no prefix.
        folder: where the files of settings are searched; None for the working directory.
        start: whether the schedule and the sensor that lead to purchases are on until a person switches them off.
            Otherwise they are off until a person switches them on.
    """
    return build_all(openers(catalogues, partial(read, folder)), start=start)


def openers(catalogues: Iterable[str], load: Callable[[], RawSettings]) -> list[Opener]:
    """
    Return an opener for each catalogue; without a name, that of the only one.

    Of two whose names are one in Dagster, only the first has definitions: the settings of both are refused.
    """
    unique: dict[str, Names] = {}
    for each in catalogues:
        names = Names(each, _account_of(load, each))
        unique.setdefault(names.name(""), names)
    return [Opener(names, load) for names in unique.values()] or [Opener(Names(), load)]


def build_all(openers: Sequence[Opener], *, start: bool) -> dg.Definitions:
    """Return the definitions of these catalogues and of their accounts, of which each is there once."""
    accounts = dict.fromkeys(opener.names.account for opener in openers)
    return dg.Definitions.merge(
        *(build_catalogue(opener, start=start) for opener in openers),
        *(
            build_account(AccountOpener(names, [each for each in openers if each.names.account == names]))
            for names in accounts
        ),
    )


def build_catalogue(opener: Opener, *, start: bool) -> dg.Definitions:
    """Return the definitions of one catalogue, without those of its account."""
    names, loaded = opener.names, loaded_schedule(opener.schedule)
    # An own set of partitions: Dagster stores their keys by its name alone.
    collections = dg.DynamicPartitionsDefinition(name=names.name("collections"))
    status = dg.DefaultSensorStatus.RUNNING if start else dg.DefaultSensorStatus.STOPPED
    own = dg.Definitions(
        assets=[
            assets.source_images(opener),
            assets.manifest(opener),
            assets.image_delta(opener, loaded.settings),
            nightly_cutouts(opener, opener.loaded_night_steps()),
            backfills.cutouts(opener, collections),
            backfills.review_gallery(opener, collections),
        ],
        schedules=[_schedule(names, loaded, start=start)],
        sensors=[
            sensors.delta_dispatch(opener, status),
            sensors.missed_night(opener, loaded),
            failures.lost_runs(opener),
            failures.old_runs(opener),
            failures.alerts(opener, loaded),
            failures.failed_runs(opener),
        ],
    )
    return dg.Definitions.merge(own, build_jobs(opener))


def _schedule(names: Names, loaded: LoadedSchedule, *, start: bool) -> dg.ScheduleDefinition:
    return dg.ScheduleDefinition(
        name=names.name(SCHEDULE),
        job_name=names.name(DETECT),
        cron_schedule=loaded.settings.nightly_cron,
        execution_timezone=loaded.settings.timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING if start else dg.DefaultScheduleStatus.STOPPED,
        description=loaded.problem
        or f"Starts the night: `{names.name(DETECT)}` lists the catalogue, then `{names.name('delta_dispatch')}` starts"
        " the run that buys and publishes. While it is switched off no night starts, and none is caught up.",
    )


def _account_of(load: Callable[[], RawSettings], catalogue: str) -> AccountNames:
    """Return the names of a catalogue's account and its fallbacks; its own if the settings do not tell which."""
    try:
        return AccountNames("_".join(account_names(load(), catalogue)))
    except ConfigurationError:
        return AccountNames(catalogue)
