"""
Limits of an account for requests in flight and requests per minute, learned from the answers.

A state machine: every function takes a state, an event and the time, and returns the next state. The state is plain
data, so it lives in memory or, for all processes of an account, in the manifest database.

A load that was answered with success is known to be good. One request at a time goes beyond that; a refusal then shows
which limit it reached, and where it is:

    429 with                  in flight      pace            is about
    one of over a minute      -              -               the account: it waits, and then sends one request at first
    a long Retry-After        beyond good    in full use     units a minute
    a long Retry-After        beyond good    free, or less   concurrency
    a long Retry-After        good, full     free            concurrency the first time
    a long Retry-After        good           -               units a minute
    a short one, or none      beyond good    -               concurrency
    a short one, or none      good           probing         units a minute
    a short one, or none      good           free or paced   chance the first time; then each limit in turn, the one
                                                             in full use first
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from enum import StrEnum
from typing import Any

from bg_pipeline.core import shares, window
from bg_pipeline.core.moments import age_s
from bg_pipeline.core.records import RateFacts
from bg_pipeline.core.retry import LONGEST_WAIT_S
from bg_pipeline.core.window import SPAN_S

START = 5
"""In flight at first: the lower end of what a vendor recommends (docs/vendors.md)."""

WINDOW_S = 60.0
SLOT_S = 130.0
"""Seconds, longer than any POST may take (`net.http.TOTAL_S`): a slot that could not be given back ends by itself."""

EVENNESS = 0.75
"""1 spreads units evenly over the window and never makes up for lost time; 0 sends them as a burst."""

PROBE_EVERY = 150
"""Answers between two probes beyond the known limit, each of which may cost one refusal: under 1 % of them."""

LONG_S = 2.0
"""Seconds; a longer `Retry-After` means no units are left, unless the request was one more than is known to be good: a
slot is free again as soon as an answer is out."""

PROBE_GAP_S = 0.1
"""Seconds between two requests beyond the known limit: the refusal of the first should come before the second."""

PROBE_UNIT_S = 0.25
"""Seconds per unit while probing for more units per minute."""

OUTAGE = 10
"""Failures in a row, of all processes together, after which only one request at a time is sent."""

_RISE = 0.25
"""Share of the expected gain in throughput that further slots must reach to be kept."""


class Pace(StrEnum):
    """The knowledge about the limit of units per minute."""

    FREE = "free"
    """Never refused: no limit is applied."""
    PACED = "paced"
    """No more than `Limits.units`, spread over the minute."""
    PROBING = "probing"
    """Faster than paced, to find out if more than `Limits.units` are accepted; ends with a refusal."""


@dataclass(frozen=True, slots=True)
class Slot:
    """One request in flight."""

    since: float
    units: float
    rank: int
    """Number in flight with it when it was admitted."""
    window_units: float
    """Units within a window when it was admitted, including its own."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Requests in flight, units sent lately, and learned limits of one account."""

    # in flight
    slots: Mapping[str, Slot] = field(default_factory=dict)
    width: int = START
    """Most requests allowed in flight."""
    base: int = 1
    """Number in flight known to be accepted, and the throughput with it: answers per second."""
    throughput: float = 0.0
    reached: int = 0
    """Most requests in flight at this width so far, or since a late refusal: one more goes alone."""
    step: int = START
    patience: int = START
    """Answers at full width before the next increase; `probe_after` where the last one was refused."""
    probe_after: int = START
    streak: int = 0
    streak_s: float = 0.0
    failures: int = 0
    alert: int = 0
    """Answers during which another refusal without a visible cause counts as a lowered limit."""
    blame_width: bool = False
    """True to blame the width, False to blame units per minute: in turn, until there are no more refusals."""
    # a minute
    sent: window.Sent = ()
    """Units sent, by quarter of an epoch second; refused ones are removed."""
    pace: Pace = Pace.FREE
    units: float = 0.0
    """Most units known to be accepted within a window."""
    told: bool = False
    """True if the vendor states its limit, so there is no probing."""
    answers: int = 0
    """Answers at full pace since the last refusal, and the number that starts a probe for more."""
    look_after: int = PROBE_EVERY
    next_at: float = 0.0
    """Epoch second before which nothing is sent."""
    waits_since: float = 0.0
    """Epoch second at which that wait was set."""
    waiting: Mapping[str, float] = field(default_factory=dict)
    """Epoch second at which each process said last that it waits for a slot; see `shares`."""

    def as_json(self) -> dict[str, Any]:
        # Not `asdict` as a whole: it copies each of the hundreds of pairs in `sent`, twice an image.
        plain = {part.name: getattr(self, part.name) for part in fields(self)}
        return {**plain, "slots": {token: asdict(slot) for token, slot in self.slots.items()}}


def limits_from(stored: Mapping[str, Any] | None) -> Limits:
    """Restore the state from `as_json`; the initial state for None and for data of another version of this module."""
    if stored is None:
        return Limits()
    try:
        slots = {token: Slot(**slot) for token, slot in stored["slots"].items()}
        sent = tuple((int(quarter), float(units)) for quarter, units in stored["sent"])
        return Limits(**{**stored, "slots": slots, "sent": sent, "pace": Pace(stored["pace"])})
    except (KeyError, TypeError):
        return Limits()


def ask(state: Limits, token: str, units: float, ceiling: int, now: float) -> tuple[Limits, float]:
    """
    Admit a request, or return the time to wait.

    Args:
        state: as it is now.
        token: names the request in the events to come: CLAIM:PROCESS-NUMBER.
        units: the units that it counts for.
        ceiling: most in flight that the settings allow.
        now: epoch seconds.

    Returns:
        The state, and the seconds to wait. Zero: it is admitted. Otherwise it is not, and the state loses what has
        expired, and knows that it waits if it left a slot to another; an answer may end the wait earlier.
    """
    state = _without_expired(state, now)
    in_flight, sent = len(state.slots), sum(count for _, count in state.sent)
    if in_flight >= (width := min(state.width, ceiling)):
        return state, min(slot.since for slot in state.slots.values()) + SLOT_S - now
    if shares.leaves_it(token, state.slots, state.waiting, width):
        return waits(state, shares.process_of(token), now), shares.LEFT_S
    if paused_s := pause_s(state, now):
        return state, paused_s
    if state.pace is Pace.PACED and sent and sent + units > state.units:
        return state, window.leaves_at(state.sent[0][0]) - now
    slot = Slot(now, units, in_flight + 1, sent + units)
    next_at = now + units * _unit_s(state)
    if slot.rank > max(state.reached, 1):
        next_at = max(next_at, now + PROBE_GAP_S)
    admitted = replace(
        state,
        slots={**state.slots, token: slot},
        reached=max(state.reached, slot.rank),
        sent=window.count(state.sent, now, units),
        next_at=next_at,
        waits_since=now,
    )
    return admitted, 0.0


def succeeded(state: Limits, token: str, rate: RateFacts | None, ceiling: int, now: float) -> Limits:
    """Record an answer with success, and possibly with the account's rate limit."""
    slot = state.slots.get(token)
    if slot is None:
        return state
    full = len(state.slots) >= min(state.width, ceiling)
    state = replace(state, slots=_without(state.slots, token), failures=0, alert=max(0, state.alert - 1))
    state = _apply_rate(_good_pace(state, slot), rate, now)
    return _wider(state, now - slot.since, ceiling) if full else state


def refused(  # noqa: PLR0911  one return for each row of the table above
    state: Limits, token: str, retry_after_s: float | None, rate: RateFacts | None, now: float
) -> Limits:
    """Record an answer with 429."""
    slot = state.slots.get(token)
    if slot is None:
        return state
    long = retry_after_s is not None and retry_after_s > LONG_S
    others, full = len(state.slots) - 1, len(state.slots) >= state.width
    most = max(others + 1, slot.rank)
    state = replace(
        state, slots=_without(state.slots, token), sent=window.uncount(state.sent, slot.since, slot.units), answers=0
    )
    state = _apply_rate(state, rate, now)
    if retry_after_s is not None and retry_after_s > WINDOW_S:
        return _pause(state, retry_after_s, now)
    at_pace = state.pace is not Pace.FREE and slot.window_units >= 0.9 * state.units
    if most > state.base and not (long and at_pace):
        # A late answer to a finished probe tells nothing new, but those that come next go one at a time.
        return _narrow(state, most - 1) if state.width > state.base else replace(state, reached=others)
    answers = 2 * state.width
    if long and full and state.pace is Pace.FREE and not state.alert:
        return _narrow(replace(state, alert=answers), most - 1)
    if long or (at_pace and state.pace is Pace.PROBING):
        return _learn_pace(state, retry_after_s, now)
    if not state.alert:
        return replace(state, alert=answers, blame_width=full and not at_pace)
    repeated = replace(state, alert=answers, blame_width=not state.blame_width)
    return _narrow(repeated, most - 1) if state.blame_width else _learn_pace(repeated, retry_after_s, now)


def pause_s(state: Limits, now: float) -> float:
    """Return the seconds before which nothing is sent; 0 for a wait that a clock set that was ahead."""
    left_s = state.next_at - max(now, state.waits_since)
    return left_s if left_s > 0 and age_s(state.waits_since, now) <= LONGEST_WAIT_S else 0.0


def failed(state: Limits, token: str) -> Limits:
    """Record a failure or an unknown end; after an outage the width grows again from one."""
    if token not in state.slots:
        return state
    state = replace(state, slots=_without(state.slots, token), failures=state.failures + 1)
    return replace(state, width=1, streak=0, streak_s=0.0) if state.failures >= OUTAGE else state


def released(state: Limits, token: str) -> Limits:
    """Record an end that gives no information on limits."""
    return replace(state, slots=_without(state.slots, token))


def waits(state: Limits, process: str, now: float) -> Limits:
    """Record that a process waits for a slot."""
    return replace(state, waiting={**state.waiting, process: now})


def lacks_slots(state: Limits, process: str, ceiling: int, now: float) -> bool:
    """Return True if a process that waits has to say so (`waits`) to get its share of the slots."""
    return shares.says_it(process, state.slots, state.waiting, min(state.width, ceiling), now)


def _without_expired(state: Limits, now: float) -> Limits:
    slots = {token: slot for token, slot in state.slots.items() if age_s(slot.since, now) < SLOT_S}
    return replace(state, slots=slots, sent=window.within(state.sent, now), waiting=shares.within(state.waiting, now))


def _without(slots: Mapping[str, Slot], token: str) -> dict[str, Slot]:
    return {name: slot for name, slot in slots.items() if name != token}


def _unit_s(state: Limits) -> float:
    if state.pace is Pace.FREE:
        return 0.0
    paced_s = SPAN_S / state.units
    return paced_s * EVENNESS if state.pace is Pace.PACED else min(PROBE_UNIT_S, paced_s / 2)


def _apply_rate(state: Limits, rate: RateFacts | None, now: float) -> Limits:
    if rate is None or rate.limit_units < 1:
        return state
    if rate.remaining_units < 1:
        state = _pause(state, rate.resets_in_s, now)
    return replace(state, pace=Pace.PACED, units=rate.limit_units, told=True)


def _pause(state: Limits, seconds: float, now: float) -> Limits:
    """Send nothing for these seconds; after more than a window, or an hour of a longer wait, one request goes first."""
    next_at = now + max(pause_s(state, now), min(seconds, LONGEST_WAIT_S))
    state = replace(state, next_at=next_at, waits_since=now)
    return state if seconds <= WINDOW_S else replace(state, width=1, streak=0, streak_s=0.0)


@dataclass(frozen=True, slots=True)
class Learned:
    """What a person may want to know of an account's limits."""

    in_flight: int
    per_minute: float | None
    """Units; None while no limit was met."""
    waits_until: float | None
    """Epoch seconds; None if it does not wait."""


def learned(state: Limits, now: float) -> Learned:
    left_s = pause_s(state, now)
    return Learned(state.width, None if state.pace is Pace.FREE else state.units, now + left_s if left_s else None)


def _good_pace(state: Limits, slot: Slot) -> Limits:
    if state.pace is not Pace.PACED:
        return replace(state, units=max(state.units, slot.window_units))
    if state.told or slot.window_units < 0.9 * state.units:
        return state
    answers = state.answers + 1
    return replace(state, answers=answers, pace=Pace.PROBING if answers >= state.look_after else Pace.PACED)


def _learn_pace(state: Limits, retry_after_s: float | None, now: float) -> Limits:
    state = _pause(state, retry_after_s or 0.0, now)
    if state.told:
        return state
    # A fixed window began, or the oldest request of a full sliding one was sent, a window before the next is taken.
    since = now + (retry_after_s or 1.0) - SPAN_S
    taken = sum(units for quarter, units in state.sent if window.ends_at(quarter) > since)
    look_after = min(PROBE_EVERY, math.ceil(taken) if state.pace is Pace.FREE else 2 * state.look_after)
    if state.pace is Pace.PACED:
        taken = min(taken, state.units)
    # Twice as many were accepted within a window: a refusal of so few may be chance, or another's use of the account.
    units = max(1.0, taken, state.units / 2)
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
    failed_probe = width <= state.base < state.width
    return replace(
        state,
        width=width,
        base=min(state.base, width),
        reached=width,
        throughput=0.0,
        step=1,
        patience=state.probe_after,
        probe_after=min(PROBE_EVERY, 2 * state.probe_after) if failed_probe else state.probe_after,
        streak=0,
        streak_s=0.0,
    )
