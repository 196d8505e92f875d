"""Export the state of all items as a table, for a person's command and beside the outputs."""

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import chain, islice

from bg_pipeline.core.export import FOLDER, OVERLAP_S, Chosen, Naming, Row, TableFormat, difference, place, rows_of
from bg_pipeline.core.merge import merge_join
from bg_pipeline.core.moments import iso
from bg_pipeline.core.recipe import digest_of
from bg_pipeline.core.records import Entry
from bg_pipeline.core.runlog import ExportRecord
from bg_pipeline.errors import BgPipelineError, ConfigurationError, GuardStopped, LeaseHeld
from bg_pipeline.ports.context import Catalogue, Pipeline, Run, leased
from bg_pipeline.tables.write import Write, table

_LEASE = "export"
"""The lease under which the table beside the outputs is written: an older one must not replace a newer one."""

_BATCH = 1000

_TRIES, _WAIT_S = 60, 5.0
"""Most tries for the lease, and the seconds between two."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """A table that an earlier export wrote."""

    name: str
    """Its name in messages."""
    rows: Iterable[Row]


@dataclass(frozen=True, slots=True)
class Request:
    """The wanted rows of an export."""

    chosen: Chosen = field(default_factory=Chosen)
    since: Earlier | float | None = None
    """
    Only rows that differ from an earlier table, or that changed since this epoch second; None for all.

    Only a table is exact: a time knows nothing of items that left the manifest, nor of a clock that was put back.
    """


@dataclass(frozen=True, slots=True)
class TableResult:
    """The table beside the outputs, after a run."""

    location: str
    problem: str = ""
    """Why it could not be brought up to date; empty if it was."""


def export(
    catalogue: Catalogue,
    run: Run,
    naming: Naming,
    write: Write,
    request: Request | None = None,
    write_all: Write | None = None,
) -> int:
    """
    Write the wanted rows in key order, in constant memory; return their number.

    Args:
        catalogue: owner of the items.
        run: its clock.
        naming: names of the catalogue in the table.
        write: gets each wanted row.
        request: the wanted rows; None for all.
        write_all: gets every row of the same moment: the table for the next export.

    Raises:
        ConfigurationError: the earlier table is of another catalogue, or was sorted in another way.
        GuardStopped: the manifest has no item. A reader would take all cutouts for removed; no row was written.
    """
    request = request or Request()
    since, at = request.since, iso(run.now())
    earliest = iso(since - OVERLAP_S) if isinstance(since, float) else ""
    before = _validated(since, naming.catalogue) if isinstance(since, Earlier) else iter(())
    count = 0
    for old, new in _pairs(before, _rows(catalogue, naming), since):
        if new and write_all:
            write_all(new)
        row = difference(old, new, at)
        if row is None or row.changed_at < earliest:
            continue
        # A row that leaves the choice is told, or the reader would keep it.
        if request.chosen.holds(row) or (old is not None and request.chosen.holds(old)):
            write(row)
            count += 1
    return count


def update_table(pipeline: Pipeline) -> TableResult | None:
    """
    Bring the table beside the outputs up to date, if a setting asks for it; write it only if it changed.

    A table that cannot be written ends no run: its problem is in the result, and on record for an alert.

    Returns:
        None if there is nothing to do: no setting asks for it, the run is to stop, or there is no item yet.

    Raises:
        StateError: the result cannot be recorded.
    """
    format_ = pipeline.export.format
    if format_ is None or pipeline.run.stop.is_set():
        return None
    location = pipeline.export.naming.location_of(table_name(format_))
    started_at, problem = pipeline.run.now(), ""
    try:
        with _in_turn(pipeline):
            last = _last(pipeline, location)
            data = _table_of(pipeline, format_)
            digest = digest_of(data)
            if last != ("", digest):
                pipeline.catalogue.outputs.write(table_name(format_), data)
                _log(pipeline, location, started_at, digest=digest)
    except GuardStopped:
        return None
    except (BgPipelineError, OSError) as error:
        problem = str(error)
        _log(pipeline, location, started_at, problem=problem)
    return TableResult(location, problem)


def table_name(format_: TableFormat) -> str:
    """Return the name of the table in the output store."""
    return f"{FOLDER}/cutouts.{format_.value}"


def _last(pipeline: Pipeline, location: str) -> tuple[str, str]:
    """Return problem and digest of the table of this location on record."""
    for record in pipeline.catalogue.run_log.read(ExportRecord):
        if record.location == location:
            return record.problem, record.digest
    return "", ""


def _log(pipeline: Pipeline, location: str, started_at: float, *, digest: str = "", problem: str = "") -> None:
    run = pipeline.run.name
    pipeline.catalogue.run_log.write(
        ExportRecord(
            run_id=run.run_id,
            job=run.job,
            collections=None,
            started_at=started_at,
            location=location,
            digest=digest,
            problem=problem,
        )
    )


@contextmanager
def _in_turn(pipeline: Pipeline) -> Iterator[None]:
    """Hold the lease; wait while another run writes the table, because that one may lack the last changes."""
    with ExitStack() as stack:
        for left in reversed(range(_TRIES)):
            try:
                stack.enter_context(leased(pipeline.catalogue.leases, _LEASE, pipeline.run.name.owner))
                break
            except LeaseHeld:
                if not left or pipeline.run.wait(_WAIT_S):
                    raise
        yield


def _table_of(pipeline: Pipeline, format_: TableFormat) -> bytes:
    with tempfile.TemporaryFile() as file:
        with table(format_, file) as write:
            export(pipeline.catalogue, pipeline.run, pipeline.export.naming, write)
        file.seek(0)
        return file.read()


def _rows(catalogue: Catalogue, naming: Naming) -> Iterator[Row]:
    entries = catalogue.items.entries()
    first = next(entries, None)
    if first is None:
        raise GuardStopped(
            "the manifest has no item, so nothing was exported: run `bg-pipeline sync` first, or correct BG_STATE"
        )
    return _rows_of(catalogue, chain([first], entries), naming)


def _rows_of(catalogue: Catalogue, entries: Iterator[Entry], naming: Naming) -> Iterator[Row]:
    while batch := list(islice(entries, _BATCH)):
        others = catalogue.items.outputs([entry.key for entry in batch])
        for entry in batch:
            yield from rows_of(entry, others.get(entry.key, ()), naming)


def _validated(earlier: Earlier, catalogue: str) -> Iterator[Row]:
    for row in earlier.rows:
        if row.catalogue != catalogue:
            raise ConfigurationError(
                f"{earlier.name} is of the catalogue {row.catalogue!r}, and this is {catalogue!r}: nothing was exported"
            )
        yield row


def _pairs(
    before: Iterator[Row], now: Iterator[Row], since: Earlier | float | None
) -> Iterator[tuple[Row | None, Row | None]]:
    try:
        yield from merge_join(before, now, place, place)
    except ValueError as error:
        name = since.name if isinstance(since, Earlier) else "the manifest"
        raise ConfigurationError(
            f"the rows of {name} are not in the order of an export: take the file as it was written ({error})"
        ) from error
