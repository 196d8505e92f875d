"""What an answer means for the next request, and how long to wait for it."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum

MAX_RETRIES = 5
BASE_WAIT_S = 1.0
MAX_WAIT_S = 60.0
"""Base, cap and count: bgeraser.ink/blog/batch-background-removal-api-guide, read 2026-11."""

LONGEST_SLEEP_S = 120.0
"""A run does not sleep longer for one service; it ends and leaves the rest pending."""


class Verdict(StrEnum):
    """What one answer of a service says about the image, the service and the money."""

    OK = "ok"
    TRANSIENT = "transient"
    RATE_LIMITED = "rate_limited"
    REJECTED = "rejected"
    ACCOUNT = "account"
    NO_CREDITS = "no_credits"
    OUTCOME_UNKNOWN = "outcome_unknown"
    UNUSABLE = "unusable"


def wait_s(retry: int, retry_after_s: float | None, jitter: float) -> float:
    """
    Seconds before the next try.

    Args:
        retry: 0 for the first.
        retry_after_s: what the service asked for; obeyed to the letter.
        jitter: 0 to 1, drawn anew each time: clients that failed together must not come back together.
    """
    if retry_after_s is not None:
        return retry_after_s
    return min(MAX_WAIT_S, BASE_WAIT_S * 2.0 ** min(retry, 32)) * jitter


def parse_retry_after(value: str | None, date: str | None) -> float | None:
    """
    Seconds from a `Retry-After` header in either of its forms (RFC 9110, 10.2.3); None for garbage.

    Args:
        value: the header.
        date: the `Date` header of the same answer, so that our own clock does not matter.
    """
    if value is None:
        return None
    text = value.strip()
    if text.removeprefix("-").isdecimal():
        return float(max(0, int(text[:12])))
    try:
        until = _utc(parsedate_to_datetime(text))
        sent = _utc(parsedate_to_datetime(date)) if date else None
    except ValueError:
        return None
    return None if sent is None else max(0.0, (until - sent).total_seconds())


def _utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
