"""
All errors of this package, grouped by the reaction to them.

    BgPipelineError
    ├── ConfigurationError      stop before any work; the message names the setting and the fix
    ├── SourceUnreadable        stop this source; never treated as empty
    ├── GuardStopped            the input looks wrong as a whole; a person has to look
    │   └── ForeignStore        a store belongs to another manifest: buy nothing
    ├── LeaseHeld               another run works on this; try again later
    ├── LeaseLost               another run took over; stop at once, write nothing more
    ├── ClaimLost               another run has claimed the item; leave it, go on with the next
    ├── BeingBought             another worker buys the same picture, or just did; try again later
    ├── AnswerWaiting           the purchase is paid, and its answer waits in the spool; finish it, buy nothing
    ├── ResultAwaited           paid, and not yet delivered or stored; a later run finishes it
    ├── StateError              the manifest database cannot be used
    │   └── ConnectionLost      its connection broke, and nothing of the transaction was done; repeat it
    ├── StoreError              the output or master store cannot be used
    │   └── PaidResultLost      no store took a paid result: stop, a repetition would pay again
    ├── FetchFailed             a URL from a vendor or a catalogue was not fetched; the caller decides
    │   ├── FetchRefused        policy forbids the request
    │   └── HostFailed          its host does not serve now, whichever the URL
    ├── ItemError               record, go on with the next image
    │   ├── ItemUnreadable      corrupt, locked, not a single picture
    │   │   └── ItemTooLarge    larger than any picture that is taken
    │   ├── ItemSkipped         a setting leaves out pictures like this one
    │   ├── ItemBlocked         a store, a source or this machine works, but not for this item; back to pending
    │   │   └── HostUnavailable its picture host does not answer; the others go on
    │   ├── ItemRejected        the vendor refuses it and would again
    │   └── ItemChanged         differs from the hashed bytes; back to pending
    ├── TransientError          not served, and not charged as far as documented; wait and retry
    │   └── RateLimited         nothing charged; slow down
    ├── Deferred                the vendor gets no requests for a while; the rest waits, no picture is blamed
    ├── PurchaseDeferred        this purchase has to wait, others go on; nothing was charged
    │   └── RefusedForNow       the vendor refused this picture, and the account is well; it waits, longer each time
    ├── ChargedTooOften         this purchase waits for a person; nothing was sent
    ├── GateClosed              nothing may be sent to this account now; the rest waits
    ├── Stopped                 the run was asked to end; nothing was sent
    ├── OutcomeUnknown          sent, outcome unknown: may be charged; recorded as in doubt
    ├── UnusableAnswer          probably charged, and the answer is not a cutout
    │   └── QualityDropped      less was delivered than ordered; pause this account until a person has looked
    ├── AccountError            pause this account: it is refused
    │   └── NoCredits           pause this account until a top-up
    ├── BudgetReached           not a failure: the rest waits for the next run
    └── WindowEnded             not a failure: the time for buying is over; the rest waits for the next night
"""

from decimal import Decimal
from typing import Any

from bg_pipeline.redaction import redacted


class BgPipelineError(Exception):
    """Root of every error that this package raises on purpose; its text is redacted, so that anyone may see it."""

    def __init__(self, message: str = "") -> None:
        super().__init__(redacted(message))

    answer: str = ""
    """The vendor's text: scrubbed of keys, at most 2 KB; empty where no vendor answered."""
    doubts: int = 0
    """Requests, up to and with this one, that may have been charged."""
    request_id: str = ""
    """The vendor's own id of the request, where it gives one."""


class ConfigurationError(BgPipelineError):
    """A setting is missing or wrong."""


class SourceUnreadable(BgPipelineError):
    """The catalogue could not be listed completely."""


class GuardStopped(BgPipelineError):
    """A guard against loss stopped the run before it did anything."""


class ForeignStore(GuardStopped):
    """A store belongs to another manifest, or to one that was lost."""

    def __init__(self, because: str, advice: str) -> None:
        super().__init__(f"{because}. {advice}")
        self.because = redacted(because)
        self.advice = advice


class LeaseHeld(BgPipelineError):
    """Another run holds the lease."""


class LeaseLost(BgPipelineError):
    """The lease expired and another run took it."""


class ClaimLost(BgPipelineError):
    """The claim expired and another run took the item."""


class BeingBought(BgPipelineError):
    """Another run, or another worker of this one, buys the same picture or just bought it."""


class AnswerWaiting(BgPipelineError):
    """The answer to this purchase, or to the same bytes, waits in the spool."""

    def __init__(self, message: str, attempt: Any) -> None:
        super().__init__(message)
        self.attempt = attempt
        """`core.records.Attempt` of the answer."""


class ResultAwaited(BgPipelineError):
    """The purchase is paid and its answer is kept, but it is no master yet."""

    def __init__(self, message: str, *, refused: bool = False, credits_charged: Decimal = Decimal(0)) -> None:
        super().__init__(message)
        self.refused = refused
        """True if the host of the result answered 4xx."""
        self.credits_charged = credits_charged
        """Credits of a purchase that was made just now; 0 if an earlier run made it."""


class StateError(BgPipelineError):
    """The manifest database is unreachable, damaged or of a newer version."""


class ConnectionLost(StateError):
    """The connection to the manifest database broke; its transaction was rolled back, and may be repeated."""


class StoreError(BgPipelineError):
    """Outputs or masters cannot be read or written."""


class PaidResultLost(StoreError):
    """Neither the spool nor the masters could store a paid result."""


class FetchFailed(BgPipelineError):
    """A URL that a vendor or a catalogue named was not fetched."""

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        """Status of its host's answer; None if there was no answer."""


class FetchRefused(FetchFailed):
    """The URL must not be requested: not https, or not a public address."""


class HostFailed(FetchFailed):
    """The host does not exist, does not answer, breaks off, or answers that it cannot serve now."""

    def __init__(self, message: str, *, status: int | None = None, unknown: bool = False) -> None:
        super().__init__(message, status=status)
        self.unknown = unknown
        """True if there is no such host: an outage of its name, or a mistake in the URL."""


class ItemError(BgPipelineError):
    """One image cannot be processed; the others go on."""


class ItemUnreadable(ItemError):
    """The source bytes are no picture that can be cut out."""


class ItemTooLarge(ItemUnreadable):
    """The source is larger than any picture that is taken."""


class ItemSkipped(ItemError):
    """A setting leaves this picture out; that is no failure."""


class ItemBlocked(ItemError):
    """A store, a source or a machine that works cannot read, write or decode this one item."""


class HostUnavailable(ItemBlocked):
    """The host of this picture does not serve now."""

    def __init__(self, message: str, *, host: Any, unknown: bool = False) -> None:
        super().__init__(message)
        self.host = host
        """`core.hosts.PictureHost` that the picture is on."""
        self.unknown = unknown
        """See `HostFailed.unknown`."""


class ItemRejected(ItemError):
    """The vendor refused this image and charged nothing."""


class ItemChanged(ItemError):
    """The source was replaced or removed after it was hashed."""


class TransientError(BgPipelineError):
    """The vendor answered that it cannot serve now, or could not be reached."""

    def __init__(self, message: str, *, retry_after_s: float | None = None, free: bool = True) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        """Seconds that the vendor asked for; None if it named none."""
        self.free = free
        """False if the vendor does not say that such an answer is not charged."""


class RateLimited(TransientError):
    """The vendor asked to slow down."""

    rate: Any = None
    """`core.records.RateFacts` of the same answer, where present."""


class Deferred(BgPipelineError):
    """Nothing was charged, and nothing may be sent before `for_s` have passed."""

    def __init__(self, message: str, *, for_s: float) -> None:
        super().__init__(message)
        self.for_s = for_s
        """Seconds until requests may be sent again."""


class PurchaseDeferred(BgPipelineError):
    """This purchase may not be made now; nothing was charged, and nothing is wrong with the account."""


class RefusedForNow(PurchaseDeferred):
    """The vendor refused this one picture as it would refuse an account; nothing was charged."""


class ChargedTooOften(BgPipelineError):
    """This purchase was charged several times without a cutout; a person has to ask for it again."""


class GateClosed(BgPipelineError):
    """The gate of the account is closed; nothing was sent."""


class Stopped(BgPipelineError):
    """The run was asked to end before this was sent."""


class OutcomeUnknown(BgPipelineError):
    """The request was sent and its outcome is not known."""


class UnusableAnswer(BgPipelineError):
    """The vendor answered with success, but the body is not a cutout of this image."""

    credits_charged: Decimal | None = None
    """Credits charged, as stated by the vendor; None where it does not state them."""


class QualityDropped(UnusableAnswer):
    """The vendor answered with a smaller or cheaper picture than ordered."""


class AccountError(BgPipelineError):
    """The vendor refuses the account, not the image."""


class NoCredits(AccountError):
    """The account is empty."""


class BudgetReached(BgPipelineError):
    """The next purchase would exceed the cap of the run or of the day."""


class WindowEnded(BgPipelineError):
    """The time in which the run may buy is over."""
