"""What the simulated vendors were asked for and paid: calls, balances and charges."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from itertools import takewhile
from typing import Literal, Self

Provider = Literal["bgeraser", "removebg", "photoroom"]


@dataclass(frozen=True, slots=True)
class Charge:
    """One result that was made and paid for, at a price of 0 where the key was a free one."""

    provider: Provider
    surface: str
    """Path of the call."""
    sha256: str
    """Of the image as it was received."""
    credits: Decimal
    """In the provider's unit: credits, or images at Photoroom."""
    time: datetime


@dataclass(frozen=True, slots=True)
class Balance:
    """`total` is what the balance was last set to."""

    remaining: Decimal
    total: Decimal


class Ledger:
    """Append-only, and safe to use from several threads."""

    def __init__(self, credits_of: Mapping[Provider, Decimal], now: Callable[[], float]) -> None:
        self._lock = threading.Lock()
        self._now = now
        self._remaining = dict(credits_of)
        self._total = dict(credits_of)
        self._charges: list[Charge] = []
        self._requests = 0

    @property
    def requests(self) -> int:
        """Calls received that would cost something, refused ones included."""
        return self._requests

    def count_request(self) -> None:
        with self._lock:
            self._requests += 1

    def charges(self) -> tuple[Charge, ...]:
        with self._lock:
            return tuple(self._charges)

    def balance(self, provider: Provider, lag_s: float = 0.0) -> Balance:
        """
        What calls in flight have reserved is no longer part of what remains.

        Args:
            lag_s: charges younger than this do not show yet.
        """
        with self._lock:
            total = self._total[provider]
            since = datetime.fromtimestamp(self._now() - lag_s, UTC)
            fresh = takewhile(lambda charge: charge.time > since, reversed(self._charges))
            unseen = sum((charge.credits for charge in fresh if charge.provider == provider), Decimal(0))
            return Balance(min(total, self._remaining[provider] + unseen), total)

    def set_balance(self, provider: Provider, amount: Decimal) -> None:
        with self._lock:
            self._remaining[provider] = self._total[provider] = amount

    def reserve(self, provider: Provider, amount: Decimal) -> "Reservation | None":
        """Set `amount` aside for one call; None when the balance does not cover it."""
        with self._lock:
            if self._remaining[provider] < amount:
                return None
            self._remaining[provider] -= amount
        return Reservation(self, provider, amount)

    def _give_back(self, provider: Provider, amount: Decimal) -> None:
        with self._lock:
            self._remaining[provider] += amount

    def _record(self, provider: Provider, surface: str, sha256: str, amount: Decimal) -> None:
        charge = Charge(provider, surface, sha256, amount, datetime.fromtimestamp(self._now(), UTC))
        with self._lock:
            self._charges.append(charge)


class Reservation:
    """Credits set aside; leaving the `with` block without a charge gives them back."""

    def __init__(self, ledger: Ledger, provider: Provider, amount: Decimal) -> None:
        self._ledger = ledger
        self._provider = provider
        self._amount = amount
        self._charged = False

    def charge(self, surface: str, sha256: str) -> None:
        self._ledger._record(self._provider, surface, sha256, self._amount)  # noqa: SLF001 - two halves of one ledger
        self._charged = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if not self._charged:
            self._ledger._give_back(self._provider, self._amount)  # noqa: SLF001 - as above


def json_number(amount: Decimal) -> int | float:
    """Whole amounts without a fraction: vendors write 1, not 1.0."""
    return int(amount) if amount == amount.to_integral_value() else float(amount)
