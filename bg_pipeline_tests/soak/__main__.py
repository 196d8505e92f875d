"""
Runs that are killed, stopped and frozen, against a vendor that fails, over a source that changes.

    python -m bg_pipeline_tests.soak [--images 10000] [--kills 200] [--stops 50] [--freezes 20] [--seed 1]

It exits with 1 if anything is lost, torn, wrong or paid for without a record.
"""

import argparse
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import psutil

from bg_pipeline.core.claims import LEASE_S
from bg_pipeline.core.gate import LAG_S
from bg_pipeline.core.report import Exit
from bg_pipeline.sandbox.faults import CHARGED, NO_CHANCE, Chance, Fault, FaultKind
from bg_pipeline.sandbox.serve import running_sandbox
from bg_pipeline.sandbox.state import SandboxState
from bg_pipeline_tests.e2e.shop import COMMAND
from bg_pipeline_tests.pictures import cut_middle
from bg_pipeline_tests.soak.catalogue import Catalogue, Reader
from bg_pipeline_tests.soak.table import MOST_CHARGES, Line, charges, end, of_money

IN_FLIGHT = 8
FREEZE_S = 25.0
"""Longer than a lease and a claim live."""
LATEST_S = 2.0
"""Seconds until the next signal is sent, at most."""
BURST = 8
"""Signals in a row; before the next of them a request has begun. What a killed run had in flight keeps its slots for a
lease, so that one signal after each request would take hours."""
MOST_WAIT_S = 60.0
CHANGED_A_MINUTE = 0.05
MOST_MB = 400


@dataclass
class Soak:
    """One catalogue and its vendor, with what is counted."""

    home: Path
    vendor: SandboxState
    base_url: str
    rng: random.Random
    catalogue: Catalogue = field(init=False)
    sent: Counter[str] = field(default_factory=Counter)
    in_flight: Counter[str] = field(default_factory=Counter)
    """Requests that had no recorded end when a signal was sent, by its name."""
    gates_opened: int = 0
    peak_mb: float = 0.0
    _stopping: set[int] = field(default_factory=set)
    _frozen: dict[int, float] = field(default_factory=dict)
    """When each frozen process goes on."""

    def __post_init__(self) -> None:
        self.catalogue = Catalogue(self.home)
        self.manifest = self.home / ".bg_pipeline" / "manifest.db"
        self.env = {
            "PATH": os.environ["PATH"],
            "BG_PROVIDER": "bgeraser",
            "BGERASER_API_KEY": "soak-key",
            "BGERASER_BASE_URL": self.base_url,
            "BG_STABLE_S": "0",
            "BG_LOW_CREDITS": "0",
            "BG_CONCURRENCY": str(IN_FLIGHT),
        }

    def start(self) -> "subprocess.Popen[bytes]":
        with (self.home / "log.txt").open("ab") as log:
            return subprocess.Popen([COMMAND, "sync"], cwd=self.home, env=self.env, stdout=log, stderr=log)

    def command(self, *words: str) -> "subprocess.CompletedProcess[bytes]":
        return subprocess.run([COMMAND, *words], cwd=self.home, env=self.env, capture_output=True, check=False)

    def sync(self) -> int:
        """One run to its end; a dead one may hold its lease for a while."""
        for _ in range(6):
            process = self.start()
            while process.poll() is None:
                time.sleep(0.2)
                self._measure([process])
            if process.returncode != Exit.LEASE:
                break
            time.sleep(LEASE_S / 4)
        self._look_at(process.returncode)
        return int(process.returncode)

    def settle(self) -> Iterator[int]:
        """The codes of further runs, until one leaves nothing that another could do."""
        for _ in range(30):
            yield (code := self.sync())
            if code in {Exit.DONE, Exit.SOME_FAILED}:
                break

    def waiting(self) -> set[str]:
        """Items without a cutout of which a person is told."""
        return {str(each["key"]) for each in json.loads(self.command("failures", "--json").stdout)}

    def untold(self) -> list[str]:
        """Items that are not as their pictures are, and of which `why` says nothing."""
        told = {
            bytes(key).decode()
            for (key,) in self._query("SELECT key FROM items WHERE state <> ? AND detail <> ''", "published")
        }
        lost, wrong = self.catalogue.wrong()
        return [key for key in [*lost, *wrong] if key not in told]

    def decide(self) -> None:
        """A person has everything that waits bought again, and what was refused once sent at once."""
        self.command("gate", "open", "bgeraser")
        for key in sorted(self.waiting()):
            if (redo := self.command("review", "redo", key)).returncode:
                again = self.command("retry", "--again", key)
                if again.returncode:
                    print(key, redo.stderr.decode(), again.stderr.decode(), sep="\n")

    def recorded(self, state: str = "%") -> Counter[str]:
        """Attempts in the manifest, by the picture that was sent."""
        rows = self._query("SELECT sent_digest FROM attempts WHERE state LIKE ?", state)
        return Counter(sent for (sent,) in rows)

    def keys_of(self, pictures: Iterable[str]) -> list[str]:
        query = "SELECT item_key FROM attempts WHERE sent_digest = ?"
        return [bytes(key).decode() for sent in pictures for (key,) in self._query(query, sent)[:1]]

    def run_with(self, signals: list[int], runners: int, images: int) -> None:
        """Runners that begin again whenever they end, until all signals are sent; new images come with each of them."""
        each = images // (len(signals) + 1)
        self.catalogue.add(images - each * len(signals))
        running = [self.start() for _ in range(runners)]
        while signals or self._frozen:
            for n, process in enumerate(running):
                if process.poll() is not None:
                    self._look_at(process.returncode)
                    running[n] = self.start()
            if not sum(self.sent.values()) % BURST:
                self._wait_for_requests(running)
            time.sleep(self.rng.uniform(0.0, LATEST_S))
            self._measure(running)
            self._thaw()
            awake = [p.pid for p in running if p.poll() is None and p.pid not in self._stopping | self._frozen.keys()]
            if signals and awake:
                self._signal(self.rng.choice(awake), signals.pop())
                self.catalogue.add(each)
            elif not self._frozen and not self._stopping & {p.pid for p in running}:
                for _ in range(each):  # all was done before the signal: there must be more to do
                    self.catalogue.change(self.rng)
        for process in running:
            process.wait()

    def _signal(self, pid: int, number: int) -> None:
        _send(pid, number)
        self.sent[signal.Signals(number).name] += 1
        self.in_flight[signal.Signals(number).name] += self._open_attempts()
        if number == signal.SIGSTOP:
            self._frozen[pid] = time.monotonic() + FREEZE_S
        if number == signal.SIGTERM:
            self._stopping.add(pid)  # a second one would end it at once

    def _thaw(self) -> None:
        for pid, due in list(self._frozen.items()):
            if due <= time.monotonic():
                del self._frozen[pid]
                _send(pid, signal.SIGCONT)

    def _wait_for_requests(self, running: "Iterable[subprocess.Popen[bytes]]") -> None:
        """Wait for a request that began after the last signal: runs that only start would show little."""
        last = "SELECT max(id) FROM attempts"
        until, before = time.monotonic() + MOST_WAIT_S, self._query(last)
        while self._query(last) == before and time.monotonic() < until:
            if any(process.poll() is not None for process in running):
                break
            time.sleep(0.1)

    def _look_at(self, code: int | None) -> None:
        """A person opens the account when a run says that it is closed: the vendor may have asked for an hour."""
        if code == Exit.PAUSED:
            self.command("gate", "open", "bgeraser")
            self.gates_opened += 1

    def _open_attempts(self) -> int:
        return min(IN_FLIGHT, self.recorded("intent").total())

    def _query(self, statement: str, *values: str) -> list[Any]:
        address = f"file:{self.manifest}?mode=ro"
        with suppress(sqlite3.OperationalError), closing(sqlite3.connect(address, uri=True)) as conn:
            return conn.execute(statement, values).fetchall()
        return []  # the first run has not made it yet

    def _measure(self, processes: "Iterable[subprocess.Popen[bytes]]") -> None:
        """Each run with its workers; of a page that some share, each has its part."""
        for process in processes:
            with suppress(psutil.Error):
                run = psutil.Process(process.pid)
                family = [run, *run.children(recursive=True)]
                self.peak_mb = max(self.peak_mb, sum(each.memory_full_info().pss for each in family) / 2**20)


def _send(pid: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


class _Chance(Chance):
    """All kinds, but no 429 that asks to wait for a day: like a 402, it would end every run."""

    refuses: bool = True
    """False for no 429: those at random look like a limit of requests a minute, so that the runs would mostly wait."""

    def fault(self, call: int, now_s: float) -> Fault | None:
        fault = super().fault(call, now_s)
        refusal = fault is not None and fault.kind is FaultKind.TOO_MANY_REQUESTS
        return None if refusal and (not self.refuses or fault.retry_after == "86400") else fault


@contextmanager
def changing(soak: Soak) -> Iterator[None]:
    """Some pictures change all the while."""
    done = threading.Event()
    rng = random.Random(soak.rng.random())

    def change() -> None:
        while not done.wait(60 / (CHANGED_A_MINUTE * len(soak.catalogue.numbers))):
            soak.catalogue.change(rng)

    changer = threading.Thread(target=change)
    changer.start()
    try:
        yield
    finally:
        done.set()
        changer.join()


def main() -> bool:
    """Whether all lines were met."""
    asked = argparse.ArgumentParser(prog="python -m bg_pipeline_tests.soak")
    for name, default in (("images", 10_000), ("kills", 200), ("stops", 50), ("freezes", 20), ("seed", 1)):
        asked.add_argument(f"--{name}", type=int, default=default)
    chosen = asked.parse_args()
    print(asked.prog, *(f"--{name} {value}" for name, value in vars(chosen).items()), flush=True)
    rng = random.Random(chosen.seed)
    began = time.monotonic()
    vendor = SandboxState({"bgeraser": Decimal(10**6)}, latency_s=0.05)
    with tempfile.TemporaryDirectory() as home, running_sandbox(vendor, cut_middle) as sandbox:
        soak = Soak(Path(home), vendor, sandbox.base_url, rng)
        reader = Reader(soak.catalogue)

        # First alone: a run that is asked to stop may not cost a request.
        reader.start()
        first = chosen.images // 5
        soak.run_with([signal.SIGTERM] * chosen.stops, runners=1, images=first)
        soak.sync()
        after_stops = charges(vendor).total() - len(charges(vendor))

        vendor.faults.chance = _Chance(rate=0.05, seed=chosen.seed)
        signals = [signal.SIGKILL] * chosen.kills + [signal.SIGSTOP] * chosen.freezes
        rng.shuffle(signals)
        with changing(soak):
            soak.run_with(list(map(int, signals)), runners=2, images=chosen.images - first)
            list(soak.settle())
        vendor.faults.chance = _Chance(rate=0.21, seed=chosen.seed + 1, refuses=False)
        soak.catalogue.add(chosen.images // 5)
        list(soak.settle())
        vendor.faults.chance = NO_CHANCE
        vendor.results.mend()
        codes = list(soak.settle())
        if soak.recorded("in_doubt"):
            time.sleep(LAG_S)  # a reading of the balance then tells what was charged
            codes = list(soak.settle())
        twice = [sent for sent, count in soak.recorded("charged").items() if count > 1]
        faults = vendor.faults.done()
        failing = sum(count for kind, count in faults.items() if kind in CHARGED)
        cut_short = soak.in_flight["SIGKILL"] + soak.in_flight["SIGSTOP"]
        money = of_money(vendor, f"sqlite:///{soak.manifest}", cut_short + failing)
        too_often = soak.keys_of(sent for sent, count in charges(vendor).items() if count > MOST_CHARGES)
        waiting = soak.waiting()
        untold = soak.untold()
        soak.decide()
        codes += soak.settle()
        requests = vendor.ledger.requests
        soak.sync()
        again = vendor.ledger.requests - requests
        reader.done.set()
        reader.join()
        lost, wrong = soak.catalogue.wrong()
        for key in [*lost, *wrong, *untold, *too_often][:5]:
            print(soak.command("why", key).stdout.decode())
    lines: list[Line] = [
        ("images", len(soak.catalogue.numbers), None),
        ("signals", ", ".join(f"{count} {name}" for name, count in soak.sent.items()), None),
        ("requests in flight at them", ", ".join(f"{count} {name}" for name, count in soak.in_flight.items()), None),
        ("faults of the vendor", f"{sum(faults.values())} of {len(faults)} kinds", None),
        ("of them charged", failing, None),
        ("times that a person opened the gate", soak.gates_opened, None),
        ("cutouts read meanwhile", reader.read, None),
        ("torn cutouts", len(reader.torn), not reader.torn),
        ("lost or wrong without a word", len(untold), not untold),
        ("left to a person, then bought", len(waiting), None),
        ("lost", len(lost), not lost),
        ("wrong", len(wrong), not wrong),
        ("charged twice after SIGTERM", after_stops, after_stops == 0),
        ("good results bought again", len(twice), not twice),
        *money,
        ("requests of one more run", again, again == 0),
        ("memory of a run with its workers, MB", round(soak.peak_mb), soak.peak_mb <= MOST_MB),
        ("exit codes of the last runs", codes, codes[-1] == Exit.DONE),
        ("minutes", round((time.monotonic() - began) / 60, 1), None),
    ]
    return end(lines)


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
