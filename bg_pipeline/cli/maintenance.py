"""Commands that keep manifest, masters and outputs consistent. None of them buys anything."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from bg_pipeline.cli import render
from bg_pipeline.cli.catalogues import each_catalogue, one_catalogue
from bg_pipeline.cli.options import as_json, print_json, run_name
from bg_pipeline.cli.progress import Bars
from bg_pipeline.cli.terminal import Terminal
from bg_pipeline.core.rehash import Slice
from bg_pipeline.core.report import Exit
from bg_pipeline.pipeline.adopt import adopt as run_adopt
from bg_pipeline.pipeline.detect import plan
from bg_pipeline.pipeline.ownership import take_possession
from bg_pipeline.pipeline.rebuild import rebuild as run_rebuild
from bg_pipeline.pipeline.verify import Damage, verify
from bg_pipeline.ports.context import Pipeline
from bg_pipeline.vendors.registry import suffixes
from bg_pipeline.wiring import folder_of, open_pipeline
from bg_pipeline.wiring.settings import load_settings


def _slice(_ctx: click.Context, _param: click.Parameter, value: str | None) -> Slice | None:
    if value is None:
        return None
    number, _, of = value.partition("/")
    if not (number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of)):
        raise click.BadParameter("must be N/M with N from 1 to M, such as 1/7")
    return Slice(int(number) - 1, int(of))


@click.command()
@each_catalogue(by_default=False)
@click.option("--subset", callback=_slice, metavar="N/M", help="Only the N-th of M parts, such as 1/7.")
@click.option("--masters", is_flag=True, help="Read the paid results too.")
@as_json
def check(catalogue: str, subset: Slice | None, masters: bool, as_json: bool) -> None:
    """Read the published outputs and compare them with the manifest."""
    with Bars() as bars, open_pipeline(load_settings(catalogue), run_name("check"), progress=bars) as pipeline:
        result = verify(pipeline.catalogue, pipeline.accounts, pipeline.run, subset, masters=masters)
    damaged = result.damaged + result.damaged_masters
    code = Exit.SOME_FAILED if damaged else Exit.DONE
    if as_json:
        print_json(
            {
                "outputs": result.outputs,
                "masters": result.masters,
                "damaged": [_damage(d, "key", "output") for d in result.damaged],
                "damaged_masters": [_damage(d, "purchase_id", "master") for d in result.damaged_masters],
            },
            code,
            f"{len(damaged)} files are damaged" if damaged else "no file is damaged",
        )
    else:
        _show_table(("file", "problem", "next"), [(d.where, d.problem, d.next_step) for d in damaged])
        read = f"{result.outputs:,} outputs" + (f" and {result.masters:,} masters" if masters else "")
        Terminal().print(f"read {read}; {len(damaged)} damaged")
    click.get_current_context().exit(code)


@click.command()
@each_catalogue(by_default=False)
@as_json
def rebuild(catalogue: str, as_json: bool) -> None:
    """Rebuild a lost manifest from masters and outputs."""
    with Bars() as bars, open_pipeline(load_settings(catalogue), run_name("rebuild"), progress=bars) as pipeline:
        result = run_rebuild(*pipeline.context)
        take_possession(pipeline)
        next_sync = _next_sync(pipeline)
    code = Exit.SOME_FAILED if result.damaged else Exit.DONE
    if as_json:
        print_json(
            {
                "masters_known": result.known,
                "masters_taken_in": result.taken_in,
                "damaged_masters": [{"master": name, "why": why} for name, why in result.damaged.items()],
                "adopted": _rows(result.adoption.adopted, "output"),
                "refused": _rows(result.adoption.refused, "why"),
                "next_sync": next_sync,
            },
            code,
            f"{len(result.damaged)} masters are damaged" if result.damaged else "no master is damaged",
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
    click.get_current_context().exit(code)


@click.command()
@one_catalogue
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
def adopt(
    catalogue: str | None, folder: Path | None, pattern: str, allow_smaller: bool, dry_run: bool, as_json: bool
) -> None:
    """Adopt cutouts that another tool made."""
    with Bars() as bars, open_pipeline(load_settings(catalogue), run_name("adopt"), progress=bars) as pipeline:
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
    shown = rows[: out.most_rows]
    if shown:
        out.print(render.grid(columns, shown))
    if len(rows) > len(shown):
        out.print(f"and {len(rows) - len(shown)} more: --json prints all")
