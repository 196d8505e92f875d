"""`bg-pipeline revert`: take the publications of one run back."""

from collections.abc import Sequence

import click

from bg_pipeline.cli import render
from bg_pipeline.cli.catalogues import one_catalogue
from bg_pipeline.cli.options import as_json, person, print_json, run_name
from bg_pipeline.cli.terminal import Terminal, say
from bg_pipeline.core.keys import decode_partition
from bg_pipeline.core.moments import iso
from bg_pipeline.core.report import Exit
from bg_pipeline.core.revert import RunPublications
from bg_pipeline.pipeline import ownership
from bg_pipeline.pipeline import revert as reversion
from bg_pipeline.wiring import open_pipeline
from bg_pipeline.wiring.settings import load_settings

_MOST_LEFT = 40


@click.command()
@one_catalogue
@click.argument("run", required=False, metavar="[RUN]")
@click.option("--collection", metavar="C", help="Only this collection; `.` is the top folder.")
@click.option("--dry-run", is_flag=True, help="Only show what would change.")
@click.option("--redo", is_flag=True, help="Let the next sync publish again what was reverted of this run.")
@as_json
def revert(
    catalogue: str | None, run: str | None, collection: str | None, *, dry_run: bool, redo: bool, as_json: bool
) -> None:
    """Put back the cutouts that a run replaced, or list the runs. It buys nothing."""
    if (dry_run and redo) or (run is None and (dry_run or redo or collection is not None)):
        raise click.UsageError("--collection, --dry-run and --redo need a RUN; --dry-run and --redo exclude each other")
    settings = load_settings(catalogue)
    chosen = None if collection is None else decode_partition(collection)
    with open_pipeline(settings, run_name("revert")) as pipeline:
        ownership.check(pipeline)
        if run is None:
            _show_runs(pipeline.catalogue.previous.runs(), as_json)
            return
        if redo:
            _show_redone(reversion.redo(pipeline, run, person(), chosen), as_json)
            return
        if dry_run:
            result = reversion.preview(pipeline.catalogue, run, chosen)
        else:
            result = reversion.revert(pipeline, run, person(), chosen)
    _show(result, as_json, dry_run=dry_run)


def _show_runs(runs: Sequence[RunPublications], as_json: bool) -> None:
    if as_json:
        print_json(
            [
                {"run": each.run, "items": each.items, "first": iso(each.first_at), "last": iso(each.last_at)}
                for each in runs
            ]
        )
        return
    out = Terminal()
    rows = [(each.run, f"{each.items:,}", iso(each.first_at), iso(each.last_at)) for each in runs[: out.most_rows]]
    if not rows:
        say("no run has published anything that is still there")
        return
    out.print(render.grid(("run", "items", "from", "to"), rows, numbers=(1,)))
    if len(runs) > len(rows):
        out.print(f"and {len(runs) - len(rows)} more: --json prints all")
    say("revert one: bg-pipeline revert 'RUN' --dry-run shows what would change")


def _show_redone(keys: Sequence[str], as_json: bool) -> None:
    if as_json:
        print_json({"redone": keys})
        return
    say(f"{len(keys):,} items: the next sync publishes again what was reverted; it is paid for already")


def _show(result: reversion.RevertResult, as_json: bool, *, dry_run: bool) -> None:
    code = Exit.SOME_FAILED if result.left and not dry_run else Exit.DONE
    reason = f"{len(result.left):,} items were left as they are" if result.left else "done"
    if as_json:
        facts = {"put_back": result.put_back, "taken_off": result.taken_off, "left": result.left, "dry_run": dry_run}
        print_json(facts, code, reason)
    else:
        verb = "would be" if dry_run else "are"
        say(f"{len(result.put_back):,} former cutouts {verb} put back")
        say(f"{len(result.taken_off):,} cutouts of pictures that had none before {verb} in the trash")
        for key, why in list(result.left.items())[:_MOST_LEFT]:
            say(f"left {key}: {why}")
        if len(result.left) > _MOST_LEFT:
            say(f"and {len(result.left) - _MOST_LEFT:,} more: --json prints all")
    click.get_current_context().exit(code)
