"""`bg-pipeline ledger` and `gate`: the money spent, and the gates of the accounts."""

import csv
import sys
from collections.abc import Iterator
from itertools import islice
from typing import Any

import click

from bg_pipeline.cli import render
from bg_pipeline.cli.options import as_json, print_json
from bg_pipeline.cli.terminal import Terminal, printable
from bg_pipeline.core.credits import why_closed
from bg_pipeline.core.export import FORMULA
from bg_pipeline.core.gate import Gate, GateState, Thresholds, by_hand
from bg_pipeline.core.keys import encode_partition
from bg_pipeline.core.moments import iso
from bg_pipeline.core.records import Attempt, AttemptState
from bg_pipeline.ports.context import Pipeline
from bg_pipeline.purchasing.gate import gates_of
from bg_pipeline.purchasing.money import left_of, limits_of, saved_since, standing
from bg_pipeline.wiring import open_pipeline
from bg_pipeline.wiring.settings import load_settings

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
    ),
)
_SHOWN = ("when (UTC)", "account", "item", "became", "credits", "s", "why")


@click.command()
@click.option("--days", default=30, show_default=True, type=click.IntRange(1, 3660), help="How far back.")
@click.option("--run", metavar="NAME", help="Only what this run spent.")
@click.option("--csv", "as_csv", is_flag=True, help="Print every attempt as CSV.")
@as_json
def ledger(days: int, run: str | None, as_csv: bool, as_json: bool) -> None:
    """List every purchase attempt and its cost."""
    with open_pipeline(load_settings()) as pipeline:
        accounts, clock = pipeline.accounts, pipeline.run
        since = clock.now() - days * _DAY_S
        rows = (_row(attempt) for attempt in accounts.ledger.log(since, run))
        if as_csv:
            writer = csv.writer(sys.stdout)
            writer.writerow(_COLUMNS)
            writer.writerows([_cell(row[name]) for name in _COLUMNS] for row in rows)
            return
        sums = {name: standing(accounts, clock, name, days) for name in pipeline.policy.accounts}
        saved = float(saved_since(pipeline.catalogue, since))
        if as_json:
            print_json({"attempts": list(rows), "providers": sums, "saved": saved})
            return
        _show(list(rows), sums, saved, days)


@click.command()
@click.argument("action", type=click.Choice(["show", "open", "close"]), default="show", metavar="[open|close]")
@click.argument("account", required=False, metavar="[ACCOUNT]")
@click.option("--why", metavar="TEXT", default="", help="Your reason, as a note for others.")
@as_json
def gate(action: str, account: str | None, why: str, as_json: bool) -> None:
    """Show the gate of every account; open or close one by hand."""
    with open_pipeline(load_settings()) as pipeline:
        if action != "show":
            if account not in pipeline.policy.accounts:
                names = ", ".join(pipeline.policy.accounts)
                raise click.UsageError(f"name one of the accounts: {names}")
            wanted = GateState.OPEN if action == "open" else GateState.CLOSED
            now = pipeline.run.now()
            pipeline.accounts.gates.change_gate(account, lambda gate: by_hand(gate, wanted, why, now))
            if wanted is GateState.OPEN:
                pipeline.accounts.gates.forget_limits(account)
        gates = list(_gates(pipeline))
    if as_json:
        print_json(gates)
        return
    columns = ("provider", "state", "since", "balance", "why")
    titles = ("account", *columns[1:])
    out = Terminal()
    out.print(render.grid(titles, [tuple(str(facts[name]) for name in columns) for facts in gates]))
    for facts in gates:
        out.print(render.limits_line(facts["provider"], facts))


def _gates(pipeline: Pipeline) -> Iterator[dict[str, Any]]:
    accounts = pipeline.accounts
    now = pipeline.run.now()
    for gate in gates_of(accounts, pipeline.policy):
        left, thresholds = left_of(accounts, gate), pipeline.policy.thresholds[gate.account]
        closed = why_closed(gate, thresholds, left)
        yield {
            "provider": gate.account,
            "state": gate.state.value,
            "reason": gate.reason.value or None,
            "forced_open": gate.forced_open,
            "since": iso(gate.since) if gate.since else "–",
            "pause": gate.pause,
            "balance": render.number(left),
            **render.limits(limits_of(accounts, gate, now)),
            "why": closed if not gate.is_open else _why_open(gate, thresholds),
        }


def _why_open(gate: Gate, thresholds: Thresholds) -> str:
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
    }


def _line(row: dict[str, Any]) -> tuple[str, ...]:
    """Format a row, short enough for a terminal; amounts in doubt get a question mark."""
    doubt = row["became"] in {AttemptState.IN_DOUBT, AttemptState.INTENT}
    credits_ = f"{render.number(row['credits_expected'])}?" if doubt else render.number(row["credits_charged"])
    when = row["at"].removesuffix("Z").replace("T", " ")[5:]
    became = row["became"].replace("_", " ")
    return when, row["provider"], row["item"], became, credits_, render.number(row["seconds"]), row["detail"]


def _cell(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


def _show(rows: list[dict[str, Any]], accounts: dict[str, dict[str, Any]], saved: float, days: int) -> None:
    out = Terminal()
    newest = list(islice(reversed(rows), render.MOST_ROWS))
    out.print(render.grid(_SHOWN, [_line(row) for row in reversed(newest)], numbers=(4, 5)))
    if len(rows) > len(newest):
        out.print(f"and {len(rows) - len(newest)} older ones: bg-pipeline ledger --csv")
    columns = ("charged", "wasted", "in_doubt", "awaited", "balance", "reading", "drift")
    sums = [
        (name, *(render.number(facts[column]) for column in columns), facts["runs_out_on"] or "–")
        for name, facts in accounts.items()
    ]
    out.print(render.grid(("account", *columns, "runs out on"), sums, numbers=tuple(range(1, 1 + len(columns)))))
    out.print(f"saved in {days} days by existing masters: {render.number(saved)} credits")
