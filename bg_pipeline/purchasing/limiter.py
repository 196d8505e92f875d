"""Limit the requests in flight and per minute to the account's allowance, across all processes."""

import contextlib
import itertools
import secrets
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bg_pipeline.core import limits
from bg_pipeline.core.limits import Limits
from bg_pipeline.core.retry import LONGEST_SLEEP_S
from bg_pipeline.errors import BgPipelineError, Deferred, OutcomeUnknown, RateLimited, Stopped, TransientError
from bg_pipeline.ports.purchasing import CutReply, CutRequest, Gates, Remover
from bg_pipeline.ports.running import Now
from bg_pipeline.purchasing.wrapper import Wrapper

POLL_S = 0.25
"""Longest delay in seconds before a slot freed by another process is seen."""


@dataclass(eq=False, slots=True)
class _Waiter:
    """A request that waits for a slot."""

    token: str
    units: float
    is_admitted: bool = False


class _SharedLimits:
    """The limits of an account, to which changes of several workers are written together: each write is a journey."""

    def __init__(self, gates: Gates, account: str) -> None:
        self._gates = gates
        self._account = account
        self._lock = threading.Lock()
        self._unwritten: deque[_Change] = deque()

    def change(self, change: Callable[[Limits], Limits]) -> None:
        """Return when a change is written, by this worker or by another that wrote it along."""
        mine = _Change(change)
        self._unwritten.append(mine)
        with self._lock:
            if not mine.is_made:
                self._write([self._unwritten.popleft() for _ in range(len(self._unwritten))])
        if mine.error is not None:
            raise mine.error

    def _write(self, changes: Sequence["_Change"]) -> None:
        def update(state_json: Mapping[str, Any] | None) -> Mapping[str, Any]:
            state = limits.limits_from(state_json)
            for each in changes:
                state = each.change(state)
            return state.as_json()

        error: BaseException | None = None
        try:
            self._gates.change_limits(self._account, update)
        except BaseException as raised:  # noqa: BLE001  each worker raises it
            error = raised
        for each in changes:
            each.is_made, each.error = True, error


@dataclass(eq=False, slots=True)
class _Change:
    """A change that waits to be written."""

    change: Callable[[Limits], Limits]
    is_made: bool = False
    error: BaseException | None = None


class Limiter:
    """
    The account's limits as one process sees them.

    Args:
        gates: keep the state of the limits for all processes.
        account: owner of the limits.
        ceiling: most requests in flight that the settings allow.
        now: the time, the same in all processes.
        stop: ends every wait.
        units: the units that a picture of this width and height in px counts for; see `Vendor.units`.
    """

    def __init__(
        self,
        gates: Gates,
        account: str,
        ceiling: int,
        now: Now,
        stop: threading.Event,
        units: Callable[[int, int], float],
    ) -> None:
        self._gates = gates
        self.account = account
        self.ceiling = ceiling
        self._now = now
        self._stop = stop
        self.units = units
        self._name, self._numbers = secrets.token_hex(4), itertools.count()
        self._waiting: deque[_Waiter] = deque()
        self._turn = threading.Lock()
        self._limits = _SharedLimits(gates, account)
        self._changed = threading.Condition()
        self._changes = 0

    def enter(self, units: float, claim: int) -> str:
        """
        Wait until one more request may be sent; return its token, to be given back with the result.

        The slot belongs to a claim and is void with it: what a dead process sent may still be at the vendor, which
        refuses one more free of charge if it counts it.

        Args:
            units: the units that it counts for.
            claim: number of the claim under which it is sent.

        Raises:
            Stopped: the run must end; nothing was sent.
            Deferred: the wait is longer than a run sleeps.
        """
        waiter = _Waiter(f"{claim}:{self._name}-{next(self._numbers)}", units)
        self._waiting.append(waiter)
        try:
            # Workers take turns: one asks for all that wait, the others only wait.
            with self._turn:
                while not waiter.is_admitted:
                    self._ask_for_all(waiter)
        finally:
            if waiter in self._waiting:
                self._waiting.remove(waiter)
        return waiter.token

    def _ask_for_all(self, first: "_Waiter") -> None:
        """Admit a request, and of those that wait behind it as many as the limits allow; or wait for a while."""
        if self._stop.is_set():
            raise Stopped("stopped on request")
        changes, state = self._changes, limits.limits_from(self._gates.limits(self.account))
        if (paused_s := limits.pause_s(state, self._now())) > LONGEST_SLEEP_S:
            raise Deferred(f"the rate limit of {self.account} allows no request for {paused_s:.0f} s", for_s=paused_s)
        # Most reads show no free slot: then nothing needs to be written.
        wait_s = self._ask(state, first)[1] or self._admit(first)
        if not wait_s:
            return
        for orphan in self._orphans(state):
            self.released(orphan)
        with self._changed:
            if self._changes == changes:
                self._changed.wait(min(wait_s, POLL_S))

    def _admit(self, first: "_Waiter") -> float:
        """Return the seconds that the first has to wait; 0 if it is admitted."""
        # The first goes first, because it keeps the others from going on.
        waiting = [first, *(each for each in tuple(self._waiting) if each is not first)]
        waits_s, admitted = 0.0, list[_Waiter]()

        def admit(state: Limits) -> Limits:
            nonlocal waits_s
            waits_s, admitted[:] = 0.0, []  # it is called again if its connection was lost
            for each in waiting:
                state, waits_s = self._ask(state, each)
                if waits_s:
                    break
                admitted.append(each)
            return state

        self._limits.change(admit)
        for each in admitted:
            each.is_admitted = True
            self._waiting.remove(each)
        return 0.0 if first.is_admitted else waits_s

    def _orphans(self, state: Limits) -> list[str]:
        """Return the slots whose claim is no longer alive."""
        claim_of = {token: int(token.partition(":")[0]) for token in state.slots}
        dead = self._gates.dead_claims(list(claim_of.values()))
        return [token for token, claim in claim_of.items() if claim in dead]

    def _leave(self, change: Callable[[Limits], Limits]) -> None:
        """Record the end of a request. A slot that cannot be freed now expires by itself."""
        with contextlib.suppress(BgPipelineError):
            self._limits.change(change)
        with self._changed:
            self._changes += 1
            self._changed.notify_all()

    def succeeded(self, token: str, reply: CutReply) -> None:
        self._leave(lambda state: limits.succeeded(state, token, reply.rate, self.ceiling, self._now()))

    def refused(self, token: str, error: RateLimited) -> None:
        self._leave(lambda state: limits.refused(state, token, error.retry_after_s, error.rate, self._now()))

    def failed(self, token: str) -> None:
        self._leave(lambda state: limits.failed(state, token))

    def released(self, token: str) -> None:
        self._leave(lambda state: limits.released(state, token))

    def _ask(self, state: Limits, waiter: "_Waiter") -> tuple[Limits, float]:
        return limits.ask(state, waiter.token, waiter.units, self.ceiling, self._now())


class RateLimitedRemover(Wrapper):
    """Sends a request when the account's limits allow it, and updates the limits from the answer."""

    def __init__(self, inner: Remover, limiter: Limiter) -> None:
        super().__init__(inner)
        self._limiter = limiter

    def cut(self, request: CutRequest) -> CutReply:
        token = self._limiter.enter(self._limiter.units(request.width_px, request.height_px), request.claim.id)
        try:
            reply = self._inner.cut(request)
        except RateLimited as error:
            self._limiter.refused(token, error)
            raise
        except (TransientError, OutcomeUnknown):
            self._limiter.failed(token)
            raise
        except BaseException:
            self._limiter.released(token)
            raise
        self._limiter.succeeded(token, reply)
        return reply
