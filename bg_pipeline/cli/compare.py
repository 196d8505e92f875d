"""`bg-pipeline compare`: the same pictures at several vendors and engines, side by side."""

import threading
from decimal import Decimal
from pathlib import Path
from typing import Any

import click

from bg_pipeline.cli import render
from bg_pipeline.cli.catalogues import one_catalogue
from bg_pipeline.cli.comparison import PACES, SUMS, Figures, figures_of, offer_of, paces, page_of, sums, usd
from bg_pipeline.cli.options import Credits, as_json, confirm, print_json, run_name
from bg_pipeline.cli.progress import Bars
from bg_pipeline.cli.start import stop_on_signal
from bg_pipeline.cli.terminal import Terminal, say
from bg_pipeline.core.keys import COMPARISON, decode_partition, encode_partition
from bg_pipeline.core.report import Exit
from bg_pipeline.errors import ConfigurationError
from bg_pipeline.pipeline import ownership
from bg_pipeline.pipeline.compare import Comparison, ComparisonPlan, plan_comparison
from bg_pipeline.pipeline.compare import compare as make_comparison
from bg_pipeline.pipeline.detect import scan
from bg_pipeline.ports.context import RunName
from bg_pipeline.purchasing.gate import read_balance
from bg_pipeline.purchasing.money import left_of
from bg_pipeline.stores.locations import location_of
from bg_pipeline.wiring import folder_of, open_pipeline
from bg_pipeline.wiring.settings import Settings, load_settings

_MOST = 200
"""Most pictures: the page holds all of them, at about 25 KB for each result."""


@click.command()
@one_catalogue
@click.option("--sample", default=20, show_default=True, type=click.IntRange(1, _MOST), metavar="N", help="Pictures.")
@click.option(
    "--with",
    "names",
    default="",
    metavar="NAMES",
    help="Accounts, vendors or engines, separated by commas; default: all with a table or a key.",
)
@click.option("--collection", metavar="C", help="Only pictures of this collection; `.` is the top folder.")
@click.option("--max-credits", type=Credits(), metavar="N", help="Stop before spending more.")
@click.option(
    "--to", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="The page; default: in BG_GALLERY."
)
@click.option("--dry-run", is_flag=True, help="Only show the price.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json
def compare(
    *,
    catalogue: str | None,
    sample: int,
    names: str,
    collection: str | None,
    max_credits: Decimal | None,
    to: Path | None,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Compare vendors and engines on the same pictures. Each result is bought once and kept; none is published."""
    if as_json and not (yes or dry_run):
        raise click.UsageError("--json cannot ask: it needs --yes or --dry-run")
    name = run_name("compare")
    chosen = [each for each in (part.strip() for part in names.split(",")) if each]
    of_catalogue = load_settings(catalogue)
    settings = of_catalogue.comparing(chosen, "--with")
    plan, offers = _plan(settings, name, sample, collection)
    if not as_json:
        _show_plan(settings, plan, offers)
    if dry_run:
        if as_json:
            print_json(
                {"pictures": [entry.key for entry in plan.entries], "accounts": offers, "credits": float(plan.credits)}
            )
        return
    if plan.credits and not (yes or confirm(f"Buy them for up to {render.number(plan.credits)} credits?")):
        say("nothing was bought")
        return
    cap = settings.schedule.max_credits_per_run if max_credits is None else max_credits
    if to:
        pages, name_of_page, page = folder_of(to.absolute().parent), to.name, str(to.absolute())
    else:
        pages, name_of_page = settings.catalogue.open_gallery(settings.raw), COMPARISON
        page = location_of(settings.catalogue.gallery, COMPARISON)
    with stop_on_signal() as stop, Bars() as bars, open_pipeline(settings, name, stop, bars) as pipeline:
        comparison = make_comparison(pipeline, plan, of_catalogue.recipes, cap)
        figures = {account.name: figures_of(account, comparison) for account in settings.accounts}
        html = page_of(settings, pipeline, plan, comparison, figures)
        pages.write(name_of_page, html.encode())
    _end(stop, plan, comparison, figures, page, as_json)


def _plan(
    settings: Settings, name: RunName, sample: int, collection: str | None
) -> tuple[ComparisonPlan, dict[str, dict[str, Any]]]:
    with Bars() as bars, open_pipeline(settings, name, progress=bars) as pipeline:
        ownership.check(pipeline)
        catalogue, accounts, policy, run = pipeline.context
        scan(catalogue, policy, run)
        chosen = None if collection is None else decode_partition(collection)
        if chosen is not None and chosen not in (known := catalogue.items.collections()):
            listed = ", ".join(map(encode_partition, list(known)[:20]))
            raise ConfigurationError(f"there is no collection {chosen!r}; there are: {listed or 'none'}")
        most = {account.name: account.limits.concurrency for account in settings.accounts}
        plan = plan_comparison(catalogue, accounts, policy, sample, most, chosen)
        balances = {each: left_of(accounts, read_balance(accounts, policy, run, each)) for each in policy.accounts}
    return plan, {account.name: offer_of(account, plan, balances[account.name]) for account in settings.accounts}


def _show_plan(settings: Settings, plan: ComparisonPlan, offers: Figures) -> None:
    out = Terminal()
    out.print(f"{len(plan.entries)} pictures of {settings.catalogue.source_name}, at {', '.join(offers)}")
    rows = [
        (
            name,
            str(figures["to_make"]),
            str(figures["there"]),
            render.number(figures["credits"]),
            usd(figures["money_usd"]),
            render.number(figures["balance"]),
            {True: "yes", False: "no", None: "–"}[figures["enough"]],
        )
        for name, figures in offers.items()
    ]
    columns = ("account", "to make", "there already", "credits", "USD", "balance", "enough")
    out.print(render.grid(columns, rows, numbers=(1, 2, 3, 4, 5)))
    if plan.credits:
        out.print("this is an upper bound; results are kept, so that no later sync buys them again")


def _end(
    stop: threading.Event,
    plan: ComparisonPlan,
    comparison: Comparison,
    figures: Figures,
    page: str,
    as_json: bool,
) -> None:
    failed = sum(bool(each.failure) for results in comparison.results.values() for each in results)
    code, reason = Exit.DONE, "done"
    if stop.is_set():
        code, reason = Exit.PAUSED, "stopped on request"
    elif failed:
        code, reason = Exit.SOME_FAILED, f"{failed} results are missing"
    if as_json:
        print_json({"pictures": [entry.key for entry in plan.entries], "accounts": figures, "page": page}, code, reason)
    else:
        out = Terminal()
        out.print(render.grid(SUMS, sums(figures), numbers=range(1, len(SUMS))))
        out.print(render.grid(PACES, paces(figures), numbers=range(1, len(PACES))))
        failures = [(key, name, why) for name, each in figures.items() for key, why in each["failures"].items()]
        if failures:
            out.print(render.grid(("item", "account", "why"), failures[: out.most_rows]))
        say(f"page: {page}")
    click.get_current_context().exit(code)
