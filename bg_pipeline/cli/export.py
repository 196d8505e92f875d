"""`bg-pipeline export`: the state of all items as a table for other programs."""

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click

from bg_pipeline.cli.catalogues import one_catalogue
from bg_pipeline.cli.options import as_json, print_json
from bg_pipeline.cli.terminal import say
from bg_pipeline.core.export import STATES, Chosen, TableFormat, time_of
from bg_pipeline.core.keys import decode_partition, encode_partition
from bg_pipeline.pipeline.export import Earlier, Request
from bg_pipeline.pipeline.export import export as write_rows
from bg_pipeline.pipeline.ownership import find_foreign_store
from bg_pipeline.tables.read import read
from bg_pipeline.tables.write import Write, table, written_aside
from bg_pipeline.wiring import open_pipeline
from bg_pipeline.wiring.settings import load_settings

_STDOUT = "-"


def _since(_ctx: click.Context, _param: click.Parameter, value: str | None) -> Earlier | float | None:
    if value is None:
        return None
    now = time.time()
    if (moment := time_of(value, now)) is not None:
        if moment > now:
            raise click.BadParameter(f"{value} is in the future")
        return moment
    if not Path(value).is_file():
        raise click.BadParameter(
            f"{value!r} is neither a time such as 2026-11-24T02:00 or 24h, nor a file; before the first export, make"
            " an empty file"
        )
    return Earlier(value, read(Path(value)))


@click.command()
@one_catalogue
@click.option("--to", default=_STDOUT, metavar="FILE", help="The table; `-`, the default, is standard output.")
@click.option(
    "--format",
    "chosen_format",
    type=click.Choice([each.value for each in TableFormat]),
    help="Default: by the ending of FILE, or csv.",
)
@click.option(
    "--since",
    metavar="TABLE|TIME",
    callback=_since,
    help="Only rows that differ from the table of an earlier export, or that changed since a time: `24h`.",
)
@click.option("--table", "whole", metavar="FILE", help="Write here all rows too: the TABLE of the next export.")
@click.option("--state", "states", type=click.Choice(STATES), multiple=True, help="Only items in this state.")
@click.option("--collection", "collections", metavar="C", multiple=True, help="Only this collection.")
@as_json
def export(
    catalogue: str | None,
    to: str,
    chosen_format: str | None,
    since: Earlier | float | None,
    whole: str | None,
    states: Sequence[str],
    collections: Sequence[str],
    as_json: bool,
) -> None:
    """Write the state of all items as a table for programs."""
    _require_separate(to, whole, since, as_json=as_json)
    names = frozenset(encode_partition(decode_partition(name)) for name in collections)
    with open_pipeline(load_settings(catalogue)) as pipeline:
        # The items of another manifest are not those of these outputs.
        if foreign := find_foreign_store(pipeline):
            raise foreign
        with _table(whole, chosen_format) as write_all, _table(to, chosen_format) as write:
            assert write is not None
            request = Request(Chosen(frozenset(states), names), since)
            count = write_rows(
                pipeline.catalogue, pipeline.run, pipeline.export.naming, write, request=request, write_all=write_all
            )
    if as_json:
        print_json({"rows": count, "to": to, "table": whole})
    elif to != _STDOUT:
        say(f"{count:,} rows in {to}")


def _require_separate(to: str, whole: str | None, since: Earlier | float | None, *, as_json: bool) -> None:
    if as_json and to == _STDOUT:
        raise click.UsageError("--json needs --to FILE: the table itself goes to standard output")
    if whole == _STDOUT:
        raise click.UsageError("--table needs a file")
    files = {"--to": to, "--table": whole, "--since": since.name if isinstance(since, Earlier) else None}
    names: dict[Path, str] = {}
    for option, file in files.items():
        if file is None or file == _STDOUT:
            continue
        if other := names.get(Path(file).resolve()):
            raise click.UsageError(
                f"{other} and {option} name the same file: keep the earlier table until the new rows are imported"
            )
        names[Path(file).resolve()] = option


@contextmanager
def _table(name: str | None, chosen: str | None) -> Iterator[Write | None]:
    """Open the table of this name; None if there is no name."""
    if name is None:
        yield None
    elif name == _STDOUT:
        with table(TableFormat(chosen or TableFormat.CSV), sys.stdout.buffer) as write:
            yield write
    else:
        format_ = TableFormat(chosen) if chosen else _format_of(name)
        with written_aside(Path(name)) as file, table(format_, file) as write:
            yield write


def _format_of(name: str) -> TableFormat:
    ending = Path(name).suffix.lower().removeprefix(".")
    for format_ in TableFormat:
        if ending == format_.value:
            return format_
    known = ", ".join(f".{format_.value}" for format_ in TableFormat)
    raise click.UsageError(f"{name} ends with none of {known}: name its --format")
