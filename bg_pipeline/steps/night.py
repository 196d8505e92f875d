"""What is done before each detection, by whoever starts it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bg_pipeline.core.credits import Reconciliation
from bg_pipeline.core.records import Attempt
from bg_pipeline.steps.money import reconcile_balances
from bg_pipeline.steps.parts import Parts
from bg_pipeline.steps.recovery import recover_abandoned


@dataclass(frozen=True, slots=True)
class Begun:
    """What was found on the way."""

    lost: Sequence[Attempt]
    """Attempts of killed runs whose outcome nobody will learn any more."""
    reconciled: Mapping[str, Reconciliation]
    """By provider."""


def begin(parts: Parts, owner: str) -> Begun:
    """
    Keep a copy of the manifest, end what killed runs left open, and hold the balances against the ledger.

    Raises:
        StateError: the copy could not be made.
    """
    parts.back_up()
    return Begun(recover_abandoned(parts, owner), reconcile_balances(parts))
