"""
Machines that are namespaces of this one: each with its own network, processes, name and mounts, on one bridge.

All of them are inside of namespaces of the program itself (`inside`). What is in those is seen by no other program, and
the kernel takes it away with their first process, however that ends.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import psutil

HERE = "10.77.0.1"
"""The bridge's address: that of the servers which no test kills."""

_INSIDE = "HOSTS_FOLDER"
_PROGRAMS = ("ip", "nsenter", "setpriv", "unshare")
_FIRST_PROCESS = str(Path(__file__).parent / "first_process.py")
_links = count()

Process = subprocess.Popen[str]
"""What runs on a machine."""


def refused() -> str:
    """Why no namespaces can be made here; empty if they can."""
    try:
        done = subprocess.run(
            [*_unshare(), "ip", "link", "add", "probe", "type", "bridge"], capture_output=True, text=True, check=False
        )
    except FileNotFoundError as error:
        return f"{error.filename} is not installed"
    return done.stderr.strip().partition("\n")[0] or ("" if not done.returncode else f"ip ended with {done.returncode}")


def folder_inside() -> Path | None:
    """The folder of this program; None if it is not inside of its namespaces."""
    return Path(os.environ[_INSIDE]) if _INSIDE in os.environ else None


def run_inside(module: str, words: Sequence[str]) -> int:
    """Run a module in namespaces and a folder of its own; remove both, also after a signal; return its exit code."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with tempfile.TemporaryDirectory(prefix=f"bgp-hosts-{os.getpid()}-") as folder:
        Path(folder).chmod(0o755)  # the database's user has to get there
        # A session of its own: Ctrl-C is for this process alone.
        process = subprocess.Popen(
            [*_unshare(), sys.executable, "-m", module, *words],
            env={**os.environ, _INSIDE: folder},
            start_new_session=True,
        )
        try:
            return process.wait()
        except KeyboardInterrupt:
            print("stopped")
            return 128 + signal.SIGINT
        finally:
            # The parent of the first process in there returns when all the others are gone too.
            for first in psutil.Process(process.pid).children() if process.poll() is None else ():
                first.kill()
            process.wait()


def _unshare() -> list[str]:
    kinds = ("--net", "--mount", "--mount-proc", "--pid", "--uts")
    return ["setpriv", "--pdeathsig", "KILL", "unshare", *kinds, "--fork", "--kill-child"]


def make_network() -> None:
    """The bridge, with an address of this program."""
    _ip("link", "set", "lo", "up")
    _ip("link", "add", "bridge", "type", "bridge")
    _ip("addr", "add", f"{HERE}/24", "dev", "bridge")
    _ip("link", "set", "bridge", "up")


@dataclass
class Machine:
    """One machine; it runs as soon as it is made."""

    name: str
    number: int
    vendor_port: int = 0
    """Port of its loopback that leads to the vendor."""

    def __post_init__(self) -> None:
        self.address = f"10.77.0.{self.number}"
        self._runs: list[Process] = []
        self.start()

    def start(self) -> None:
        """Switch it on, again under the address that it had."""
        led = [str(self.vendor_port), HERE] if self.vendor_port else []
        self._process = subprocess.Popen(
            [*_unshare(), sys.executable, _FIRST_PROCESS, self.name, *led],
            stderr=subprocess.DEVNULL,  # unshare says something about the signals of those that are killed
        )
        while not (first := psutil.Process(self._process.pid).children()):
            assert self._process.poll() is None, f"the machine {self.name} did not start"
            time.sleep(0.01)
        self._first = first[0].pid
        self._link = f"to-{self.name[:6]}-{next(_links)}"
        _ip("link", "add", self._link, "type", "veth", "peer", "name", "eth0", "netns", str(self._first))
        _ip("link", "set", self._link, "master", "bridge", "up")
        self._here("ip", "link", "set", "lo", "up")
        # As a network card has it: others remember it for a while.
        self._here("ip", "link", "set", "eth0", "address", f"02:00:00:00:00:{self.number:02x}", "up")
        self._here("ip", "addr", "add", f"{self.address}/24", "dev", "eth0")

    def popen(self, *words: str, env: Mapping[str, str], cwd: Path) -> Process:
        with (cwd / f"{self.name}.log").open("a") as log:
            process = subprocess.Popen(
                self._command(words), env=env, cwd=cwd, stdout=subprocess.PIPE, stderr=log, text=True
            )
        self._runs.append(process)
        return process

    def cut_off(self) -> None:
        """Pull its cable: connections neither work nor end."""
        _ip("link", "set", self._link, "down")

    def reconnect(self) -> None:
        _ip("link", "set", self._link, "up")

    def die(self) -> None:
        """Cut it off, and take its power away: nothing says goodbye."""
        self.cut_off()
        os.kill(self._first, signal.SIGKILL)
        for process in self._runs:
            # nsenter stands still with what it started, and the machine is gone when it has seen the end of that.
            process.send_signal(signal.SIGCONT)
        self._process.wait()

    def _command(self, words: Sequence[str]) -> list[str]:
        return ["nsenter", "-t", str(self._first), "--net", "--mount", "--pid", "--uts", "--wd=.", "--", *words]

    def _here(self, *words: str) -> None:
        subprocess.run(self._command(words), check=True)


def freeze(process: Process) -> None:
    """Stop what runs on a machine in the middle of whatever it does."""
    for each in psutil.Process(process.pid).children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            each.suspend()


def thaw(process: Process) -> None:
    """Let it go on."""
    started = psutil.Process(process.pid)
    for each in (started, *started.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            each.resume()


def end(process: Process) -> None:
    """End what runs on a machine, though it would go on."""
    for each in psutil.Process(process.pid).children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            each.kill()
    thaw(process)
    process.wait()


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)
