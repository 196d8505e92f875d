"""Everything about a running sandbox that can change: money, speed, limits, faults and results."""

import asyncio
import math
import secrets
import time
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from pydantic import BaseModel, ConfigDict, Field

from bg_pipeline.sandbox.faults import Fault, FaultScript
from bg_pipeline.sandbox.ledger import Ledger, Provider

DEFAULT_CREDITS: Mapping[Provider, Decimal] = {"bgeraser": Decimal(1000)}

WINDOW_S = 60.0

MAX_STORED_BYTES = 1 << 30
"""Results beyond this much are forgotten before they expire, or a long test run would fill the memory."""


@dataclass(frozen=True, slots=True)
class Clock:
    """Time as the sandbox sees it: seconds since 1970, and a way to let some pass."""

    now: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


REAL_TIME = Clock()


class Limits(BaseModel):
    """None is unlimited; each provider is counted by itself."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    concurrent: int | None = Field(default=None, ge=1)
    per_minute: int | None = Field(default=None, ge=1)


UNLIMITED = Limits()


class Limiter:
    """Counts the calls of one provider; belongs to the event loop's thread."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._in_flight = 0
        self._admitted: deque[float] = deque()

    def enter(self, limits: Limits) -> int | None:
        """None admits the call, which must then `leave`; else the whole seconds before another try."""
        now = self._now()
        while self._admitted and self._admitted[0] <= now - WINDOW_S:
            self._admitted.popleft()
        if limits.concurrent is not None and self._in_flight >= limits.concurrent:
            return 1
        if limits.per_minute is not None and len(self._admitted) >= limits.per_minute:
            return max(1, math.ceil(self._admitted[-limits.per_minute] + WINDOW_S - now))
        self._in_flight += 1
        self._admitted.append(now)
        return None

    def leave(self) -> None:
        self._in_flight -= 1


@dataclass(frozen=True, slots=True)
class _Result:
    content: bytes
    expires_at: float


class ResultStore:
    """Results waiting to be downloaded, under names that cannot be guessed."""

    def __init__(self, ttl_s: float, now: Callable[[], float]) -> None:
        self._ttl_s = ttl_s
        self._now = now
        self._results: dict[str, _Result] = {}
        self._stored_bytes = 0

    def add(self, content: bytes) -> str:
        self._stored_bytes += len(content)
        self._forget_oldest()
        token = secrets.token_urlsafe(24)
        self._results[token] = _Result(content, self._now() + self._ttl_s)
        return token

    def get(self, token: str) -> bytes | None:
        result = self._results.get(token)
        return result.content if result is not None and result.expires_at > self._now() else None

    def _forget_oldest(self) -> None:
        now = self._now()
        for token, result in list(self._results.items()):
            if result.expires_at > now and self._stored_bytes <= MAX_STORED_BYTES:
                return
            self._stored_bytes -= len(self._results.pop(token).content)


class SandboxState:
    """One sandbox; `keys` None accepts any key that is not empty."""

    def __init__(
        self,
        credits_of: Mapping[Provider, Decimal] = DEFAULT_CREDITS,
        *,
        latency_s: float = 0.0,
        limits: Limits = UNLIMITED,
        faults: Iterable[Fault] = (),
        keys: frozenset[str] | None = None,
        url_ttl_s: float = 3600.0,
        clock: Clock = REAL_TIME,
    ) -> None:
        self.ledger = Ledger(credits_of, clock.now)
        self.latency_s = latency_s
        self.limits = limits
        self.faults = FaultScript(faults)
        self.results = ResultStore(url_ttl_s, clock.now)
        self.clock = clock
        self._keys = keys
        self._limiters: defaultdict[Provider, Limiter] = defaultdict(lambda: Limiter(clock.now))

    def accepts_key(self, key: str) -> bool:
        return bool(key) if self._keys is None else key in self._keys

    def limiter(self, provider: Provider) -> Limiter:
        return self._limiters[provider]

    async def wait_out_latency(self, started_at: float) -> None:
        """Return no earlier than `latency_s` after `started_at`."""
        left_s = started_at + self.latency_s - self.clock.now()
        if left_s > 0:
            await self.clock.sleep(left_s)
