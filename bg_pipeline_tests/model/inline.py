"""One thread for everything, so that a seed gives the same calls in the same order."""

from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pytest

POOLS = ("pipeline.process", "pipeline.recovery", "pipeline.previous", "pipeline.verify", "net.prefetch")


class Inline(Executor):
    """Does each piece of work as it is handed over."""

    def __init__(self, *_args: object, **_options: object) -> None:
        pass

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        done: Future[Any] = Future()
        try:
            done.set_result(fn(*args, **kwargs))
        except BaseException as error:  # noqa: BLE001  also `Killed`
            done.set_exception(error)
        return done


def use_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also without heartbeats: the model's time passes between calls only."""
    for module in POOLS:
        monkeypatch.setattr(f"bg_pipeline.{module}.ThreadPoolExecutor", Inline)
    for module in ("ports.context", "pipeline.process"):
        monkeypatch.setattr(f"bg_pipeline.{module}.kept_alive", _nothing)
    # The limiter looks again at once: each look takes a second of the model's time.
    monkeypatch.setattr("bg_pipeline.purchasing.limiter.POLL_S", 0.0)


def _nothing(_name: str, _heartbeat: Callable[[], object]) -> AbstractContextManager[None]:
    return nullcontext()
