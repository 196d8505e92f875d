"""Purchases: their requests, accounts and outcomes."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple, Protocol

from bg_pipeline.core.claims import Claim
from bg_pipeline.core.credits import Rules
from bg_pipeline.core.gate import Gate
from bg_pipeline.core.records import Attempt, AttemptState, Master, RateFacts, Totals, Use


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
    """Present name of the cut, then its older names."""
    purchase_ids: tuple[str, ...] = ()
    """Present name of the purchase, then its older names."""
    limit_ids: tuple[str, ...] = ()
    """Names of the same purchase at all accounts: their charges together are limited."""
    collection: str = ""
    sent_digest: str = ""
    """SHA-256 of `image`."""
    tool: str = ""
    """The vendor's further tool to apply; empty for the cut itself."""
    content_hash: str = ""
    """Hash of the item's picture, from which `image` was made."""
    use: Use | None = None
    """The part of the answer that is bought."""


@dataclass(frozen=True, slots=True)
class CutReply:
    """The complete answer of a vendor, not looked into yet."""

    answer: bytes
    """The body as it came: a picture, or what `Remover.open_answer` makes one of."""
    credits_charged: Decimal
    request_id: str = ""
    rate: RateFacts | None = None
    attempt: int | None = None
    """Its number in the ledger, once it is recorded."""
    half_open: bool = False
    """True if the gate waits for a success; see `OpenAttempt`."""
    spooled: bool = False
    """True if the answer is in the spool."""
    doubts: int = 0
    """Earlier requests for it that may have been charged."""
    suspicion: str = ""
    """Why an engine does not trust its own cutout; empty if it does."""


class OpenAttempt(NamedTuple):
    """A POST that may be sent."""

    id: int
    half_open: bool
    """True if the gate was half-open: a success opens it. Otherwise none need be told."""


@dataclass(frozen=True, slots=True)
class Finished:
    """A master that was made of an answer just now, and its bytes."""

    master: Master
    image: bytes
    is_of_picture: bool = True
    """False if its colours are not those of the picture that was sent."""
    swapped_with: Master | None = None
    """Master of the purchase that the answer probably belongs to; its own answer fits this picture."""
    alpha: bytes = b""
    """Its alpha, as `imaging.rendering.render` takes it; empty if it is not at hand."""


class Remover(Protocol):
    """A vendor, or an engine on this machine, that removes backgrounds."""

    def cut(self, request: CutRequest) -> CutReply:
        """
        Raises:
            ItemRejected, TransientError, OutcomeUnknown, UnusableAnswer, AccountError: see `errors`.
        """
        ...

    def open_answer(self, answer: bytes) -> bytes:
        """
        Return the picture that an answer contains, or that it names by a URL. It is free, and may be repeated later.

        Raises:
            UnusableAnswer: there is no picture in it.
            ItemError: its decoder died.
            ResultAwaited: the result cannot be fetched now.
        """
        ...

    def balance(self) -> Decimal | None:
        """
        Return the credits left; None where nothing is counted.

        Raises:
            TransientError, AccountError: it could not be read.
        """
        ...


class Answers(Protocol):
    """Paid answers, until they are masters."""

    def take(self, account: str, request: CutRequest, reply: CutReply) -> Finished:
        """
        Make a master of a new answer; wait for a result that is not ready.

        Raises:
            ResultAwaited: its result cannot be fetched yet, or not be stored; it is kept for a later run.
            UnusableAnswer: it is no cutout. The attempt has ended.
            PaidResultLost: neither the spool nor the masters could store it.
        """
        ...

    def resume(self, attempt: Attempt, request: CutRequest | None = None) -> Finished:
        """
        Make a master of an answer in the spool.

        Args:
            attempt: a charged one, whose answer waits.
            request: the same purchase, if it is wanted now; without it, the answer is compared later, with its picture.

        Raises:
            BeingBought: another worker has made a master of it meanwhile.
            ResultAwaited, UnusableAnswer, PaidResultLost: see `take`.
            StoreError: the spool cannot be read.
        """
        ...


class Purchases(Protocol):
    """Stored results, by the id of their purchase. All catalogues and accounts share them."""

    def bought(self, purchase_ids: Sequence[str]) -> set[str]:
        """Return the purchases among these that have a master."""
        ...

    def find(self, purchase_ids: Sequence[str]) -> Master | None:
        """Return the master of the first of these that has one."""
        ...

    def get_many(self, purchase_ids: Sequence[str]) -> dict[str, Master]:
        """Return the masters of those of these that have one, by purchase id."""
        ...

    def same_payload(self, sent_digest: str, cut_digests: Sequence[str]) -> Master | None:
        """Return the master that was bought with exactly these bytes, from any file."""
        ...

    def keep(self, master: Master, attempt_id: int | None, credits_charged: Decimal, request_id: str = "") -> None:
        """Record the stored bytes and close the attempt, if there was one, as charged, in one step."""
        ...

    def forget(self, purchase_id: str) -> None:
        """Remove a purchase with damaged bytes, so that it may be bought again."""
        ...

    def masters(self) -> Iterator[Master]:
        """Yield every recorded master, in ascending order of its purchase id."""
        ...

    def adopt(self, master: Master) -> bool:
        """Record a stored and paid master without an attempt; return False if the purchase has a master."""
        ...

    def approve(self, purchase_id: str) -> None:
        """Clear the suspicion after a person looked at the master."""
        ...


class Ledger(Protocol):
    """Every attempt to buy, with its outcome."""

    def open_attempt(self, request: CutRequest, account: str, rules: Rules) -> OpenAttempt:
        """
        Decide by `core.credits.authorize_purchase` if this may be bought, and record that a POST is about to be sent,
        in one step. Durable when this returns. A gate that the decision closes is closed for all processes.

        Raises:
            ClaimLost: another run has the item.
            BeingBought: another run is buying the same purchase or the same bytes, or has bought it meanwhile.
            AnswerWaiting: its answer is paid and waits in the spool.
            GateClosed, BudgetReached, PurchaseDeferred, ChargedTooOften: it may not be bought now.
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
        kind: str = "",
    ) -> None:
        """
        Record the end of an attempt that is open or in doubt, or whose answer waits.

        `answer` is the vendor's text, scrubbed and capped; `kind` is a `core.responses.ResponseKind`, empty after a
        success.
        """
        ...

    def waive(self, purchase_ids: Sequence[str]) -> None:
        """Count the attempts for these purchases no longer towards the limit of charges: a person wants another."""
        ...

    def abandoned(self) -> list[Attempt]:
        """Return attempts that never ended and whose claim is no longer alive."""
        ...

    def answered(self) -> list[Attempt]:
        """Return attempts whose paid answer waits in the spool, oldest first."""
        ...

    def attempts(self, purchase_ids: Sequence[str]) -> list[Attempt]:
        """Return the attempts for these purchases, oldest first."""
        ...

    def spent(self, since: float, account: str | None = None) -> Decimal:
        """Return credits charged, perhaps charged, or in flight since then; requests in flight always count."""
        ...

    def change_gate(self, account: str, change: Callable[[Gate, Callable[[float], Decimal]], Gate]) -> Gate:
        """
        Change the gate by a pure function of its state and of `spent` of this account, in one step: no purchase is
        decided in between. Return the new state.
        """
        ...

    def totals(self, since: float, until: float, account: str | None = None) -> dict[AttemptState, Totals]:
        """Return sums of the attempts that began between the two epoch seconds, by outcome."""
        ...

    def log(self, since: float, run: str | None = None) -> Iterator[Attempt]:
        """Yield attempts that began since then, oldest first."""
        ...


class Gates(Protocol):
    """The gates of accounts, and their limits on requests at once."""

    def gate(self, account: str) -> Gate: ...

    def change_gate(self, account: str, change: Callable[[Gate], Gate]) -> Gate:
        """Change the gate by a pure function of its present state; return the new state."""
        ...

    def limits(self, account: str) -> Mapping[str, Any] | None:
        """Return an account's learned limits and requests in flight; None before the first request."""
        ...

    def change_limits(self, account: str, change: Callable[[Mapping[str, Any] | None], Mapping[str, Any]]) -> None:
        """Read, change and write the limits in one step, without interference from other processes."""
        ...

    def dead_claims(self, claims: Sequence[int]) -> set[int]:
        """Return the numbers among these whose claim is not alive: released, or without a heartbeat."""
        ...

    def forget_limits(self, account: str) -> None:
        """Remove what was learned of an account's limits, and its waits."""
        ...
