"""What can be said of many nights in Dagster after them."""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import sqlalchemy

from bg_pipeline.manifest.schema import attempts
from bg_pipeline_tests.deployment import Deployment

WORKER, DAEMON, CODE, DATABASE = "run worker", "daemon", "code-server", "database"
ZOMBIE = "a killed run counted as failed"

_TICKS = """
query($name: String!) { sensorOrError(sensorSelector: {repositoryLocationName: "bg_pipeline",
    repositoryName: "__repository__", sensorName: $name}) { ... on Sensor { sensorState {
        ticks(limit: 100000) { status timestamp } } } } }
"""


@dataclass
class Kill:
    what: str
    at: float
    runs: Sequence[str] = ()
    """Ids of the runs whose workers died."""


@dataclass
class Night:
    begins_at: float
    pictures: dict[str, int]
    """By key the number that its cutout has to show."""
    done_at: float = 0.0


def recoveries(made: Deployment, kills: Sequence[Kill]) -> Iterator[tuple[str, list[float]]]:
    """
    Seconds from each kill until the work went on, by what was killed.

    After that of a run, its job runs again; after any other, a sensor has looked at the work.
    """
    runs = made.runs()
    jobs = {run["runId"]: run["jobName"] for run in runs}
    ended = {run["runId"]: run["endTime"] for run in runs if run["status"] != "SUCCESS"}
    ticks = made.ask(_TICKS, name="delta_dispatch")["sensorOrError"]["sensorState"]["ticks"]
    looked_at = [tick["timestamp"] for tick in ticks if tick["status"] in {"SUCCESS", "SKIPPED"}]

    def went_on(kill: Kill) -> float | None:
        killed = {jobs[run] for run in kill.runs}
        starts = [run["startTime"] for run in runs if run["startTime"] and run["jobName"] in killed]
        return min((at for at in (starts if kill.what == WORKER else looked_at) if at > kill.at), default=None)

    for kind in (WORKER, DAEMON, CODE, DATABASE):
        # A run that was killed after its last event was not harmed.
        harmful = [kill for kill in kills if kill.what == kind and (kind != WORKER or ended.keys() & set(kill.runs))]
        ends = [(went_on(kill), kill.at) for kill in harmful]
        yield f"{kind} went on", [end - at for end, at in ends if end]
    killed = [(ended[run], kill.at) for kill in kills for run in kill.runs if run in ended]
    yield ZOMBIE, [(end or math.inf) - at for end, at in killed]


def lasted(nights: Sequence[Night], pauses: Sequence[tuple[float, float]]) -> list[float]:
    """Seconds from the begin of each night that is made to its end, without those of a pause."""
    return [
        max(0.0, night.done_at - night.begins_at)
        - sum(max(0.0, min(until, night.done_at) - max(since, night.begins_at)) for since, until in pauses)
        for night in nights
        if night.done_at
    ]


def titles(told: Sequence[str]) -> list[str]:
    return [str(json.loads(each)["title"]) for each in told]


def told_again(told: Sequence[str]) -> list[str]:
    """Titles of incidents that began although they had begun and were not over."""
    again, lasting = [], set[str]()
    for each in map(json.loads, told):
        event, _, title = str(each["title"]).partition(": ")
        # One notification may tell of several: the titles of the others are lines of its body.
        about = {title.partition(" (and ")[0], *str(each["message"]).splitlines()}
        if event == "bg_pipeline, recovered":
            lasting -= about
        elif event == "bg_pipeline":
            again += [title] if title.partition(" (and ")[0] in lasting else []
            lasting |= about
    return again


def over_their_cap(manifest: str, most_of_night: int, most_of_backfill: int) -> tuple[int, list[str]]:
    """How many backfills bought anything, and the runs that spent more than they may; a night's name is a time."""
    engine = sqlalchemy.create_engine(manifest)
    charged = attempts.c.credits_charged
    with engine.connect() as conn:
        query = sqlalchemy.select(attempts.c.run, sqlalchemy.func.sum(charged, type_=charged.type))
        spent = [(str(run), int(sum_)) for run, sum_ in conn.execute(query.group_by(attempts.c.run))]
    engine.dispose()
    backfills = [run for run, sum_ in spent if not run.endswith("Z") and sum_]
    return len(backfills), [
        run for run, sum_ in spent if sum_ > (most_of_backfill if run in backfills else most_of_night)
    ]
