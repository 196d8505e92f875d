import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from bg_pipeline.sandbox.segmenter import CutAlpha
from bg_pipeline.sandbox.serve import RunningSandbox, running_sandbox
from bg_pipeline.sandbox.state import Clock, SandboxState
from bg_pipeline_tests.sandbox.client import cut_left_half


class FakeTime:
    """Time that passes only when somebody sleeps, or when a test says so."""

    def __init__(self) -> None:
        self.now_s = 1_700_000_000.0
        self.slept: list[float] = []
        self.clock = Clock(now=lambda: self.now_s, sleep=self._sleep)

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_s += seconds
        await asyncio.sleep(0)


@pytest.fixture
def fake_time() -> FakeTime:
    return FakeTime()


Start = Callable[..., RunningSandbox]


@pytest.fixture
def start(fake_time: FakeTime) -> Iterator[Start]:
    """Starts sandboxes on fake time, and stops them when the test ends."""
    with ExitStack() as stack:

        def started(cut: CutAlpha = cut_left_half, **settings: Any) -> RunningSandbox:
            state = SandboxState(**{"clock": fake_time.clock, **settings})
            return stack.enter_context(running_sandbox(state, cut))

        yield started


@pytest.fixture(scope="module")
def shared_time() -> FakeTime:
    return FakeTime()


@pytest.fixture(scope="module")
def shared(shared_time: FakeTime) -> Iterator[RunningSandbox]:
    """One sandbox for all tests of a module that look at answers, or at what they themselves add to the ledger."""
    with running_sandbox(SandboxState(clock=shared_time.clock), cut_left_half) as sandbox:
        yield sandbox
