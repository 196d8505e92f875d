"""Limit the requests in flight and per minute to the account's allowance, across all processes."""

import contextlib
import itertools
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bg_pipeline.core import limits
from bg_pipeline.core.limits import Limits
from bg_pipeline.core.retry import LONGEST_SLEEP_S
from bg_pipeline.errors import BgPipelineError, Deferred, OutcomeUnknown, RateLimited, Stopped, TransientError
from bg_pipeline.ports.purchasing import CutReply, CutRequest, Gates, Remover
from bg_pipeline.ports.running import Now
from bg_pipeline.ports.together import Together
from bg_pipeline.purchasing.wrapper import Wrapper

POLL_S = 0.25
"""Longest delay in seconds before a slot freed by another process is seen."""

ORPHANS_EVERY_S = 2.0
"""Seconds between two searches for slots of dead claims: little beside those after which a claim is dead."""

PATIENCE_S = 1.0
"""Seconds that a process waits for a slot before it asks the others for its share: where answers come faster, it gets
one without."""

_Change = Callable[[Limits], Limits]


@dataclass(eq=False, slots=True)
class _Waiter:
    """A request that waits for a slot."""

    token: str
    units: float
    is_admitted: bool = False
    since: float = field(default_factory=time.monotonic)
    woken: threading.Event = field(default_factory=threading.Event)
    """Set when it is admitted, or is the first of those that wait."""


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
        self._waiting: list[_Waiter] = []
        """In the order in which they came. The worker of the first looks for free slots, for all of them."""
        self._has_room = True
        """True if the last change left a free slot: then a look before the next is only one more journey."""
        self._look_at = 0.0
        """When a look may show more than the last change did, by the clock that only counts on."""
        self._orphans_at = -ORPHANS_EVERY_S
        self._change: Together[_Change, None] = Together(self._write)

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
            # One that is admitted waits for no other: with all slots in such hands, each would wait for the next.
            while not waiter.is_admitted:
                if self._waiting[:1] == [waiter]:
                    self._look(waiter)
                else:
                    waiter.woken.wait()
                waiter.woken.clear()
        finally:
            self._dismiss(waiter)
        return waiter.token

    def _dismiss(self, waiter: _Waiter) -> None:
        """Take a request out of those that wait, and let the first of the others go on."""
        with contextlib.suppress(ValueError):  # it was admitted
            self._waiting.remove(waiter)
        for first in self._waiting[:1]:
            first.woken.set()

    def _look(self, first: _Waiter) -> None:
        """Admit those that wait if there is a free slot; else wait for a while, or until an answer frees one."""
        if self._stop.is_set():
            raise Stopped("stopped on request")
        if self._has_room:
            self._change(lambda state: state)
            return
        if (early_s := self._look_at - time.monotonic()) > 0:
            first.woken.wait(early_s)
            return
        state = limits.limits_from(self._gates.limits(self.account))
        if (paused_s := limits.pause_s(state, self._now())) > LONGEST_SLEEP_S:
            raise Deferred(f"the rate limit of {self.account} allows no request for {paused_s:.0f} s", for_s=paused_s)
        # Most looks show no free slot: then nothing needs to be written.
        wait_s = self._ask(state, first)[1]
        if not wait_s:
            self._change(lambda state: state)
            return
        has_waited = time.monotonic() - first.since >= PATIENCE_S
        if has_waited and limits.lacks_slots(state, self._name, self.ceiling, self._now()):
            self._change(lambda state: limits.waits(state, self._name, self._now()))
        if time.monotonic() - self._orphans_at > ORPHANS_EVERY_S:
            self._orphans_at = time.monotonic()
            for orphan in self._orphans(state):
                self.released(orphan)
        first.woken.wait(min(wait_s, POLL_S))

    def _write(self, changes: Sequence[_Change]) -> list[None]:
        """Make the changes of several workers at once; admit as many of those that wait as the limits then allow."""
        admitted = list[_Waiter]()

        def update(stored: Mapping[str, Any] | None) -> Mapping[str, Any]:
            state = limits.limits_from(stored)
            for change in changes:
                state = change(state)
            admitted.clear()  # it is called again if its connection was lost
            for waiter in tuple(self._waiting):
                state, wait_s = self._ask(state, waiter)
                if wait_s:
                    break
                admitted.append(waiter)
            wait_s = self._ask(state, _Waiter(f":{self._name}-next", units=1.0))[1]
            self._has_room, self._look_at = not wait_s, time.monotonic() + min(wait_s, POLL_S)
            return state.as_json()

        self._gates.change_limits(self.account, update)
        for waiter in admitted:
            waiter.is_admitted = True
            self._dismiss(waiter)
            waiter.woken.set()
        return [None] * len(changes)

    def _orphans(self, state: Limits) -> list[str]:
        """Return the slots whose claim is no longer alive."""
        claim_of = {token: int(token.partition(":")[0]) for token in state.slots}
        dead = self._gates.dead_claims(list(claim_of.values()))
        return [token for token, claim in claim_of.items() if claim in dead]

    def _leave(self, change: _Change) -> None:
        """Record the end of a request. A slot that cannot be freed now expires by itself."""
        with contextlib.suppress(BgPipelineError):
            self._change(change)

    def succeeded(self, token: str, reply: CutReply) -> None:
        self._leave(lambda state: limits.succeeded(state, token, reply.rate, self.ceiling, self._now()))

    def refused(self, token: str, error: RateLimited) -> None:
        self._leave(lambda state: limits.refused(state, token, error.retry_after_s, error.rate, self._now()))

    def failed(self, token: str) -> None:
        self._leave(lambda state: limits.failed(state, token))

    def released(self, token: str) -> None:
        self._leave(lambda state: limits.released(state, token))

    def _ask(self, state: Limits, waiter: _Waiter) -> tuple[Limits, float]:
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
