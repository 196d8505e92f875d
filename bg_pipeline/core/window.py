"""Units sent within a sliding window, counted by quarter of a second."""

import math

from bg_pipeline.core.moments import age_s

SPAN_S = 61.0
"""Seconds of a window: requests sent a minute apart may arrive a little less than a minute apart."""

_BUCKETS_PER_S = 4

Sent = tuple[tuple[int, float], ...]
"""Units by quarter of an epoch second, oldest first."""


def ends_at(quarter: int) -> float:
    """Return the epoch second at which this quarter is over."""
    return (quarter + 1) / _BUCKETS_PER_S


def leaves_at(quarter: int) -> float:
    """Return the epoch second from which the units of this quarter are outside the window."""
    return ends_at(quarter) + SPAN_S


def within(sent: Sent, now: float) -> Sent:
    """Return what counts at this time: neither what has left the window, nor what a clock counted that was ahead."""
    first = next((n for n, (quarter, _) in enumerate(sent) if _counts(quarter, now)), len(sent))
    last = next((n for n in range(len(sent), first, -1) if _counts(sent[n - 1][0], now)), first)
    return sent[first:last]


def count(sent: Sent, now: float, units: float) -> Sent:
    quarter = _quarter(now)
    if sent and sent[-1][0] >= quarter:
        return (*sent[:-1], (sent[-1][0], sent[-1][1] + units))
    return (*sent, (quarter, units))


def uncount(sent: Sent, since: float, counted: float) -> Sent:
    """Remove units that were counted at the time `since`."""
    quarter = _quarter(since)
    return tuple((when, max(0.0, units - counted) if when == quarter else units) for when, units in sent)


def _counts(quarter: int, now: float) -> bool:
    return age_s(ends_at(quarter), now) < SPAN_S


def _quarter(moment: float) -> int:
    return math.floor(moment * _BUCKETS_PER_S)
