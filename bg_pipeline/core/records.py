"""The values that all other modules exchange."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple


class Reason(StrEnum):
    """The reason why an item is, or is not, part of a delta. Every listed key has exactly one."""

    NEW = "new"
    CHANGED = "changed"
    RECIPE_CHANGED = "recipe_changed"
    UNFINISHED = "unfinished"
    DUPLICATE = "duplicate"
    RENAMED = "renamed"
    OUTPUT_MISSING = "output_missing"
    RETURNED = "returned"
    DELETED = "deleted"
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"
    """Left out by a rule: no picture, or excluded."""
    FAILED = "failed"
    """It cannot be read, or failed before and nothing has changed since."""


class State(StrEnum):
    """The processing state of an item."""

    PUBLISHED = "published"
    PENDING = "pending"
    FAILED = "failed"
    QUARANTINED = "quarantined"
    SKIPPED = "skipped"
    DELETED = "deleted"
    FORGOTTEN = "forgotten"
    """Erased on a person's request: nothing is made of these bytes again. See `core.erasure`."""
    WITHDRAWN = "withdrawn"
    """Kept off the shop by a person; its paid result is kept. See `core.review`."""


NO_PRIORITY = 1e300
"""Priority of an item whose source gives none: it comes after all others."""


class Listed(NamedTuple):
    """One line of a listing. A tuple, because a frozen dataclass takes three times as long to make a million of."""

    key: str
    fingerprint: str
    """Opaque outside its source; equal means probably unchanged. Empty means: hash it."""
    size_bytes: int
    settles_in_s: float = 0.0
    """Seconds for which it must stay as it is before it is taken: it is so young that a copy of it may go on."""
    modified_at: float | None = None
    """Epoch second of its last change by the source's clock; None where its fingerprint cannot go stale in a tick."""
    priority: float = NO_PRIORITY
    """Its place among the purchases, by the source: lower ones are bought first."""
    problem: str = ""
    """
    Reason why the source could not look here; empty for an item.

    The row then stands for the item of this key, or, if the key ends with a slash, for everything below: what was
    there before is neither gone nor changed.
    """


@dataclass(frozen=True, slots=True)
class Observation:
    """The result of the last scan of one item."""

    key: str
    collection: str
    fingerprint: str
    content_hash: str
    size_bytes: int
    media_type: str
    """Media type by the first bytes, never by the name. Empty: not a readable picture."""
    priority: float = NO_PRIORITY
    problem: str = ""
    """Why it could not be read; empty if it was. What was known of its bytes then stays."""


@dataclass(frozen=True, slots=True)
class Published:
    """The origin of a published cutout."""

    purchase_id: str
    cut_digest: str
    rendition_digest: str
    output_name: str
    """Output name; empty once its cutout went to the trash, or its name to another item."""
    output_digest: str
    content_hash: str
    """Hash of the source bytes that were cut out."""
    run: str = ""
    """The run that published it; empty if it is not known, or if what it replaced is no longer kept."""


MAIN = "main"
"""Name on record of the first rendition of an item, whose output is in its `Entry`."""


@dataclass(frozen=True, slots=True)
class Output:
    """One output of an item."""

    rendition: str
    """Name of its rendition; `MAIN` for the first."""
    published: Published
    trash_name: str = ""
    """As in `Entry`."""


# Not frozen: a first detection makes hundreds of thousands, and a frozen one takes twice as long to make.
@dataclass(slots=True, unsafe_hash=True)
class Entry:
    """One item in the manifest: its last observation, its published cutout and its state."""

    key: str
    collection: str
    content_hash: str
    media_type: str
    state: State
    size_bytes: int = 0
    reason: Reason | None = None
    """Its class in the delta that it was last part of; None before the first."""
    detail: str = ""
    purchase_id: str = ""
    """The purchase that `state` refers to; empty for an item that failed because it could not be read."""
    stem: str = ""
    """Output name without its extension; kept for life once given."""
    absent: bool = False
    """True if the last complete listing did not have it."""
    problem: str = ""
    """Why the last scan could not read it; empty if it could."""
    published: Published | None = None
    """Its main output. `Items.outputs` has the others, and its `rendition_digest` names the whole set of them."""
    published_at: float | None = None
    absent_since: float | None = None
    """Epoch second of the first complete listing without it; None while listed, or if its cutout is kept for good."""
    trash_name: str = ""
    """Name of its cutout in the trash, also while it is being moved there."""
    trashed_at: float | None = None
    revision: int = 0
    """Version of its row; grows with every write of state, name or publication."""
    changed_at: float = 0.0
    """Epoch second of the last write that alters its row in an export (`core.export`)."""
    step: int = 0
    """Its step in the order of purchases, by the last delta that it was part of; see `core.buying`."""
    priority: float = NO_PRIORITY


# Not frozen: a first detection makes hundreds of thousands, and a frozen one takes twice as long to make.
@dataclass(slots=True)
class Change:
    """One line of a delta."""

    key: str
    collection: str
    reason: Reason
    because: str
    becomes: State | None = State.PENDING
    """Its state once the delta is recorded; None leaves the state as it is."""
    purchase_id: str = ""
    credits: Decimal = Decimal(0)
    """Price of the purchase; zero where nothing has to be bought."""
    purchase: bool = False
    held: bool = False
    """True for a purchase that waits for a person's request."""
    on_request: bool = False
    """True for a purchase that only a changed recipe needs and a person requested: the requested run claims it,
    nothing is recorded as pending."""
    reverted: str = ""
    """The run that published the same before, and that a person reverted; nothing is done until a person asks."""
    stem: str = ""
    renamed_from: str = ""
    revision: int = 0
    """Version of the item's row that this decision used; a newer row is left unchanged."""
    step: int = 0
    """As in `Entry`."""
    priority: float = NO_PRIORITY


class AttemptState(StrEnum):
    """The outcome of one POST."""

    INTENT = "intent"
    CHARGED = "charged"
    REFUSED = "refused"
    UNUSABLE = "unusable"
    IN_DOUBT = "in_doubt"
    ANSWERED = "answered"
    """Charged; its answer waits in the spool."""
    LOST = "lost"
    """Charged, and no store took the answer. It does not count against the picture."""


class Use(StrEnum):
    """The part of a master that is published; `core.colours` decides it."""

    ALPHA = "alpha"
    """Its alpha; the colours are the source's, at every size."""
    PICTURE = "picture"
    """Its alpha and its colours, in the frame of the source."""
    WHOLE = "whole"
    """Its alpha and its colours in a frame of its own."""
    FINISHED = "finished"
    """The whole picture as it came: it may have a background, and no transparency."""
    UNDECLARED = "undeclared"
    """Unknown: its colours where it is as large as the source; otherwise only its alpha, so as to lose no detail."""

    @property
    def has_own_frame(self) -> bool:
        """True if its frame need not be that of the source, so that the two cannot be compared."""
        return self in {Use.WHOLE, Use.FINISHED}


@dataclass(frozen=True, slots=True)
class Attempt:
    """One POST, recorded before it is sent."""

    id: int
    purchase_id: str
    account: str
    state: AttemptState
    credits_expected: Decimal
    credits_charged: Decimal
    started_at: float
    ended_at: float | None = None
    detail: str = ""
    answer: str = ""
    """The vendor's text with a refusal, scrubbed and capped."""
    request_id: str = ""
    item_key: str = ""
    """The item it was sent for; others may share the purchase."""
    collection: str = ""
    waived: bool = False
    """True if a person wanted another attempt: it no longer counts towards the limit of charges."""
    run: str = ""
    """Name of the run that spent it; the run's cap is counted under this name."""
    sent_digest: str = ""
    """SHA-256 of the bytes that were sent."""
    cut_digest: str = ""
    use: Use | None = None
    """What it buys; None if that is not on record."""
    kind: str = ""
    """`core.responses.ResponseKind` of its error; empty after a success."""
    catalogue: str = ""
    """Name of the catalogue of its item."""

    @property
    def credits_wasted(self) -> Decimal:
        """Credits that were charged without yielding a cutout."""
        return self.credits_charged if self.state is AttemptState.UNUSABLE else Decimal(0)


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over attempts with the same outcome."""

    attempts: int = 0
    credits_expected: Decimal = Decimal(0)
    credits_charged: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Master:
    """A paid result that was checked and stored; its purchase is never repeated."""

    purchase_id: str
    digest: str
    width_px: int
    """0 if its decoder crashed before it was inspected."""
    height_px: int
    suspicion: str = ""
    """Reason why a person should look before it is published; empty for a sound one."""
    sent_digest: str = ""
    """SHA-256 of the bytes that were sent for it: the same picture saved again is the same purchase."""
    cut_digest: str = ""
    content_hash: str = ""
    """Hash of the picture that it was cut from; empty if that is not known, and then it is never pruned."""
    use: Use | None = None
    """What was bought; None if that is not on record."""


@dataclass(frozen=True, slots=True)
class RateFacts:
    """The account's rate limit according to an answer (`X-RateLimit-*`)."""

    limit_units: float
    remaining_units: float
    resets_in_s: float
    """Seconds from the answer until all units are back."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The exclusive right to the activity of this name, until it expires."""

    name: str
    owner: str
    token: int
    """Grows with every holder; a write under an older one is refused."""
