"""`bg-pipeline failures`: list failures and skipped items, accept failures."""

from collections.abc import Iterator, Sequence

import click

from bg_pipeline.cli import render
from bg_pipeline.cli.catalogues import each_catalogue
from bg_pipeline.cli.options import as_json, print_json
from bg_pipeline.cli.terminal import Terminal, say
from bg_pipeline.core.failures import StandingFailure
from bg_pipeline.core.records import State
from bg_pipeline.core.report import Cause
from bg_pipeline.core.runlog import ProcessRecord, ScanRecord
from bg_pipeline.pipeline.failures import accept, standing_failures
from bg_pipeline.ports.context import Catalogue, Pipeline
from bg_pipeline.wiring import open_pipeline
from bg_pipeline.wiring.settings import load_settings

_Row = tuple[str, str, str]
"""Key, state and reason."""


@click.command()
@each_catalogue(by_default=True, asks=lambda options: options["action"] == "accept")
@click.argument("action", type=click.Choice(["list", "accept"]), default="list")
@click.argument("keys", nargs=-1, metavar="[KEY]...")
@click.option("--reason", default="", metavar="TEXT", help="Why these failures are accepted, for others.")
@click.option("--all", "everything", is_flag=True, help="Accept all failures that stand.")
@click.option("--accepted", is_flag=True, help="List the accepted failures too.")
@click.option("--skipped", is_flag=True, help="List the skipped items instead: no pictures, or left out.")
@as_json
def failures(
    *,
    catalogue: str,
    action: str,
    keys: tuple[str, ...],
    reason: str,
    everything: bool,
    accepted: bool,
    skipped: bool,
    as_json: bool,
) -> None:
    """List items that failed, and why; accept them. Also lists what is in quarantine or could not be looked at."""
    accepting = action == "accept"
    if accepting and bool(keys) == everything:
        raise click.UsageError("name the failures to accept, or --all: bg-pipeline failures accept KEY --reason TEXT")
    if not accepting and (keys or reason or everything):
        raise click.UsageError("--reason, --all and keys belong to bg-pipeline failures accept")
    with open_pipeline(load_settings(catalogue)) as pipeline:
        if accepting:
            _show_accepted(accept(pipeline.catalogue, pipeline.policy, keys or None, reason), as_json)
        elif skipped:
            _show_skipped(pipeline.catalogue, as_json)
        else:
            _show_failures(pipeline, accepted, as_json)


def _show_accepted(keys: Sequence[str], as_json: bool) -> None:
    if as_json:
        print_json({"accepted": list(keys)})
        return
    for key in keys:
        say(f"{key}: accepted until the item or its failure changes")
    if not keys:
        say("no failure stands")


def _show_skipped(catalogue: Catalogue, as_json: bool) -> None:
    rows = [(e.key, e.state.value, e.detail) for e in catalogue.items.in_state(State.SKIPPED) if not e.absent]
    if as_json:
        print_json([_as_dict(row) for row in rows])
    elif rows:
        Terminal().print(render.grid(("item", "state", "why"), rows))
    else:
        say("nothing is skipped")


def _show_failures(pipeline: Pipeline, accepted: bool, as_json: bool) -> None:
    standing = standing_failures(pipeline.catalogue, pipeline.policy)
    shown = [each for each in standing if accepted or not each.accepted]
    blocked = list(_blocked(pipeline.catalogue))
    if as_json:
        print_json(
            [_as_dict(_row(each)) | {"accepted": render.acceptance(each)} for each in shown]
            + [_as_dict(row) | {"accepted": None} for row in blocked]
        )
        return
    out = Terminal()
    rows = [_row(each, because=render.acceptance(each)) for each in shown] + blocked
    if rows:
        out.print(render.grid(("item", "state", "why"), rows))
    else:
        out.print("nothing failed")
    if any(each.state is State.FAILED and not each.unreadable for each in shown):
        out.print("try again: bg-pipeline retry [KEY ...]")
    if any(each.unreadable for each in shown):
        out.print("the next sync reads again what cannot be read; if it is right so: bg-pipeline failures accept KEY")
    if any(each.state is State.QUARANTINED for each in shown):
        out.print("decide: bg-pipeline review")
    if hidden := len(standing) - len(shown):
        out.print(f"accepted failures that are not listed: {hidden}; bg-pipeline failures --accepted")


def _row(failure: StandingFailure, because: str | None = None) -> _Row:
    state = "published, and cannot be read now" if failure.state is State.PUBLISHED else failure.state.value
    return failure.key, state, f"{failure.why}; accepted: {because}" if because else failure.why


def _blocked(catalogue: Catalogue) -> Iterator[_Row]:
    """Yield what the last scan could not look at, and the items that the last run could not read or write."""
    for record in catalogue.run_log.read(ProcessRecord):
        for failure in record.summary.failures:
            entry = catalogue.items.entry(failure.key) if failure.cause is Cause.STORE else None
            if entry is not None and entry.state is State.PENDING:
                yield entry.key, entry.state.value, entry.detail
    for scan in catalogue.run_log.read(ScanRecord):
        yield from ((key, "not looked at", why) for key, why in scan.not_looked.items())
        if scan.more_not_looked:
            yield f"{scan.more_not_looked} more items", "not looked at", "as those before"
        yield from ((each.host, f"host of {each.items} items", each.why) for each in scan.hosts_down)


def _as_dict(row: _Row) -> dict[str, str | None]:
    return dict(zip(("key", "state", "why"), row, strict=True))
