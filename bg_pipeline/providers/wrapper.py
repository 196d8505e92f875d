"""
What is wrapped round every provider: `Retrying(Kept(Limited(Metered(client))))`.

Retrying is outermost, so that a request that waits holds no slot and every try is an attempt of its own on the ledger.
No other layer retries: a retry may be a purchase. Metered lies inside of the limit: what waits for a slot is not sent
yet, so it is no attempt yet, and a gate that closes meanwhile stops it.
"""

from decimal import Decimal

from bg_pipeline.ports import Remover


class Wrapper:
    """A remover round another one."""

    def __init__(self, inner: Remover) -> None:
        self._inner = inner

    def balance(self) -> Decimal | None:
        return self._inner.balance()
