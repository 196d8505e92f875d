"""Tell a picture host that is down from a picture that cannot be fetched."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from bg_pipeline.core.breaker import Breaker
from bg_pipeline.core.records import Listed

_NOT_NOW = frozenset({408, 425, 429})
"""Statuses below 500 that say nothing about the URL: too slow, too early, too many requests (RFC 9110, 8470, 6585)."""

_FEWEST = 3
"""Fewest failures without any answer for an outage: one or two may be mistakes in URLs."""


def blames_host(status: int) -> bool:
    """Return True if a status means that the host cannot serve now; others are about the one URL."""
    return status >= 500 or status in _NOT_NOW


class PictureHost:
    """
    A host of pictures, judged by its last answers. Its breaker opens as that of a vendor does; see `core.breaker`.

    Args:
        name: the host, and its port if the URLs name one.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.why = ""
        """Text of the last failure."""
        self._breaker = Breaker()
        self._trips = 0

    def is_open(self, now: float) -> bool:
        """Return True if nothing may be asked of it yet; `now` is in seconds, by a clock that only counts on."""
        return self._breaker.is_open(now)

    @property
    def is_down(self) -> bool:
        """True after several failures without any answer in between."""
        failed_often = self._trips > 0 or self._breaker.failures_in_a_row >= _FEWEST
        return self._breaker.on_trial and failed_often

    def answered(self) -> None:
        self._breaker, self._trips = self._breaker.succeeded(), 0

    def failed(self, why: str, now: float) -> None:
        before, self._breaker = self._breaker, self._breaker.failed(self._trips, now)
        self._trips += self._breaker.open_until != before.open_until
        self.why = why


@dataclass(frozen=True, slots=True)
class HostOutage:
    """A picture host that did not serve in a scan."""

    host: str
    items: int
    """Items on it that could not be looked at."""
    why: str


class Unanswered(NamedTuple):
    """A listed item whose host did not serve."""

    listed: Listed
    why: str
    host: PictureHost
    unknown: bool
    """True if there is no host of this name."""


@dataclass(frozen=True, slots=True)
class Judged:
    """Items whose hosts did not serve, by what that means for them."""

    outages: tuple[HostOutage, ...]
    not_looked: dict[str, str]
    """Reason by key of items that are looked at again: their host serves others, or is asked for few."""
    unreadable: tuple[Unanswered, ...]
    """Items that name a host that does not exist, while no outage explains it."""


def judge(unanswered: Iterable[Unanswered]) -> Judged:
    """Judge at the end of a scan: only then it is known whether a host answered for others."""
    down: dict[str, list[Unanswered]] = {}
    not_looked: dict[str, str] = {}
    unreadable = []
    for each in unanswered:
        if each.host.is_down:
            down.setdefault(each.host.name, []).append(each)
        elif each.unknown:
            unreadable.append(each)
        else:
            not_looked[each.listed.key] = each.why
    outages = (HostOutage(name, len(items), items[0].host.why) for name, items in sorted(down.items()))
    return Judged(tuple(outages), not_looked, tuple(unreadable))
