"""Close and open the gate of an account."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

from bg_pipeline.core.moments import age_s
from bg_pipeline.core.retry import LONGEST_WAIT_S

BALANCE_GOOD_FOR_S = 6 * 3600.0
"""Seconds for which purchases may be counted down from one reading while no new reading is possible."""

LAG_S = 300.0
"""Longest time in seconds by which a vendor's balance may be behind its charges; vendors speak of several seconds."""

FIRST_COOLDOWN_S, LONGEST_COOLDOWN_S = 60.0, 1800.0
"""Seconds without requests after a vendor failed, or refused the key or the credits; doubled each time in a row."""


class GateState(StrEnum):
    OPEN = "open"
    CLOSED = "closed"


class GateReason(StrEnum):
    """The reason why a gate is closed; for an open gate, the condition that is not yet cleared."""

    NONE = ""
    LOW_CREDITS = "low_credits"
    NO_CREDITS = "no_credits"
    BALANCE_UNKNOWN = "balance_unknown"
    BAD_KEY = "bad_key"
    OUTAGE = "outage"
    QUALITY = "quality"
    BY_HAND = "by_hand"


_TIMED = frozenset({GateReason.BAD_KEY, GateReason.OUTAGE})
"""Reasons whose end no query can show: after a while one request tests it."""

_TESTED = _TIMED | {GateReason.NO_CREDITS}
"""Reasons that are proved wrong only by an answer with success."""

_MONEY = frozenset({GateReason.LOW_CREDITS, GateReason.NO_CREDITS, GateReason.BALANCE_UNKNOWN})


@dataclass(frozen=True, slots=True)
class Gate:
    """The gate of a vendor account: open if requests may be sent."""

    account: str
    state: GateState = GateState.OPEN
    reason: GateReason = GateReason.NONE
    since: float = 0.0
    """Epoch seconds of the last change of state."""
    pause: int = 0
    """Number of times the gate has closed; identifies one pause."""
    balance: Decimal | None = None
    """Credits at the last reading, as far as it was believed; own spending is counted down from it. None where unknown
    or not counted."""
    balance_at: float = 0.0
    """Epoch seconds of that reading."""
    until: float = 0.0
    """Epoch seconds from which a closed gate may open by itself: after an outage, a refused key, or refused credits."""
    trips: int = 0
    """Number of times in a row it closed for one of these."""
    why: str = ""
    """Explanation in the words of the vendor or the person."""
    forced_open: bool = False
    """True after a person opened it: until the balance is good again, no balance closes it."""
    reading: Decimal | None = None
    """Credits that the vendor showed at the last reading."""
    expected: Decimal | None = None
    """Credits to which the count-down had come at that reading; None at the first."""
    cleared_at: float = 0.0
    """Epoch seconds; refusals of single pictures before do not count: a person opened the gate, or the key is new."""

    @property
    def is_open(self) -> bool:
        return self.state is GateState.OPEN

    @property
    def half_open(self) -> bool:
        """True if it is open again after a reason that only a success ends, and no request has succeeded yet."""
        return self.is_open and self.reason in _TESTED

    @property
    def opens_at(self) -> float:
        """Epoch seconds from which it may open by itself: at most `LONGEST_WAIT_S` after it closed."""
        return min(self.until, self.since + LONGEST_WAIT_S)

    def may_open(self, now: float) -> bool:
        """Return True if a closed gate may open by itself: its time has come, or a clock that was ahead closed it."""
        return age_s(self.since, now) >= self.opens_at - self.since

    @property
    def drift(self) -> Decimal | None:
        """Credits by which the last reading was above the count-down (it is behind, or a top-up), or below (others
        spend)."""
        return None if self.reading is None or self.expected is None else self.reading - self.expected


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Credits at which the gate closes and opens. `resume` is above `low`, so that it does not flap."""

    low: Decimal
    resume: Decimal


def resume_above(low: Decimal) -> Decimal:
    """
    Return the credits at which a gate opens that closes below `low`: twice as many, from 50 on 50 more, from 500 on
    10 % more. So free plans of ten credits reach it, and half of what is left is always a `low` that opens the gate.
    """
    return low + max(low / 10, min(low, Decimal(50)), Decimal(1))


def on_reading(
    gate: Gate, reading: Decimal, spent: Callable[[float], Decimal], thresholds: Thresholds, asked_at: float
) -> Gate:
    """
    Return the gate after a reading of the balance, which may be behind.

    The reading lacks at least what ended after it was asked for, and at most the own spending of the last `LAG_S`. The
    count-down is kept between these two, so that a late balance does not replace it.

    Args:
        gate: as it is now.
        reading: credits that the vendor showed.
        spent: returns the own credits spent since an epoch second; requests in flight always count.
        thresholds: credits at which the gate moves.
        asked_at: epoch seconds, taken before the vendor was asked.
    """
    missing = spent(asked_at)
    lowest, highest = reading - spent(asked_at - LAG_S), reading - missing
    counted = None if gate.balance is None else gate.balance - spent(gate.balance_at)
    left = lowest if counted is None else max(lowest, min(counted, highest))
    seen = replace(
        gate,
        balance=left + missing,
        balance_at=asked_at,
        reading=reading,
        expected=None if counted is None else counted + missing,
    )
    return on_balance(seen, left, thresholds, asked_at)


def on_balance(gate: Gate, balance: Decimal, thresholds: Thresholds, now: float) -> Gate:
    """
    Return the gate at this balance: the last reading, counted down.

        gate                              balance     result
        open                              < low       closed: low credits
        open                              >= low      as it was
        forced open                       < resume    as it was
        forced open                       >= resume   open, no longer forced
        closed: low, none, unknown        < resume    closed (unknown: low credits, when below low)
        closed: low                       >= resume   open
        closed: none                      >= resume   half-open after the cooldown; open if it was lower in between
        closed: unknown                   >= low      open
        closed: bad key, outage           < low       closed: low credits, unless it was forced open
        closed: bad key, outage           >= low      as it was: `on_time` opens it
        closed: quality, by hand          -           as it was: a person opens it
    """
    if gate.is_open:
        return _while_open(gate, balance, thresholds, now)
    if gate.reason in _TIMED | {GateReason.BALANCE_UNKNOWN} and balance < thresholds.low and not gate.forced_open:
        return replace(gate, reason=GateReason.LOW_CREDITS, until=0.0, why="")
    if gate.reason is GateReason.NO_CREDITS:
        return _while_empty(gate, balance, thresholds, now)
    wanted = thresholds.low if gate.reason is GateReason.BALANCE_UNKNOWN else thresholds.resume
    if gate.reason in _MONEY and balance >= wanted:
        return _open(gate, now)
    return gate


def _while_open(gate: Gate, balance: Decimal, thresholds: Thresholds, now: float) -> Gate:
    if gate.forced_open:
        return replace(gate, forced_open=False, why="") if balance >= thresholds.resume else gate
    return _close(gate, GateReason.LOW_CREDITS, "", now) if balance < thresholds.low else gate


def _while_empty(gate: Gate, balance: Decimal, thresholds: Thresholds, now: float) -> Gate:
    """Return a gate that a 402 closed: at once if the balance explains it, else after a growing cooldown."""
    if balance < thresholds.resume:
        return replace(gate, until=0.0)
    if not gate.until:
        return _open(gate, now)
    return replace(gate, state=GateState.OPEN, since=now) if gate.may_open(now) else gate


def on_unreadable(gate: Gate, why: str, now: float) -> Gate:
    """Return the gate after an unreadable balance: an open gate stays open only for a while."""
    if not gate.is_open or gate.forced_open:
        return gate
    known = gate.balance is not None and age_s(gate.balance_at, now) <= BALANCE_GOOD_FOR_S
    return gate if known else _close(gate, GateReason.BALANCE_UNKNOWN, why, now)


def on_time(gate: Gate, now: float) -> Gate:
    """Return the gate at this time: after the cooldown for an outage or a refused key it is half-open."""
    if gate.is_open or gate.reason not in _TIMED or not gate.may_open(now):
        return gate
    return replace(gate, state=GateState.OPEN, since=now)


def on_refusal(gate: Gate, reason: GateReason, why: str, now: float, for_s: float = 0.0) -> Gate:
    """
    Return the gate after the vendor refused the account, failed, or delivered less than was paid for.

    A pause that has begun continues; its reason may change to one that needs credits or a person.

    Args:
        gate: as it is now.
        reason: the reason of the refusal.
        why: in the vendor's words.
        now: epoch seconds.
        for_s: seconds that the vendor asked for; the cooldown that grows with `trips` is the minimum.
    """
    if not gate.is_open:
        harder = gate.reason in _TIMED | {GateReason.BALANCE_UNKNOWN} and reason not in _TIMED
        return replace(gate, reason=reason, why=why, until=0.0, forced_open=False) if harder else gate
    if reason not in _TESTED:
        return _close(gate, reason, why, now)
    again = gate.half_open
    trips = gate.trips + 1 if again else 1
    closed = _close(gate, reason, why, now)
    return replace(
        closed,
        forced_open=gate.forced_open and reason in _TIMED,
        pause=gate.pause if again else closed.pause,
        trips=trips,
        until=now + min(LONGEST_WAIT_S, max(for_s, cooldown_s(trips))),
    )


def on_success(gate: Gate) -> Gate:
    """Return the gate after a cutout came back: it is no longer half-open."""
    return replace(gate, reason=GateReason.NONE, trips=0, until=0.0, why="") if gate.half_open else gate


def on_new_key(gate: Gate, now: float) -> Gate:
    """Return the gate of an account with a new key: what was refused with the old one has to be proved again."""
    fresh = replace(gate, until=0.0, trips=0, cleared_at=now)
    if gate.is_open or gate.reason not in _TESTED:
        return fresh
    return replace(fresh, state=GateState.OPEN, since=now)


def by_hand(gate: Gate, state: GateState, why: str, now: float) -> Gate:
    """Return the gate as a person sets it. No balance changes it back; an empty account still closes it."""
    if state is GateState.OPEN:
        return replace(_open(gate, now), forced_open=True, why=why, cleared_at=now)
    pause = gate.pause + 1 if gate.is_open else gate.pause
    return replace(_close(gate, GateReason.BY_HAND, why, now), pause=pause)


def first_open(gates: Sequence[Gate]) -> Gate:
    """Return the first open gate, in the order given; the first of all if none is open."""
    return next((gate for gate in gates if gate.is_open), gates[0])


def cooldown_s(trips: int) -> float:
    """Return the seconds without requests after this number of failures in a row, at least one."""
    return min(LONGEST_COOLDOWN_S, FIRST_COOLDOWN_S * 2.0 ** min(trips - 1, 16))


def _close(gate: Gate, reason: GateReason, why: str, now: float) -> Gate:
    return replace(
        gate,
        state=GateState.CLOSED,
        reason=reason,
        since=now,
        pause=gate.pause + 1,
        until=0.0,
        trips=0,
        why=why,
        forced_open=False,
    )


def _open(gate: Gate, now: float) -> Gate:
    return replace(gate, state=GateState.OPEN, reason=GateReason.NONE, since=now, until=0.0, trips=0, why="")
