"""Progress for people: a bar on a terminal, a few lines elsewhere."""

import sys
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from bg_pipeline.cli.terminal import printable, say
from bg_pipeline.settings.logs import owns_stderr

_LINES = 5
"""Lines that one task prints without a terminal."""


class Bars:
    """`ports.Progress` on standard error, so that standard output stays for results."""

    def __init__(self) -> None:
        console = Console(stderr=True)
        self._bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            disable=owns_stderr() or not console.is_terminal,
        )
        self._task: TaskID | None = None
        self._what, self._total, self._count = "", 0, 0

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def start(self, what: str, total: int | None) -> None:
        self._what, self._total, self._count = what, total or 0, 0
        self._task = self._bars.add_task(printable(what), total=total)

    def advance(self, count: int = 1) -> None:
        before, self._count = self._count, self._count + count
        if self._task is not None:
            self._bars.advance(self._task, count)
        every = max(1, -(-self._total // _LINES))
        if self._bars.disable and self._total and before // every != self._count // every:
            self._say(f"{self._count} of {self._total}")

    def done(self) -> None:
        if self._task is not None:
            self._bars.update(self._task, total=self._count, completed=self._count)
        if self._bars.disable and (not self._total or self._count % max(1, -(-self._total // _LINES))):
            self._say(f"{self._count} done" if self._count else "done")

    def _say(self, what: str) -> None:
        say(f"{self._what}: {what}", err=True)
        sys.stderr.flush()
