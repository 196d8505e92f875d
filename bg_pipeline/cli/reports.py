"""Commands that report the state of items."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import click

from bg_pipeline.cli import render
from bg_pipeline.cli.catalogues import each_catalogue, one_catalogue
from bg_pipeline.cli.options import as_json, print_json, require_entry, run_name
from bg_pipeline.cli.terminal import Terminal, say
from bg_pipeline.core.credits import why_closed
from bg_pipeline.core.delta import Goal
from bg_pipeline.core.keys import encode_partition
from bg_pipeline.core.moments import iso
from bg_pipeline.core.recipe import purchase_id
from bg_pipeline.core.records import Entry, State
from bg_pipeline.core.report import Cause
from bg_pipeline.core.runlog import ProcessRecord, ScanRecord
from bg_pipeline.pipeline.ownership import find_foreign_store
from bg_pipeline.pipeline.sizes import measure
from bg_pipeline.pipeline.trash import restore
from bg_pipeline.ports.context import Catalogue, Pipeline
from bg_pipeline.purchasing.gate import gates_of
from bg_pipeline.purchasing.money import left_of, limits_of, standing
from bg_pipeline.wiring import open_pipeline
from bg_pipeline.wiring.settings import load_settings

_GATE_FACTS = ("state", "reason", "balance", "reading", "drift")


@click.command()
@each_catalogue(by_default=True)
@click.option("--sizes", is_flag=True, help="List the stores, and show how much is in them.")
@as_json
def status(catalogue: str, sizes: bool, as_json: bool) -> None:
    """Show the items by state, the gates and the spending."""
    with open_pipeline(load_settings(catalogue)) as pipeline:
        pictures, accounts, policy, run = pipeline.context
        last = pictures.run_log.read(ProcessRecord)
        gates = {account: standing(accounts, run, account) for account in policy.accounts}
        facts: dict[str, Any] = {
            "items": pictures.items.states(),
            "gate": {name: {each: facts[each] for each in _GATE_FACTS} for name, facts in gates.items()},
            "last_sync": iso(last[0].ended_at) if last else None,
            "credits_30d": sum(g["charged"] for g in gates.values()),
            "runs_out_on": gates[policy.account]["runs_out_on"],
            "guard": str(foreign) if (foreign := find_foreign_store(pipeline)) else None,
        }
        closed = [
            why_closed(gate, policy.thresholds[gate.account], left_of(accounts, gate))
            for gate in gates_of(accounts, policy)
            if not gate.is_open
        ]
        limits = {
            gate.account: render.limits(limits_of(accounts, gate, run.now())) for gate in gates_of(accounts, policy)
        }
        facts["limits"] = limits
        measured = measure(pictures, accounts) if sizes else {}
        if sizes:
            facts["sizes"] = {name: each and asdict(each) for name, each in measured.items()}
        pending = pictures.queue.pending()
    if as_json:
        print_json(facts)
        return
    out = Terminal()
    out.print(render.grid(("state", "items"), [(s, str(n)) for s, n in facts["items"].items()], numbers=(1,)))
    out.print(f"gate: {'; '.join(closed) or 'open'}")
    for account, each in limits.items():
        out.print(render.limits_line(account, each))
    out.print(
        f"last sync: {facts['last_sync'] or 'never'}; credits in 30 days: {render.number(facts['credits_30d'])}; "
        f"balance: {render.balance(gates[policy.account])}; "
        f"runs out on: {facts['runs_out_on'] or '–'}"
    )
    if foreign:
        out.print(f"stopped by a guard: {foreign}")
    if measured:
        render.show_sizes(out, measured)
    if pending:
        out.print("pending: " + ", ".join(f"{encode_partition(c)} {n}" for c, n in pending.items()))


@click.command()
@each_catalogue(by_default=True)
@as_json
def failures(catalogue: str, as_json: bool) -> None:
    """List the items that failed or are in quarantine, and why. Also those that could not be read or written."""
    with open_pipeline(load_settings(catalogue)) as pipeline:
        entries = [e for state in (State.FAILED, State.QUARANTINED) for e in pipeline.catalogue.items.in_state(state)]
        scans = pipeline.catalogue.run_log.read(ScanRecord)
        blocked = list(_blocked(pipeline.catalogue))
    rows = [(e.key, e.state.value, e.detail) for e in (*entries, *blocked)]
    rows += [(key, "not looked at", why) for scan in scans for key, why in scan.not_looked.items()]
    if as_json:
        print_json([{"key": key, "state": state, "why": why} for key, state, why in rows])
        return
    out = Terminal()
    render.show_failures(out, rows)
    states = {e.state for e in entries}
    if State.FAILED in states:
        out.print("try again: bg-pipeline retry [KEY ...]")
    if State.QUARANTINED in states:
        out.print("decide: bg-pipeline review")
    if not rows:
        out.print("nothing failed")


def _blocked(catalogue: Catalogue) -> Iterator[Entry]:
    """Yield the items that the last run could not read or write, and that still wait."""
    for record in catalogue.run_log.read(ProcessRecord):
        for failure in record.summary.failures:
            entry = catalogue.items.entry(failure.key) if failure.cause is Cause.STORE else None
            if entry is not None and entry.state is State.PENDING:
                yield entry


@click.command()
@one_catalogue
@click.argument("action", type=click.Choice(["list", "restore"]), default="list")
@click.argument("keys", nargs=-1, metavar="[KEY]...")
@as_json
def trash(catalogue: str | None, action: str, keys: tuple[str, ...], as_json: bool) -> None:
    """List cutouts of deleted pictures; restore named ones for good."""
    if (action == "restore") != bool(keys):
        raise click.UsageError("name the pictures whose cutouts are to be restored: bg-pipeline trash restore KEY ...")
    settings = load_settings(catalogue)
    with open_pipeline(settings, run_name("trash")) as pipeline:
        if action == "restore":
            restored = restore(pipeline.catalogue, pipeline.run, keys)
            if as_json:
                print_json({"restored": restored})
            else:
                for name in restored:
                    say(f"restored {name}")
            return
        entries = pipeline.catalogue.trash.in_trash()
    if as_json:
        print_json([{"key": e.key, "trash": e.trash_name, "since": iso(e.trashed_at or 0.0)} for e in entries])
    else:
        render.show_trash(Terminal(), entries, settings.catalogue.trash_days)


@click.command()
@one_catalogue
@click.argument("key")
@as_json
def why(catalogue: str | None, key: str, as_json: bool) -> None:
    """Show the history of one item, with every purchase attempt."""
    with open_pipeline(load_settings(catalogue)) as pipeline:
        entry = require_entry(pipeline.catalogue, key)
        attempts = pipeline.accounts.ledger.attempts(_purchase_ids_of(pipeline, entry))
        history = render.history(entry, attempts)
        history["recipe"] = pipeline.policy.recipes.name_of(key) or "default"
    if as_json:
        print_json(history)
    else:
        render.show_history(Terminal(), history)


def _purchase_ids_of(pipeline: Pipeline, entry: Entry) -> list[str]:
    """Return the ids of the purchases from which this item is, or could be, published."""
    cuts = Goal.of(pipeline.policy.recipes.of(entry.key)).cuts if entry.content_hash else ()
    return [entry.purchase_id, *(purchase_id(entry.content_hash, cut) for cut in cuts)]
