"""The run log: what each stage of a run found and did, one record a stage."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from functools import cache
from typing import Any, ClassVar, TypeVar

from pydantic import TypeAdapter

from bg_pipeline.core.claims import AskedBy
from bg_pipeline.core.report import Summary


class Stage(StrEnum):
    """The part of a run that failed."""

    DETECTION = "detection"
    CLEAR_OUT = "clear_out"
    PROCESSING = "processing"
    OTHER = "other"


class FailureKind(StrEnum):
    """Whether something broke, or a guard stopped it on purpose."""

    ERROR = "error"
    GUARD = "guard"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What every record has."""

    kind: ClassVar[str] = ""
    run_id: str
    """Dagster's, or the name under which the command line spends."""
    job: str
    """Dagster's job, or the command."""
    collections: tuple[str, ...] | None
    """What it was asked to work on; None for the whole catalogue."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class RehashRecord(Record):
    """One part of the catalogue was hashed whatever it looks like."""

    kind: ClassVar[str] = "rehash"
    day: int
    """Days since the epoch, UTC."""
    slice: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectRecord(Record):
    """One delta, recorded to its end."""

    kind: ClassVar[str] = "detect"
    counts: Mapping[str, int]
    """Items by class."""
    rows: tuple[Mapping[str, Any], ...]
    """`Delta.rows`."""
    work: int
    """Items that are to be worked on."""
    purchases: int
    credits: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class ClearOutRecord(Record):
    """Cutouts of deleted pictures."""

    kind: ClassVar[str] = "clear_out"
    moved: int
    purged: int
    stopped: str = ""
    """Why a guard let nothing go; empty if none objected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessRecord(Record):
    """One run over pending work, to its end."""

    kind: ClassVar[str] = "process"
    asked_by: AskedBy
    everything: bool
    """It did all that was pending, so its end tells of the whole delta."""
    summary: Summary


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryRecord(Record):
    """Failed items became pending again."""

    kind: ClassVar[str] = "retry"
    items: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureRecord(Record):
    """A run ended with an error."""

    kind: ClassVar[str] = "failure"
    stage: Stage
    failure: FailureKind
    cause: str
    """One line, for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceRecord(Record):
    """A balance, held against the ledger. It belongs to an account, not to a catalogue."""

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
        RehashRecord,
        DetectRecord,
        ClearOutRecord,
        ProcessRecord,
        RetryRecord,
        FailureRecord,
        BalanceRecord,
    )
}

R = TypeVar("R", bound=Record)


@cache
def _adapter(kind: str) -> TypeAdapter[Any]:
    return TypeAdapter(RECORDS[kind])


def to_json(record: Record) -> dict[str, Any]:
    """A record in types that JSON has; money as decimal strings."""
    found: dict[str, Any] = _adapter(record.kind).dump_python(record, mode="json")
    return found


def from_json(kind: type[R], facts: Mapping[str, Any]) -> R:
    """
    The record that `to_json` wrote.

    Raises:
        ValueError: it is not a record of this kind.
    """
    found: R = _adapter(kind.kind).validate_python(facts)
    return found
