"""Commands that find work and do it."""

import contextlib
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import time
from decimal import Decimal

import click

from bg_pipeline.alerts.settings import AlertSettings
from bg_pipeline.cli import order, render
from bg_pipeline.cli.catalogues import each_catalogue, ends_all, one_catalogue
from bg_pipeline.cli.options import Credits, TimeOfDay, as_json, print_json, require_entry, run_name
from bg_pipeline.cli.progress import Bars
from bg_pipeline.cli.start import stop_on_signal
from bg_pipeline.cli.terminal import Terminal, say
from bg_pipeline.core.claims import Ask, AskedBy, Only, Selection
from bg_pipeline.core.credits import MAX_CHARGES, Budget
from bg_pipeline.core.keys import decode_partition, encode_partition
from bg_pipeline.core.moments import iso
from bg_pipeline.core.night_window import ends_at
from bg_pipeline.core.prices import quote
from bg_pipeline.core.report import Exit, Summary
from bg_pipeline.errors import BgPipelineError, ConfigurationError, GuardStopped
from bg_pipeline.pipeline import night, ownership
from bg_pipeline.pipeline.alerting.notify import after_no_sync, after_sync
from bg_pipeline.pipeline.choice import Choice
from bg_pipeline.pipeline.detect import count_copies_to_buy, count_outdated_outputs, scan
from bg_pipeline.pipeline.detect import plan as plan_delta
from bg_pipeline.pipeline.process import Scope
from bg_pipeline.pipeline.retry import buy_again, try_again
from bg_pipeline.ports.context import Pipeline, RunName
from bg_pipeline.purchasing.gate import read_balance
from bg_pipeline.purchasing.money import left_of
from bg_pipeline.settings.reader import read
from bg_pipeline.wiring import open_monitor, open_pipeline
from bg_pipeline.wiring.settings import Settings, load_settings

_SYNC_FACTS = (
    *("published", "purchases", "credits", "duplicates", "renamed", "failed", "quarantined", "pending"),
    *("paused", "seconds", "saved", "in_doubt", "credits_in_doubt", "wasted", "awaited", "bought_from", "not_looked"),
    *("window_ended", "left_before", "hosts_down", "standing", "failures"),
)

_NOTHING_TO_RETRY = "no failed item can be tried again; the next sync reads by itself what could not be read"


@click.command()
@each_catalogue(by_default=False)
@as_json
def plan(catalogue: str, as_json: bool) -> None:
    """Show what the next sync would do and cost. Spends nothing; stores the hashes that it computed."""
    settings = load_settings(catalogue)
    with Bars() as bars, open_pipeline(settings, run_name("plan"), progress=bars) as pipeline:
        ownership.check(pipeline)
        pictures, accounts, policy, run = pipeline.context
        scanned = scan(pictures, policy, run)
        delta = plan_delta(pictures, accounts, policy)
        balances = {name: left_of(accounts, read_balance(accounts, policy, run, name)) for name in policy.accounts}
        offers = {
            offer.name: quote(
                offer.vendor, offer.cut, delta.purchases, balances.get(offer.name), offer.limits.thresholds.low
            )
            for offer in settings.offers()
        }
        pending = {encode_partition(name): {"pending": len(work)} for name, work in delta.by_collection().items()}
        purchases = order.plan_order(settings, pipeline, delta, balances)
        copies = count_copies_to_buy(pictures.observations, delta)
        pruned = accounts.retention.pruned_at([change.purchase_id for change in delta.work if change.purchase])
        by_recipe = Counter(policy.recipes.name_of(change.key) or "default" for change in delta.work)
        rendered_before = count_outdated_outputs(pictures.deltas, policy.recipes)
        ends = settings.ends_of_service(run.now())
    if as_json:
        print_json(
            {
                "counts": delta.counts,
                "purchases": delta.purchases,
                "credits": float(delta.credits),
                "order": order.as_json(purchases),
                "providers": offers,
                "collections": pending,
                "rerender": {"writes": rendered_before},
                "not_looked": scanned.not_looked,
                "unreadable": scanned.unreadable,
                "hosts_down": [asdict(each) for each in scanned.hosts_down],
                "left_out": scanned.left_out,
                "still_written": scanned.still_written,
                "copies": copies,
                "pruned": len(pruned),
                "recipes": by_recipe,
                "reverted": delta.reverted,
                "ends_of_service": ends,
            }
        )
        return
    out = Terminal()
    render.show_scan(out, scanned, settings.catalogue.source_name)
    render.show_delta(out, delta)
    if policy.recipes.special:
        out.print(render.grid(("recipe of", "items"), [(name, str(n)) for name, n in by_recipe.items()], numbers=(1,)))
    order.show(out, purchases)
    render.show_offers(out, offers)
    for end in ends:
        out.print(end)
    if delta.purchases:
        out.print(
            "this is an upper bound: a picture that is damaged, already cut out or only saved again costs nothing"
        )
        if policy.recipe.passed_on:
            free, paid = policy.accounts[: policy.recipe.passed_on], policy.accounts[policy.recipe.passed_on :]
            out.print(f"{' and '.join(free)} cut first, free; only suspicious results are bought: {', '.join(paid)}")
    render.show_copies(out, copies)
    if pruned:
        out.print(
            f"{len(pruned):,} of these were bought before; their masters were pruned by BG_MASTERS_KEEP_DAYS, the last "
            f"on {iso(max(pruned.values()))}"
        )
    if rendered_before:
        out.print(
            f"{rendered_before:,} cutouts were made by an older version of the renderer, and stay unchanged. "
            f"`bg-pipeline sync --rerender` renders them again: {rendered_before:,} writes, no purchase"
        )
    if pending:
        rows = [(name, str(facts["pending"])) for name, facts in pending.items()]
        out.print(render.grid(("collection", "pending"), rows, numbers=(1,)))


@click.command()
@each_catalogue(by_default=False)
@click.option("--collection", metavar="C", help="Only this collection; `.` is the top folder.")
@click.option("--max-credits", type=Credits(), metavar="N", help="Stop before spending more.")
@click.option("--until", type=TimeOfDay(), metavar="HH:MM", help="Buy nothing from this time of BG_TIMEZONE on.")
@click.option("--only", type=click.Choice([o.value for o in Only]), default="all", help="Only this part of the delta.")
@click.option("--apply-recipe-change", is_flag=True, help="Buy again the items that were cut by another recipe.")
@click.option(
    "--recipe-change-share",
    type=click.IntRange(min=1),
    metavar="N",
    help="Buy only N of those, oldest cutouts first.",
)
@click.option("--without-canary", is_flag=True, help="Buy them although no canary of the recipe is accepted.")
@click.option(
    "--allow-deletes",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="Let N cutouts of deleted pictures go to the trash, this once.",
)
@click.option(
    "--rerender", is_flag=True, help="Render again the outputs of an older version of the renderer; buys nothing."
)
@as_json
def sync(
    *,
    catalogue: str,
    collection: str | None,
    max_credits: Decimal | None,
    until: time | None,
    only: str,
    apply_recipe_change: bool,
    recipe_change_share: int | None,
    without_canary: bool,
    allow_deletes: int,
    rerender: bool,
    as_json: bool,
) -> None:
    """Run the nightly job now."""
    name = run_name("sync")
    chosen = None if collection is None else decode_partition(collection)
    choice = Choice(
        collections=None if chosen is None else frozenset({chosen}),
        only=Only(only),
        apply_recipe_change=apply_recipe_change or recipe_change_share is not None,
        recipe_change_limit=recipe_change_share,
        without_canary=without_canary,
    )
    with (
        stop_on_signal() as stop,
        ends_all(stop),
        Bars() as bars,
        _opened(catalogue, name, stop, bars) as (settings, pipeline),
        _alerting(pipeline, chosen, everything=choice.is_everything),
    ):
        began_at = pipeline.run.now()
        cap = settings.schedule.max_credits_per_run if max_credits is None else max_credits
        ends = None if until is None else ends_at(began_at, until, settings.schedule.timezone)
        result = night.sync(
            pipeline, Budget(name.run_id, cap, ends), choice, allow_deletes=allow_deletes, rerender=rerender
        )
    table = result.work.table
    _warn([f"the table beside the cutouts is not up to date: {table.problem}"] if table and table.problem else [])
    if not as_json:
        out = Terminal()
        render.show_scan(out, result.look.scan, settings.catalogue.source_name)
        if result.decision is None:
            out.print(f"joined another run: {result.joined}")
        else:
            render.show_delta(out, result.decision.delta)
            render.show_trashed(out, result.decision.trash)
            render.show_pruned(out, result.decision.pruned)
            render.show_withdrawals(out, result.decision.withdrawals)
    if result.decision is not None and (stopped := result.decision.stopped):
        _show_summary(result.work.summary, as_json, Exit.GUARD, stopped)
        raise GuardStopped(stopped)
    _end_with(result.work.summary, as_json)


@click.command()
@one_catalogue
@click.argument("keys", nargs=-1, metavar="[KEY]...")
@click.option("--collection", metavar="C", help="Only this collection; `.` is the top folder.")
@click.option("--again", is_flag=True, help="Buy also what reached the limit of charges; name the items.")
@as_json
def retry(catalogue: str | None, keys: tuple[str, ...], collection: str | None, again: bool, as_json: bool) -> None:
    """Try failed items again: the named ones, or all."""
    if again and not keys:
        raise click.UsageError("--again needs the keys of the items that are bought again")
    settings = load_settings(catalogue)
    name = run_name("retry")
    collections = None if collection is None else frozenset({decode_partition(collection)})
    with stop_on_signal() as stop, Bars() as bars, open_pipeline(settings, name, stop, bars) as pipeline:
        for key in keys:
            require_entry(pipeline.catalogue, key)
        if again:
            retried_keys = buy_again(pipeline, keys)
            policy = pipeline.policy
            price = sum((policy.price_with(policy.recipes.of(key)) for key in retried_keys), Decimal(0))
            say(
                f"buys {len(retried_keys)} items again: {price} credits, or up to {price * MAX_CHARGES} if answers are "
                "unusable again",
                err=True,
            )
        else:
            retried_keys = try_again(pipeline, collections=collections, keys=keys)
        if not retried_keys:
            if as_json:
                print_json({}, Exit.DONE, _NOTHING_TO_RETRY)
            else:
                say(_NOTHING_TO_RETRY)
            return
        ask = Ask(AskedBy.RETRY, Budget(name.run_id, settings.schedule.max_credits_per_run))
        result = night.work(pipeline, ask, Scope(Selection(collections), retried_keys))
    _end_with(result.summary, as_json)


def _show_summary(summary: Summary, as_json: bool, code: Exit, reason: str) -> None:
    if as_json:
        facts = summary.as_dict()
        print_json({name: facts[name] for name in _SYNC_FACTS}, code, reason)
    else:
        render.show_summary(Terminal(), summary)


def _end_with(summary: Summary, as_json: bool) -> None:
    _show_summary(summary, as_json, summary.exit_code, summary.exit_reason)
    click.get_current_context().exit(summary.exit_code)


@contextlib.contextmanager
def _opened(catalogue: str, name: RunName, stop: threading.Event, bars: Bars) -> Iterator[tuple[Settings, Pipeline]]:
    """Open the pipeline; alert if a setting is wrong, because a sync by cron has no reader."""
    with contextlib.ExitStack() as stack:
        try:
            settings = load_settings(catalogue)
            pipeline = stack.enter_context(open_pipeline(settings, name, stop, bars))
        except ConfigurationError as error:
            _warn(_alert_wrong_settings(catalogue, name, error))
            raise
        yield settings, pipeline


def _alert_wrong_settings(catalogue: str, name: RunName, error: ConfigurationError) -> list[str]:
    with contextlib.suppress(BgPipelineError):  # then alerts cannot be sent either, and `error` is shown
        raw = read()
        # Without a target, a first try with a wrong setting should create no manifest.
        if raw.part(AlertSettings).urls:
            with open_monitor(raw, catalogue) as monitor:
                return after_no_sync(monitor, name, error)
    return []


@contextlib.contextmanager
def _alerting(pipeline: Pipeline, collection: str | None, *, everything: bool) -> Iterator[None]:
    """Send alerts afterwards to BG_ALERT_URLS, also about an error that ended the command."""
    try:
        yield
    except BgPipelineError as error:
        _warn(after_sync(pipeline, error, everything=everything, collection=collection))
        raise
    _warn(after_sync(pipeline))


def _warn(lines: Sequence[str]) -> None:
    for line in lines:
        say(f"bg-pipeline: {line}", err=True)
