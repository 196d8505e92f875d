"""A cap that reservations cannot exceed together, and the day on which the balance ends."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from bg_pipeline.errors import BudgetReached


def runs_out_on(balance: Decimal | None, spent: Decimal, days: int, now: float) -> date | None:
    """The day on which the balance ends if the next days cost what the last `days` did; None if it never does."""
    if balance is None or spent <= 0:
        return None
    days_left = min(balance * days / spent, Decimal(36_500))
    return (datetime.fromtimestamp(now, UTC) + timedelta(days=float(days_left))).date()


class Budget:
    """
    Credits that may still be spent.

    Whoever is about to buy reserves first, so that requests in flight together cannot exceed the cap:
    reserved = settled + released + pending, always.
    """

    def __init__(self, cap: Decimal | None) -> None:
        self.cap = cap
        self.spent = Decimal(0)
        self.pending = Decimal(0)

    def reserve(self, credits_expected: Decimal) -> None:
        """
        Raises:
            BudgetReached: the cap would be exceeded; nothing is reserved.
        """
        if self.cap is not None and self.spent + self.pending + credits_expected > self.cap:
            raise BudgetReached(
                f"the next image costs {credits_expected} credits; {self.spent} of {self.cap} are spent"
                f" and {self.pending} are in flight"
            )
        self.pending += credits_expected

    def settle(self, credits_expected: Decimal, credits_charged: Decimal) -> None:
        """Turn a reservation into what was really charged."""
        self.pending -= credits_expected
        self.spent += credits_charged
