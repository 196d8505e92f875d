"""Take a safeguard out of a copy of the program, and run its test there."""

import os
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bg_pipeline_tests.safeguards.safeguard import ROOT, Safeguard

_COPIED = ("bg_pipeline", "bg_pipeline_tests", "pyproject.toml")
_BROKEN = ("NameError", "UnboundLocalError", "SyntaxError", "ImportError", "ModuleNotFoundError")
"""Errors of a program that does not run: they say nothing about a safeguard."""

_LONGEST_S = 300


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of some tests."""

    passed: int
    failures: tuple[str, ...]
    """First line of each failure of a test itself."""
    problem: str = ""
    """Why the tests say nothing; empty if they ran."""

    @property
    def is_red(self) -> bool:
        return bool(self.failures) and not self.problem


class Copy:
    """A copy of the program and its tests in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writes = 0
        for name in _COPIED:
            origin = ROOT / name
            if origin.is_dir():
                shutil.copytree(origin, folder / name)
            else:
                shutil.copy2(origin, folder / name)

    def without(self, safeguard: Safeguard) -> Outcome:
        """Return the outcome of the safeguard's test while the safeguard is missing."""
        path = self._folder / safeguard.path
        whole = path.read_text(encoding="utf-8")
        mutated = whole.replace(safeguard.text, safeguard.instead)
        compile(mutated, safeguard.path, "exec")
        try:
            self._write(path, mutated)
            return self.test([safeguard.test_id])
        finally:
            self._write(path, whole)

    def test(self, ids: Iterable[str], *options: str) -> Outcome:
        """Run tests in the copy."""
        report = self._folder / "report.xml"
        report.unlink(missing_ok=True)
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junit-xml={report}"]
        environment = os.environ | {"PYTHONPATH": str(self._folder)}
        try:
            done = subprocess.run(
                [*command, *(options or ("-x", "-n", "0")), *ids],
                check=False,
                cwd=self._folder,
                env=environment,
                capture_output=True,
                text=True,
                timeout=_LONGEST_S * (1 if not options else 10),
            )
        except subprocess.TimeoutExpired:
            return Outcome(0, (), "it did not end")
        if done.returncode not in {0, 1} or not report.exists():
            return Outcome(0, (), f"pytest ended with {done.returncode}: {done.stdout.strip().splitlines()[-1:]}")
        return _read(report)

    def _write(self, path: Path, text: str) -> None:
        path.write_text(text, encoding="utf-8")
        # Python tells compiled files by whole seconds and sizes, and two mutations may come within a second.
        self._writes += 1
        moment = time.time() + self._writes
        os.utime(path, (moment, moment))


def _read(report: Path) -> Outcome:
    passed, failures, problem = 0, [], ""
    for case in ET.parse(report).getroot().iter("testcase"):
        failure, error = case.find("failure"), case.find("error")
        if failure is not None:
            lines = failure.get("message", "").strip().splitlines() or [""]
            failures.append(lines[0])
            if lines[0].removeprefix("E ").strip().startswith(_BROKEN):
                problem = f"the program does not run: {lines[0]}"
        elif error is not None:
            problem = f"outside of the test: {error.get('message', '').splitlines()[:1]}"
        elif case.find("skipped") is None:
            passed += 1
    if not (passed or failures or problem):
        problem = "no test ran"
    return Outcome(passed, tuple(failures), problem)


def all_green(copy: Copy, safeguards: Sequence[Safeguard]) -> Outcome:
    """Run the tests of all safeguards, with nothing taken out."""
    return copy.test(sorted({each.test_id for each in safeguards}), "-n", "2", "--dist", "loadfile")
