"""Times on record, as a clock sees them that may have jumped since."""

import math
from datetime import UTC, datetime
from typing import Any

TOLERANCE_S = 5.0
"""Seconds by which a time on record may be ahead of the clock: two clocks that are right still differ a little."""

_UNITS = (("second", 1, 90), ("minute", 60, 90 * 60), ("hour", 3600, 36 * 3600))
"""Units of an age in words: name, length in seconds, and the age from which the next unit is used."""


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


def is_since(moment: Any, start: float, now: float) -> Any:
    """
    Return True if a moment on record came after `start`. One that is ahead of the clock may be of any time, and does
    not count.

    It takes a number, or a column for a condition.
    """
    return (moment > start) & (moment <= now + TOLERANCE_S)


def ago(moment: float, now: float) -> str:
    """Return the age of a moment on record in words, such as `3 minutes ago`."""
    age = age_s(moment, now)
    if math.isinf(age):
        return "at a time that is ahead of the clock"
    unit, length_s = next(((unit, length_s) for unit, length_s, most_s in _UNITS if age < most_s), ("day", 86_400))
    count = int(age // length_s)
    return f"{count} {unit}{'' if count == 1 else 's'} ago"


def iso(epoch_s: float) -> str:
    """Format a time in UTC, to the second: `2026-11-24T02:05:00Z`."""
    return datetime.fromtimestamp(epoch_s, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
