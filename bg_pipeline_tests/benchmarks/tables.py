"""How a benchmark shows what it measured, on the terminal and in docs/benchmarks.md."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

COLLECTED = "BENCHMARKS_COLLECTED"
"""Variable with the file that takes what `python -m bg_pipeline_tests.benchmarks` puts into the page."""


def show(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table; the first column to the left, numbers to the right."""
    widths = [max(len(row[n]) for row in (heads, *rows)) for n in range(len(heads))]
    for row in (heads, *rows):
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        print("  ".join(cells))


def verdict(met: bool) -> str:
    return "pass" if met else "FAIL"


def compare(what: str, unit: str, ours: float, peer: str, theirs: float) -> None:
    """One row of the page: our value beside that of a peer, or of an ideal or a line, of the same run."""
    _collect({"what": what, "unit": unit, "ours": ours, "peer": peer, "theirs": theirs})


def draw(name: str, title: str, x: str, y: str, lines: Mapping[str, Sequence[tuple[float, float]]]) -> None:
    """One plot of the page: a line of points by its name."""
    _collect({"plot": name, "title": title, "x": x, "y": y, "lines": lines})


def _collect(row: Mapping[str, object]) -> None:
    if file := os.environ.get(COLLECTED):
        with Path(file).open("a", encoding="utf-8") as collected:
            collected.write(json.dumps(row) + "\n")
