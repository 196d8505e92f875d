"""Answers of one run that belong to each other's pictures."""

import shlex
import threading
from collections import deque
from dataclasses import replace
from decimal import Decimal

from bg_pipeline.core.records import Master
from bg_pipeline.core.swaps import Mismatch, swapped_with
from bg_pipeline.ports.purchasing import Purchases

_MOST_KEPT = 256
"""Mismatches that are remembered: a vendor that confuses requests confuses those in flight together."""


class Swaps:
    """
    The mismatches of one run, for all its workers together.

    Args:
        purchases: has the masters whose suspicion names the other picture.
    """

    def __init__(self, purchases: Purchases) -> None:
        self._purchases = purchases
        self._lock = threading.Lock()
        self._mismatches: deque[Mismatch] = deque(maxlen=_MOST_KEPT)

    def add(self, mismatch: Mismatch) -> tuple[Master, Master] | None:
        """
        Remember a mismatch whose master is recorded.

        Returns:
            Its master and that of the other picture, each with the other's key in its suspicion; None if no earlier
            answer fits.
        """
        with self._lock:
            other = swapped_with(mismatch, self._mismatches)
            self._mismatches.append(mismatch)
        if other is None:
            return None
        own, others = self._name(mismatch, other), self._name(other, mismatch)
        return None if own is None or others is None else (own, others)

    def _name(self, mismatch: Mismatch, other: Mismatch) -> Master | None:
        master = self._purchases.find([mismatch.purchase_id])
        if master is None:  # erased, or bought again meanwhile
            return None
        why = (
            f"the answers of {mismatch.key!r} and {other.key!r} were swapped, it seems: each fits the other picture."
            f" `bg-pipeline review swap {shlex.quote(mismatch.key)} {shlex.quote(other.key)}` swaps them back"
        )
        named = replace(master, suspicion=why)
        self._purchases.keep(named, None, Decimal(0))
        return named
