"""Times on record, as a clock sees them that may have jumped since."""

import math
from datetime import UTC, datetime

TOLERANCE_S = 5.0
"""Seconds by which a time on record may be ahead of the clock: two clocks that are right still differ a little."""


def age_s(moment: float, now: float) -> float:
    """
    Return the seconds since a moment on record; infinite if it is ahead of the clock.

    The clock was wrong when such a moment was written, or is wrong now. Either way it says nothing about how long to
    wait, and no wait that began there may block anything.

    Args:
        moment: epoch seconds of something that has happened.
        now: epoch seconds.
    """
    age = now - moment
    return math.inf if age < -TOLERANCE_S else max(0.0, age)


def iso(epoch_s: float) -> str:
    """Format a time in UTC, to the second: `2026-11-24T02:05:00Z`."""
    return datetime.fromtimestamp(epoch_s, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
