"""
The wrappers of every vendor's client: `RetryingRemover(RateLimitedRemover(LedgerRemover(DoubtingRemover(client))))`.

The retries are outermost: a waiting request holds no slot, and every try is a separate attempt in the ledger. No other
layer retries, because a retry may be a purchase. The ledger is inside the limit: a request that waits for a slot is not
sent, so it is not yet an attempt, and a gate that closes meanwhile stops it. The doubt is inside the ledger: it decides
what kind of refusal is recorded.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass

from bg_pipeline.core.credits import Rules
from bg_pipeline.core.vendor import Vendor
from bg_pipeline.ports.purchasing import Gates, Ledger, Remover
from bg_pipeline.ports.running import Now
from bg_pipeline.purchasing.ledger import LedgerRemover, Report, Spool
from bg_pipeline.purchasing.limiter import Limiter, RateLimitedRemover
from bg_pipeline.purchasing.refusals import DoubtingRemover
from bg_pipeline.purchasing.retry import RetryingRemover


@dataclass(frozen=True, slots=True)
class Time:
    """The clock, the sleep and the random source of the wrappers."""

    now: Now
    monotonic: Now
    """Seconds since any moment, by a clock that only counts on: for waits inside this process."""
    sleep: Callable[[float], bool]
    """Waits this many seconds; returns True if it was woken to stop."""
    jitter: Callable[[], float]
    """Returns a random number from 0 to 1."""
    stop: threading.Event


def purchasing(
    client: Remover,
    account: str,
    vendor: Vendor,
    *,
    ledger: Ledger,
    gates: Gates,
    spool: Spool,
    rules: Rules,
    ceiling: int,
    report: Report,
    time: Time,
) -> Remover:
    """
    Wrap a vendor's client in all layers that a purchase needs.

    Args:
        client: sends one request per call.
        account: the account that pays.
        vendor: the vendor of the account.
        ledger: records attempts, and decides if they may be made.
        gates: keep the account's limits for all processes.
        spool: takes the answers.
        rules: rules for every purchase.
        ceiling: most requests in flight that the settings allow.
        report: see `ledger.Report`.
        time: see `Time`.
    """

    doubted = DoubtingRemover(client, time.monotonic)
    recorded = LedgerRemover(doubted, account, ledger, rules, spool, report)
    limited = RateLimitedRemover(recorded, Limiter(gates, account, ceiling, time.now, time.stop, vendor.units))
    return RetryingRemover(limited, time.sleep, time.jitter, time.monotonic, lambda: gates.gate(account).trips)
