"""The result of a sync, and its exit code."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from enum import IntEnum, StrEnum
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer

from bg_pipeline import errors
from bg_pipeline.core.hosts import HostOutage
from bg_pipeline.core.records import Attempt, State

ByKey = Annotated[
    Mapping[str, str], PlainSerializer(lambda by_key: [list(pair) for pair in by_key.items()]), BeforeValidator(dict)
]
"""Text by key, in pairs: as the name of a JSON field, pydantic would alter a key that is not UTF-8."""


class Exit(IntEnum):
    """Exit codes of the command line."""

    DONE = 0
    SOME_FAILED = 1
    SETTINGS = 2
    PAUSED = 3
    BUDGET = 4
    GUARD = 5
    LEASE = 6
    FATAL = 7


_BY_URGENCY = (
    *(Exit.FATAL, Exit.GUARD, Exit.SETTINGS, Exit.PAUSED, Exit.BUDGET, Exit.LEASE, Exit.SOME_FAILED, Exit.DONE),
)


def worst(codes: Iterable[Exit]) -> Exit:
    """Return the code that is the most urgent for a person; DONE if there is none."""
    return min(codes, key=_BY_URGENCY.index, default=Exit.DONE)


_BY_ERROR: Mapping[type[errors.BgPipelineError], Exit] = {
    errors.ConfigurationError: Exit.SETTINGS,
    errors.AccountError: Exit.PAUSED,
    errors.GateClosed: Exit.PAUSED,
    errors.Stopped: Exit.PAUSED,
    errors.BudgetReached: Exit.BUDGET,
    errors.WindowEnded: Exit.BUDGET,
    errors.GuardStopped: Exit.GUARD,
    errors.LeaseHeld: Exit.LEASE,
}


def exit_code_of(error: errors.BgPipelineError) -> Exit:
    """Return the exit code of an error that ended the whole command."""
    return next((code for kind, code in _BY_ERROR.items() if isinstance(error, kind)), Exit.FATAL)


class Cause(StrEnum):
    """The cause of a failure. Decisions use it, never the sentence beside it."""

    PICTURE = "picture"
    """The picture cannot be read, cut out or named in the output."""
    CHANGED = "changed"
    """The source differs from the hashed bytes; the next detection decides."""
    ELSEWHERE = "elsewhere"
    """Another run buys the same picture, or has claimed the item."""
    SERVICE = "service"
    """The vendor did not serve this time; nothing was charged."""
    CHARGED = "charged"
    """The purchase was, or may have been, charged and yielded no cutout."""
    STORE = "store"
    """A store or source that works cannot read or write this one item."""
    AWAITED = "awaited"
    """The purchase is paid, and a later run finishes it."""
    UNREADABLE = "unreadable"
    """The scan could not read it: rights, an archive, a refused URL. It is read again every night."""
    SUSPICIOUS = "suspicious"
    """The result waits for a person."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One item that was not published, with its cause."""

    key: str
    state: State
    detail: str
    cause: Cause


_MONEY = ("credits", "saved", "credits_in_doubt")


@dataclass(slots=True)
class Summary:
    """Counters of one sync; two of them add up."""

    published: int = 0
    purchases: int = 0
    credits: Decimal = Decimal(0)
    saved: Decimal = Decimal(0)
    """Credits that the published items would have cost without existing masters, and without an engine before them."""
    in_doubt: int = 0
    """Purchases that may or may not have been charged."""
    credits_in_doubt: Decimal = Decimal(0)
    """Credits for those purchases if they were charged; not part of `credits`."""
    wasted: int = 0
    """Purchases that were charged and yielded no cutout."""
    awaited: int = 0
    """Purchases that were charged and are no master yet; their answers wait in the spool."""
    bought_from: dict[str, int] = field(default_factory=dict)
    """Purchases by account."""
    credits_at: dict[str, Decimal] = field(default_factory=dict)
    """Credits by account; together `credits`."""
    duplicates: int = 0
    renamed: int = 0
    failed: int = 0
    quarantined: int = 0
    pending: int = 0
    paused: str = ""
    """Reason why the sync stopped early and may continue later; empty if it did not."""
    budget_reached: bool = False
    window_ended: bool = False
    """True if the time for buying ended before the work did."""
    left_before: int | None = None
    """Items that the end of the window left the time before; None if it left none."""
    seconds: float = 0.0
    by_reason: dict[str, int] = field(default_factory=dict)
    """Published items by the class they had in the delta."""
    failures: list[Failure] = field(default_factory=list)
    """Items that were not published, including those that are tried again."""
    not_looked: ByKey = field(default_factory=dict)
    """Items, and folders with a slash at the end, that the scan could not look at, with the reason."""
    hosts_down: tuple[HostOutage, ...] = ()
    """Picture hosts that did not serve the scan."""
    standing: int = 0
    """Failures in the manifest that no person accepted, of this night and earlier ones."""

    def count_lost(self, attempts: Iterable[Attempt]) -> None:
        """Count attempts of killed runs as in doubt."""
        for attempt in attempts:
            self.count_in_doubt(attempt.credits_expected)

    def count_in_doubt(self, price: Decimal, requests: int = 1) -> None:
        self.in_doubt += requests
        self.credits_in_doubt += price * requests

    def count_wasted(self, account: str, charged: Decimal) -> None:
        self.wasted += 1
        self._count_charged(account, charged)

    def count_awaited(self, account: str, charged: Decimal) -> None:
        self.awaited += 1
        self.count_bought(account, charged)

    def count_bought(self, account: str, charged: Decimal) -> None:
        self.purchases += 1
        self._count_charged(account, charged)
        self.bought_from[account] = self.bought_from.get(account, 0) + 1

    def _count_charged(self, account: str, charged: Decimal) -> None:
        self.credits += charged
        self.credits_at[account] = self.credits_at.get(account, Decimal(0)) + charged

    def add(self, other: "Summary") -> None:
        """Add the counters of another collection of the same sync."""
        for name in ("published", "purchases", "credits", "saved", "in_doubt", "credits_in_doubt", "wasted", "awaited"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in ("duplicates", "renamed", "failed", "quarantined", "pending", "seconds", "standing"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.paused = self.paused or other.paused
        self.budget_reached = self.budget_reached or other.budget_reached
        self.window_ended = self.window_ended or other.window_ended
        self.left_before = other.left_before if self.left_before is None else self.left_before
        self.failures += other.failures
        self.not_looked = {**self.not_looked, **other.not_looked}
        self.hosts_down += other.hosts_down
        for account, charged in other.credits_at.items():
            self.credits_at[account] = self.credits_at.get(account, Decimal(0)) + charged
        for mine, others in ((self.by_reason, other.by_reason), (self.bought_from, other.bought_from)):
            for name, count in others.items():
                mine[name] = mine.get(name, 0) + count

    @property
    def left_because(self) -> str:
        """The reason why items of the request were left to another run; empty if none were."""
        return "the credit limit is reached" if self.budget_reached else self.backlog

    @property
    def backlog(self) -> str:
        """The sentence about what the end of the window left; empty if it ended nothing."""
        if not self.window_ended:
            return ""
        before = "" if self.left_before is None else f" (the time before: {self.left_before})"
        return f"the time for buying is over: {self.pending} items are left for the next night{before}"

    @property
    def images_per_second(self) -> float:
        return self.published / self.seconds if self.seconds else 0.0

    @property
    def exit_code(self) -> Exit:
        """Return the code of the worst problem, in the order of urgency for a person."""
        if self.paused:
            return Exit.PAUSED
        if self.budget_reached or self.window_ended:
            return Exit.BUDGET
        if self._problems:
            return Exit.SOME_FAILED
        return Exit.DONE

    @property
    def exit_reason(self) -> str:
        """Return why `exit_code` is what it is, in a sentence."""
        reasons = {
            Exit.PAUSED: f"paused: {self.paused}",
            Exit.BUDGET: f"the credit limit is reached; {self.pending} items are pending"
            if self.budget_reached
            else self.backlog,
            Exit.SOME_FAILED: "; ".join(self._problems),
        }
        return reasons.get(self.exit_code, "done, and no failure stands")

    @property
    def _problems(self) -> list[str]:
        """Everything but a pause that keeps a run from being done, in words."""
        kept = len(self.failures)
        counts = {
            f"{kept} items of this run have no new cutout": kept,
            f"{self.failed} items failed": self.failed,
            f"{self.quarantined} items wait for a review": self.quarantined,
            f"{self.standing} failures stand": self.standing,
            f"{len(self.not_looked)} items or folders could not be looked at": len(self.not_looked),
        }
        hosts = [f"{each.host} does not serve its {each.items} items" for each in self.hosts_down]
        return [text for text, count in counts.items() if count] + hosts

    def as_dict(self) -> dict[str, Any]:
        """Return all counters in JSON types."""
        money = {name: float(getattr(self, name)) for name in _MONEY}
        at = {account: float(charged) for account, charged in self.credits_at.items()}
        return asdict(self) | money | {"credits_at": at, "paused": self.paused or None}


def why_unfinished(listed: int, published: int, result: Summary, left: int, left_because: str) -> str:
    """
    Return the reason why a collection does not count as done after a run; empty if it does.

    Args:
        listed: number of its items in the source.
        published: number of those with a cutout of their present bytes.
        result: its counters.
        left: number of requested items that still have to be done.
        left_because: why the run left items that it was asked for, in a sentence; empty if it left none.
    """
    if not listed:
        return "no item is in it"
    if left_because and left:
        return f"{left} items are left: {left_because}"
    if published or not result.failures:
        return ""
    return f"none of its items has a cutout; {result.failures[0].key}: {result.failures[0].detail}"
