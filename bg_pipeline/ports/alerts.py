"""Alerts on their way to people."""

from collections.abc import Callable, Sequence
from typing import Protocol

from bg_pipeline.core.alerts import Decision, Episode, Letter, Notice, Target


class Outbox(Protocol):
    """Episodes, and notices on their way to each target: what is in it survives any process."""

    def note(self, decide: Callable[[Sequence[Episode]], Decision], targets: Sequence[str]) -> Decision:
        """
        Have it decided over the open episodes, and keep the new ones together with a letter a notice and target.

        All in one step, in which no other process decides.
        """
        ...

    def claim(self, target: str, for_s: float) -> Letter | None:
        """
        The oldest letter to this target, if it is due; the next only after that one has ended.

        No other process gets it for so many seconds.
        """
        ...

    def settle(self, letter: Letter, took_it: bool, wait_s: float, detail: str = "") -> None:
        """Taken: it has ended. If not, it is due again after so many seconds."""
        ...

    def give_up(self, made_before: float) -> int:
        """End what waits for longer, on record; returns how many."""
        ...

    def backlog(self) -> dict[str, tuple[int, int]]:
        """Target to letters that wait and letters that were given up; targets without either are left out."""
        ...


class AlertSink(Protocol):
    """Those who are told."""

    @property
    def targets(self) -> Sequence[Target]: ...

    def send(self, target: Target, notice: Notice) -> bool:
        """Whether the target took it, as far as it says. Raises nothing, and comes back within seconds."""
        ...
