"""`bg-pipeline`: its commands, their options and exit codes."""

import contextlib
import logging
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import click

import bg_pipeline
from bg_pipeline.cli import show, upkeep
from bg_pipeline.cli.alerts import alert_test
from bg_pipeline.cli.doctor import diagnose
from bg_pipeline.cli.money import gate as gate_command
from bg_pipeline.cli.money import ledger as ledger_command
from bg_pipeline.cli.progress import Bars
from bg_pipeline.cli.shell import as_json, owner, print_json
from bg_pipeline.config import PROVIDERS, load_settings
from bg_pipeline.core.credits import Budget, why_closed
from bg_pipeline.core.keys import decode_partition, encode_partition
from bg_pipeline.core.prices import quote
from bg_pipeline.core.records import Entry, Reason, State
from bg_pipeline.core.report import Exit, Failure, Summary, exit_code_of
from bg_pipeline.errors import BgPipelineError, ConfigurationError, GuardStopped
from bg_pipeline.steps.alerting import after_sync, note_failure
from bg_pipeline.steps.detect import plan as plan_delta
from bg_pipeline.steps.detect import scan
from bg_pipeline.steps.gate import look
from bg_pipeline.steps.money import left_of, standing
from bg_pipeline.steps.parts import Parts
from bg_pipeline.steps.process import process
from bg_pipeline.steps.sync import sync as run_sync
from bg_pipeline.steps.trash import restore
from bg_pipeline.wiring import opened

ONLY = {
    "new": frozenset({Reason.NEW, Reason.RENAMED, Reason.DUPLICATE, Reason.UNFINISHED}),
    "changed": frozenset({Reason.CHANGED, Reason.RECIPE_CHANGED, Reason.OUTPUT_MISSING, Reason.UNFINISHED}),
}
"""What an earlier run began is in each: an interrupted `--only` goes on where it was."""


class _Group(click.Group):
    """Turns the errors of this package into a sentence and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BgPipelineError as error:
            click.echo(f"bg-pipeline: {show.printable(str(error))}", err=True)
            ctx.exit(exit_code_of(error))


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(bg_pipeline.__version__, prog_name="bg-pipeline")
@click.option("-v", "--verbose", is_flag=True, help="Tell on standard error what services refuse, in their words.")
def main(verbose: bool) -> None:
    """
    Keeps background-removed cutouts in step with a catalogue of product pictures.

    Settings come from the environment, .env and bg_pipeline.toml. Exit codes: 0 done, 1 some items failed,
    2 settings, 3 paused, 4 budget reached, 5 a guard stopped it, 6 another run holds the lease, 7 fatal.
    """
    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.WARNING if verbose else logging.CRITICAL)


@main.command()
@as_json
def plan(as_json: bool) -> None:
    """What the next sync would do and cost. Spends nothing; remembers what it hashed."""
    settings = load_settings()
    with opened(settings) as parts, Bars() as bars:
        found = scan(parts, owner(), bars)
        delta = plan_delta(parts)
        balances = {provider: left_of(parts, look(parts, provider)) for provider in parts.providers}
        providers = {
            name: quote(settings.cut(name), delta.purchases, balances.get(name), parts.thresholds.low)
            for name in PROVIDERS
        }
        pending = {encode_partition(name): {"pending": len(work)} for name, work in delta.by_collection().items()}
    if as_json:
        print_json(
            {
                "counts": delta.counts,
                "purchases": delta.purchases,
                "credits": float(delta.credits),
                "providers": providers,
                "collections": pending,
            }
        )
        return
    out = show.console()
    show.show_scan(out, found, settings.source_name)
    show.show_delta(out, delta)
    show.show_providers(out, providers)
    if delta.purchases:
        out.print("at the most: what turns out to be no picture, cut out already, or only saved anew costs nothing")
    if pending:
        rows = [(name, str(facts["pending"])) for name, facts in pending.items()]
        out.print(show.grid(("collection", "pending"), rows, numbers=(1,)))


@main.command()
@click.option("--collection", metavar="C", help="Only this collection; `.` is the top folder.")
@click.option("--max-credits", type=click.FloatRange(min=0), metavar="N", help="Stop before spending more.")
@click.option("--only", type=click.Choice(["new", "changed", "failed"]), help="Only this part of the delta.")
@click.option("--apply-recipe-change", is_flag=True, help="Buy again what was cut by another recipe.")
@click.option(
    "--recipe-change-share",
    type=click.IntRange(min=1),
    metavar="N",
    help="Buy N of those, the oldest cutouts first.",
)
@click.option(
    "--allow-deletes",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="Let so many cutouts of deleted pictures go to the trash, this once.",
)
@as_json
def sync(
    collection: str | None,
    max_credits: float | None,
    only: str | None,
    apply_recipe_change: bool,
    recipe_change_share: int | None,
    allow_deletes: int,
    as_json: bool,
) -> None:
    """The nightly job, here and now."""
    settings = load_settings()
    cap = settings.bg_max_credits_per_run if max_credits is None else Decimal(str(max_credits))
    with _stoppable() as stop, opened(settings, stop) as parts, Bars() as bars:
        failed = frozenset(parts.manifest.retry(_collection(collection))) if only == "failed" else None
        with _alerting(parts):
            done = run_sync(
                parts,
                owner(),
                Budget(_run_name(), cap),
                bars,
                collection=_collection(collection),
                only=ONLY.get(only or ""),
                keys=failed,
                apply_recipe_change=apply_recipe_change or recipe_change_share is not None,
                recipe_change_limit=recipe_change_share,
                allow_deletes=allow_deletes,
            )
            if done.trashed.stopped:
                note_failure(parts, GuardStopped(done.trashed.stopped))
    if not as_json:
        out = show.console()
        show.show_scan(out, done.scan, settings.source_name)
        show.show_delta(out, done.delta)
        show.show_trashed(out, done.trashed)
    if done.trashed.stopped:
        _show_summary(done.summary, as_json)
        raise GuardStopped(done.trashed.stopped)
    _end_with(done.summary, as_json)


@main.command()
@as_json
def status(as_json: bool) -> None:
    """Items by state, the gate, and what was spent."""
    settings = load_settings()
    with opened(settings) as parts:
        last = max((ended for kind in ("sync", "process") for ended, _ in parts.control.syncs(kind)), default=None)
        gates = {provider: standing(parts, provider) for provider in parts.providers}
        facts: dict[str, Any] = {
            "items": parts.manifest.states(),
            "gate": {name: {each: facts[each] for each in _GATE_FACTS} for name, facts in gates.items()},
            "last_sync": show.iso(last) if last else None,
            "credits_30d": sum(g["charged"] for g in gates.values()),
            "runs_out_on": gates[parts.provider]["runs_out_on"],
        }
        closed = [
            why_closed(gate, parts.thresholds, left_of(parts, gate))
            for provider in parts.providers
            if not (gate := parts.control.gate(provider)).is_open
        ]
        waiting = parts.manifest.pending_collections()
    if as_json:
        print_json(facts)
        return
    out = show.console()
    out.print(show.grid(("state", "items"), [(s, str(n)) for s, n in facts["items"].items()], numbers=(1,)))
    out.print(f"gate: {'; '.join(closed) or 'open'}")
    out.print(
        f"last sync: {facts['last_sync'] or 'never'}; credits in 30 days: {show.number(facts['credits_30d'])}; "
        f"balance: {show.number(gates[settings.recipe.cut.provider]['balance'])}; "
        f"runs out on: {facts['runs_out_on'] or '–'}"
    )
    if waiting:
        out.print("pending: " + ", ".join(f"{encode_partition(c)} {n}" for c, n in waiting.items()))


@main.command()
@as_json
def failures(as_json: bool) -> None:
    """What failed or is in quarantine, and why."""
    with opened(load_settings()) as parts:
        found = [
            Failure(entry.key, entry.state.value, entry.detail)
            for state in (State.FAILED, State.QUARANTINED)
            for entry in parts.manifest.in_state(state)
        ]
    if as_json:
        print_json([{"key": f.key, "state": f.state, "why": f.detail} for f in found])
        return
    out = show.console()
    show.show_failures(out, found)
    states = {f.state for f in found}
    if State.FAILED in states:
        out.print("try again: bg-pipeline retry [KEY ...]")
    if State.QUARANTINED in states:
        out.print("look and decide: bg-pipeline review")
    if not states:
        out.print("nothing failed")


@main.command()
@click.argument("keys", nargs=-1, metavar="[KEY]...")
@click.option("--collection", metavar="C", help="Only this collection; `.` is the top folder.")
@as_json
def retry(keys: tuple[str, ...], collection: str | None, as_json: bool) -> None:
    """Try failed items again: those named, or all."""
    settings = load_settings()
    total = Summary()
    with _stoppable() as stop, opened(settings, stop) as parts, Bars() as bars:
        for key in keys:
            _known(parts, key)
        again = frozenset(parts.manifest.retry(_collection(collection), keys))
        budget = Budget(_run_name(), settings.bg_max_credits_per_run)
        for name in sorted({_known(parts, key).collection for key in again}):
            summary, _ = process(parts, name, owner(), budget, bars, keys=again)
            total.add(summary)
            if total.paused or total.budget_reached:
                break
    if not again and not as_json:
        click.echo("nothing failed that could be tried again")
        return
    _end_with(total, as_json)


@main.command()
@click.argument("action", type=click.Choice(["list", "restore"]), default="list")
@click.argument("keys", nargs=-1, metavar="[KEY]...")
@as_json
def trash(action: str, keys: tuple[str, ...], as_json: bool) -> None:
    """Cutouts of deleted pictures; puts back those named, to stay."""
    if (action == "restore") != bool(keys):
        raise click.UsageError("name the pictures whose cutouts are to be restored: bg-pipeline trash restore KEY ...")
    settings = load_settings()
    with opened(settings) as parts:
        if action == "restore":
            back = restore(parts, owner(), keys)
            if as_json:
                print_json({"restored": back})
            else:
                click.echo("\n".join(f"restored {show.printable(name)}" for name in back))
            return
        found = parts.manifest.in_trash()
    if as_json:
        print_json([{"key": e.key, "trash": e.trash_name, "since": show.iso(e.trashed_at or 0.0)} for e in found])
    else:
        show.show_trash(show.console(), found, settings.bg_trash_days)


@main.command()
@click.argument("key")
@as_json
def why(key: str, as_json: bool) -> None:
    """One item's story, with every purchase tried."""
    with opened(load_settings()) as parts:
        entry = _known(parts, key)
        found = show.story(entry, parts.ledger.attempts(entry.work_id) if entry.work_id else [])
    if as_json:
        print_json(found)
    else:
        show.show_story(show.console(), found)


@main.command()
@as_json
def doctor(as_json: bool) -> None:
    """Finds what would keep a sync from working."""
    findings = list(diagnose())
    if as_json:
        print_json([{"check": f.check, "ok": f.ok, "detail": f.detail} for f in findings])
    else:
        show.show_findings(show.console(), findings)
    click.get_current_context().exit(Exit.DONE if all(f.ok for f in findings) else Exit.SETTINGS)


@main.command()
@click.option("--port", default=8787, show_default=True, type=click.IntRange(0, 65535))
@click.option(
    "--credits", "credit_count", default=1000.0, show_default=True, type=click.FloatRange(min=0), help="At each vendor."
)
@click.option("--latency", default=0.0, show_default=True, type=click.FloatRange(min=0), metavar="S")
@click.option("--faults", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="JSON list of faults.")
@click.option(
    "--fault-rate",
    default=0.0,
    show_default=True,
    type=click.FloatRange(0, 1),
    help="Share of the calls that go wrong by chance.",
)
@click.option("--seed", default=0, show_default=True, help="The same seed spoils the same calls.")
def sandbox(port: int, credit_count: float, latency: float, faults: Path | None, fault_rate: float, seed: int) -> None:
    """Three simulated vendors: real wire formats, play money."""
    # Only this command needs a server.
    from bg_pipeline.sandbox.faults import Chance, load_faults  # noqa: PLC0415
    from bg_pipeline.sandbox.serve import serve  # noqa: PLC0415
    from bg_pipeline.sandbox.state import DEFAULT_CREDITS, SandboxState  # noqa: PLC0415

    state = SandboxState(
        dict.fromkeys(DEFAULT_CREDITS, Decimal(str(credit_count))),
        latency_s=latency,
        faults=load_faults(faults) if faults else [],
        chance=Chance(rate=fault_rate, seed=seed),
    )
    serve(port, state, _announce)


@main.command()
@click.option("--keep", type=click.Path(path_type=Path, file_okay=False), metavar="DIR", help="Keep everything in DIR.")
def demo(keep: Path | None) -> None:
    """The whole job on sample pictures; no key needed."""
    from bg_pipeline.cli.demo import run_demo  # noqa: PLC0415  it draws its pictures with numpy

    run_demo(keep)


main.add_command(ledger_command)
main.add_command(gate_command)
main.add_command(alert_test)


def _announce(base_url: str) -> None:
    # bgeraser's prefix tells its account from Photoroom's, where both have the same path.
    keys = {"bgeraser": "bge_any", "removebg": "any", "photoroom": "any"}
    click.echo(f"sandbox at {base_url} (Ctrl-C ends it); use it with one of")
    for provider, key in keys.items():
        name = provider.upper()
        click.echo(f"  BG_PROVIDER={provider} {name}_API_KEY={key} {name}_BASE_URL={base_url}")
    click.echo(f"ledger: {base_url}/_sandbox/ledger   state: {base_url}/_sandbox/state")


_GATE_FACTS = ("state", "reason", "balance")

_SYNC_FACTS = (
    *("published", "purchases", "credits", "duplicates", "renamed", "failed", "quarantined", "pending"),
    *("paused", "seconds", "saved", "in_doubt", "credits_in_doubt", "wasted", "bought_from"),
)


def _show_summary(summary: Summary, as_json: bool) -> None:
    if as_json:
        facts = summary.as_dict()
        print_json({name: facts[name] for name in _SYNC_FACTS})
    else:
        show.show_summary(show.console(), summary)


def _end_with(summary: Summary, as_json: bool) -> None:
    _show_summary(summary, as_json)
    click.get_current_context().exit(summary.exit_code)


def _known(parts: Parts, key: str) -> Entry:
    entry = parts.manifest.entry(key)
    if entry is None:
        raise ConfigurationError(f"{key!r} is not in the manifest: write it as `plan` and `failures` show it")
    return entry


def _collection(option: str | None) -> str | None:
    return None if option is None else decode_partition(option)


def _run_name() -> str:
    return f"command {datetime.now(UTC).isoformat(timespec='seconds')} {os.getpid()}"


@contextlib.contextmanager
def _alerting(parts: Parts) -> Iterator[None]:
    """Tells those in BG_ALERT_URLS afterwards what is wrong, also when that is what ended it."""
    try:
        yield
    except BgPipelineError as error:
        _warn(after_sync(parts, error))
        raise
    _warn(after_sync(parts))


def _warn(lines: Sequence[str]) -> None:
    for line in lines:
        click.echo(f"bg-pipeline: {show.printable(line)}", err=True)


@contextlib.contextmanager
def _stoppable() -> Iterator[threading.Event]:
    """An event that the first Ctrl-C or SIGTERM sets; the second ends the process as usual."""
    stop = threading.Event()

    def on_signal(number: int, _frame: object) -> None:
        stop.set()
        signal.signal(number, signal.SIG_DFL)
        click.echo("stopping: what is in flight is finished and kept", err=True)

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


for command in (upkeep.check, upkeep.rebuild, upkeep.adopt, upkeep.review):
    main.add_command(command)
