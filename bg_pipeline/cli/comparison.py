"""The figures of a comparison, as JSON types, as tables and as a page."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from bg_pipeline.cli import render
from bg_pipeline.core.comparison import LOADS, Throughput, pictures_for, sum_up
from bg_pipeline.core.prices import credits_for
from bg_pipeline.imaging.comparison import Grid, comparison_html
from bg_pipeline.pipeline.compare import Comparison, ComparisonPlan
from bg_pipeline.pipeline.gallery import picture_rows
from bg_pipeline.ports.context import Pipeline
from bg_pipeline.wiring.accounts import Account
from bg_pipeline.wiring.settings import Settings

Figures = Mapping[str, Mapping[str, Any]]
"""Figures in JSON types, by account."""


def offer_of(account: Account, plan: ComparisonPlan, balance: Decimal | None) -> dict[str, Any]:
    """Return what is to be made at one account, and its price, in JSON types."""
    part = plan.parts[account.name]
    left = None if balance is None else balance - part.credits >= account.limits.thresholds.low
    return {
        "to_make": len(part.missing),
        "there": len(plan.entries) - len(part.missing),
        "credits": float(part.credits),
        "money_usd": _money(account, part.credits),
        "balance": None if balance is None else float(balance),
        "enough": True if not part.credits else left,
        "measured": {str(load.in_flight): load.pictures for load in part.loads},
    }


def _money(account: Account, credits_: Decimal) -> float | None:
    each = account.vendor.variants[account.cut.variant].price.usd_per_credit
    return None if each is None else round(float(credits_ * each), 2)


def usd(money: float | None) -> str:
    """Format an amount of money; a dash where the vendor publishes no price."""
    return "–" if money is None else f"{money:,.2f}"


def figures_of(account: Account, comparison: Comparison) -> dict[str, Any]:
    """Return the sums of one account in JSON types."""
    results = comparison.results[account.name]
    total = sum_up(results)
    return {
        "sound": total.sound,
        "doubtful": total.doubtful,
        "failed": total.failed,
        "median_s": total.median_s,
        "p95_s": total.p95_s,
        "credits": float(total.credits),
        "credits_now": float(total.credits_now),
        "credits_in_doubt": float(total.in_doubt),
        "money_usd": _money(account, total.credits),
        "usd_for_1000": _money(account, _price_of(account, 1000)),
        "throughput": [_measured(measured) for measured in comparison.throughput[account.name]],
        "doubts": {result.key: result.doubt for result in results if result.doubt},
        "failures": {result.key: result.failure for result in results if result.failure},
    }


def _measured(throughput: Throughput) -> dict[str, Any]:
    return {
        "in_flight": throughput.in_flight,
        "allowed": throughput.allowed,
        "pictures": throughput.pictures,
        "per_minute": round(throughput.per_minute, 1),
    }


SUMS = (
    *("account", "sound", "doubtful", "failed", "seconds", "p95"),
    *("credits", "now", "in doubt", "USD", "USD for 1,000"),
)
"""Columns of `sums`."""

PACES = ("pictures a minute", *(f"{load} in flight" for load in LOADS))
"""Columns of `paces`."""


def sums(figures: Figures) -> list[tuple[str, ...]]:
    """Return a row of texts for each account, from `figures_of`."""
    return [
        (
            name,
            *(str(each[count]) for count in ("sound", "doubtful", "failed")),
            *("–" if each[took] is None else f"{each[took]:.1f}" for took in ("median_s", "p95_s")),
            *(render.number(each[sum_]) for sum_ in ("credits", "credits_now", "credits_in_doubt")),
            *(usd(each[money]) for money in ("money_usd", "usd_for_1000")),
        )
        for name, each in figures.items()
    ]


def paces(figures: Figures) -> list[tuple[str, ...]]:
    """Return a row with the throughput of each account."""
    rows = []
    for name, each in figures.items():
        at = {measured["in_flight"]: measured for measured in each["throughput"]}
        rows.append((name, *(_rate(at[load]) if load in at else "–" for load in LOADS)))
    return rows


def _rate(measured: Mapping[str, Any]) -> str:
    allowed = "" if measured["allowed"] == measured["in_flight"] else f", {measured['allowed']} allowed"
    return f"{measured['per_minute']:,.1f} ({measured['pictures']}{allowed})"


def _notes(settings: Settings, plan: ComparisonPlan) -> Iterator[str]:
    yield (
        "Seconds are from sending a picture to storing its checked result, in the median and for 95 of 100. Credits "
        "are all that these results were charged, also by earlier runs; those of this run are beside them. A pace is "
        "of the pictures in brackets."
    )
    needed = pictures_for(max(LOADS))
    short = [account for account in settings.accounts if len(plan.parts[account.name].missing) < needed]
    if short:
        prices = (f"{account.name} {render.number(_price_of(account, needed))}" for account in short)
        yield (
            f"A pace is measured only with results that are bought anyway, and {', '.join(map(str, LOADS))} in flight "
            f"take {needed} of them at an account. A sample of {len(plan.entries) + needed} buys so many more, in "
            f"credits: {', '.join(prices)}."
        )
    for account in settings.accounts:
        if account.limits.concurrency < max(LOADS):
            yield f"{account.name} may have only {account.limits.concurrency} in flight: BG_CONCURRENCY."
    for account in settings.accounts:
        yield f"The price of {account.name}: {account.vendor.variants[account.cut.variant].price.source}."


def _price_of(account: Account, purchases: int) -> Decimal:
    return credits_for(account.vendor, account.cut, None) * purchases


def page_of(
    settings: Settings,
    pipeline: Pipeline,
    plan: ComparisonPlan,
    comparison: Comparison,
    figures: Figures,
) -> str:
    """Return the page: the tables, and the pictures side by side."""
    made_at = datetime.fromtimestamp(pipeline.run.now(), UTC)
    return comparison_html(
        title=f"{len(plan.entries)} pictures of {settings.catalogue.source_name}, {made_at:%Y-%m-%d %H:%M} UTC",
        grids=[Grid(SUMS, tuple(sums(figures))), Grid(PACES, tuple(paces(figures)))],
        notes=list(_notes(settings, plan)),
        columns=list(figures),
        rows=picture_rows(*pipeline.context, plan, comparison),
    )
