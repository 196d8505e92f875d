"""The window of a night: until which time a run may buy, and why the next run waits."""

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo


def parse_time(text: str) -> time:
    """
    Parse a time of day such as `06:00`.

    Raises:
        ValueError: it is none.
    """
    try:
        return datetime.strptime(text, "%H:%M").time()  # noqa: DTZ007  a time of day has no zone
    except ValueError:
        raise ValueError("must be a time of day from 00:00 to 23:59, such as 06:00") from None


def ends_at(began_at: float, until: time, timezone: str) -> float:
    """
    Return the first moment after `began_at` at which the clocks of a time zone show `until`, in epoch seconds.

    A time that the clocks skip is the moment of the same distance to the time before; of a time that they show twice
    it is the first after `began_at`.
    """
    zone = ZoneInfo(timezone)
    day = datetime.fromtimestamp(began_at, zone).date()
    moments: list[float] = []
    for days in (0, 1):
        shown = datetime.combine(day + timedelta(days=days), until, zone)
        first = shown.timestamp()
        # Of a time that is skipped, the second reading lies before the first, where the clocks show another time.
        moments += [first, max(first, shown.replace(fold=1).timestamp())]
    return min(moment for moment in moments if moment > began_at)


@dataclass(frozen=True, slots=True)
class Night:
    """A night and the end of its window, in epoch seconds."""

    due_at: float
    ends_at: float


def why_not_now(night: Night, detected_at: float, now: float) -> str:
    """
    Return the reason why no nightly run starts now; empty if it may.

        now                                    result
        after the window of the last due night no: what is left waits for the next night
        within it, before its detection        no: the run after the detection does all of it, under one cap
        within it, after its detection         yes

    Args:
        night: the last night that was due.
        detected_at: end of the last detection, or of the last request to try items again.
        now: epoch seconds, like all times.
    """
    if now >= night.ends_at:
        return "the window of the last night is over (BG_NIGHT_UNTIL); they wait for the next night"
    if detected_at < night.due_at:
        return "the detection of this night is not complete; they are bought after it"
    return ""
