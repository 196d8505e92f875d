"""Compare vendors and engines on the same pictures: the sample, the loads, and what the results add up to."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from statistics import median

from bg_pipeline.core.records import Attempt, AttemptState, Entry, Master, State

LOADS = (1, 2, 5, 8)
"""Requests in flight at which the throughput is measured."""

_FIT = frozenset({State.PENDING, State.PUBLISHED, State.QUARANTINED})
"""States of items that may be in a sample: no failure, and no person keeps them off the shop."""


def take_sample(entries: Iterable[Entry], count: int) -> list[Entry]:
    """
    Return at most `count` different pictures: one of each collection, then a second one of each, and so on.

    The order is that of the content hashes, which says nothing about a picture. So the same catalogue gives the same
    sample, and a new picture changes at most one place of it.
    """
    lowest: dict[str, dict[str, Entry]] = {}
    for entry in entries:
        if not (entry.content_hash and entry.media_type) or entry.absent or entry.problem or entry.state not in _FIT:
            continue
        of_collection = lowest.setdefault(entry.collection, {})
        of_collection.setdefault(entry.content_hash, entry)
        if len(of_collection) > 2 * count:  # of a million items, few are kept in memory
            lowest[entry.collection] = dict(sorted(of_collection.items())[:count])
    turns = [
        (turn, content_hash)
        for of_collection in lowest.values()
        for turn, content_hash in enumerate(sorted(of_collection))
    ]
    chosen = list(dict.fromkeys(content_hash for _, content_hash in sorted(turns)))[:count]
    return [next(each[name] for each in lowest.values() if name in each) for name in chosen]


@dataclass(frozen=True, slots=True)
class Load:
    """A part of the sample, bought with so many requests in flight."""

    in_flight: int
    pictures: int


def share_out(pictures: int, most: int) -> list[Load]:
    """
    Share out the pictures that are bought anyway over the loads, so that measuring costs no further purchase.

    A load gets at least as many pictures as it has in flight; the highest are left out where there are too few.

    Args:
        pictures: number of purchases.
        most: most requests in flight that the settings allow.
    """
    loads = [load for load in LOADS if load <= most and pictures_for(load) <= pictures]
    rest = pictures - sum(loads)
    return [Load(load, load + (rest + n) // len(loads)) for n, load in enumerate(reversed(loads))][::-1]


def pictures_for(load: int) -> int:
    """Return the number of purchases from which a load is measured."""
    return sum(each for each in LOADS if each <= load)


@dataclass(frozen=True, slots=True)
class Throughput:
    """The pictures answered with so many requests in flight."""

    in_flight: int
    allowed: int
    """Requests in flight that the account's learned limits allowed at the end."""
    pictures: int
    seconds: float

    @property
    def per_minute(self) -> float:
        return 60 * self.pictures / self.seconds if self.seconds > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Cost:
    """What the attempts for one result took."""

    seconds: float | None = None
    """Seconds from sending the picture to storing the checked result, of all stages; None if nothing was sent."""
    credits: Decimal = Decimal(0)
    """Credits charged, also by earlier runs, and also for answers that were unusable."""
    credits_now: Decimal = Decimal(0)
    """Those that the present run was charged."""
    in_doubt: Decimal = Decimal(0)
    """Further credits that may have been charged."""


def cost_of(attempts: Sequence[Attempt], run: str) -> Cost:
    """Sum up the attempts for one result; `run` is the name under which the present run spends."""
    took = {
        each.purchase_id: each.ended_at - each.started_at
        for each in attempts
        if each.state is AttemptState.CHARGED and each.ended_at is not None
    }
    doubtful = {AttemptState.IN_DOUBT, AttemptState.INTENT}
    return Cost(
        seconds=sum(took.values()) if took else None,
        credits=sum((each.credits_charged for each in attempts), Decimal(0)),
        credits_now=sum((each.credits_charged for each in attempts if each.run == run), Decimal(0)),
        in_doubt=sum((each.credits_expected for each in attempts if each.state in doubtful), Decimal(0)),
    )


@dataclass(frozen=True, slots=True)
class Result:
    """One picture at one vendor or engine."""

    key: str
    master: Master | None
    """Its result; None if it failed."""
    failure: str
    """Why there is none."""
    cost: Cost

    @property
    def doubt(self) -> str:
        """Why a person should look before it is published; empty for a sound result."""
        return self.master.suspicion if self.master else ""


@dataclass(frozen=True, slots=True)
class Sums:
    """The results of one vendor or engine together."""

    sound: int
    doubtful: int
    failed: int
    median_s: float | None
    p95_s: float | None
    """95 of 100 results took no longer; of a small sample, the slowest one."""
    credits: Decimal
    credits_now: Decimal
    in_doubt: Decimal


def sum_up(results: Sequence[Result]) -> Sums:
    """Return the sums of these results. Seconds are those of results that were made, now or earlier."""
    took = sorted(each.cost.seconds for each in results if each.master and each.cost.seconds is not None)
    made = [each for each in results if each.master]
    return Sums(
        sound=sum(not each.doubt for each in made),
        doubtful=sum(bool(each.doubt) for each in made),
        failed=len(results) - len(made),
        median_s=median(took) if took else None,
        p95_s=took[math.ceil(0.95 * len(took)) - 1] if took else None,
        credits=sum((each.cost.credits for each in results), Decimal(0)),
        credits_now=sum((each.cost.credits_now for each in results), Decimal(0)),
        in_doubt=sum((each.cost.in_doubt for each in results), Decimal(0)),
    )
