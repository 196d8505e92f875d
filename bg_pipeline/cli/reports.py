"""Commands that report the state of items."""

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
from bg_pipeline.core.records import Entry
from bg_pipeline.core.revert import because_reverted
from bg_pipeline.core.runlog import ProcessRecord, ScanRecord
from bg_pipeline.pipeline.failures import standing_failures
from bg_pipeline.pipeline.ownership import find_foreign_store
from bg_pipeline.pipeline.sizes import measure
from bg_pipeline.pipeline.trash import restore
from bg_pipeline.ports.context import Pipeline
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
            "failures": sum(not each.accepted for each in standing_failures(pictures, policy)),
            "hosts_down": [asdict(each) for scan in pictures.run_log.read(ScanRecord) for each in scan.hosts_down],
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
    if facts["failures"]:
        out.print(f"failures that stand: {facts['failures']}; bg-pipeline failures")
    for each in facts["hosts_down"]:
        out.print(f"the picture host {each['host']} does not serve its {each['items']} items: {each['why']}")
    if foreign:
        out.print(f"stopped by a guard: {foreign}")
    if measured:
        render.show_sizes(out, measured)
    if pending:
        out.print("pending: " + ", ".join(f"{encode_partition(c)} {n}" for c, n in pending.items()))


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
    """Show the history of one item: purchase attempts and decisions."""
    with open_pipeline(load_settings(catalogue)) as pipeline:
        entry = require_entry(pipeline.catalogue, key)
        attempts = pipeline.accounts.ledger.attempts(_purchase_ids_of(pipeline, entry))
        failure = next((each for each in pipeline.catalogue.failures.standing() if each.key == key), None)
        decisions = pipeline.catalogue.reviews.decisions([key]).get(key, [])
        others = pipeline.catalogue.items.outputs([key]).get(key, [])
        history = render.history(entry, attempts, failure, decisions, others)
        history["recipe"] = pipeline.policy.recipes.name_of(key) or "default"
        history["run"] = entry.published.run or None if entry.published else None
        reverted = [each for each in pipeline.catalogue.reversions.all() if each.key == key]
        history["reverted"] = "; ".join(map(because_reverted, reverted)) or None
    if as_json:
        print_json(history)
    else:
        render.show_history(Terminal(), history)


def _purchase_ids_of(pipeline: Pipeline, entry: Entry) -> list[str]:
    """Return the ids of the purchases from which this item is, or could be, published."""
    cuts = Goal.of(pipeline.policy.recipes.of(entry.key)).cuts if entry.content_hash else ()
    return [entry.purchase_id, *(purchase_id(entry.content_hash, cut) for cut in cuts)]
