"""Decide which cutouts of vanished pictures may go to the trash. In doubt they stay."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from bg_pipeline.core.records import Entry

APART_S = 86_400.0
"""Seconds between the two complete listings that must both lack a picture: time to mount a share again."""

_FEW = 20
_PERCENT_OF_FEW = 25
_PERCENT_OF_MANY = 5

TRASH = ".trash"

OFF_THE_SHOP = "its cutout is off the shop; the next sync decides what becomes of it"
"""Detail of an item that was published until its main output was moved."""


@dataclass(frozen=True, slots=True)
class DeletePolicy:
    """The treatment of a cutout when its picture is gone."""

    trash: bool = False
    """Move it to the trash; otherwise it is kept."""
    sentinel: str = ""
    """A key that every listing must have; empty if any key will do."""
    days: int = 30
    """Days for which the trash is kept."""


@dataclass(frozen=True, slots=True)
class Listing:
    """The last listing of the source."""

    ended_at: float
    complete: bool
    listed: int
    sentinel_seen: bool
    not_looked: tuple[str, ...] = ()
    """Items, and folders with a slash at the end, that it could not look at."""

    def looked_at(self, key: str) -> bool:
        """Return True if the source could look where this item would be."""
        return not any(key.startswith(each) if each.endswith("/") else key == each for each in self.not_looked)


class Action(StrEnum):
    """The action for one cutout whose picture seems to be gone."""

    LEAVE = "leave"
    MOVE = "move"
    FORGET = "forget"
    """There is no cutout of it any more."""


def refusal(policy: DeletePolicy, listing: Listing | None) -> str:
    """Return the reason why this listing allows no deletion at all; empty if it allows deletion."""
    if listing is None or not listing.complete:
        return "the last listing of the source is missing or incomplete"
    if not listing.listed:
        return "the source is empty"
    if policy.sentinel and not listing.sentinel_seen:
        return f"BG_SENTINEL ({policy.sentinel}) was not in the last listing"
    return ""


def is_due(key: str, absent_since: float | None, listing: Listing) -> bool:
    """Return True if two complete listings, far enough apart, looked for the item and did not have it."""
    return absent_since is not None and absent_since <= listing.ended_at - APART_S and listing.looked_at(key)


def ceiling(published: int) -> int:
    """
    Return the number of cutouts that may go at once without permission.

    A few may always go, but in a small catalogue a few are a large part.
    """
    few = min(_FEW, published * _PERCENT_OF_FEW // 100)
    return max(1, few, published * _PERCENT_OF_MANY // 100)


def without_copy(gone: Iterable[Entry], copies: Mapping[str, int]) -> int:
    """
    Count the cutouts that exist under no other key; the others were only renamed or moved.

    Args:
        gone: items whose cutouts would go.
        copies: number of listed items that are published from a purchase, by its id. Each accounts for one gone item.
    """
    lost = Counter(entry.published.purchase_id for entry in gone if entry.published)
    return sum(max(0, count - copies.get(bought, 0)) for bought, count in lost.items())


def excess(count: int, published: int, allowed: int) -> str:
    """
    Return the reason why this many cutouts may not go; empty if they may.

    Args:
        count: cutouts that would go and exist under no other key; see `without_copy`.
        published: published cutouts, including these.
        allowed: number that a person allowed for this run.
    """
    most = ceiling(published)
    if count <= max(most, allowed):
        return ""
    return (
        f"{count} cutouts of vanished pictures would go to the trash, and at most {most} may go without permission "
        f"({_PERCENT_OF_MANY} % of {published} published, or {_FEW} if they are no more than {_PERCENT_OF_FEW} %). "
        "Renamed pictures do not count. Nothing was moved. Check that "
        f"BG_SOURCE is the right location and complete; to move them: bg-pipeline sync --allow-deletes {count}"
    )


def plan_deletion(entry: Entry, *, exists: bool, name_is_taken: bool, digest: str | None) -> tuple[Action, str]:
    """
    Return the action for one cutout, and its reason.

    Args:
        entry: an item that is due.
        exists: True if a direct query shows that its source still has it.
        name_is_taken: True if a listed item has a cutout of this name.
        digest: content hash of the file under the name of its cutout; None if there is none.
    """
    if exists:
        return Action.LEAVE, "its picture exists, although no listing has it"
    if name_is_taken:
        return Action.FORGET, "its name belongs to another item now"
    if digest is None:
        return Action.FORGET, "it has no cutout"
    if entry.published is None or digest != entry.published.output_digest:
        return Action.LEAVE, "its cutout is not the one that was published: another program wrote it"
    return Action.MOVE, "it is the cutout that was published"


def trash_name(output_name: str, now: float) -> str:
    """Return the name in the trash for a cutout that is moved at this epoch second."""
    return f"{TRASH}/{datetime.fromtimestamp(now, UTC).date().isoformat()}/{output_name}"


def output_name_of(name_in_trash: str) -> str:
    """Return the output name of a cutout before it was moved to the trash."""
    return name_in_trash.split("/", 2)[2]
