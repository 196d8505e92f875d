"""Clients against a limited service in virtual time: minutes in milliseconds, and the same each time."""

import functools
import heapq
import itertools
import math
import random
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from bg_pipeline.core import limits
from bg_pipeline.core.retry import MAX_RETRIES, MAX_WAIT_S, wait_s
from bg_pipeline_tests.benchmarks.scenarios import Scenario

EPOCH = 1_800_000_000.0


@dataclass
class World:
    """Virtual time, and what is to happen in it."""

    now: float = EPOCH
    events: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def after(self, delay_s: float, happen: Callable[[], None]) -> None:
        heapq.heappush(self.events, (self.now + delay_s, next(self.numbers), happen))

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while self.events and self.events[0][0] <= end:
            self.now, _, happen = heapq.heappop(self.events)
            happen()


class Service:
    """Takes what its limits allow, and says when it would take more."""

    def __init__(self, world: World, scenario: Scenario) -> None:
        self.world = world
        self.scenario = scenario
        self.in_flight = 0
        self.admitted: deque[float] = deque()
        self.window_from = -math.inf

    def wait_s(self) -> float:
        """Seconds until it takes a request; 0 for now. `busy_s` where only an answer makes room."""
        now = self.world.now
        allowed = self.scenario.allowed(now - EPOCH)
        if self.scenario.fixed_window:
            if now >= self.window_from + 60:
                self.admitted.clear()
        else:
            while self.admitted and self.admitted[0] <= now - 60:
                self.admitted.popleft()
        if allowed.concurrent is not None and self.in_flight >= allowed.concurrent:
            return self.scenario.busy_s
        if allowed.per_minute is not None and len(self.admitted) >= allowed.per_minute:
            first = self.window_from if self.scenario.fixed_window else self.admitted[-allowed.per_minute]
            return max(1e-6, first + 60 - now)
        return 0.0

    def enter(self) -> None:
        if not self.admitted:
            self.window_from = self.world.now
        self.admitted.append(self.world.now)
        self.in_flight += 1

    def leave(self) -> None:
        self.in_flight -= 1


@dataclass
class Counts:
    """Answers after the warm-up."""

    good: int = 0
    refused: int = 0
    given_up: int = 0

    @property
    def refused_share(self) -> float:
        return self.refused / max(1, self.good + self.refused)


class Client(ABC):
    """Always has something to send; subclasses say when."""

    travel_s = (0.005, 0.05)

    def __init__(self, world: World, service: Service, seed: int = 1) -> None:
        self.world = world
        self.service = service
        self.counts = Counts()
        self.random = random.Random(seed)

    @abstractmethod
    def start(self) -> None:
        """Send the first requests."""

    @abstractmethod
    def answered(self, token: str, retry: int, wait: float | None) -> None:
        """Wait: None for success, else what the service asked for."""

    def send(self, token: str, retry: int) -> None:
        self.world.after(self._travel_s(), lambda: self._arrive(token, retry))

    def _travel_s(self) -> float:
        return self.random.uniform(*self.travel_s)

    def _arrive(self, token: str, retry: int) -> None:
        wait = self.service.wait_s()
        if wait:
            self.world.after(self._travel_s(), lambda: self._count(token, retry, max(1.0, math.ceil(wait))))
            return
        self.service.enter()
        self.world.after(self.service.scenario.latency_s, lambda: self._serve(token, retry))

    def _serve(self, token: str, retry: int) -> None:
        self.service.leave()
        self.world.after(self._travel_s(), lambda: self._count(token, retry, None))

    def _count(self, token: str, retry: int, wait: float | None) -> None:
        if self.world.now >= EPOCH + self.service.scenario.warm_up_s:
            self.counts.good += wait is None
            self.counts.refused += wait is not None
            self.counts.given_up += wait is not None and retry >= MAX_RETRIES
        self.answered(token, retry, wait)


class Adaptive(Client):
    """Our own: `core.limits` and `core.retry`."""

    def __init__(self, world: World, service: Service, seed: int = 1) -> None:
        super().__init__(world, service, seed)
        self.state = limits.Limits()
        self.ceiling = service.scenario.ceiling
        self.queue = deque([0] * 2 * self.ceiling)
        self.turn = 0
        self.tokens = (str(number) for number in itertools.count())

    def start(self) -> None:
        self.turn += 1
        while self.queue:
            token = next(self.tokens)
            self.state, wait = limits.ask(self.state, token, 1.0, self.ceiling, self.world.now)
            if wait:
                self.world.after(wait + 0.001, functools.partial(self._again, self.turn))
                return
            self.send(token, self.queue.popleft())

    def _again(self, turn: int) -> None:
        if turn == self.turn:  # no lane was woken by an answer meanwhile
            self.start()

    def answered(self, token: str, retry: int, wait: float | None) -> None:
        now = self.world.now
        if wait is None:
            self.state = limits.succeeded(self.state, token, None, self.ceiling, now)
            self._enqueue(0)
            return
        asked = wait if self.service.scenario.says_when else None
        self.state = limits.refused(self.state, token, asked, None, now)
        again = 0 if retry >= MAX_RETRIES else retry + 1
        self.world.after(wait_s(retry, asked, self.random.random()), lambda: self._enqueue(again))
        self.start()

    def _enqueue(self, retry: int) -> None:
        self.queue.append(retry)
        self.start()


class Guide(Client):
    """
    The vendor's recipe: eight at a time, and 1, 2, 4 … s after a refusal.

    bgeraser.ink/blog/batch-background-removal-api-guide, read 2026-11.
    """

    def start(self) -> None:
        for lane in range(8):
            self.send(str(lane), 0)

    def answered(self, token: str, retry: int, wait: float | None) -> None:
        if wait is None or retry >= MAX_RETRIES:
            self.send(token, 0)
        else:
            self.world.after(min(MAX_WAIT_S, 2.0**retry), lambda: self.send(token, retry + 1))


class Oracle(Client):
    """Knows the limits at every moment: what it gets is what is allowed."""

    def start(self) -> None:
        self.in_flight = 0
        for lane in range(self.service.scenario.ceiling):
            self._try(str(lane))

    def answered(self, token: str, retry: int, wait: float | None) -> None:
        self.in_flight -= 1
        self._try(token)

    def _try(self, token: str) -> None:
        concurrent = self.service.scenario.allowed(self.world.now - EPOCH).concurrent
        if (concurrent is not None and self.in_flight >= concurrent) or self.service.wait_s():
            self.world.after(0.01, lambda: self._try(token))
            return
        self.in_flight += 1
        self.send(token, 0)


def simulate(client_type: type[Client], scenario: Scenario, seed: int = 1) -> Client:
    """The client when the scenario is over."""
    world = World()
    client = client_type(world, Service(world, scenario), seed)
    client.start()
    world.run(scenario.seconds)
    return client
