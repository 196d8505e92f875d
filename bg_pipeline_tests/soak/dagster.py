"""
Dagster in fast motion, a night a minute, while its processes and its database are killed and its credits run out.

    python -m bg_pipeline_tests.soak.dagster [--nights 30] [--minutes 1] [--seed 1]

Webserver, daemon and code server are real processes, as in `deploy/`, on a PostgreSQL server; what ends is started
again, as systemd does. For 30 nights, 50 run workers, 10 daemons and 5 code servers are killed, the database twice,
and credits run out three times. It exits with 1 if a night is not made, if a dead run blocks others for minutes, or if
anything is lost, torn, wrong, paid for without a record or told twice.
"""

import argparse
import os
import random
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import psutil
import requests
import sqlalchemy

from bg_pipeline.sandbox.state import SandboxState
from bg_pipeline_tests.deployment import Deployment, deployed
from bg_pipeline_tests.postgres import PostgresServer, own_postgres
from bg_pipeline_tests.soak.catalogue import Catalogue, Reader, shows
from bg_pipeline_tests.soak.nights import (
    CODE,
    DAEMON,
    DATABASE,
    WORKER,
    ZOMBIE,
    Kill,
    Night,
    lasted,
    over_their_cap,
    recoveries,
    titles,
    told_again,
)
from bg_pipeline_tests.soak.table import Line, end, of_money
from bg_pipeline_tests.webhook import webhook

IN_FLIGHT = 4
NEW, CHANGED = 12, 3
"""Pictures of a night."""
BEFORE_S = 10.0
"""Seconds before a night that they are there."""
LOW, PLENTY = 50, 10_000
MOST_OF_NIGHT, MOST_OF_BACKFILL = 60, 2
"""Credits that a run may spend."""
BACKFILL_EVERY = 3
"""Nights; and one in each pause."""
STARTED_AGAIN_S = 5.0
"""As `RestartSec` in `deploy/systemd`."""
PAUSE_S = 30.0
"""Seconds from an alert to the top-up."""
LONGEST_ZOMBIE_S = 180.0
"""Seconds for which a run may block others after its worker died."""
LONGEST_END_S = 900.0


@dataclass
class Soak:
    """One deployment, what is done to it, and what is seen of it."""

    made: Deployment
    server: PostgresServer
    told: list[str]
    rng: random.Random
    count: int
    """Of nights."""
    night_s: int
    nights: list[Night] = field(default_factory=list)
    kills: list[Kill] = field(default_factory=list)
    told_at: float = 0.0
    paused: list[tuple[float, float]] = field(default_factory=list)
    """From each alert of credits to the top-up."""
    fewest_credits: int = PLENTY
    backfills: int = 0
    ended_at: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.catalogue = Catalogue(self.made.home)
        self.begins_at = (time.time() // self.night_s + 2) * self.night_s
        counts = {WORKER: 5 / 3, DAEMON: 1 / 3, CODE: 1 / 6, DATABASE: 1 / 15}
        kinds = [kind for kind, each in counts.items() for _ in range(max(1, round(each * self.count)))]
        lasts_s = self.count * self.night_s
        self.plan = sorted((self.begins_at + self.rng.uniform(0, lasts_s), kind) for kind in kinds)
        self.pauses = pauses_of(self.count)

    def last(self) -> None:
        """All nights with all kills, until each picture is published."""
        ends_at = self.begins_at + self.count * self.night_s + LONGEST_END_S
        while not self._is_over() and time.time() < ends_at:
            now = time.time()
            if len(self.nights) < self.count and now > self.begins_at + len(self.nights) * self.night_s - BEFORE_S:
                self._begin_night()
            self._start_again(now)
            self._kill_what_is_due(now)
            self._top_up(now)
            if self.backfills < len(self.nights) // BACKFILL_EVERY + len(self.told_of_credits("bg_pipeline: ")):
                self._backfill()
            self._look(now)
            time.sleep(1)

    def _is_over(self) -> bool:
        is_made = len(self.nights) == self.count and all(night.done_at for night in self.nights)
        return is_made and not self.plan and len(self.paused) == self.pauses

    def _begin_night(self) -> None:
        number = len(self.nights)
        before = dict(self.catalogue.numbers)
        for _ in range(CHANGED if before else 0):
            self.catalogue.change(self.rng)
        self.catalogue.add(NEW)
        pictures = {key: n for key, n in self.catalogue.numbers.items() if before.get(key) != n}
        self.nights.append(Night(self.begins_at + number * self.night_s, pictures))

    def _top_up(self, now: float) -> None:
        """Top up a while after a person was told."""
        if len(self.told_of_credits("bg_pipeline: ")) <= len(self.paused):
            self.told_at = now
        elif now > self.told_at + PAUSE_S:
            self.fewest_credits = min(self.fewest_credits, self._credits())
            self.paused.append((self.told_at, now))
            self.made.top_up(PLENTY if len(self.paused) == self.pauses else credits_until_a_pause(self.count))

    def _credits(self) -> int:
        return int(self.made.vendor.balance("bgeraser").remaining)

    def told_of_credits(self, opening: str) -> list[str]:
        return [each for each in titles(self.told) if each.startswith(f"{opening}bgeraser: credits are low")]

    def _backfill(self) -> None:
        config = {"ops": {"cutouts": {"config": {"max_credits": MOST_OF_BACKFILL}}}}
        first = self.rng.randrange(10)
        partitions = [f"c{n:02}" for n in range(first, first + 3)]
        if asked(lambda: self.made.backfill(*partitions, config=config)):
            self.backfills += 1

    def _start_again(self, now: float) -> None:
        for name, process in self.made.processes.items():
            if process.poll() is not None and now > self.ended_at.setdefault(name, now) + STARTED_AGAIN_S:
                del self.ended_at[name]
                self.made.start_again(name)

    def _kill_what_is_due(self, now: float) -> None:
        due = [kind for at, kind in self.plan if at <= now]
        self.plan = [(at, kind) for at, kind in self.plan if at > now]
        for kind in due:
            if not self._kill(kind):
                # Not at once: else those that wait would kill each run as soon as it starts.
                self.plan.append((now + self.rng.uniform(1, self.night_s), kind))

    def _kill(self, kind: str) -> bool:
        """Whether there was one to kill."""
        kill = Kill(kind, time.time())
        workers: dict[str, int] = {}
        if kind in {WORKER, CODE}:
            own = {process.pid for process in own_processes(self.made.home)}
            workers = {run: pid for run, pid in (asked(self.made.workers) or {}).items() if pid in own}
        if kind == DATABASE:
            self.server.kill()
            time.sleep(self.rng.uniform(1, 5))
            self.server.start()
        elif kind == WORKER:
            if not workers:
                return False
            kill.runs = [self.rng.choice(sorted(workers))]
            try:
                os.kill(workers[kill.runs[0]], signal.SIGKILL)
            except ProcessLookupError:
                return False
        elif self.made.processes[kind].poll() is None:
            self.made.kill(kind)
            kill.runs = list(workers)
        else:
            return False
        self.kills.append(kill)
        return True

    def _look(self, now: float) -> None:
        for night in self.nights:
            if not night.done_at and all(self._is_made(key, number) for key, number in night.pictures.items()):
                night.done_at = now

    def _is_made(self, key: str, number: int) -> bool:
        """Whether the picture is published, or another one came in its place."""
        if self.catalogue.numbers[key] != number:
            return True
        try:
            return shows((self.made.home / "cutouts" / key).read_bytes(), number)
        except FileNotFoundError:
            return False


def pauses_of(nights: int) -> int:
    return max(1, round(nights / 10))


def credits_until_a_pause(nights: int) -> int:
    return LOW + (NEW + CHANGED) * nights // (pauses_of(nights) + 1)


def asked(ask: Callable[[], Any]) -> Any:
    """The answer; None while Dagster cannot give one."""
    try:
        return ask()
    except (requests.RequestException, AssertionError, KeyError):
        return None


def own_processes(home: Path) -> list[psutil.Process]:
    """What runs on this DAGSTER_HOME."""
    own = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("DAGSTER_HOME") == str(home / "dagster"):
                own.append(process)
        except psutil.Error:
            continue
    return own


@contextmanager
def soaking(home: Path, runtime: Path, nights: int, minutes: int, rng: random.Random) -> Iterator[Soak]:
    with own_postgres(runtime) as server, webhook() as (port, told):
        records = sqlalchemy.make_url(server.create("records")).set(drivername="postgresql+psycopg2")
        settings = {
            "BG_STATE": server.create("manifest"),
            "BG_NIGHTLY_CRON": f"*/{minutes} * * * *",
            "BG_CONCURRENCY": str(IN_FLIGHT),
            "BG_LOW_CREDITS": str(LOW),
            "BG_MAX_CREDITS_PER_RUN": str(MOST_OF_NIGHT),
            "BG_ALERT_URLS": f"json://127.0.0.1:{port}/",
        }
        monitoring = {
            "enabled": True,
            "start_timeout_seconds": 120,
            "cancel_timeout_seconds": 60,
            "free_slots_after_run_end_seconds": 5,
            "poll_interval_seconds": 5,
        }
        with deployed(
            home,
            vendor=SandboxState({"bgeraser": Decimal(credits_until_a_pause(nights))}, latency_s=1.5),
            postgres=records.render_as_string(hide_password=False),
            code_server=True,
            settings=settings,
            fast=True,
            instance={"run_monitoring": monitoring},
        ) as made:
            yield Soak(made, server, told, rng, nights, minutes * 60)


def main() -> bool:
    """Whether all lines were met."""
    parser = argparse.ArgumentParser(prog="python -m bg_pipeline_tests.soak.dagster")
    parser.add_argument("--nights", type=int, default=30)
    parser.add_argument("--minutes", type=int, default=1, help="from one night to the next; 1, or more if busy")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="a folder for its files, which then stay")
    chosen = parser.parse_args()
    print(f"seed {chosen.seed}: {' '.join(sys.argv[1:]) or 'as it is'}", flush=True)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as temporary:
        home = chosen.keep or Path(temporary)
        with soaking(home, Path(temporary), chosen.nights, chosen.minutes, random.Random(chosen.seed)) as soak:
            lines = lines_of(soak)
        left = own_processes(home)
    lines += [
        ("processes left", len(left), not left),
        ("minutes", round((time.monotonic() - began) / 60, 1), None),
    ]
    return end(lines)


def lines_of(soak: Soak) -> list[Line]:
    made, vendor = soak.made, soak.made.vendor
    reader = Reader(soak.catalogue)
    reader.start()
    soak.last()
    made.switch_off_schedule("nightly_delta_sync")
    with suppress(AssertionError):
        made.until("all runs have ended", lambda: all(run["endTime"] for run in made.runs()))
    unended = [run["runId"] for run in made.runs() if not run["endTime"]]
    requests_before = vendor.ledger.requests
    again = made.launch("detect_delta")
    made.until("one more night has ended", lambda: made.status(again) == "SUCCESS")
    made.until("nothing is pending", lambda: "nothing is pending" in made.last_tick("delta_dispatch"))
    more = vendor.ledger.requests - requests_before
    reader.done.set()
    reader.join()

    lost, wrong = soak.catalogue.wrong()
    killed = Counter(kill.what for kill in soak.kills)
    open_nights = [night for night in soak.nights if not night.done_at]
    took = lasted(soak.nights, soak.paused)
    alerts, recovered = (len(soak.told_of_credits(each)) for each in ("bg_pipeline: ", "bg_pipeline, recovered: "))
    repeated = told_again(soak.told)
    bought, over = over_their_cap(made.env["BG_STATE"], MOST_OF_NIGHT, MOST_OF_BACKFILL)
    manifest = made.env["BG_STATE"]
    return [
        ("nights", len(soak.nights), None),
        ("killed", ", ".join(f"{count} {kind}" for kind, count in killed.items()), not soak.plan),
        ("pictures", len(soak.catalogue.numbers), None),
        ("nights that are not made", len(open_nights), not open_nights),
        ("seconds of a night, median", round(statistics.median(took)), None),
        ("seconds of a night, worst", round(max(took)), None),
        ("runs that do not end", len(unended), not unended),
        *(
            (
                f"seconds until {what}, median and worst",
                f"{statistics.median(each):.0f}, {max(each):.0f}",
                max(each) <= LONGEST_ZOMBIE_S if what == ZOMBIE else None,
            )
            for what, each in recoveries(made, soak.kills)
            if each
        ),
        ("cutouts read meanwhile", reader.read, None),
        ("torn cutouts", len(reader.torn), not reader.torn),
        ("lost", len(lost), not lost),
        ("wrong", len(wrong), not wrong),
        *of_money(vendor, manifest, IN_FLIGHT * (killed[WORKER] + killed[CODE])),
        ("requests of one more night", more, more == 0),
        ("backfills, of which bought", f"{soak.backfills}, {bought}", None),
        ("runs that spent beyond their cap", len(over), not over),
        ("pauses for credits", len(soak.paused), len(soak.paused) == soak.pauses),
        ("fewest credits in a pause", soak.fewest_credits, soak.fewest_credits >= LOW - IN_FLIGHT),
        ("alerts of credits, and of their ends", f"{alerts}, {recovered}", alerts == recovered == soak.pauses),
        ("notifications", len(soak.told), None),
        ("incidents told twice", "; ".join(repeated) or 0, not repeated),
    ]


if __name__ == "__main__":
    # So that what was started is ended.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(0 if main() else 1)
