"""What could keep a sync from working, looked at one by one."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bg_pipeline.config import Settings, dagster_home, load_settings
from bg_pipeline.core.credits import why_closed
from bg_pipeline.errors import BgPipelineError, ConfigurationError
from bg_pipeline.steps.gate import look
from bg_pipeline.steps.parts import Parts
from bg_pipeline.wiring import opened


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    check: str
    ok: bool
    detail: str


def diagnose() -> Iterator[Finding]:
    """Findings in the order in which a person would mend them; ends early where the rest makes no sense."""
    try:
        settings = load_settings()
    except ConfigurationError as error:
        yield Finding("settings", False, str(error))
        return
    yield Finding("settings", True, "complete")
    without = "not set. The command line needs none; Dagster would forget its runs and schedules when it ends"
    yield Finding("DAGSTER_HOME", True, dagster_home() or without)
    if dagster_home():
        yield from _dagster()
    try:
        with opened(settings) as parts:
            for name, look_at in _checks(settings, parts):
                yield _finding(name, look_at)
    except BgPipelineError as error:
        yield Finding("manifest", False, str(error))


def _dagster() -> Iterator[Finding]:
    """Asked of a process of its own: the command line works without Dagster."""
    asked = [sys.executable, "-m", "bg_pipeline.orchestration.diagnose"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    if done.returncode:
        yield Finding("Dagster", False, done.stderr.strip().rpartition("\n")[2])
        return
    for finding in json.loads(done.stdout):
        yield Finding(**finding)


def _checks(settings: Settings, parts: Parts) -> Iterator[tuple[str, Callable[[], str]]]:
    yield "manifest", lambda: f"{sum(parts.manifest.states().values())} items"
    yield "source", lambda: _first_key(settings, parts)
    yield "output", lambda: _writable(parts.outputs.probe, settings.bg_output)
    yield "masters", lambda: _writable(parts.masters.probe, settings.bg_masters)
    for provider in parts.providers:
        yield f"provider {provider}", lambda provider=provider: _balance(parts, provider)  # type: ignore[misc]
    yield "leases", lambda: _leases(parts)


def _finding(name: str, look_at: Callable[[], str]) -> Finding:
    try:
        return Finding(name, True, look_at())
    except BgPipelineError as error:
        return Finding(name, False, str(error))


def _first_key(settings: Settings, parts: Parts) -> str:
    first = next(parts.source.list(), None)
    if first is None:
        raise ConfigurationError(f"{settings.source_name} is empty: set BG_SOURCE to the folder with your pictures")
    return f"{settings.source_name} can be listed; it starts with {first.key}"


def _writable(probe: Callable[[], None], place: str) -> str:
    probe()
    return f"{place} can be written"


def _balance(parts: Parts, provider: str) -> str:
    balance = parts.removers[provider].balance()
    gate = look(parts, provider)
    if not gate.is_open:
        raise ConfigurationError(why_closed(gate, parts.thresholds))
    return f"{provider} answers" + ("" if balance is None else f"; {balance} credits")


def _leases(parts: Parts) -> str:
    held = parts.control.leases()
    return "; ".join(f"{lease.name}: {lease.owner}" for lease, _ in held) or "none held"
