"""The values that everything else passes around."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple


class Reason(StrEnum):
    """Why an item is, or is not, part of a delta. Every listed key has exactly one."""

    NEW = "new"
    CHANGED = "changed"
    RECIPE_CHANGED = "recipe_changed"
    UNFINISHED = "unfinished"
    DUPLICATE = "duplicate"
    RENAMED = "renamed"
    OUTPUT_MISSING = "output_missing"
    DELETED = "deleted"
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"


class State(StrEnum):
    """Where an item stands."""

    PUBLISHED = "published"
    PENDING = "pending"
    FAILED = "failed"
    QUARANTINED = "quarantined"
    SKIPPED = "skipped"
    DELETED = "deleted"


class Listed(NamedTuple):
    """One line of a listing. A tuple, because a frozen dataclass takes three times as long to make a million of."""

    key: str
    fingerprint: str
    """Opaque to all but its source; equal means probably unchanged. Empty means: hash it."""
    size_bytes: int
    settled: bool = True
    """False while it may still be written to: it is there, and left alone until the next look."""
    modified_at: float | None = None
    """Epoch second of its last change by the source's clock; None where its fingerprint cannot go stale in a tick."""


@dataclass(frozen=True, slots=True)
class Observation:
    """What the last look at one item found."""

    key: str
    collection: str
    fingerprint: str
    content_hash: str
    size_bytes: int
    media_type: str
    """By the first bytes, never by the name. Empty: no picture that can be read."""


@dataclass(frozen=True, slots=True)
class Published:
    """What the cutout on show was made from."""

    purchase_id: str
    cut_digest: str
    rendition_digest: str
    output_name: str
    """Empty once its cutout went to the trash, or its name to another item."""
    output_digest: str
    content_hash: str
    """Of the bytes that were cut out."""


# Not frozen: a first detection makes hundreds of thousands, and a frozen one takes twice as long to make.
@dataclass(slots=True, unsafe_hash=True)
class Entry:
    """One item in the manifest: what was seen, what is published, where it stands."""

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
    """The work that `state` speaks of."""
    stem: str = ""
    """Output name without its extension; kept for life once given."""
    absent: bool = False
    """The last complete listing did not have it."""
    published: Published | None = None
    published_at: float | None = None
    absent_since: float | None = None
    """Epoch second of the first complete listing without it; None while it is there, or to be kept for good."""
    trash_name: str = ""
    """Where its cutout lies in the trash, or is being moved to."""
    trashed_at: float | None = None
    revision: int = 0
    """Version of its row; grows with every write of state, name or publication."""


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
    """What the purchase will cost; zero where nothing has to be bought."""
    purchase: bool = False
    held: bool = False
    """A purchase that waits to be asked for."""
    on_request: bool = False
    """A purchase that only a changed recipe asks for, and a person: the run that was asked claims it, nothing is
    recorded as pending."""
    stem: str = ""
    renamed_from: str = ""
    revision: int = 0
    """Version of the item's row that this was decided on; a newer row is left as it is."""


class AttemptState(StrEnum):
    """What became of one POST."""

    INTENT = "intent"
    CHARGED = "charged"
    REFUSED = "refused"
    UNUSABLE = "unusable"
    IN_DOUBT = "in_doubt"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One POST, written down before it is sent."""

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
    """What the service sent with a refusal, scrubbed and capped."""
    request_id: str = ""
    item_key: str = ""
    """The item it was sent for; others may share the work."""
    collection: str = ""
    run: str = ""
    """Who spent it: the name that the cap of a run is counted under."""
    sent_digest: str = ""
    """SHA-256 of the bytes that were sent."""
    cut_digest: str = ""

    @property
    def credits_wasted(self) -> Decimal:
        """What was charged without a cutout to show for it."""
        return self.credits_charged if self.state is AttemptState.UNUSABLE else Decimal(0)


@dataclass(frozen=True, slots=True)
class Totals:
    """Attempts with one end, added up."""

    attempts: int = 0
    credits_expected: Decimal = Decimal(0)
    credits_charged: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Master:
    """A paid result that was checked and stored; its work is never bought again."""

    purchase_id: str
    digest: str
    width_px: int
    """0 where its decoder died, so that it could not be looked at."""
    height_px: int
    suspicion: str = ""
    """Why a person should look before it is published; empty for a sound one."""
    sent_digest: str = ""
    """SHA-256 of the bytes that were sent for it: the same picture saved again is the same purchase."""
    cut_digest: str = ""


@dataclass(frozen=True, slots=True)
class RateFacts:
    """What an answer tells of the account's rate limit (`X-RateLimit-*`)."""

    limit_units: float
    remaining_units: float
    resets_in_s: float
    """Seconds from the answer until all units are back."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to do alone what has this name, until it expires."""

    name: str
    owner: str
    token: int
    """Grows with every holder; a write under an older one is refused."""
