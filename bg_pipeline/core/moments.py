"""Times on record, as a clock sees them that may have jumped since."""

import math

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
