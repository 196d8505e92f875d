"""Compute the wait before the next request, also from the headers of answers."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from bg_pipeline.core.records import RateFacts

MAX_RETRIES = 5
BASE_WAIT_S = 1.0
MAX_WAIT_S = 60.0
"""Base, cap and count as a vendor recommends (docs/vendors.md)."""

LONGEST_WAIT_S = 3600.0
"""Longest wait without a request, also if a vendor asks for more: then one request shows if it still wants that."""

LONGEST_SLEEP_S = 120.0
"""Longest wait of a run for one vendor; if a longer one is due, the run ends and the rest stays pending."""

_MILLISECONDS = 1e11
"""A larger Unix time counts milliseconds: in seconds it would be in the year 5138."""


def wait_s(retry: int, retry_after_s: float | None, jitter: float) -> float:
    """
    Return the seconds before the next try.

    Args:
        retry: 0 for the first.
        retry_after_s: seconds that the vendor asked for; obeyed for up to `LONGEST_WAIT_S`.
        jitter: 0 to 1, drawn for each wait: clients that failed together must not retry together.
    """
    if retry_after_s is not None:
        return min(retry_after_s, LONGEST_WAIT_S)
    return min(MAX_WAIT_S, BASE_WAIT_S * 2.0 ** min(retry, 32)) * jitter


def parse_retry_after(value: str | None, date: str | None) -> float | None:
    """
    Return the seconds of a `Retry-After` header in either form (RFC 9110, 10.2.3), at most `LONGEST_WAIT_S`.

    None for an invalid header.

    Args:
        value: the header.
        date: the `Date` header of the same answer, so that our own clock does not matter.
    """
    if value is None:
        return None
    text = value.strip()
    if text.removeprefix("-").isdecimal():
        return _within_reason(int(text[:12]))
    try:
        until = _utc(parsedate_to_datetime(text))
        sent = _utc(parsedate_to_datetime(date)) if date else None
    except (ValueError, OverflowError):
        return None
    return None if sent is None else _within_reason((until - sent).total_seconds())


def parse_rate(limit: str | None, remaining: str | None, reset: str | None, date: str | None) -> RateFacts | None:
    """
    Return the account's rate limit from `X-RateLimit-*` headers; None unless it is complete.

    Args:
        limit, remaining: units.
        reset: the Unix second, or millisecond, at which all units are back.
        date: the `Date` header of the same answer, so that our own clock does not matter.
    """
    given = [(text or "").strip()[:18] for text in (limit, remaining, reset)]
    try:
        sent = _utc(parsedate_to_datetime(date)) if date else None
    except ValueError:
        return None
    if sent is None or not all(text.isdecimal() for text in given):
        return None
    units, left, second = (float(text) for text in given)
    if second > _MILLISECONDS:
        second /= 1000
    return RateFacts(units, min(left, units), _within_reason(second - sent.timestamp()))


def moment(epoch_s: float) -> str:
    """Format a time for people, to the minute, in UTC."""
    # A stored time may be anything; the year 9999 is the last that can be shown.
    return datetime.fromtimestamp(min(max(epoch_s, 0.0), 253_402_300_799.0), UTC).strftime("%Y-%m-%d %H:%M UTC")


def _within_reason(seconds: float) -> float:
    return float(min(max(seconds, 0.0), LONGEST_WAIT_S))


def _utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
