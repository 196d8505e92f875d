"""Checks for problems that would stop a sync."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import click

from bg_pipeline.cli import render
from bg_pipeline.cli.options import as_json, print_json
from bg_pipeline.cli.terminal import Terminal
from bg_pipeline.core.credits import why_closed
from bg_pipeline.core.report import Exit
from bg_pipeline.errors import BgPipelineError, ConfigurationError
from bg_pipeline.pipeline.ownership import find_foreign_store
from bg_pipeline.ports.catalogue import ImageSource
from bg_pipeline.ports.context import Catalogue, Pipeline
from bg_pipeline.ports.stores import BlobStore
from bg_pipeline.purchasing.gate import read_balance
from bg_pipeline.settings.reader import dagster_home
from bg_pipeline.stores import registry as stores
from bg_pipeline.vendors import registry as vendors
from bg_pipeline.wiring import open_pipeline
from bg_pipeline.wiring.settings import Settings, load_settings


@dataclass(frozen=True, slots=True)
class Finding:
    """Result of one check."""

    check: str
    ok: bool
    detail: str


def diagnose() -> Iterator[Finding]:
    """Yield findings in the order in which a person would fix them; stop early where further checks make no sense."""
    try:
        settings = load_settings()
    except ConfigurationError as error:
        yield Finding("settings", False, str(error))
        return
    yield Finding("settings", True, f"complete; relative paths start at {settings.raw.folder}")
    yield _finding("vendors", _vendors)
    yield _finding("stores", _stores)
    without = (
        "not set. The command line does not need it; without it, Dagster forgets its runs and schedules when it ends"
    )
    yield Finding("DAGSTER_HOME", True, dagster_home() or without)
    if dagster_home():
        yield from _dagster()
    try:
        with open_pipeline(settings) as pipeline:
            for name, look_at in _checks(settings, pipeline):
                yield _finding(name, look_at)
    except BgPipelineError as error:
        yield Finding("manifest", False, str(error))


def _vendors() -> str:
    """Load every installed vendor, to check that it works."""
    problems = []
    for each in vendors.installed():
        try:
            each.load()
        except ConfigurationError as error:
            problems.append(str(error))
    if problems:
        raise ConfigurationError("; ".join(problems))
    return ", ".join(f"{each.name} ({each.origin})" for each in vendors.installed())


def _stores() -> str:
    kinds = list(stores.installed())
    if problems := [each.problem for each in kinds if each.problem]:
        raise ConfigurationError("; ".join(problems))
    return ", ".join(f"{each.example} ({each.origin})" for each in kinds)


def _dagster() -> Iterator[Finding]:
    """Check Dagster in a separate process: the command line works without Dagster."""
    command = [sys.executable, "-m", "bg_pipeline.orchestration.diagnose"]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    if process.returncode:
        yield Finding("Dagster", False, process.stderr.strip().rpartition("\n")[2])
        return
    for finding in json.loads(process.stdout):
        yield Finding(**finding)


def _checks(settings: Settings, pipeline: Pipeline) -> Iterator[tuple[str, Callable[[], str]]]:
    catalogue, accounts = pipeline.catalogue, pipeline.accounts
    yield "manifest", lambda: f"{pipeline.identity.location}: {sum(catalogue.items.states().values())} items"
    yield "identity", lambda: _ours(pipeline)
    yield "source", lambda: _first_key(settings, catalogue.source)
    yield "output", lambda: _writable(catalogue.outputs.probe, settings.catalogue.output)
    yield "masters", lambda: _writable(accounts.masters.probe, settings.masters.masters)
    yield "spool", lambda: _spool(settings, accounts.spool)
    yield "gallery", lambda: settings.catalogue.gallery
    for account in pipeline.policy.accounts:
        yield f"account {account}", lambda account=account: _balance(pipeline, account)  # type: ignore[misc]
    yield "leases", lambda: _at_work(catalogue)


def _finding(name: str, look_at: Callable[[], str]) -> Finding:
    try:
        return Finding(name, True, look_at())
    except BgPipelineError as error:
        return Finding(name, False, str(error))


def _first_key(settings: Settings, source: ImageSource) -> str:
    first = next((listed for listed in source.list() if not listed.problem), None)
    if first is None:
        raise ConfigurationError(
            f"{settings.catalogue.source_name} is empty: set BG_SOURCE to the folder with your pictures"
        )
    return f"{settings.catalogue.source_name} can be listed; it starts with {first.key}"


def _ours(pipeline: Pipeline) -> str:
    if foreign := find_foreign_store(pipeline):
        raise foreign
    return "no store belongs to another manifest"


def _writable(probe: Callable[[], None], location: str) -> str:
    probe()
    return f"{location} can be written"


def _spool(settings: Settings, spool: BlobStore) -> str:
    spool.probe()
    shared = (
        ""
        if settings.purchasing.state.get_secret_value().startswith("sqlite") or "://" in settings.spool
        else ("; if several machines work on this manifest, it must be a volume that all of them share")
    )
    return f"{settings.spool} can be written{shared}"


def _balance(pipeline: Pipeline, account: str) -> str:
    _, accounts, policy, run = pipeline.context
    balance = accounts.removers[account].balance()
    gate = read_balance(accounts, policy, run, account)
    if not gate.is_open:
        raise ConfigurationError(why_closed(gate, policy.thresholds))
    return f"{account} answers" + ("" if balance is None else f"; {balance} credits")


def _at_work(catalogue: Catalogue) -> str:
    held = [f"{lease.name}: {lease.owner}" for lease, _ in catalogue.leases.leases()]
    claimed = sorted({f"items: {claim.owner} ({claim.ask.asked_by})" for claim in catalogue.queue.claims()})
    return "; ".join([*held, *claimed]) or "none held"


@click.command()
@as_json
def doctor(as_json: bool) -> None:
    """Find problems that would stop a sync."""
    findings = list(diagnose())
    if as_json:
        print_json([{"check": f.check, "ok": f.ok, "detail": f.detail} for f in findings])
    else:
        rows = [("ok" if f.ok else "NO", f.check, f.detail) for f in findings]
        Terminal().print(render.grid(("", "check", "detail"), rows))
    click.get_current_context().exit(Exit.DONE if all(f.ok for f in findings) else Exit.SETTINGS)
