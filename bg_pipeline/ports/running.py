"""The clock, workers and progress display of a run."""

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

T = TypeVar("T")

Now = Callable[[], float]
"""A clock in epoch seconds."""


class Call(Protocol):
    """A caller that isolates functions of `imaging`: a crash ends only the call."""

    def __call__(self, function: Callable[..., T], *args: Any) -> T:
        """
        Raises:
            ItemUnreadable: it crashed, used more time or memory than it may, or a library raised any other error.
            ItemBlocked: it was killed from outside, and again when it ran alone.
        """
        ...


class Progress(Protocol):
    """A display of the progress of a stage."""

    def start(self, what: str, total: int | None) -> None: ...

    def advance(self, count: int = 1) -> None: ...

    def done(self) -> None: ...


class Silent:
    """The progress of a stage that is not watched."""

    def start(self, what: str, total: int | None) -> None:
        pass

    def advance(self, count: int = 1) -> None:
        pass

    def done(self) -> None:
        pass
