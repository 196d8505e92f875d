"""Prices, and a cap that reservations cannot exceed together."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from bg_pipeline.errors import BudgetReached


@dataclass(frozen=True, slots=True)
class Price:
    """What one cut costs."""

    credits: Decimal
    usd_per_credit: Decimal | None
    """None where the provider publishes no price."""
    source: str

    def quote(self, purchases: int, balance: Decimal | None, low: Decimal) -> dict[str, float | bool | None]:
        """
        What so many purchases cost, in types that JSON has.

        Args:
            purchases: how many.
            balance: credits left; None where unknown, and then nobody knows whether it is enough.
            low: what has to be left afterwards.
        """
        needed = self.credits * purchases
        usd = None if self.usd_per_credit is None else round(float(needed * self.usd_per_credit), 2)
        enough = True if not needed else None if balance is None else balance - needed >= low
        return {
            "credits": float(needed),
            "money_usd": usd,
            "balance": None if balance is None else float(balance),
            "enough": enough,
        }


PRICES = {
    "bgeraser": Price(
        Decimal(1),
        Decimal("0.039"),
        "1 credit a call: bgeraser.ink/blog/bgeraser-api-quickstart; $39 for 1,000: bgeraser.ink/api-docs; "
        "read 2026-11. The two pages describe different surfaces: check the price of your own plan",
    ),
    "local": Price(Decimal(0), Decimal(0), "made on this machine"),
    "rembg": Price(Decimal(0), Decimal(0), "made on this machine"),
}


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
