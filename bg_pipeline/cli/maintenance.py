"""Commands that keep manifest, masters and outputs consistent. None of them buys anything."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from bg_pipeline.cli import render
from bg_pipeline.cli.options import as_json, print_json, run_name
from bg_pipeline.cli.progress import Bars
from bg_pipeline.cli.terminal import Terminal, say
from bg_pipeline.core.keys import encode_partition, gallery_page, master_name
from bg_pipeline.core.records import Entry
from bg_pipeline.core.rehash import Slice
from bg_pipeline.core.report import Exit
from bg_pipeline.pipeline import review as reviews
from bg_pipeline.pipeline.adopt import adopt as run_adopt
from bg_pipeline.pipeline.detect import plan
from bg_pipeline.pipeline.ownership import take_possession
from bg_pipeline.pipeline.rebuild import rebuild as run_rebuild
from bg_pipeline.pipeline.verify import Damage, verify
from bg_pipeline.ports.context import Pipeline
from bg_pipeline.vendors.registry import suffixes
from bg_pipeline.wiring import folder_of, open_pipeline
from bg_pipeline.wiring.settings import Settings, load_settings


def _slice(_ctx: click.Context, _param: click.Parameter, value: str | None) -> Slice | None:
    if value is None:
        return None
    number, _, of = value.partition("/")
    if not (number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of)):
        raise click.BadParameter("must be N/M with N from 1 to M, such as 1/7")
    return Slice(int(number) - 1, int(of))


@click.command()
@click.option("--subset", callback=_slice, metavar="N/M", help="Only the N-th of M parts, such as 1/7.")
@click.option("--masters", is_flag=True, help="Read the paid results too.")
@as_json
def check(subset: Slice | None, masters: bool, as_json: bool) -> None:
    """Read the published outputs and compare them with the manifest."""
    with Bars() as bars, open_pipeline(load_settings(), run_name("check"), progress=bars) as pipeline:
        result = verify(pipeline.catalogue, pipeline.accounts, pipeline.run, subset, masters=masters)
    damaged = result.damaged + result.damaged_masters
    if as_json:
        print_json(
            {
                "outputs": result.outputs,
                "masters": result.masters,
                "damaged": [_damage(d, "key", "output") for d in result.damaged],
                "damaged_masters": [_damage(d, "purchase_id", "master") for d in result.damaged_masters],
            }
        )
    else:
        _show_table(("file", "problem", "next"), [(d.where, d.problem, d.next_step) for d in damaged])
        read = f"{result.outputs:,} outputs" + (f" and {result.masters:,} masters" if masters else "")
        Terminal().print(f"read {read}; {len(damaged)} damaged")
    click.get_current_context().exit(Exit.SOME_FAILED if damaged else Exit.DONE)


@click.command()
@as_json
def rebuild(as_json: bool) -> None:
    """Rebuild a lost manifest from masters and outputs."""
    with Bars() as bars, open_pipeline(load_settings(), run_name("rebuild"), progress=bars) as pipeline:
        result = run_rebuild(*pipeline.context)
        take_possession(pipeline)
        next_sync = _next_sync(pipeline)
    if as_json:
        print_json(
            {
                "masters_known": result.known,
                "masters_taken_in": result.taken_in,
                "damaged_masters": [{"master": name, "why": why} for name, why in result.damaged.items()],
                "adopted": _rows(result.adoption.adopted, "output"),
                "refused": _rows(result.adoption.refused, "why"),
                "next_sync": next_sync,
            }
        )
    else:
        _show_table(("damaged master", "why"), list(result.damaged.items()))
        _show_table(("output refused as master", "why"), list(result.adoption.refused.items()))
        out = Terminal()
        out.print(
            f"masters: {result.taken_in:,} added, {result.known:,} known before, {len(result.damaged)} damaged; "
            f"{len(result.adoption.adopted):,} outputs became masters"
        )
        _show_next_sync(next_sync)
    click.get_current_context().exit(Exit.SOME_FAILED if result.damaged else Exit.DONE)


@click.command()
@click.option(
    "--from",
    "folder",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="DIR",
    help="Folder of the cutouts; default: BG_OUTPUT.",
)
@click.option(
    "--pattern",
    default="",
    metavar="NAME",
    help="Name of a cutout without its extension, with {stem}, {name} or {folder} of its picture: `{stem}_final`.",
)
@click.option("--allow-smaller", is_flag=True, help="Adopt also cutouts smaller than a bought one would be.")
@click.option("--dry-run", is_flag=True, help="Only report what would be adopted.")
@as_json
def adopt(folder: Path | None, pattern: str, allow_smaller: bool, dry_run: bool, as_json: bool) -> None:
    """Adopt cutouts that another tool made."""
    with Bars() as bars, open_pipeline(load_settings(), run_name("adopt"), progress=bars) as pipeline:
        files = folder_of(folder) if folder else pipeline.catalogue.outputs
        adoption = run_adopt(
            *pipeline.context,
            files,
            suffixes=suffixes(),
            pattern=pattern,
            allow_smaller=allow_smaller,
            dry_run=dry_run,
        )
        next_sync = None
        if not dry_run:
            take_possession(pipeline)
            next_sync = _next_sync(pipeline)
    if as_json:
        print_json(
            {
                "adopted": _rows(adoption.adopted, "file"),
                "refused": _rows(adoption.refused, "why"),
                "nameless": adoption.nameless,
                "next_sync": next_sync,
            }
        )
        return
    _show_table(("item", "refused because"), list(adoption.refused.items()))
    Terminal().print(
        f"{'would be ' if dry_run else ''}adopted: {len(adoption.adopted):,}; refused: {len(adoption.refused):,}; "
        f"items without a matching file: {adoption.nameless:,}"
    )
    if next_sync:
        _show_next_sync(next_sync)


@click.command()
@click.argument("decision", type=click.Choice(["list", "approve", "reject", "swap"]), default="list")
@click.argument("keys", nargs=-1, metavar="[KEY]...")
@as_json
def review(decision: str, keys: tuple[str, ...], as_json: bool) -> None:
    """List suspicious results; approve, reject or swap them."""
    if decision == "swap" and len(set(keys)) != 2:
        raise click.UsageError("swap takes the keys of two items: each gets the result of the other")
    if (decision == "list") == bool(keys):
        raise click.UsageError("name the items to approve or reject, as `bg-pipeline review` lists them")
    settings = load_settings()
    with open_pipeline(settings) as pipeline:
        if decision == "list":
            _show_waiting([_case(settings, entry) for entry in reviews.in_quarantine(pipeline.catalogue)], as_json)
        else:
            _show_decided(pipeline, decision, keys, as_json)


def _case(settings: Settings, entry: Entry) -> dict[str, Any]:
    page = Path(settings.catalogue.gallery, gallery_page(entry.collection))
    return {
        "key": entry.key,
        "collection": encode_partition(entry.collection),
        "why": entry.detail,
        "page": str(page) if page.exists() else None,
        "master": f"{settings.masters.masters}/{master_name(entry.purchase_id)}",
    }


def _show_waiting(waiting: Sequence[Mapping[str, Any]], as_json: bool) -> None:
    if as_json:
        print_json(waiting)
        return
    _show_table(("item", "why", "picture"), [(c["key"], c["why"], c["page"] or c["master"]) for c in waiting])
    say("decide: bg-pipeline review approve|reject KEY" if waiting else "no item waits for a review")


def _show_decided(pipeline: Pipeline, decision: str, keys: Sequence[str], as_json: bool) -> None:
    catalogue = pipeline.catalogue
    decided: list[str] = []
    if decision == "swap":
        decided = reviews.swap(*pipeline.context, (keys[0], keys[1]))
        keys = ()
    for key in keys:
        if key not in decided:  # an earlier item may have the same picture
            if decision == "approve":
                decided += reviews.approve(catalogue, pipeline.accounts, pipeline.policy, key)
            else:
                decided += reviews.reject(catalogue, key)
    if as_json:
        print_json({"decision": decision, "keys": decided})
        return
    then = "the next sync publishes it" if decision != "reject" else "failed until its picture or the recipe changes"
    for key in decided:
        say(f"{key}: {then}")


def _next_sync(pipeline: Pipeline) -> dict[str, float]:
    delta = plan(pipeline.catalogue, pipeline.accounts, pipeline.policy)
    return {"purchases": delta.purchases, "credits": float(delta.credits)}


def _show_next_sync(facts: Mapping[str, float]) -> None:
    Terminal().print(
        f"the next sync buys {facts['purchases']:,} for {render.number(facts['credits'])} credits; "
        "`bg-pipeline plan` shows why"
    )


def _damage(damage: Damage, name: str, where: str) -> dict[str, str]:
    return {name: damage.name, where: damage.where, "problem": damage.problem.value, "then": damage.next_step}


def _rows(values: Mapping[str, str], column: str) -> list[dict[str, str]]:
    return [{"key": key, column: value} for key, value in values.items()]


def _show_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    out = Terminal()
    if rows:
        out.print(render.grid(columns, rows[: render.MOST_ROWS]))
    if len(rows) > render.MOST_ROWS:
        out.print(f"and {len(rows) - render.MOST_ROWS} more: --json prints all")
