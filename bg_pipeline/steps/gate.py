"""The gate as the steps use it: looked at, closed by a refusal, and counted down between two looks."""

import threading
from dataclasses import replace
from decimal import Decimal

from bg_pipeline.core.credits import Budget
from bg_pipeline.core.gate import Gate, GateReason, Thresholds, on_balance, on_refusal
from bg_pipeline.errors import AccountError, NoCredits, TransientError
from bg_pipeline.ports import Control
from bg_pipeline.steps.parts import Parts


def look(parts: Parts) -> Gate:
    """Read the balance and move the gate accordingly. An unreadable balance leaves it as it was."""
    gate = parts.control.gate(parts.provider)
    try:
        moved = on_balance(gate, parts.remover.balance(), parts.thresholds, parts.now())
    except NoCredits:
        moved = on_refusal(gate, GateReason.NO_CREDITS, parts.now())
    except AccountError:
        moved = on_refusal(gate, GateReason.BAD_KEY, parts.now())
    except TransientError:
        return gate
    if moved != gate:
        parts.control.set_gate(moved)
    return moved


def why_closed(gate: Gate, thresholds: Thresholds) -> str:
    """What is wrong and what opens the gate again, in a sentence."""
    if gate.reason is GateReason.BAD_KEY:
        return f"{gate.provider} refuses the key: put a working one into the settings"
    left = "no credits are left" if gate.reason is GateReason.NO_CREDITS else f"{gate.balance} credits are left"
    return (
        f"{gate.provider}: {left}, the gate closes below {thresholds.low} and opens at {thresholds.resume}: "
        "top up, or lower BG_LOW_CREDITS"
    )


def require_open(control: Control, provider: str, thresholds: Thresholds) -> None:
    """
    Raises:
        AccountError: the gate is closed.
    """
    gate = control.gate(provider)
    if not gate.is_open:
        raise AccountError(why_closed(gate, thresholds))


class Till:
    """What a run may still spend: its budget and the provider's gate, for all lanes together."""

    def __init__(self, parts: Parts, budget: Budget) -> None:
        self._parts = parts
        self._budget = budget
        self._lock = threading.Lock()
        self.gate = look(parts)

    def reserve(self, price: Decimal) -> None:
        """
        To be called before each purchase.

        Raises:
            AccountError: the gate is closed, here or by another run, or closes now.
            BudgetReached: the cap of the run.
        """
        if not price:
            return
        with self._lock:
            stored = self._parts.control.gate(self._parts.provider)
            if stored.is_open and self.gate.balance is not None:
                # Requests in flight count as spent: together they must not dip below the threshold.
                left = self.gate.balance - self._budget.pending
                stored = on_balance(stored, left, self._parts.thresholds, self._parts.now())
                if not stored.is_open:
                    self._parts.control.set_gate(stored)
            if not stored.is_open:
                self.gate = stored
                raise AccountError(why_closed(stored, self._parts.thresholds))
            self._budget.reserve(price)

    def settle(self, price: Decimal, spent: Decimal) -> None:
        """To be called once after each `reserve` that did not raise."""
        if not price:
            return
        with self._lock:
            self._budget.settle(price, spent)
            if self.gate.balance is not None:
                left = self.gate.balance - spent
                self.gate = on_balance(self.gate, left, self._parts.thresholds, self._parts.now())

    def close(self) -> None:
        """Leave the counted balance behind for whoever looks before the next reading."""
        with self._lock:
            stored = self._parts.control.gate(self._parts.provider)
            if self.gate.balance is not None:
                self._parts.control.set_gate(replace(stored, balance=self.gate.balance))

    def refuse(self, error: AccountError) -> str:
        """Close the gate because the service refused the account; returns why it is closed."""
        reason = GateReason.NO_CREDITS if isinstance(error, NoCredits) else GateReason.BAD_KEY
        with self._lock:
            stored = self._parts.control.gate(self._parts.provider)
            self.gate = on_refusal(stored, reason, self._parts.now())
            if self.gate != stored:
                self._parts.control.set_gate(self.gate)
                return str(error)
            return why_closed(self.gate, self._parts.thresholds)
