"""Signals at random instants of the first seconds of a sync, to one process or to its group."""

import os
import random
import re
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from bg_pipeline_tests.e2e.shop import COMMAND, Shop
from bg_pipeline_tests.pictures import product

SIGNALS = int(os.environ.get("SIGNALS", "10"))
"""Number of signals; `make soak-signals` sends 200."""

INSTANTS = random.Random(14)

pytestmark = pytest.mark.processes


@pytest.fixture
def busy(shop: Shop) -> Shop:
    """A night that takes longer than the signal waits."""
    shop.vendor.latency_s = 0.3
    shop.env["BG_CONCURRENCY"] = "2"
    for n in range(40):
        shop.put(f"hats/{n}.png", product(100 + n))
    return shop


def start(shop: Shop) -> "subprocess.Popen[str]":
    """A sync as the head of a process group, like a job of a shell."""
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [COMMAND, "sync"], cwd=shop.home, env=shop.env, stdout=pipe, stderr=pipe, text=True, start_new_session=True
    )


def held_leases(shop: Shop) -> list[str]:
    manifest = shop.home / ".bg_pipeline" / "manifest.db"
    if not manifest.exists():
        return []
    with closing(sqlite3.connect(manifest)) as conn:
        if not conn.execute("SELECT 1 FROM sqlite_master WHERE name = 'leases'").fetchone():
            return []
        return [name for (name,) in conn.execute("SELECT name FROM leases WHERE ends_at > ?", (time.time(),))]


def members_of(session: int) -> list[int]:
    """Processes of a session that still run, those of the workers too."""
    listed = subprocess.run(["ps", "-eo", "pid=,sid=,stat="], capture_output=True, text=True, check=True).stdout
    rows = (line.split() for line in listed.splitlines())
    return [int(pid) for pid, sid, state in rows if int(sid) == session and not state.startswith("Z")]


def wait_for_handler(process: "subprocess.Popen[str]") -> None:
    """Wait for the process to handle signals: until Python has started, no code of this package can."""
    status = Path(f"/proc/{process.pid}/status")
    while not int(re.findall(r"SigCgt:\s*(\w+)", status.read_text())[0], 16) >> (signal.SIGTERM - 1) & 1:
        time.sleep(0.005)


@pytest.mark.parametrize("after_s", [round(INSTANTS.uniform(0.0, 5.0), 2) for _ in range(SIGNALS)])
def test_a_signal_in_the_first_seconds_ends_a_sync_quietly_with_code_3_and_no_lease(
    busy: Shop, after_s: float, record_property: Callable[[str, object], None]
) -> None:
    number = INSTANTS.choice([signal.SIGINT, signal.SIGTERM])
    send = INSTANTS.choice([os.kill, os.killpg])
    process = start(busy)
    wait_for_handler(process)
    time.sleep(after_s)
    send(process.pid, number)
    sent_at = time.monotonic()
    # A sync that hangs fails here.
    _, err = busy.end(process, 15)
    record_property("ended_after_s", round(time.monotonic() - sent_at, 2))

    assert process.returncode == 3, err
    assert "Traceback" not in err
    assert held_leases(busy) == []


def test_a_killed_sync_takes_its_workers_with_it(busy: Shop) -> None:
    process = start(busy)
    while not busy.vendor.ledger.charges():
        time.sleep(0.05)
    assert len(members_of(process.pid)) > 2
    process.kill()
    busy.end(process, 15)

    deadline = time.monotonic() + 15
    while members_of(process.pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert members_of(process.pid) == []
