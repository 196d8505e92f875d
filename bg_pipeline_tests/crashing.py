"""Runs that die, stop or are overtaken at any call to the world outside."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from bg_pipeline_tests.graph import Graph

STORES = ("outputs", "spool", "masters")
MANIFEST = (
    *("observations", "deltas", "queue", "items", "trash", "leases", "run_log"),
    *("purchases", "ledger", "gates"),
)
PORTS = ("source", "remover", *STORES, *MANIFEST)


class Killed(BaseException):
    """No code of ours may catch it: the process is gone."""


class Fuse:
    """Kills at one call to any port, before or after it took effect, and at every call from then on."""

    def __init__(self, at: int, after: bool) -> None:
        self.calls = 0
        self._at = at
        self._after = after

    def burn(self, call: Callable[[], Any]) -> Any:
        """Make the call, or die."""
        self.calls += 1
        if self.calls < self._at:
            return call()
        if self._after and self.calls == self._at:
            call()
        raise Killed


class Failure:
    """Raises an error at one call, before or after it took effect; all other calls are as usual."""

    def __init__(self, at: int, after: bool, error: BaseException) -> None:
        self.calls = 0
        self._at = at
        self._after = after
        self._error = error

    def burn(self, call: Callable[[], Any]) -> Any:
        """Make the call, or fail."""
        self.calls += 1
        if self.calls != self._at:
            return call()
        if self._after:
            call()
        raise self._error


class Interruption:
    """Does something at one call to any port, and then goes on as if nothing had been."""

    def __init__(self, at: int, act: Callable[[], object]) -> None:
        self.calls = 0
        self._at = at
        self._act = act

    def burn(self, call: Callable[[], Any]) -> Any:
        """Make the call, after the interruption if it is its turn."""
        self.calls += 1
        if self.calls == self._at:
            self._act()
        return call()


class Wired:
    """A port whose calls go through a fuse."""

    def __init__(self, port: Any, fuse: "Wire") -> None:
        self._port = port
        self._fuse = fuse

    def __getattr__(self, name: str) -> Any:
        member = getattr(self._port, name)
        return (lambda *args, **more: self._fuse.burn(lambda: member(*args, **more))) if callable(member) else member


Wire = Fuse | Failure | Interruption


@contextmanager
def wired(graph: Graph, fuse: Wire, ports: Sequence[str] = PORTS) -> Iterator[None]:
    """Lead each call to these ports through the fuse."""
    whole = {name: getattr(graph, name) for name in ports}
    for name, port in whole.items():
        setattr(graph, name, Wired(port, fuse))
    try:
        yield
    finally:
        for name, port in whole.items():
            setattr(graph, name, port)
