"""Compute the wait before the next request, also from the headers of answers."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from bg_pipeline.core.records import RateFacts

MAX_RETRIES = 5
BASE_WAIT_S = 1.0
MAX_WAIT_S = 60.0
"""Base, cap and count as a vendor recommends (docs/vendors.md)."""

LONGEST_SLEEP_S = 120.0
"""Longest wait of a run for one vendor; if a longer one is due, the run ends and the rest stays pending."""


def wait_s(retry: int, retry_after_s: float | None, jitter: float) -> float:
    """
    Return the seconds before the next try.

    Args:
        retry: 0 for the first.
        retry_after_s: seconds that the vendor asked for; obeyed.
        jitter: 0 to 1, drawn for each wait: clients that failed together must not retry together.
    """
    if retry_after_s is not None:
        return retry_after_s
    return min(MAX_WAIT_S, BASE_WAIT_S * 2.0 ** min(retry, 32)) * jitter


def parse_retry_after(value: str | None, date: str | None) -> float | None:
    """
    Return the seconds of a `Retry-After` header in either form (RFC 9110, 10.2.3); None for an invalid one.

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


def parse_rate(limit: str | None, remaining: str | None, reset: str | None, date: str | None) -> RateFacts | None:
    """
    Return the account's rate limit from `X-RateLimit-*` headers; None unless it is complete.

    Args:
        limit, remaining: units.
        reset: the Unix second at which all units are back.
        date: the `Date` header of the same answer, so that our own clock does not matter.
    """
    given = [(text or "").strip()[:12] for text in (limit, remaining, reset)]
    try:
        sent = _utc(parsedate_to_datetime(date)) if date else None
    except ValueError:
        return None
    if sent is None or not all(text.isdecimal() for text in given):
        return None
    units, left, second = (float(text) for text in given)
    return RateFacts(units, min(left, units), max(0.0, second - sent.timestamp()))


def _utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
