"""Protect a failing vendor: a budget of retries, and a circuit breaker."""

from dataclasses import dataclass, replace

from bg_pipeline.core.gate import cooldown_s

TOKENS = 50
RETRY_COSTS = 5
SUCCESS_GIVES = 1
"""botocore's standard mode: retries use up a quota and successes refill it. With these values, long-lasting retries
are at most a sixth of all requests."""

IN_A_ROW = 10
RECENT = 40
SHARE = 0.5


@dataclass(frozen=True, slots=True)
class RetryBudget:
    """Tokens that retries use up: retrying each image only adds to the load of a vendor that is down."""

    tokens: int = TOKENS

    @property
    def allows_a_retry(self) -> bool:
        return self.tokens >= RETRY_COSTS

    def retried(self) -> "RetryBudget":
        return RetryBudget(self.tokens - RETRY_COSTS)

    def succeeded(self) -> "RetryBudget":
        return RetryBudget(min(TOKENS, self.tokens + SUCCESS_GIVES))


@dataclass(frozen=True, slots=True)
class Breaker:
    """A circuit breaker, driven by the last answers of a vendor."""

    failures_in_a_row: int = 0
    recent: tuple[bool, ...] = ()
    """The last answers, the oldest first; True for a success."""
    on_trial: bool = True
    """True if there was no success since it was made or last tripped."""
    open_until: float = 0.0
    """Second, by the clock of `failed`, before which nothing may be sent."""

    def is_open(self, now: float) -> bool:
        return now < self.open_until

    def succeeded(self) -> "Breaker":
        return replace(self, failures_in_a_row=0, recent=(*self.recent, True)[-RECENT:], on_trial=False)

    def failed(self, trips: int, now: float) -> "Breaker":
        """
        Count a failure. The breaker opens after ten in a row, if half of the last forty were failures, or at the
        first failure after it was open.

        Args:
            trips: number of earlier trips in a row, in this process or another.
            now: seconds by a clock that only counts on.
        """
        if self.is_open(now):
            return self
        recent = (*self.recent, False)[-RECENT:]
        in_a_row = self.failures_in_a_row + 1
        often = len(recent) == RECENT and recent.count(False) >= SHARE * RECENT
        if in_a_row >= IN_A_ROW or often or (self.on_trial and trips):
            return Breaker(open_until=now + cooldown_s(trips + 1))
        return replace(self, failures_in_a_row=in_a_row, recent=recent)
