"""
Runs that are killed, stopped and frozen for half an hour, against a vendor that fails, over a source that changes.

    python -m bg_pipeline_tests.soak [--images 10000] [--kills 200] [--stops 50] [--freezes 20] [--seed 1]

It exits with 1 if anything is lost, torn, wrong or paid for without a record.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from bg_pipeline.core.claims import LEASE_S
from bg_pipeline.core.report import Exit
from bg_pipeline.sandbox.faults import NO_CHANCE, Chance
from bg_pipeline.sandbox.serve import running_sandbox
from bg_pipeline.sandbox.state import SandboxState
from bg_pipeline_tests.e2e.shop import COMMAND
from bg_pipeline_tests.pictures import cut_middle
from bg_pipeline_tests.soak.catalogue import Catalogue, Reader
from bg_pipeline_tests.soak.table import Line, charges, end, of_money

IN_FLIGHT = 8
FREEZE_S = 25.0
"""Longer than a lease and a claim live."""
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
    peak_mb: float = 0.0

    def __post_init__(self) -> None:
        self.catalogue = Catalogue(self.home)
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
        log = (self.home / "log.txt").open("ab")
        return subprocess.Popen([COMMAND, "sync"], cwd=self.home, env=self.env, stdout=log, stderr=log)

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
        return int(process.returncode)

    def settle(self) -> Iterator[int]:
        """The codes of further runs, until one is done: an account that failed much gets no requests for a while."""
        for _ in range(30):
            yield (code := self.sync())
            if code == Exit.DONE:
                break
            time.sleep(20)

    def run_with(self, signals: list[int], runners: int) -> None:
        """Runners that begin again whenever they end, until all signals are sent."""
        running: dict[int, subprocess.Popen[bytes]] = {}
        thaws: list[tuple[float, int]] = []
        while signals or thaws:
            for n in range(runners):
                if n not in running or running[n].poll() is not None:
                    running[n] = self.start()
            time.sleep(self.rng.uniform(1.0, 4.0))
            self._measure(running.values())
            for due, pid in list(thaws):
                if due <= time.monotonic():
                    thaws.remove((due, pid))
                    _send(pid, signal.SIGCONT)
            frozen = {pid for _, pid in thaws}
            awake = [
                process.pid for process in running.values() if process.poll() is None and process.pid not in frozen
            ]
            if not signals or not awake:
                continue
            pid, number = self.rng.choice(awake), signals.pop()
            _send(pid, number)
            self.sent[signal.Signals(number).name] += 1
            if number == signal.SIGSTOP:
                thaws.append((time.monotonic() + FREEZE_S, pid))
        for process in running.values():
            process.wait()

    def _measure(self, processes: "Iterable[subprocess.Popen[bytes]]") -> None:
        for process in processes:
            with suppress(OSError, StopIteration):
                status = Path(f"/proc/{process.pid}/status").read_text().splitlines()
                peak = next(line for line in status if line.startswith("VmHWM"))
                self.peak_mb = max(self.peak_mb, int(peak.split()[1]) / 1024)


def _send(pid: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


@contextmanager
def changing(soak: Soak) -> Iterator[None]:
    """Some pictures change all the while."""
    done = threading.Event()
    pause_s = 60 / (CHANGED_A_MINUTE * len(soak.catalogue.numbers))
    rng = random.Random(soak.rng.random())

    def change() -> None:
        while not done.wait(pause_s):
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
    print(f"seed {chosen.seed}: {' '.join(sys.argv[1:]) or 'as it is'}", flush=True)
    rng = random.Random(chosen.seed)
    began = time.monotonic()
    vendor = SandboxState({"bgeraser": Decimal(10**6)}, latency_s=0.05)
    with tempfile.TemporaryDirectory() as home, running_sandbox(vendor, cut_middle) as sandbox:
        soak = Soak(Path(home), vendor, sandbox.base_url, rng)
        reader = Reader(soak.catalogue)

        # First alone: a run that is asked to stop may not cost a request.
        soak.catalogue.add(chosen.images // 10)
        reader.start()
        soak.run_with([signal.SIGTERM] * chosen.stops, runners=1)
        soak.sync()
        after_stops = charges(vendor).total() - len(charges(vendor))

        vendor.faults.chance = Chance(rate=0.05, seed=chosen.seed)
        soak.catalogue.add(chosen.images - chosen.images // 10)
        signals = [signal.SIGKILL] * chosen.kills + [signal.SIGSTOP] * chosen.freezes
        rng.shuffle(signals)
        with changing(soak):
            soak.run_with(list(map(int, signals)), runners=2)
        vendor.faults.chance = Chance(rate=0.2, seed=chosen.seed + 1)
        soak.catalogue.add(chosen.images // 5)
        soak.sync()
        vendor.faults.chance = NO_CHANCE
        codes = list(soak.settle())
        requests = vendor.ledger.requests
        soak.sync()
        again = vendor.ledger.requests - requests
        reader.done.set()
        reader.join()
        lost, wrong = soak.catalogue.wrong()
        faults = vendor.faults.done()
        failing = sum(faults.values())
        in_flight = IN_FLIGHT * (soak.sent["SIGKILL"] + soak.sent["SIGSTOP"])
        manifest = f"sqlite:///{soak.home / '.bg_pipeline' / 'manifest.db'}"
        money = of_money(vendor, manifest, in_flight + failing)
    lines: list[Line] = [
        ("images", len(soak.catalogue.numbers), None),
        ("signals", ", ".join(f"{count} {name}" for name, count in soak.sent.items()), None),
        ("faults of the vendor", f"{failing} of {len(faults)} kinds", None),
        ("cutouts read meanwhile", reader.read, None),
        ("torn cutouts", len(reader.torn), not reader.torn),
        ("lost", len(lost), not lost),
        ("wrong", len(wrong), not wrong),
        ("charged twice after SIGTERM", after_stops, after_stops == 0),
        *money,
        ("requests of one more run", again, again == 0),
        ("memory of a run, MB", round(soak.peak_mb), soak.peak_mb <= MOST_MB),
        ("exit codes of the last runs", codes, codes[-1] == 0),
        ("minutes", round((time.monotonic() - began) / 60, 1), None),
    ]
    return end(lines)


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
