"""The gate of a provider: when it closes, and when it opens again."""

from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum


class GateState(StrEnum):
    OPEN = "open"
    CLOSED = "closed"


class GateReason(StrEnum):
    """Why a gate is closed."""

    NONE = ""
    LOW_CREDITS = "low_credits"
    NO_CREDITS = "no_credits"
    BAD_KEY = "bad_key"


@dataclass(frozen=True, slots=True)
class Gate:
    """Whether a provider may be sent anything."""

    provider: str
    state: GateState = GateState.OPEN
    reason: GateReason = GateReason.NONE
    since: float = 0.0
    """Epoch seconds of the last change of state."""
    episode: int = 0
    """How many times the gate has closed; names one pause for ever."""
    balance: Decimal | None = None
    """Credits at the last look; None where unknown or not counted."""

    @property
    def is_open(self) -> bool:
        return self.state is GateState.OPEN


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Credits at which the gate moves. `resume` lies above `low`, so that it does not flap."""

    low: Decimal
    resume: Decimal


def on_balance(gate: Gate, balance: Decimal | None, thresholds: Thresholds, now: float) -> Gate:
    """
    The gate after a look at the balance.

        gate              balance     result
        any               unknown     as it was
        open              < low       closed
        open              >= low      open
        closed            < resume    closed
        closed            >= resume   open
        closed: bad key   < low       closed: low credits
        closed: bad key   >= low      open: the key works again
    """
    seen = replace(gate, balance=balance if balance is not None else gate.balance)
    if balance is None:
        return seen
    if gate.is_open and balance < thresholds.low:
        return _close(seen, GateReason.LOW_CREDITS, now)
    if gate.reason is GateReason.BAD_KEY and balance < thresholds.low:
        return replace(seen, reason=GateReason.LOW_CREDITS)
    wanted = thresholds.low if gate.reason is GateReason.BAD_KEY else thresholds.resume
    if not gate.is_open and balance >= wanted:
        return replace(seen, state=GateState.OPEN, reason=GateReason.NONE, since=now)
    return seen


def on_refusal(gate: Gate, reason: GateReason, now: float) -> Gate:
    """The gate after the service itself refused the account; an episode that runs already goes on."""
    return _close(gate, reason, now) if gate.is_open else gate


def _close(gate: Gate, reason: GateReason, now: float) -> Gate:
    return replace(gate, state=GateState.CLOSED, reason=reason, since=now, episode=gate.episode + 1)
