"""
All benchmarks, one after the other, and the page that shows them: `make bench`.

Each runs in a process of its own, in a bounded size, and hands its rows to `tables.compare` and `tables.draw`. What
cannot run here, such as a peer that is not installed, is left out, and the page says why.
"""

import datetime as dt
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bg_pipeline_tests.benchmarks.tables import COLLECTED

ROOT = Path(__file__).parent.parent.parent
PAGE = ROOT / "docs" / "benchmarks.md"

MODULES: Mapping[str, str] = {
    "throughput": "bg_pipeline_tests.benchmarks throughput",
    "limits": "bg_pipeline_tests.benchmarks limits --virtual",
    "originals": "bg_pipeline_tests.benchmarks originals 12 1000",
    "slots": "bg_pipeline_tests.benchmarks.slots",
    "one_night": "bg_pipeline_tests.benchmarks.one_night --times 1",
    "nights": "bg_pipeline_tests.benchmarks.nights --collections 10 --each 8",
    "collections": "bg_pipeline_tests.benchmarks.collections --nights 20 --collections 100",
    "capacity": "bg_pipeline_tests.benchmarks.capacity",
    "scan": "bg_pipeline_tests.benchmarks.scan --files 200000",
    "listing": "bg_pipeline_tests.benchmarks.listing --objects 20000",
    "plan": "bg_pipeline_tests.benchmarks.plan --rows 250000 --shares 0.001",
    "hashing": "bg_pipeline_tests.benchmarks.hashing --files 2000",
    "reading": "bg_pipeline_tests.benchmarks.reading --objects 200",
    "recording": "bg_pipeline_tests.benchmarks.recording --items 50000 --rows 200000",
    "claims": "bg_pipeline_tests.benchmarks.claims --rows 200000",
    "bookkeeping": "bg_pipeline_tests.benchmarks.bookkeeping --workers 1 2 --ms 0 2 --pictures 800",
    "edges": "bg_pipeline_tests.benchmarks.edges",
    "engines": "bg_pipeline_tests.benchmarks.engines",
    "review": "bg_pipeline_tests.benchmarks.review --items 200",
}
"""Command of each, in a size with which all together take about half an hour on two cores."""

_LONGEST_S = 900.0

_HEAD = """\
# Benchmarks

Written by `{command}` on {date}, on {machine}. Each row is beside a peer, an ideal or a line of the same run on the
same files: compare ratios, not seconds. `make bench` writes it whole. What each measures, how to run it larger, and
what it has to meet is in [its README](../bg_pipeline_tests/benchmarks/README.md).

| what, by which command | unit | ours | beside it | | ratio |
|---|---|---|---|---|---|
"""


@dataclass(frozen=True, slots=True)
class Ran:
    """One benchmark, as it ran."""

    name: str
    seconds: float
    rows: Sequence[Mapping[str, Any]]
    printed: str
    problem: str

    @property
    def command(self) -> str:
        return f"uv run --extra local python -m {MODULES[self.name]}"


def write(names: Sequence[str]) -> bool:
    """Run these benchmarks and write the page after each; return True if all could run."""
    load, _, _ = os.getloadavg()
    ran: list[Ran] = []
    for name in names:
        print(f"{name} …", flush=True)
        ran.append(_run(name))
        print(ran[-1].printed or ran[-1].problem, flush=True)
        _write(ran, load)
    return not any(each.problem for each in ran)


def _write(ran: Sequence[Ran], load: float) -> None:
    names = [each.name for each in ran]
    compared = [_row(each.name, row) for each in ran for row in each.rows if "what" in row]
    few = f"python -m bg_pipeline_tests.benchmarks --only {' '.join(names)}"
    command = "make bench" if set(names) == set(MODULES) else few
    head = _HEAD.format(command=command, date=f"{dt.datetime.now(dt.UTC):%Y-%m-%d}", machine=machine(load))
    plots = [row for each in ran for row in each.rows if "plot" in row]
    sections = [head + "\n".join(compared), *filter(None, map(_plot, plots)), *map(_section, ran)]
    PAGE.write_text("\n\n".join(sections) + "\n", encoding="utf-8")


def _run(name: str) -> Ran:
    started = time.monotonic()
    with tempfile.NamedTemporaryFile("r", encoding="utf-8") as collected:
        command = [sys.executable, "-m", *MODULES[name].split()]
        try:
            done = subprocess.run(
                command,
                cwd=ROOT,
                env={**os.environ, COLLECTED: collected.name},
                capture_output=True,
                text=True,
                check=False,
                timeout=_LONGEST_S,
            )
        except subprocess.TimeoutExpired:
            return Ran(name, _LONGEST_S, (), "", f"not done after {_LONGEST_S:.0f} s")
        rows = [json.loads(line) for line in collected]
    # A benchmark that did not meet its line ends with 1, and has its rows all the same.
    problem = "" if rows or not done.returncode else done.stderr.strip().rpartition("\n")[2] or "it failed"
    return Ran(name, time.monotonic() - started, rows, _without_paths(done.stdout), problem)


def _without_paths(text: str) -> str:
    return re.sub(rf"{re.escape(tempfile.gettempdir())}/\S+", "…", text).strip()


def machine(load: float) -> str:
    """Return the machine in words, for a page."""
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    cores = len(os.sched_getaffinity(0))
    return f"{cores} cores and {memory_gb:.0f} GB, Python {platform.python_version()}, load {load:.1f} before it began"


def _row(name: str, row: Mapping[str, Any]) -> str:
    ours, theirs = row["ours"], row["theirs"]
    ratio = f"{ours / theirs:.2f}" if theirs else "–"
    what = f"[{row['what']}](#{name})"
    return f"| {what} | {row['unit']} | {_number(ours)} | {row['peer']} | {_number(theirs)} | {ratio} |"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def _section(ran: Ran) -> str:
    told = f"Not run: {ran.problem}." if ran.problem else f"{ran.seconds:.0f} s.\n\n```text\n{ran.printed}\n```"
    return f"## {ran.name}\n\n`{ran.command}`: {told}"


def _plot(row: Mapping[str, Any]) -> str:
    """Draw a plot beside the page; return its line, or nothing if there is no matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return ""
    figure = Figure(figsize=(6, 3.2), layout="constrained")
    axes = figure.add_subplot()
    for name, points in row["lines"].items():
        axes.plot(*zip(*points, strict=True), marker="o", label=name)
    axes.set(xlabel=row["x"], ylabel=row["y"], title=row["title"])
    axes.grid(visible=True, alpha=0.3)
    axes.legend()
    file = PAGE.with_name(f"benchmarks-{row['plot']}.svg")
    figure.savefig(file, metadata={"Date": None})
    return f"![{row['title']}]({file.name})"
