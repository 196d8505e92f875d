"""Calls, balances and charges at the simulated vendors."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from itertools import takewhile
from typing import Literal, Self

Vendor = Literal["bgeraser", "removebg", "photoroom"]


@dataclass(frozen=True, slots=True)
class Charge:
    """A charge for one result; its price is 0 for a free key."""

    vendor: Vendor
    endpoint: str
    """Path of the call."""
    sha256: str
    """Hash of the image as received."""
    credits: Decimal
    """Price in the vendor's unit: credits, or images at Photoroom."""
    time: datetime


@dataclass(frozen=True, slots=True)
class Balance:
    """Balance of one vendor; `total` is the value last set."""

    remaining: Decimal
    total: Decimal


class Ledger:
    """Append-only, thread-safe ledger."""

    def __init__(self, credits_of: Mapping[Vendor, Decimal], now: Callable[[], float]) -> None:
        self._lock = threading.Lock()
        self._now = now
        self._remaining = dict(credits_of)
        self._total = dict(credits_of)
        self._charges: list[Charge] = []
        self._requests = 0

    @property
    def requests(self) -> int:
        """Return the number of paid calls received, including refused ones."""
        return self._requests

    def count_request(self) -> None:
        with self._lock:
            self._requests += 1

    def charges(self) -> tuple[Charge, ...]:
        with self._lock:
            return tuple(self._charges)

    def balance(self, vendor: Vendor, lag_s: float = 0.0) -> Balance:
        """
        Return the balance, without the amounts that calls in flight have reserved.

        Args:
            lag_s: charges younger than this are not included yet.
        """
        with self._lock:
            total = self._total[vendor]
            since = datetime.fromtimestamp(self._now() - lag_s, UTC)
            fresh = takewhile(lambda charge: charge.time > since, reversed(self._charges))
            unseen = sum((charge.credits for charge in fresh if charge.vendor == vendor), Decimal(0))
            return Balance(min(total, self._remaining[vendor] + unseen), total)

    def set_balance(self, vendor: Vendor, amount: Decimal) -> None:
        with self._lock:
            self._remaining[vendor] = self._total[vendor] = amount

    def reserve(self, vendor: Vendor, amount: Decimal) -> "Reservation | None":
        """Reserve `amount` for one call; return None if the balance does not cover it."""
        with self._lock:
            if self._remaining[vendor] < amount:
                return None
            self._remaining[vendor] -= amount
        return Reservation(self, vendor, amount)

    def _give_back(self, vendor: Vendor, amount: Decimal) -> None:
        with self._lock:
            self._remaining[vendor] += amount

    def _record(self, vendor: Vendor, endpoint: str, sha256: str, amount: Decimal) -> None:
        charge = Charge(vendor, endpoint, sha256, amount, datetime.fromtimestamp(self._now(), UTC))
        with self._lock:
            self._charges.append(charge)


class Reservation:
    """Reserved credits; leaving the `with` block without a charge releases them."""

    def __init__(self, ledger: Ledger, vendor: Vendor, amount: Decimal) -> None:
        self._ledger = ledger
        self._vendor = vendor
        self._amount = amount
        self._charged = False

    def charge(self, endpoint: str, sha256: str) -> None:
        self._ledger._record(self._vendor, endpoint, sha256, self._amount)  # noqa: SLF001 - two halves of one ledger
        self._charged = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if not self._charged:
            self._ledger._give_back(self._vendor, self._amount)  # noqa: SLF001 - as above


def json_number(amount: Decimal) -> int | float:
    """Return a whole amount as int: vendors write 1, not 1.0."""
    return int(amount) if amount == amount.to_integral_value() else float(amount)
