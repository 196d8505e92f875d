"""One safeguard, and the documents that are made of all."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import bg_pipeline

ROOT = Path(bg_pipeline.__file__).parent.parent


@dataclass(frozen=True, slots=True)
class Safeguard:
    """A piece of the program that keeps a promise, and the test that fails without it."""

    area: str
    promise: str
    """What holds because of it, in one sentence."""
    file: str
    """Path below `bg_pipeline`."""
    text: str
    """What is taken out; it occurs once in the file."""
    instead: str
    """What is there then: a program that runs, without this safeguard."""
    test: str
    """The id of a test below `bg_pipeline_tests`."""

    @property
    def path(self) -> str:
        return f"bg_pipeline/{self.file}"

    @property
    def test_id(self) -> str:
        return f"bg_pipeline_tests/{self.test}"

    @property
    def test_name(self) -> str:
        return self.test.partition("::")[2].partition("[")[0]


def as_document(safeguards: Iterable[Safeguard]) -> str:
    """Return docs/safeguards.md."""
    lines = [
        "# Safeguards",
        "",
        "Made by `python -m bg_pipeline_tests.safeguards docs`. `make mutation` takes out each safeguard, in a copy of",
        "the program, and runs its test, which has to fail.",
    ]
    for area, each in groupby(safeguards, lambda safeguard: safeguard.area):
        lines += ["", f"## {area}", "", "| promise | kept by | test that fails without it |", "|---|---|---|"]
        lines += [f"| {s.promise} | `{s.file}` | `{s.test_name}` |" for s in each]
    return "\n".join(lines) + "\n"
