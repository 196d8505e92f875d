"""`bg-pipeline ledger` and `gate`: the money spent, and the gates of the accounts."""

import csv
import sys
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

import click

from bg_pipeline.cli import render
from bg_pipeline.cli.catalogues import named_catalogue, one_catalogue, open_each
from bg_pipeline.cli.options import as_json, print_json
from bg_pipeline.cli.terminal import Terminal, printable
from bg_pipeline.core.credits import NO_BALANCE, why_closed
from bg_pipeline.core.export import FORMULA
from bg_pipeline.core.gate import Gate, GateState, Thresholds, by_hand
from bg_pipeline.core.keys import encode_partition
from bg_pipeline.core.moments import iso
from bg_pipeline.core.records import Attempt, AttemptState
from bg_pipeline.core.vendor import Vendor
from bg_pipeline.ports.context import Pipeline
from bg_pipeline.purchasing.money import left_of, limits_of, saved_since, standing

_DAY_S = 86_400.0
_COLUMNS = (
    *("at", "provider", "item", "collection", "run", "became"),
    *(
        "credits_expected",
        "credits_charged",
        "credits_wasted",
        "seconds",
        "detail",
        "answer",
        "request_id",
        "purchase_id",
        "catalogue",
    ),
)
_DOUBTFUL = frozenset({AttemptState.IN_DOUBT, AttemptState.INTENT})
"""Outcomes of attempts that may have been charged."""

_SHOWN = ("when (UTC)", "account", "item", "became", "credits", "s", "why")


@click.command()
@one_catalogue
@click.option("--days", default=30, show_default=True, type=click.IntRange(1, 3660), help="How far back.")
@click.option("--run", metavar="NAME", help="Only what this run spent.")
@click.option("--csv", "as_csv", is_flag=True, help="Print every attempt as CSV.")
@as_json
def ledger(catalogue: str | None, days: int, run: str | None, as_csv: bool, as_json: bool) -> None:
    """List every purchase attempt and its cost. Of all catalogues, or of one."""
    with open_each(catalogue) as pipelines:
        accounts, clock = next((each.accounts, each.run) for each in pipelines.values())
        since = clock.now() - days * _DAY_S
        chosen = named_catalogue(catalogue)
        rows = (_row(attempt) for attempt in accounts.ledger.log(since, run) if chosen in {None, attempt.catalogue})
        if as_csv:
            writer = csv.writer(sys.stdout)
            writer.writerow(_COLUMNS)
            writer.writerows([_cell(row[name]) for name in _COLUMNS] for row in rows)
            return
        listed = list(rows)
        report = {
            "attempts": listed,
            "providers": {name: standing(accounts, clock, name, days) for name in _accounts_of(pipelines)},
            "catalogues": _by_catalogue(listed),
            "saved": sum(float(saved_since(each.catalogue, since)) for each in pipelines.values()),
        }
        if as_json:
            print_json(report)
            return
        _show(report, days)


def _accounts_of(pipelines: Mapping[str, Pipeline]) -> dict[str, Pipeline]:
    """Return by account the first pipeline that buys there."""
    firsts: dict[str, Pipeline] = {}
    for pipeline in pipelines.values():
        for account in pipeline.policy.accounts:
            firsts.setdefault(account, pipeline)
    return firsts


def _by_catalogue(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """Return the attempts of each catalogue, and the credits that they were charged and may have been."""
    sums: dict[str, dict[str, float]] = {}
    for row in rows:
        of_catalogue = sums.setdefault(row["catalogue"], {"attempts": 0, "charged": 0.0, "in_doubt": 0.0})
        of_catalogue["attempts"] += 1
        of_catalogue["charged"] += row["credits_charged"]
        of_catalogue["in_doubt"] += row["credits_expected"] if row["became"] in _DOUBTFUL else 0.0
    return sums


@click.command()
@one_catalogue
@click.argument("action", type=click.Choice(["show", "open", "close"]), default="show", metavar="[open|close]")
@click.argument("account", required=False, metavar="[ACCOUNT]")
@click.option("--why", metavar="TEXT", default="", help="Your reason, as a note for others.")
@as_json
def gate(catalogue: str | None, action: str, account: str | None, why: str, as_json: bool) -> None:
    """Show the gate of every account; open or close one by hand. It is the same for all catalogues."""
    with open_each(catalogue) as pipelines:
        firsts = _accounts_of(pipelines)
        if action != "show":
            if account not in firsts:
                raise click.UsageError(f"name one of the accounts: {', '.join(firsts)}")
            wanted = GateState.OPEN if action == "open" else GateState.CLOSED
            pipeline = firsts[account]
            now = pipeline.run.now()
            pipeline.accounts.gates.change_gate(account, lambda gate: by_hand(gate, wanted, why, now))
            if wanted is GateState.OPEN:
                pipeline.accounts.gates.forget_limits(account)
        gates = [_gate(pipeline, name) for name, pipeline in firsts.items()]
    if as_json:
        print_json(gates)
        return
    columns = ("provider", "state", "since", "balance", "why")
    titles = ("account", *columns[1:])
    out = Terminal()
    out.print(render.grid(titles, [tuple(str(facts[name]) for name in columns) for facts in gates]))
    for facts in gates:
        out.print(render.limits_line(facts["provider"], facts))


def _gate(pipeline: Pipeline, account: str) -> dict[str, Any]:
    accounts, thresholds = pipeline.accounts, pipeline.policy.thresholds[account]
    gate = accounts.gates.gate(account)
    left = left_of(accounts, gate)
    closed = why_closed(gate, thresholds, left)
    return {
        "provider": gate.account,
        "state": gate.state.value,
        "reason": gate.reason.value or None,
        "forced_open": gate.forced_open,
        "since": iso(gate.since) if gate.since else "–",
        "pause": gate.pause,
        "balance": render.number(left),
        **render.limits(limits_of(accounts, gate, pipeline.run.now())),
        "why": closed if not gate.is_open else _why_open(gate, thresholds, pipeline.policy.vendors[account]),
    }


def _why_open(gate: Gate, thresholds: Thresholds, vendor: Vendor) -> str:
    if not vendor.has_balance:
        return NO_BALANCE
    if not gate.forced_open:
        return gate.why or "–"
    return (
        f"opened by hand: a low balance is ignored until {thresholds.resume} credits are reached. {gate.why}".rstrip()
    )


def _row(attempt: Attempt) -> dict[str, Any]:
    ended = attempt.ended_at
    return {
        "at": iso(attempt.started_at),
        "provider": attempt.account,
        "item": printable(attempt.item_key),
        "collection": printable(encode_partition(attempt.collection)),
        "run": attempt.run,
        "became": attempt.state.value,
        "credits_expected": float(attempt.credits_expected),
        "credits_charged": float(attempt.credits_charged),
        "credits_wasted": float(attempt.credits_wasted),
        "seconds": None if ended is None else round(ended - attempt.started_at, 2),
        "detail": printable(attempt.detail),
        "answer": printable(attempt.answer),
        "request_id": attempt.request_id,
        "purchase_id": attempt.purchase_id,
        "catalogue": attempt.catalogue,
    }


def _line(row: dict[str, Any]) -> tuple[str, ...]:
    """Format a row, short enough for a terminal; amounts in doubt get a question mark."""
    doubt = row["became"] in _DOUBTFUL
    credits_ = f"{render.number(row['credits_expected'])}?" if doubt else render.number(row["credits_charged"])
    when = row["at"].removesuffix("Z").replace("T", " ")[5:]
    became = row["became"].replace("_", " ")
    return (
        when,
        row["provider"],
        row["item"],
        became,
        credits_,
        render.number(row["seconds"]),
        row["detail"],
    )


def _cell(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


def _show(report: Mapping[str, Any], days: int) -> None:
    rows, out = report["attempts"], Terminal()
    newest = list(islice(reversed(rows), out.most_rows))
    several = len(report["catalogues"]) > 1
    lines = [(*_line(row), *([row["catalogue"]] if several else [])) for row in reversed(newest)]
    out.print(render.grid((*_SHOWN, *(["catalogue"] if several else [])), lines, numbers=(4, 5)))
    if len(rows) > len(newest):
        out.print(f"and {len(rows) - len(newest)} older ones: bg-pipeline ledger --csv")
    columns = ("charged", "wasted", "in_doubt", "awaited", "balance", "reading", "drift")
    sums = [
        (name, *(render.number(facts[column]) for column in columns), facts["runs_out_on"] or "–")
        for name, facts in report["providers"].items()
    ]
    out.print(render.grid(("account", *columns, "runs out on"), sums, numbers=tuple(range(1, 1 + len(columns)))))
    if several:
        spent = [(name, *map(render.number, facts.values())) for name, facts in report["catalogues"].items()]
        out.print(render.grid(("catalogue", "attempts", "charged", "in_doubt"), spent, numbers=(1, 2, 3)))
    saved = render.number(report["saved"])
    out.print(f"saved in {days} days by existing masters and by engines on this machine: {saved} credits")
