"""
What is wrapped round every vendor's client: `Retrying(Kept(Limited(Metered(client))))`.

Retrying is outermost, so that a request that waits holds no slot and every try is an attempt of its own in the ledger.
No other layer retries: a retry may be a purchase. Metered lies inside of the limit: what waits for a slot is not sent
yet, so it is no attempt yet, and a gate that closes meanwhile stops it.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass

from bg_pipeline.core.credits import Rules
from bg_pipeline.core.vendor import Vendor
from bg_pipeline.imaging.pictures import Checked, Prepared, check, inspect
from bg_pipeline.ports.purchasing import CutReply, CutRequest, Gates, Ledger, Purchases, Remover
from bg_pipeline.ports.running import Call, Now
from bg_pipeline.ports.stores import BlobStore
from bg_pipeline.purchasing.ledger import Kept, Metered, Report
from bg_pipeline.purchasing.limiter import Limited, Limiter
from bg_pipeline.purchasing.retry import Retrying


@dataclass(frozen=True, slots=True)
class Time:
    """The clock, sleep and chance of the wrappers."""

    now: Now
    sleep: Callable[[float], bool]
    """Waits so many seconds; true if it was woken to stop."""
    jitter: Callable[[], float]
    """0 to 1."""
    stop: threading.Event


def purchasing(
    client: Remover,
    account: str,
    vendor: Vendor,
    *,
    ledger: Ledger,
    purchases: Purchases,
    gates: Gates,
    masters: BlobStore,
    rules: Rules,
    ceiling: int,
    call: Call,
    report: Report,
    time: Time,
) -> Remover:
    """
    Wrap a vendor's client in all that a purchase needs.

    Args:
        client: sends one request a call.
        account: whose credits it costs.
        vendor: where the account is.
        ledger: where attempts are written down, and whether they may be made is decided.
        purchases: where a charge goes on record with its master.
        gates: where the account's limits are kept for all processes.
        masters: where answers are stored.
        rules: what holds for every purchase.
        ceiling: most requests in flight that the settings allow.
        call: runs decoders where they can do no harm.
        report: see `metered.Report`.
        time: see `Time`.
    """

    def checked(reply: CutReply, request: CutRequest) -> Checked:
        sent = Prepared(request.image, request.media_type, request.width_px, request.height_px)
        return call(inspect, reply.image) if request.tool else call(check, reply.image, sent)

    metered = Metered(client, account, ledger, rules, report)
    limited = Limited(metered, Limiter(gates, account, ceiling, time.now, time.stop, vendor.units))
    kept = Kept(limited, ledger, purchases, masters, checked, report)
    return Retrying(kept, time.sleep, time.jitter, time.now, lambda: gates.gate(account).trips)
