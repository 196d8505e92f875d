"""The way of the money: what is bought, on which account, and what came of it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

from bg_pipeline.core.claims import Claim
from bg_pipeline.core.credits import Rules
from bg_pipeline.core.gate import Gate
from bg_pipeline.core.records import Attempt, AttemptState, Master, RateFacts, Totals


@dataclass(frozen=True, slots=True)
class CutRequest:
    """One purchase, ready to be sent."""

    purchase_id: str
    item_key: str
    image: bytes
    media_type: str
    width_px: int
    height_px: int
    params: Mapping[str, str]
    credits_expected: Decimal
    claim: Claim
    cut_digests: tuple[str, ...] = ("",)
    """What the cut is called now, and was called before."""
    purchase_ids: tuple[str, ...] = ()
    """The same for the purchase: charges are counted over all of its names."""
    collection: str = ""
    sent_digest: str = ""
    """SHA-256 of `image`."""
    tool: str = ""
    """The vendor's further tool that is asked for; empty for the cut itself."""


@dataclass(frozen=True, slots=True)
class CutReply:
    """What the vendor sent back; whole, and checked once it has a master."""

    image: bytes
    credits_charged: Decimal
    request_id: str = ""
    rate: RateFacts | None = None
    attempt: int | None = None
    """Its number in the ledger, once it is in one."""
    master: Master | None = None
    """Its record, once it is stored."""


class Remover(Protocol):
    """A vendor, or an engine on this machine, that removes a background."""

    def cut(self, request: CutRequest) -> CutReply:
        """
        Raises:
            ItemRejected, TransientError, OutcomeUnknown, UnusableAnswer, AccountError: see `errors`.
        """
        ...

    def balance(self) -> Decimal | None:
        """
        Credits left; None where nothing is counted.

        Raises:
            TransientError, AccountError: it could not be read.
        """
        ...


class Purchases(Protocol):
    """What was bought and stored, under the id of its purchase. All catalogues and accounts share it."""

    def bought(self, purchase_ids: Sequence[str]) -> set[str]:
        """Which of these have a master."""
        ...

    def find(self, purchase_ids: Sequence[str]) -> Master | None:
        """The master of the first of these that has one."""
        ...

    def same_payload(self, sent_digest: str, cut_digests: Sequence[str]) -> Master | None:
        """The master that was bought with the very same bytes, whatever file they came from."""
        ...

    def keep(self, master: Master, attempt_id: int | None, credits_charged: Decimal, request_id: str = "") -> None:
        """The bytes are stored: record them and close the attempt, if there was one, as charged, in one step."""
        ...

    def forget(self, purchase_id: str) -> None:
        """Its bytes are damaged: it may be bought again."""
        ...

    def masters(self) -> Iterator[Master]:
        """Every one on record, in ascending order of its purchase id."""
        ...

    def adopt(self, master: Master) -> bool:
        """Record what is stored and was paid for, though no attempt tells of it; False if the purchase has a master."""
        ...

    def approve(self, purchase_id: str) -> None:
        """A person looked at it: it is under no suspicion any more."""
        ...


class Ledger(Protocol):
    """Every attempt to buy, and what came of it."""

    def open_attempt(self, request: CutRequest, account: str, rules: Rules) -> int:
        """
        Decide by `core.credits.decide` whether this may be bought, and write down that a POST is about to be sent,
        in one step. Durable when this returns. A gate that the decision closes is closed for all processes.

        Raises:
            ClaimLost: another run has the item.
            BeingBought: another run is buying the same purchase or the same bytes, or has bought it meanwhile.
            GateClosed, BudgetReached, ItemRejected: it may not be bought.
        """
        ...

    def close_attempt(
        self,
        attempt_id: int,
        state: AttemptState,
        credits_charged: Decimal,
        detail: str = "",
        answer: str = "",
        request_id: str = "",
    ) -> None:
        """Record how an open one ended; `answer` is what the vendor sent, scrubbed and capped."""
        ...

    def charges(self, purchase_ids: Sequence[str]) -> int:
        """Attempts for a purchase, under all of its names, that were, or may have been, charged."""
        ...

    def abandoned(self) -> list[Attempt]:
        """Attempts that never ended, and whose claim is not alive any more."""
        ...

    def attempts(self, purchase_ids: Sequence[str]) -> list[Attempt]:
        """Oldest first."""
        ...

    def spent(self, since: float, account: str | None = None) -> Decimal:
        """Credits that were charged, may have been charged, or are in flight, since then; in flight counts always."""
        ...

    def totals(self, since: float, until: float, account: str | None = None) -> dict[AttemptState, Totals]:
        """The attempts that began between the two epoch seconds, by what became of them."""
        ...

    def log(self, since: float, run: str | None = None) -> Iterator[Attempt]:
        """Attempts that began since then, oldest first."""
        ...


class Gates(Protocol):
    """Whether an account may be sent requests, and how many at once."""

    def gate(self, account: str) -> Gate: ...

    def change_gate(self, account: str, change: Callable[[Gate], Gate]) -> Gate:
        """Move the gate by a pure function of what it is at that moment; returns it as it is then."""
        ...

    def limits(self, account: str) -> Mapping[str, Any] | None:
        """What was learned of an account's limits, and what is in flight; None before the first request."""
        ...

    def change_limits(self, account: str, change: Callable[[Mapping[str, Any] | None], Mapping[str, Any]]) -> None:
        """Read, change and write in one step: no other process comes in between."""
        ...
