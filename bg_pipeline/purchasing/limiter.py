"""Limit the requests in flight and per minute to the account's allowance, across all processes."""

import contextlib
import itertools
import secrets
import threading
from collections.abc import Callable, Mapping
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
        self._names = (f"{secrets.token_hex(4)}-{number}" for number in itertools.count())
        self._turn = threading.Lock()
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
        # Workers take turns: one polls the state, the others only wait.
        with self._turn:
            token = f"{claim}:{next(self._names)}"
            while True:
                if self._stop.is_set():
                    raise Stopped("stopped on request")
                changes, state = self._changes, limits.limits_from(self._gates.limits(self.account))
                if (paused_s := limits.pause_s(state, self._now())) > LONGEST_SLEEP_S:
                    raise Deferred(
                        f"the rate limit of {self.account} allows no request for {paused_s:.0f} s", for_s=paused_s
                    )
                # Most reads show no free slot: then nothing needs to be written.
                wait_s = self._ask(state, token, units)[1] or self._move(lambda s: self._ask(s, token, units))
                if not wait_s:
                    return token
                for orphan in self._orphans(state):
                    self.released(orphan)
                with self._changed:
                    if self._changes == changes:
                        self._changed.wait(min(wait_s, POLL_S))

    def _orphans(self, state: Limits) -> list[str]:
        """Return the slots whose claim is no longer alive."""
        claim_of = {token: int(token.partition(":")[0]) for token in state.slots}
        dead = self._gates.dead_claims(list(claim_of.values()))
        return [token for token, claim in claim_of.items() if claim in dead]

    def _leave(self, change: Callable[[Limits], Limits]) -> None:
        """Record the end of a request. A slot that cannot be freed now expires by itself."""
        with contextlib.suppress(BgPipelineError):
            self._move(lambda state: (change(state), 0.0))
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

    def _ask(self, state: Limits, token: str, units: float) -> tuple[Limits, float]:
        return limits.ask(state, token, units, self.ceiling, self._now())

    def _move(self, change: Callable[[Limits], tuple[Limits, float]]) -> float:
        wait_s = 0.0

        def update(state_json: Mapping[str, Any] | None) -> Mapping[str, Any]:
            nonlocal wait_s
            state, wait_s = change(limits.limits_from(state_json))
            return state.as_json()

        self._gates.change_limits(self.account, update)
        return wait_s


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
