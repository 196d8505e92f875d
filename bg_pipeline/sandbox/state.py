"""State of a running sandbox: credits, latency, limits, faults and results."""

import asyncio
import math
import secrets
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from bg_pipeline.sandbox.faults import NO_CHANCE, Chance, Fault, FaultKind, FaultPlan
from bg_pipeline.sandbox.ledger import Balance, Ledger, Vendor

BGERASER_PREFIX = "bge_"
"""Prefix of bgeraser's keys (bgeraser.ink/api-docs, read 2026-11)."""

ANY_KEYS: Mapping[Vendor, str] = {"bgeraser": f"{BGERASER_PREFIX}any", "removebg": "any", "photoroom": "any"}
"""A valid key for each vendor. bgeraser's prefix distinguishes its account from Photoroom's on the same path."""

DEFAULT_CREDITS: Mapping[Vendor, Decimal] = {
    "bgeraser": Decimal(1000),
    "removebg": Decimal(1000),
    "photoroom": Decimal(1000),
}

Plan = Literal["basic", "plus"]
"""Plan of a Photoroom account; it sets the price of a call: docs.photoroom.com, pricing, read 2026-11."""

WINDOW_S = 60.0

MAX_STORED_BYTES = 1 << 30
"""Limit of stored results: beyond it the oldest are dropped early, so that a long test run cannot fill the memory."""


@dataclass(frozen=True, slots=True)
class Clock:
    """Clock of the sandbox: seconds since 1970, and a way to wait."""

    now: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


REAL_TIME = Clock()


class Limits(BaseModel):
    """Limits of calls; None is unlimited. Each vendor is counted separately."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    concurrent: int | None = Field(default=None, ge=1)
    per_minute: int | None = Field(default=None, ge=1)
    """Units per minute: megapixels at remove.bg, calls elsewhere."""

    def combined_with(self, other: "Limits") -> "Limits":
        """Combine two limits; both apply."""
        return Limits(
            concurrent=_smaller(self.concurrent, other.concurrent),
            per_minute=_smaller(self.per_minute, other.per_minute),
        )


def _smaller(one: int | None, other: int | None) -> int | None:
    return min((limit for limit in (one, other) if limit is not None), default=None)


UNLIMITED = Limits()

LIMITS_OF: Mapping[Vendor, Limits] = {
    "bgeraser": UNLIMITED,
    "removebg": Limits(per_minute=500),
    "photoroom": UNLIMITED,
}
"""
Limits of each vendor. remove.bg documents its number (a copy of remove.bg/api of October 2023). bgeraser gives none
per minute. Photoroom's own pages and staff disagree (60 or 500 a minute), so none is assumed.
"""


@dataclass(frozen=True, slots=True)
class Allowance:
    """Units allowed in the current minute, units left, and the start of the next minute in seconds since 1970."""

    limit: int
    remaining: int
    resets_at: int


class Limiter:
    """
    Limiter of one vendor's calls. A minute starts with the first call after the end of the last minute.

    remove.bg counts in this way (recorded traffic of its Ruby client, 2020-06). Use only in the event loop's thread.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._in_flight = 0
        self._opened_at = -math.inf
        self._used = 0

    def enter(self, limits: Limits, units: int = 1) -> int | None:
        """Admit a call, which must then `leave`, and return None; else return the whole seconds to wait."""
        self._roll_window()
        if limits.concurrent is not None and self._in_flight >= limits.concurrent:
            return 1
        # A call larger than the whole allowance gets a minute of its own: otherwise it is never admitted.
        if limits.per_minute is not None and self._used and self._used + units > limits.per_minute:
            return max(1, math.ceil(self._opened_at + WINDOW_S - self._now()))
        if not self._used:
            self._opened_at = self._now()
        self._in_flight += 1
        self._used += units
        return None

    def leave(self) -> None:
        self._in_flight -= 1

    def allowance(self, limits: Limits) -> Allowance | None:
        """Return the current allowance; None without a limit per minute."""
        self._roll_window()
        if limits.per_minute is None:
            return None
        opened_at = self._opened_at if self._used else self._now()
        return Allowance(limits.per_minute, max(0, limits.per_minute - self._used), math.ceil(opened_at + WINDOW_S))

    def _roll_window(self) -> None:
        if self._opened_at + WINDOW_S <= self._now():
            self._used = 0


@dataclass(frozen=True, slots=True)
class _Result:
    content: bytes
    expires_at: float
    fault: Fault | None


class ResultStore:
    """Store of results for download, under names that cannot be guessed."""

    def __init__(self, ttl_s: float, now: Callable[[], float]) -> None:
        self._ttl_s = ttl_s
        self._now = now
        self._results: dict[str, _Result] = {}
        self._stored_bytes = 0

    def add(self, content: bytes, fault: Fault | None = None) -> str:
        """Store a result and return its token; a `fault` affects the first download."""
        self._stored_bytes += len(content)
        self._evict()
        token = secrets.token_urlsafe(24)
        self._results[token] = _Result(content, self._now() + self._ttl_s, fault)
        return token

    def get(self, token: str) -> tuple[bytes, Fault | None] | None:
        """Return the content, and the fault of this download."""
        result = self._results.get(token)
        if result is None or result.expires_at <= self._now():
            return None
        if result.fault is not None and result.fault.kind is FaultKind.EXPIRED_RESULT:
            return None
        self._results[token] = replace(result, fault=None)
        return result.content, result.fault

    def mend(self) -> None:
        """Serve all stored results from now on, also those that had a fault."""
        self._results = {token: replace(result, fault=None) for token, result in self._results.items()}

    def _evict(self) -> None:
        now = self._now()
        for token, result in list(self._results.items()):
            if result.expires_at > now and self._stored_bytes <= MAX_STORED_BYTES:
                return
            self._stored_bytes -= len(self._results.pop(token).content)


class SandboxState:
    """State of one sandbox; `keys` None accepts any key that is not empty."""

    def __init__(
        self,
        credits_of: Mapping[Vendor, Decimal] = DEFAULT_CREDITS,
        *,
        latency_s: float = 0.0,
        limits: Limits = UNLIMITED,
        limits_of: Mapping[Vendor, Limits] = LIMITS_OF,
        faults: Iterable[Fault] = (),
        chance: Chance = NO_CHANCE,
        keys: frozenset[str] | None = None,
        url_ttl_s: float = 3600.0,
        lag_s: float = 0.0,
        photoroom_plan: Plan = "basic",
        clock: Clock = REAL_TIME,
    ) -> None:
        """
        Args:
            credits_of: credits by vendor; `DEFAULT_CREDITS` for missing vendors.
            limits: limits of each vendor, in addition to `limits_of`.
            lag_s: seconds before a charge appears in the account.
        """
        self.ledger = Ledger({**DEFAULT_CREDITS, **credits_of}, clock.now)
        self.latency_s = latency_s
        self.limits = limits
        self.limits_of: dict[Vendor, Limits] = {**LIMITS_OF, **limits_of}
        self.faults = FaultPlan(faults, chance, clock.now)
        self.results = ResultStore(url_ttl_s, clock.now)
        self.lag_s = lag_s
        self.photoroom_plan: Plan = photoroom_plan
        self.clock = clock
        self._keys = keys
        self._limiters: defaultdict[Vendor, Limiter] = defaultdict(lambda: Limiter(clock.now))

    def accepts_key(self, key: str) -> bool:
        return bool(key) if self._keys is None else key in self._keys

    def limiter(self, vendor: Vendor) -> Limiter:
        return self._limiters[vendor]

    def limits_for(self, vendor: Vendor) -> Limits:
        return self.limits.combined_with(self.limits_of[vendor])

    def balance(self, vendor: Vendor) -> Balance:
        """Return the balance that the account route shows."""
        return self.ledger.balance(vendor, self.lag_s)

    async def wait_out_latency(self, started_at: float) -> None:
        """Wait until `latency_s` after `started_at`."""
        left_s = started_at + self.latency_s - self.clock.now()
        if left_s > 0:
            await self.clock.sleep(left_s)
