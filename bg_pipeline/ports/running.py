"""What a run works with, whatever it does."""

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

T = TypeVar("T")

Now = Callable[[], float]
"""Epoch seconds."""


class Call(Protocol):
    """Runs a function of `imaging` where it can do no harm."""

    def __call__(self, function: Callable[..., T], *args: Any) -> T:
        """
        Raises:
            ItemUnreadable: it crashed, or used more time or memory than it may.
        """
        ...


class Progress(Protocol):
    """Shows how far a stage is."""

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
