"""The run log: the results of each stage of a run, one record per stage."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum
from functools import cache
from itertools import zip_longest
from typing import Any, ClassVar, TypeVar

from pydantic import TypeAdapter

from bg_pipeline.core.canary import Trial
from bg_pipeline.core.claims import AskedBy
from bg_pipeline.core.hosts import HostOutage
from bg_pipeline.core.report import ByKey, Summary

MOST_SHOWN = 6
"""Most published items that a record of processing names."""


class Stage(StrEnum):
    """The part of a run that failed."""

    DETECTION = "detection"
    CLEAR_OUT = "clear_out"
    PROCESSING = "processing"
    OTHER = "other"


class FailureKind(StrEnum):
    """What failed in a run."""

    ERROR = "error"
    """Anything that is none of the others."""
    GUARD = "guard"
    """A guard stopped it on purpose."""
    SETTINGS = "settings"
    SOURCE = "source"
    STORE = "store"
    PROCESS = "process"
    """Its process ended without a word: it was killed, or its machine stopped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Fields of every record."""

    kind: ClassVar[str] = ""
    run_id: str
    """Dagster's run id, or the name under which the command line spends."""
    job: str
    """Dagster's job, or the command."""
    collections: tuple[str, ...] | None
    """Collections that it was asked to work on; None for the whole catalogue."""
    started_at: float
    ended_at: float = 0.0
    """Epoch second; the log fills it in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanRecord(Record):
    """One listing of the source."""

    kind: ClassVar[str] = "scan"
    complete: bool
    listed: int
    sentinel_seen: bool
    not_looked: ByKey = field(default_factory=dict)
    """Items, and folders with a slash at the end, that could not be looked at, with the reason."""
    more_not_looked: int = 0
    """Number of further items; all folders are in `not_looked`."""
    left_out: Mapping[str, int] = field(default_factory=dict)
    """Number of keys, and of folders as a whole, that each pattern left out."""
    hosts_down: tuple[HostOutage, ...] = ()
    """Picture hosts that did not serve."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RehashRecord(Record):
    """A rehash of one part of the catalogue, independent of fingerprints."""

    kind: ClassVar[str] = "rehash"
    day: int
    """Days since the epoch, UTC."""
    slice: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectRecord(Record):
    """One completely recorded delta."""

    kind: ClassVar[str] = "detect"
    counts: Mapping[str, int]
    """Items by class."""
    rows: tuple[Mapping[str, Any], ...]
    """`Delta.rows`."""
    work: int
    """Number of items to work on."""
    purchases: int
    credits: Decimal


@dataclass(frozen=True, slots=True)
class Look:
    """The folders of a store, at a moment at which all of it had been looked through."""

    folders: tuple[str, ...] = ()
    state: str = ""
    """Changes whenever a name comes into or goes from one of them; empty if that cannot be told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LookRecord(Record):
    """What a detection found in order: no half-written file in a store, and no published output missing."""

    kind: ClassVar[str] = "look"
    stores: Mapping[str, Look]
    """By name of the store."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClearOutRecord(Record):
    """One clear-out of cutouts of deleted pictures."""

    kind: ClassVar[str] = "clear_out"
    moved: int
    purged: int
    stopped: str = ""
    """Reason why a guard stopped the deletion; empty if none did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneRecord(Record):
    """One look for masters that no item uses."""

    kind: ClassVar[str] = "prune"
    unused: int
    """Masters that no item uses, and that stay for now."""
    removed: int
    stopped: str = ""
    """Reason why a guard stopped the removal; empty if none did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessRecord(Record):
    """One completed run over pending work."""

    kind: ClassVar[str] = "process"
    asked_by: AskedBy
    everything: bool
    """True if it covered all pending work, so that its end stands for the whole delta."""
    summary: Summary
    shown: tuple[str, ...] = ()
    """Keys of a few items that it published, for its page."""

    def with_share(self, share: "ProcessRecord") -> "ProcessRecord":
        """Return the record of a run whose steps share its work, with what one more of them did."""
        started_at, summary = min(self.started_at, share.started_at), Summary()
        for each in (self, share):
            summary.add(each.summary)
        ends = (each.started_at + each.summary.seconds for each in (self, share))
        summary.seconds = max(ends) - started_at
        summary.pending = share.summary.pending
        summary.failures = list({failure.key: failure for failure in summary.failures}.values())
        shown = tuple(key for keys in zip_longest(self.shown, share.shown) for key in keys if key is not None)
        return replace(self, started_at=started_at, summary=summary, shown=shown[:MOST_SHOWN])


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryRecord(Record):
    """A change of failed items back to pending."""

    kind: ClassVar[str] = "retry"
    items: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportRecord(Record):
    """One write of the table beside the outputs, or one that failed."""

    kind: ClassVar[str] = "export"
    location: str
    """Path or URL of the table."""
    digest: str
    """SHA-256 of the table; empty if it was not written."""
    problem: str = ""
    """Why it was not written; empty if it was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryRecord(Record):
    """A changed recipe that is, or was, tried on a few pictures; or the acceptance of one that was."""

    kind: ClassVar[str] = "canary"
    cuts: tuple[str, ...]
    """Digests of the cuts."""
    trials: tuple[Trial, ...] = ()
    """Its results; empty while it goes on."""
    accepted_by: str = ""
    """The person who allowed the purchase for all pictures; empty without one."""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureRecord(Record):
    """The end of a run with an error."""

    kind: ClassVar[str] = "failure"
    stage: Stage
    failure: FailureKind
    cause: str
    """One line, for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceRecord(Record):
    """A balance, compared with the ledger. It belongs to an account, not to a catalogue."""

    kind: ClassVar[str] = "balance"
    account: str
    balance: Decimal
    drift: Decimal | None = None
    """Credits that the ledger does not explain; None where there was no earlier reading."""
    sound: bool = True
    because: str = ""


RECORDS: Mapping[str, type[Record]] = {
    each.kind: each
    for each in (
        ScanRecord,
        LookRecord,
        RehashRecord,
        DetectRecord,
        ClearOutRecord,
        PruneRecord,
        ProcessRecord,
        RetryRecord,
        ExportRecord,
        CanaryRecord,
        FailureRecord,
        BalanceRecord,
    )
}

R = TypeVar("R", bound=Record)


@cache
def _adapter(kind: str) -> TypeAdapter[Any]:
    return TypeAdapter(RECORDS[kind])


def to_json(record: Record) -> dict[str, Any]:
    """Return a record in JSON types; money as decimal strings."""
    facts: dict[str, Any] = _adapter(record.kind).dump_python(record, mode="json")
    return facts


def scalars_of(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the numbers and texts of `to_json`, and those of its summary, without the lists of items."""
    whole = {**facts, **facts.get("summary", {})}
    return {name: value for name, value in whole.items() if isinstance(value, str | int | float)}


def from_json(kind: type[R], facts: Mapping[str, Any]) -> R:
    """
    Restore a record from `to_json`.

    Raises:
        ValueError: it is not a record of this kind.
    """
    record: R = _adapter(kind.kind).validate_python(facts)
    return record
