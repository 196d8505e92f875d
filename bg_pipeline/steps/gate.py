"""The gates as the steps use them: looked at, and moved by what the services answer."""

from bg_pipeline.core.gate import (
    Gate,
    GateReason,
    Thresholds,
    on_balance,
    on_refusal,
    on_success,
    on_time,
    on_unreadable,
)
from bg_pipeline.errors import AccountError, BgPipelineError, Deferred, NoCredits, QualityDropped, TransientError
from bg_pipeline.ports import Control, Now, Remover
from bg_pipeline.steps.parts import Parts


def look(parts: Parts, provider: str | None = None) -> Gate:
    """Read the balance of a provider, the first by default, and move its gate accordingly."""
    name = provider or parts.provider
    return look_at(parts.control, name, parts.removers[name], parts.thresholds, parts.now)


def gates_of(parts: Parts) -> list[Gate]:
    """The gates of all providers, in the order in which they are tried."""
    return [parts.control.gate(provider) for provider in parts.providers]


def look_at_all(parts: Parts) -> list[Gate]:
    """The same, after a look at each balance."""
    return [look(parts, provider) for provider in parts.providers]


def look_at(control: Control, provider: str, remover: Remover, thresholds: Thresholds, now: Now) -> Gate:
    """The same for those who have no parts."""
    # What ends while the answer is on its way may not be in it yet.
    asked_at = now()
    balance = None
    failure: BgPipelineError | None = None
    try:
        balance = remover.balance()
    except (AccountError, TransientError) as error:
        failure = error

    def moved(gate: Gate) -> Gate:
        gate = on_time(gate, now())
        if isinstance(failure, AccountError):
            return on_refusal(gate, _reason(failure), str(failure), now())
        if failure is not None:
            return on_unreadable(gate, str(failure), now())
        return gate if balance is None else on_balance(gate, balance, thresholds, asked_at)

    return control.change_gate(provider, moved)


def report(control: Control, provider: str, error: BgPipelineError | None, now: Now) -> None:
    """Move the gate by what a service answered to a purchase; None says that it served."""
    if error is None:
        # Most answers are good and the gate is open: nothing to write.
        if control.gate(provider).on_probation:
            control.change_gate(provider, on_success)
        return
    for_s = error.for_s if isinstance(error, Deferred) else 0.0
    control.change_gate(provider, lambda gate: on_refusal(gate, _reason(error), str(error), now(), for_s))


def _reason(error: BgPipelineError) -> GateReason:
    if isinstance(error, NoCredits):
        return GateReason.NO_CREDITS
    if isinstance(error, AccountError):
        return GateReason.BAD_KEY
    return GateReason.QUALITY if isinstance(error, QualityDropped) else GateReason.OUTAGE
