"""Commands that take away for good: items that a person erases, and masters that no item uses."""

from collections.abc import Sequence
from dataclasses import asdict

import click
from rich.filesize import decimal

from bg_pipeline.cli import render
from bg_pipeline.cli.catalogues import one_catalogue
from bg_pipeline.cli.options import as_json, confirm, print_json, run_name
from bg_pipeline.cli.terminal import Terminal, say
from bg_pipeline.core.report import Exit
from bg_pipeline.errors import GuardStopped
from bg_pipeline.pipeline import erase, ownership
from bg_pipeline.pipeline.prune import find_due
from bg_pipeline.pipeline.prune import prune as run_prune
from bg_pipeline.pipeline.sizes import measure_masters
from bg_pipeline.ports.context import Pipeline
from bg_pipeline.ports.stores import BlobStore
from bg_pipeline.wiring import open_pipeline
from bg_pipeline.wiring.settings import load_settings

_MOST_NAMES = 40


@click.command()
@one_catalogue
@click.argument("keys", nargs=-1, required=True, metavar="KEY...")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--although-listed", is_flag=True, help="Also what is still in BG_SOURCE; it is not bought again.")
@click.option("--allow-again", is_flag=True, help="Erase nothing; let the next sync buy these forgotten items.")
@as_json
def forget(
    catalogue: str | None, keys: tuple[str, ...], yes: bool, although_listed: bool, allow_again: bool, as_json: bool
) -> None:
    """Erase items for good: cutouts, masters, answers and pages. They are not bought again."""
    settings, keys = load_settings(catalogue), tuple(dict.fromkeys(keys))
    if as_json and not (yes or allow_again):
        raise click.UsageError("--json cannot ask: it needs --yes")
    with open_pipeline(settings, run_name("forget")) as pipeline:
        if allow_again:
            erase.allow_again(pipeline.catalogue, keys)
            _say_allowed(keys, as_json)
            return
        pages = settings.catalogue.open_gallery(settings.raw)
        ownership.check(pipeline)
        if not although_listed:
            erase.refuse_listed(pipeline.catalogue, keys)
        if not (yes or _is_wanted(pipeline, pages, keys)):
            say("nothing was erased")
            return
        erased = erase.forget(pipeline, pages, keys)
    if as_json:
        print_json([asdict(each) for each in erased.values()])
        return
    for key, each in erased.items():
        say(f"{key}: erased {_counts(each)}")
        _say_shared(each)


def _is_wanted(pipeline: Pipeline, pages: BlobStore, keys: Sequence[str]) -> bool:
    """Show all that would go, and ask."""
    out = Terminal()
    for key in keys:
        erasure = erase.find(pipeline, pages, key)
        rows = [
            *((name, "output") for name in erasure.outputs),
            *((name, "master") for name in erasure.masters),
            *((name, "answer in the spool") for name in erasure.answers),
            *((name, "page of the gallery") for name in erasure.pages),
            *((name, "thumbnail in the gallery") for name in erasure.thumbnails),
        ]
        out.print(f"{key}: {_counts(erasure)}")
        if rows:
            out.print(render.grid(("file", "of"), rows))
        _say_shared(erasure)
    out.print("The rows of the ledger stay, with the keys in them; so do backups of the manifest and of the stores.")
    return confirm("Erase this for good?")


def _counts(erasure: erase.Erasure) -> str:
    return (
        f"{len(erasure.outputs)} outputs, {len(erasure.masters)} masters, {len(erasure.answers)} answers, "
        f"{len(erasure.pages)} pages"
    )


def _say_shared(erasure: erase.Erasure) -> None:
    if erasure.same_picture:
        names = ", ".join(erasure.same_picture[:_MOST_NAMES])
        say(f"{erasure.key}: the same picture is, or was last, at {names}: name these too to erase all of it")
    elif erasure.shared:
        say(f"{erasure.key}: another catalogue has the same picture; {len(erasure.shared)} purchases stay for it")


def _say_allowed(keys: Sequence[str], as_json: bool) -> None:
    if as_json:
        print_json({"allowed": keys})
        return
    for key in keys:
        say(f"{key}: the next sync takes it as new, and buys it")


@click.command()
@one_catalogue
@click.option("--dry-run", is_flag=True, help="Only show what would be deleted.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json
def prune(catalogue: str | None, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Delete the masters that no item has used for BG_MASTERS_KEEP_DAYS."""
    if as_json and not (yes or dry_run):
        raise click.UsageError("--json cannot ask: it needs --yes or --dry-run")
    settings = load_settings(catalogue)
    days = settings.purchasing.masters_keep_days
    with open_pipeline(settings, run_name("prune")) as pipeline:
        pictures, accounts, policy, run = pipeline.context
        ownership.check(pipeline)
        due, unused = find_due(accounts, policy, run), accounts.retention.unused()
        size = measure_masters(accounts, due)
        if not as_json:
            _show_due(len(due), len(unused), days, None if size is None else size.size_bytes)
        if dry_run or not days:
            if as_json:
                print_json({"due": due, "unused": len(unused), "bytes": size and size.size_bytes, "removed": []})
            return
        if due and not (yes or confirm("Delete them for good?")):
            say("nothing was deleted")
            return
        result = run_prune(pictures, accounts, policy, run, allow=len(due))
    if result.stopped:
        raise GuardStopped(result.stopped)
    code = Exit.SOME_FAILED if result.left else Exit.DONE
    if as_json:
        print_json(
            {"due": due, "unused": result.unused, "bytes": size and size.size_bytes, "removed": result.removed},
            code,
            f"{len(result.left)} masters could not be removed" if result.left else "done",
        )
    else:
        render.show_pruned(Terminal(), result)
    click.get_current_context().exit(code)


def _show_due(due: int, unused: int, days: int, size_bytes: int | None) -> None:
    if not days:
        say(f"{unused:,} masters are used by no item; BG_MASTERS_KEEP_DAYS is 0, so all are kept")
        return
    size = "" if size_bytes is None else f" ({decimal(size_bytes)})"
    say(f"{unused:,} masters are used by no item; {due:,} of them for more than {days} days{size}")
