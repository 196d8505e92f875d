"""Checks for problems that would stop a sync."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import click
from pydantic import SecretStr

from bg_pipeline.alerts.apprise import unusable
from bg_pipeline.cli import render
from bg_pipeline.cli.catalogues import named_catalogues, one_catalogue
from bg_pipeline.cli.options import as_json, print_json
from bg_pipeline.cli.terminal import Terminal
from bg_pipeline.core.agreement import Purpose
from bg_pipeline.core.credits import NO_BALANCE, why_closed
from bg_pipeline.core.moments import TOLERANCE_S
from bg_pipeline.core.report import Exit
from bg_pipeline.errors import BgPipelineError, ConfigurationError
from bg_pipeline.manifest.presence import is_missing
from bg_pipeline.pipeline.ownership import find_foreign_store
from bg_pipeline.ports.context import Catalogue, Pipeline
from bg_pipeline.ports.source import ImageSource
from bg_pipeline.ports.stores import PROBE_BYTES, BlobStore
from bg_pipeline.purchasing.gate import read_balance
from bg_pipeline.purchasing.money import free_calls
from bg_pipeline.settings.reader import RawSettings, dagster_home, read
from bg_pipeline.stores import registry as stores
from bg_pipeline.stores.locations import missing_folder
from bg_pipeline.vendors import registry as vendors
from bg_pipeline.wiring import open_pipeline
from bg_pipeline.wiring.accounts import Account
from bg_pipeline.wiring.settings import Settings, settings_of
from bg_pipeline.wiring.written import find_unknown, values

T = TypeVar("T")

_WHEN = (
    "A running Dagster reads a changed file at its next run; BG_NIGHTLY_CRON, BG_TIMEZONE and the names of Dagster's "
    "own parts wait until its code location is reloaded"
)


@dataclass(frozen=True, slots=True)
class Finding:
    """Result of one check."""

    check: str
    ok: bool
    detail: str
    is_warning: bool = False
    """True for what is probably a slip, and stops nothing."""


def diagnose(catalogue: str | None = None) -> Iterator[Finding]:
    """
    Yield findings in the order in which a person would fix them; stop early where further checks make no sense.

    Args:
        catalogue: name of the catalogue to check; None for all.
    """
    try:
        raw = read()
        yield from (Finding(each.name, True, f"{each.text} ({each.origin})") for each in values(raw))
        yield from (
            Finding(each.name.upper(), True, str(each), True) for each in find_unknown(raw) if not each.is_error
        )
        names = named_catalogues(raw, catalogue)
    except ConfigurationError as error:
        yield Finding("settings", False, str(error))
        yield Finding("DAGSTER_HOME", *_home(None))
        return
    complete: list[Settings] = []
    for name in names:
        finding, settings = _settings(raw, name, is_one_of_several=len(names) > 1)
        yield finding
        complete += [settings] if settings else []
    if not complete:
        yield Finding("DAGSTER_HOME", *_home(None))
        return
    yield Finding("changed settings", True, _WHEN)
    yield _finding("vendors", _vendors)
    yield _finding("stores", _stores)
    yield _finding("alerts", lambda: _alerts(complete[0]))
    home_is_right, about_home = _home(raw)
    yield Finding("DAGSTER_HOME", home_is_right, about_home)
    yield from (each for each in _dagster() if each.check == "schedule" or (home_is_right and dagster_home()))
    for settings in complete:
        prefix = f"{settings.catalogue_name}: " if len(names) > 1 else ""
        yield from (replace(each, check=f"{prefix}{each.check}") for each in _of_catalogue(settings))


def _settings(raw: RawSettings, name: str, *, is_one_of_several: bool) -> tuple[Finding, Settings | None]:
    """Check the settings of one catalogue; return None in their place if they are wrong."""
    check = f"{name}: settings" if is_one_of_several else "settings"
    try:
        settings = settings_of(raw, name)
    except ConfigurationError as error:
        return Finding(check, False, str(error)), None
    return Finding(check, True, f"complete; relative paths start at {raw.folder}"), settings


def _of_catalogue(settings: Settings) -> Iterator[Finding]:
    yield from (Finding("end of service", True, end, True) for end in settings.ends_of_service(time.time()))
    engines = [_finding(f"engine {account.name}", partial(_engine, account)) for account in settings.accounts]
    yield from engines
    if all(engine.ok for engine in engines):
        yield from _of_pipeline(settings)


def _of_pipeline(settings: Settings) -> Iterator[Finding]:
    """Check what needs the manifest. If there is none, an empty one elsewhere takes its place: nothing is created."""
    location = settings.purchasing.state.get_secret_value()
    try:
        with ExitStack() as until_end:
            if is_missing(location):
                folder = until_end.enter_context(TemporaryDirectory(prefix="bgp-doctor-"))
                settings = _with_manifest(settings, f"sqlite:///{folder}/manifest.db")
                yield Finding("manifest", True, "none yet; the first sync creates it")
            pipeline = until_end.enter_context(open_pipeline(settings))
            if location == settings.purchasing.state.get_secret_value():
                yield _finding("manifest", lambda: _items(pipeline))
            for name, look_at in _checks(settings, pipeline):
                yield _finding(name, look_at)
    except BgPipelineError as error:
        yield Finding("manifest", False, str(error))


def _with_manifest(settings: Settings, location: str) -> Settings:
    purchasing = settings.purchasing.model_copy(update={"state": SecretStr(location)})
    masters = settings.masters.model_copy(update={"spool": settings.spool})
    return replace(settings, purchasing=purchasing, masters=masters)


def _items(pipeline: Pipeline) -> str:
    return f"{pipeline.identity.location}: {sum(pipeline.catalogue.items.states().values())} items"


def _home(raw: RawSettings | None) -> tuple[bool, str]:
    """Return if DAGSTER_HOME can be used, and what there is to say about it."""
    home = dagster_home()
    if home and not Path(home).is_absolute():
        return False, f"{home} is a relative path, which Dagster refuses: write it in full"
    if home and not Path(home).is_dir():
        return False, f"{home} does not exist: `python -m bg_pipeline.orchestration.home` creates it"
    if not home and raw is not None and "dagster_home" in raw.origins:
        return False, (
            f"set in {raw.origins['dagster_home']}, where only some of Dagster's programs see it: set it in the "
            "environment"
        )
    return True, home or (
        "not set. The command line does not need it; without it, Dagster forgets its runs and schedules when it ends"
    )


def _alerts(settings: Settings) -> str:
    urls = settings.alerts.urls
    if wrong := unusable(urls):
        raise ConfigurationError(
            f"BG_ALERT_URLS: Apprise cannot use entry {', '.join(map(str, wrong))}: compare it with "
            "https://github.com/caronc/apprise/wiki"
        )
    return f"{len(urls)} targets; `bg-pipeline alert-test` sends a test" if urls else "BG_ALERT_URLS names no target"


def _engine(account: Account) -> str:
    account.plugin.client(account.settings, _never)
    return account.plugin.about(account.settings)


def _never(function: Callable[..., T], *args: Any) -> T:
    raise AssertionError(f"the doctor cuts nothing: {function} {args}")


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
    yield "clock", lambda: _clock(pipeline)
    yield "identity", lambda: _ours(pipeline)
    yield "other hosts", lambda: _as_elsewhere(pipeline)
    yield "source", lambda: _first_key(settings, catalogue.source)
    yield "output", lambda: _writable(catalogue.outputs, settings.catalogue.output)
    yield "masters", lambda: _writable(accounts.masters, settings.masters.masters)
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


def _clock(pipeline: Pipeline) -> str:
    ahead_s = pipeline.clock_ahead()
    if abs(ahead_s) > TOLERANCE_S:
        raise ConfigurationError(
            f"the clock of this machine is {abs(ahead_s):.0f} s {'ahead of' if ahead_s > 0 else 'behind'} the manifest "
            "database's, which counts: set the wrong one by a time service (NTP)"
        )
    return "the clock of this machine agrees with the time that counts, which is the manifest database's"


def _ours(pipeline: Pipeline) -> str:
    if foreign := find_foreign_store(pipeline):
        raise foreign
    return "no store belongs to another manifest"


def _as_elsewhere(pipeline: Pipeline) -> str:
    pipeline.agree(Purpose.LOOK)
    return "no other host works for this catalogue with other settings"


def _writable(store: BlobStore, location: str) -> str:
    folder = missing_folder(location)
    if folder is not None:
        return _creatable(store, folder)
    store.probe()
    return f"{location} can be written"


def _creatable(store: BlobStore, folder: Path) -> str:
    """Check that the folder of a store can be created, and has room, without a trial: the doctor creates nothing."""
    parent = next(each for each in folder.parents if each.exists())
    if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
        raise ConfigurationError(f"{folder} cannot be created: {parent} cannot be written")
    free = store.free_bytes()
    if free is not None and free < PROBE_BYTES:
        raise ConfigurationError(
            f"{folder} does not exist yet, and its disk has no room left ({free} bytes): make room"
        )
    return f"{folder} does not exist yet; the first sync creates it"


def _spool(settings: Settings, spool: BlobStore) -> str:
    said = _writable(spool, settings.spool)
    shared = (
        ""
        if settings.purchasing.state.get_secret_value().startswith("sqlite") or "://" in settings.spool
        else ("; if several machines work on this manifest, it must be a volume that all of them share")
    )
    return f"{said}{shared}"


def _balance(pipeline: Pipeline, account: str) -> str:
    _, accounts, policy, run = pipeline.context
    balance = accounts.removers[account].balance()
    gate = read_balance(accounts, policy, run, account)
    if not gate.is_open:
        raise ConfigurationError(why_closed(gate, policy.thresholds[account]))
    facts = [f"{account} answers", "" if balance is None else f"{balance} credits"]
    vendor, cut = next(
        (policy.vendors[name], cut)
        for name, cut in zip(policy.accounts, policy.recipe.cuts, strict=True)
        if name == account
    )
    if not vendor.has_balance:
        facts = [f"{account}: {NO_BALANCE}"]
    if (quota := vendor.variants[cut.variant].free_calls) is not None:
        facts.append(free_calls(accounts, run, account, quota))
    return "; ".join(filter(None, facts))


def _at_work(catalogue: Catalogue) -> str:
    held = [f"{lease.name}: {lease.owner}" for lease, _ in catalogue.leases.leases()]
    claimed = sorted({f"items: {claim.owner} ({claim.ask.asked_by})" for claim in catalogue.queue.claims()})
    return "; ".join([*held, *claimed]) or "none held"


@click.command()
@one_catalogue
@as_json
def doctor(catalogue: str | None, as_json: bool) -> None:
    """Find problems that would stop a sync. Of all catalogues, or of one."""
    findings = list(diagnose(catalogue))
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        rows = [("??" if f.is_warning else "ok" if f.ok else "NO", f.check, f.detail) for f in findings]
        Terminal().print(render.grid(("", "check", "detail"), rows))
    click.get_current_context().exit(Exit.DONE if all(f.ok for f in findings) else Exit.SETTINGS)
