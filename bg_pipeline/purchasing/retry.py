"""Retry requests, and stop sending them to a failing vendor. No other layer retries."""

import threading
from collections.abc import Callable
from dataclasses import replace

from bg_pipeline.core.breaker import Breaker, RetryBudget
from bg_pipeline.core.retry import LONGEST_SLEEP_S, MAX_RETRIES, wait_s
from bg_pipeline.errors import BgPipelineError, Deferred, OutcomeUnknown, RateLimited, TransientError
from bg_pipeline.ports.purchasing import CutReply, CutRequest, Remover
from bg_pipeline.ports.running import Now
from bg_pipeline.purchasing.wrapper import Wrapper


class RetryingRemover(Wrapper):
    """
    Retries requests that failed, as far as known, without a charge, for all workers of a process together.

    A refusal because of the rate is not the vendor's fault: it costs no retry budget, and counts as a failure only
    after all retries.

    Args:
        inner: a remover that raises `TransientError` for such failures.
        sleep: waits this many seconds; returns True if it was woken to stop.
        jitter: 0 to 1, drawn for each wait.
        now: seconds by a clock that only counts on.
        trips: number of earlier trips of the breaker in a row, in this process or another.

    `cut` raises the errors of `inner`, or Deferred if nothing may be sent for a while.
    """

    def __init__(
        self,
        inner: Remover,
        sleep: Callable[[float], bool],
        jitter: Callable[[], float],
        now: Now,
        trips: Callable[[], int],
    ) -> None:
        super().__init__(inner)
        self._sleep = sleep
        self._jitter = jitter
        self._now = now
        self._trips = trips
        self._lock = threading.Lock()
        self._budget = RetryBudget()
        self._breaker = Breaker()

    def cut(self, request: CutRequest) -> CutReply:
        doubts = 0
        try:
            for retry in range(MAX_RETRIES + 1):
                self._stop_while_open(None)
                try:
                    reply = self._inner.cut(request)
                except TransientError as error:
                    doubts += error.doubts
                    self._wait(error, retry)
                except OutcomeUnknown as error:
                    doubts += error.doubts
                    self._count_failure()
                    raise
                else:
                    with self._lock:
                        self._budget, self._breaker = self._budget.succeeded(), self._breaker.succeeded()
                    return replace(reply, doubts=doubts)
        except BgPipelineError as error:
            error.doubts = doubts
            raise
        raise AssertionError("the last try ends in an answer or an error")

    def _wait(self, error: TransientError, retry: int) -> None:
        """Wait until the next try is allowed; else raise `error` or Deferred."""
        limited = isinstance(error, RateLimited)
        if not limited or retry == MAX_RETRIES:
            self._count_failure()
            self._stop_while_open(error)
        wait = wait_s(retry, error.retry_after_s, self._jitter())
        if wait > LONGEST_SLEEP_S:
            raise Deferred(f"{error}; the vendor asks to wait {wait:.0f} s", for_s=wait) from error
        if retry == MAX_RETRIES or not (limited or self._spend_a_retry()) or self._sleep(wait):
            raise error

    def _count_failure(self) -> None:
        with self._lock:
            self._breaker = self._breaker.failed(self._trips(), self._now())

    def _spend_a_retry(self) -> bool:
        with self._lock:
            allowed = self._budget.allows_a_retry
            if allowed:
                self._budget = self._budget.retried()
            return allowed

    def _stop_while_open(self, error: TransientError | None) -> None:
        left_s = self._breaker.open_until - self._now()
        if left_s > 0:
            last = f": {error}" if error else ""
            raise Deferred(f"too many requests failed{last}; none is sent for {left_s:.0f} s", for_s=left_s) from error
