"""
How many requests an account may have in flight, and how many it may send a minute: learned from the answers.

A state machine: every function takes a state, an event and the time, and returns the next state. The state is plain
data, so it lives in memory or, for all processes of an account, in the manifest database.

What was answered with success is known to be good. One request at a time goes beyond that; a refusal then tells which
limit it ran into and where it lies:

    429 with                  in flight      pace            is about
    a long Retry-After        -              -               units a minute
    a short one, or none      beyond good    -               concurrency
    a short one, or none      good           looking         units a minute
    a short one, or none      good           free or paced   chance the first time; then each in turn, the one that is
                                                             in full use first
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from enum import StrEnum
from typing import Any

from bg_pipeline.core.records import RateFacts

START = 5
"""In flight at first: the lower end of what a vendor recommends (docs/vendors.md)."""

WINDOW_S = 60.0
SPAN_S = 61.0
"""What is sent a minute apart may arrive a little less than a minute apart."""

SLOT_S = 130.0
"""Longer than any POST may take (`net.http.TOTAL_S`), so that only those who died lose their slot."""

EVENNESS = 0.75
"""1 spreads units evenly over the window, and never makes up for a moment lost; 0 sends them as a burst."""

PROBE_EVERY = 150
"""Answers between two looks beyond what is known, each of which may cost one refusal: under 1 % of them."""

LONG_S = 2.0
"""A service that asks for more has run out of units; a slot is free again as soon as an answer is out."""

PROBE_GAP_S = 0.1
"""Between two requests that go beyond what is known: the refusal of the first should come before the second."""

PROBE_UNIT_S = 0.25
"""Per unit while it is looked whether more units a minute are taken."""

OUTAGE = 10
"""Failures in a row, of all processes together, after which one request at a time has to do."""

_BUCKETS_PER_S = 4
_RISE = 0.25
"""Share of the throughput that further slots promise, which must come true for them to be kept."""


class Pace(StrEnum):
    """What is known of units a minute."""

    FREE = "free"
    """Never refused: as many as come."""
    PACED = "paced"
    """No more than `Limits.units`, spread over the minute."""
    PROBING = "probing"
    """Looking for more than `Limits.units`, faster than paced, until a refusal."""


@dataclass(frozen=True, slots=True)
class Slot:
    """One request in flight."""

    since: float
    deadline: float
    units: float
    rank: int
    """How many were in flight with it when it was let in."""
    window_units: float
    """Units within a window when it was let in, its own among them."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What is in flight, what was sent lately, and what was learned of one account."""

    # in flight
    slots: Mapping[str, Slot] = field(default_factory=dict)
    width: int = START
    """How many may be."""
    base: int = 1
    """How many are known to be taken, and what came of it: answers a second."""
    throughput: float = 0.0
    reached: int = 0
    """Most that were in flight at this width so far."""
    step: int = START
    patience: int = START
    """Answers at full width before the next raise; `probe_after` where the last one was refused."""
    probe_after: int = START
    streak: int = 0
    streak_s: float = 0.0
    failures: int = 0
    alert: int = 0
    """Answers for which another refusal without a visible cause is taken for a lowered limit."""
    blame_width: bool = False
    """Or else units a minute: in turn, until there are no more refusals."""
    # a minute
    sent: tuple[tuple[int, float], ...] = ()
    """Units sent, by quarter of an epoch second; refused ones are taken out again."""
    pace: Pace = Pace.FREE
    units: float = 0.0
    """Most units known to be taken within a window."""
    told: bool = False
    """The service names its limit, so none is looked for."""
    answers: int = 0
    """Answers at full pace since the last refusal, and how many it takes to look for more."""
    look_after: int = PROBE_EVERY
    next_at: float = 0.0
    """Epoch second before which nothing is sent."""

    def as_json(self) -> dict[str, Any]:
        # Not `asdict` as a whole: it copies each of the hundreds of pairs in `sent`, twice an image.
        plain = {part.name: getattr(self, part.name) for part in fields(self)}
        return {**plain, "slots": {token: asdict(slot) for token, slot in self.slots.items()}}


def limits_from(found: Mapping[str, Any] | None) -> Limits:
    """What `as_json` gave; the first state for None, and for what another version of this module left."""
    if found is None:
        return Limits()
    try:
        slots = {token: Slot(**slot) for token, slot in found["slots"].items()}
        sent = tuple((int(quarter), float(units)) for quarter, units in found["sent"])
        return Limits(**{**found, "slots": slots, "sent": sent, "pace": Pace(found["pace"])})
    except (KeyError, TypeError):
        return Limits()


def ask(state: Limits, token: str, units: float, ceiling: int, now: float) -> tuple[Limits, float]:
    """
    Let a request in, or say how long to wait.

    Args:
        state: as it is now.
        token: names the request in the events to come.
        units: what it counts for.
        ceiling: most in flight that the settings allow.
        now: epoch seconds.

    Returns:
        The state, and the seconds to wait. Zero: it is let in. Otherwise it is not, and the state is the same but for
        what ran out; an answer to another request may end the wait earlier.
    """
    state = _without_what_ran_out(state, now)
    in_flight, sent = len(state.slots), sum(count for _, count in state.sent)
    if in_flight >= min(state.width, ceiling):
        return state, min(slot.deadline for slot in state.slots.values()) - now
    if state.next_at > now:
        return state, state.next_at - now
    if state.pace is Pace.PACED and sent and sent + units > state.units:
        return state, _leaves_at(state.sent[0][0]) - now
    slot = Slot(now, now + SLOT_S, units, in_flight + 1, sent + units)
    next_at = now + units * _unit_s(state)
    if slot.rank > max(state.reached, 1):
        next_at = max(next_at, now + PROBE_GAP_S)
    admitted = replace(
        state,
        slots={**state.slots, token: slot},
        reached=max(state.reached, slot.rank),
        sent=_count(state.sent, now, units),
        next_at=next_at,
    )
    return admitted, 0.0


def succeeded(state: Limits, token: str, rate: RateFacts | None, ceiling: int, now: float) -> Limits:
    """It was answered with success, and maybe with the account's rate limit."""
    slot = state.slots.get(token)
    if slot is None:
        return state
    full = len(state.slots) >= min(state.width, ceiling)
    state = replace(state, slots=_without(state.slots, token), failures=0, alert=max(0, state.alert - 1))
    state = _heard(_good_pace(state, slot), rate, now)
    return _wider(state, now - slot.since, ceiling) if full else state


def refused(state: Limits, token: str, retry_after_s: float | None, rate: RateFacts | None, now: float) -> Limits:
    """It was answered with 429."""
    slot = state.slots.get(token)
    if slot is None:
        return state
    others, full = len(state.slots) - 1, len(state.slots) >= state.width
    most = max(others + 1, slot.rank)
    state = replace(state, slots=_without(state.slots, token), sent=_uncount(state.sent, slot), answers=0)
    state = _heard(state, rate, now)
    long = retry_after_s is not None and retry_after_s > LONG_S
    if not long and most > state.base:
        # A late answer to a look that is over says nothing new.
        return _narrow(state, most - 1) if state.width > state.base else state
    at_pace = state.pace is not Pace.FREE and slot.window_units >= 0.9 * state.units
    if long or (at_pace and state.pace is Pace.PROBING):
        return _learn_pace(state, retry_after_s, now)
    soon = 2 * state.width
    if not state.alert:
        return replace(state, alert=soon, blame_width=full and not at_pace)
    again = replace(state, alert=soon, blame_width=not state.blame_width)
    return _narrow(again, most - 1) if state.blame_width else _learn_pace(again, retry_after_s, now)


def failed(state: Limits, token: str) -> Limits:
    """It failed, or its end is not known; after an outage the climb begins again from one."""
    if token not in state.slots:
        return state
    failures = state.failures + 1
    state = replace(state, slots=_without(state.slots, token), failures=failures)
    return replace(state, width=1, streak=0, streak_s=0.0) if failures >= OUTAGE else state


def released(state: Limits, token: str) -> Limits:
    """It ended in a way that tells nothing of limits."""
    return replace(state, slots=_without(state.slots, token))


def _without_what_ran_out(state: Limits, now: float) -> Limits:
    slots = {token: slot for token, slot in state.slots.items() if slot.deadline > now}
    gone = next((n for n, (quarter, _) in enumerate(state.sent) if _leaves_at(quarter) > now), len(state.sent))
    return replace(state, slots=slots, sent=state.sent[gone:])


def _without(slots: Mapping[str, Slot], token: str) -> dict[str, Slot]:
    return {name: slot for name, slot in slots.items() if name != token}


def _quarter(moment: float) -> int:
    return math.floor(moment * _BUCKETS_PER_S)


def _leaves_at(quarter: int) -> float:
    return (quarter + 1) / _BUCKETS_PER_S + SPAN_S


def _count(sent: tuple[tuple[int, float], ...], now: float, units: float) -> tuple[tuple[int, float], ...]:
    quarter = _quarter(now)
    if sent and sent[-1][0] >= quarter:
        return (*sent[:-1], (sent[-1][0], sent[-1][1] + units))
    return (*sent, (quarter, units))


def _uncount(sent: tuple[tuple[int, float], ...], slot: Slot) -> tuple[tuple[int, float], ...]:
    quarter = _quarter(slot.since)
    return tuple((when, max(0.0, units - slot.units) if when == quarter else units) for when, units in sent)


def _unit_s(state: Limits) -> float:
    if state.pace is Pace.FREE:
        return 0.0
    paced_s = SPAN_S / state.units
    return paced_s * EVENNESS if state.pace is Pace.PACED else min(PROBE_UNIT_S, paced_s / 2)


def _heard(state: Limits, rate: RateFacts | None, now: float) -> Limits:
    if rate is None or rate.limit_units < 1:
        return state
    next_at = state.next_at if rate.remaining_units >= 1 else max(state.next_at, now + rate.resets_in_s)
    return replace(state, pace=Pace.PACED, units=rate.limit_units, told=True, next_at=next_at)


def _good_pace(state: Limits, slot: Slot) -> Limits:
    if state.pace is not Pace.PACED:
        return replace(state, units=max(state.units, slot.window_units))
    if state.told or slot.window_units < 0.9 * state.units:
        return state
    answers = state.answers + 1
    return replace(state, answers=answers, pace=Pace.PROBING if answers >= state.look_after else Pace.PACED)


def _learn_pace(state: Limits, retry_after_s: float | None, now: float) -> Limits:
    state = replace(state, next_at=max(state.next_at, now + (retry_after_s or 0.0)))
    if state.told or (retry_after_s or 0.0) > WINDOW_S:
        return state
    # A fixed window began, or the oldest request of a full sliding one was sent, a window before the next is taken.
    since = now + (retry_after_s or 1.0) - SPAN_S
    taken = sum(units for quarter, units in state.sent if (quarter + 1) / _BUCKETS_PER_S > since)
    look_after = min(PROBE_EVERY, math.ceil(taken) if state.pace is Pace.FREE else 2 * state.look_after)
    units = max(1.0, min(taken, state.units) if state.pace is Pace.PACED else taken)
    return replace(state, pace=Pace.PACED, units=units, look_after=look_after)


def _wider(state: Limits, took_s: float, ceiling: int) -> Limits:
    if state.width < state.base:
        return replace(state, width=state.width + 1)
    if state.base >= ceiling:
        return state
    state = replace(state, streak=state.streak + 1, streak_s=state.streak_s + took_s)
    if state.streak < state.patience:
        return state
    throughput = state.width * state.streak / max(state.streak_s, 1e-9)
    if throughput < state.throughput * (1 + _RISE * (state.width / state.base - 1)):
        return _narrow(state, state.base)
    wider = min(ceiling, state.width + state.step)
    return replace(
        state,
        width=wider,
        base=state.width,
        throughput=throughput,
        step=2 * state.step,
        patience=wider,
        streak=0,
        streak_s=0.0,
    )


def _narrow(state: Limits, width: int) -> Limits:
    width = max(1, min(width, state.width))
    failed_look = width <= state.base < state.width
    return replace(
        state,
        width=width,
        base=min(state.base, width),
        reached=width,
        throughput=0.0,
        step=1,
        patience=state.probe_after,
        probe_after=min(PROBE_EVERY, 2 * state.probe_after) if failed_look else state.probe_after,
        streak=0,
        streak_s=0.0,
    )
