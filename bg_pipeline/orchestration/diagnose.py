"""
Checks of the Dagster setup: `python -m bg_pipeline.orchestration.diagnose`.

Prints a JSON list of findings, each with `check`, `ok` and `detail`. A separate program, because the command line
works without Dagster.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg

from bg_pipeline.errors import BgPipelineError, ConfigurationError
from bg_pipeline.manifest.presence import is_missing
from bg_pipeline.orchestration.definitions import OPENERS
from bg_pipeline.orchestration.opener import Opener
from bg_pipeline.orchestration.runs import find_dead_runs
from bg_pipeline.purchasing.settings import StateSettings
from bg_pipeline.settings.reader import dagster_home, read
from bg_pipeline.wiring import open_monitor

_START = "Start `dagster dev`, or `dagster-daemon run`, with this DAGSTER_HOME"


def diagnose() -> Iterator[dict[str, Any]]:
    """Return findings in the order in which a person would fix them."""
    for opener in OPENERS:
        yield _schedule(opener)
    home = dagster_home()
    if not home:
        yield _finding("DAGSTER_HOME", "not set: Dagster forgets its runs and schedules when it ends")
        return
    if not (Path(home) / "dagster.yaml").is_file():
        default = Path(__file__).with_name("dagster.yaml")
        yield _finding("dagster.yaml", f"{home} has none, so no limit and no retention applies: copy {default} there")
        return
    if len(list(Path(home).iterdir())) == 1:
        # Opening it would create Dagster's records.
        yield _finding("Dagster's daemon", f"never ran, so no schedule and no sensor starts anything. {_START}")
        return
    with dg.DagsterInstance.get() as instance:
        yield _daemons(instance)
        yield _switched_off(instance)
        yield _dead_runs(instance)


def _schedule(opener: Opener) -> dict[str, Any]:
    check = " ".join(["schedule", *filter(None, [opener.names.catalogue])])
    try:
        schedule = opener.schedule()
    except ConfigurationError as error:
        return _finding(check, str(error))
    return {"check": check, "ok": True, "detail": f"{schedule.nightly_cron}, {schedule.timezone}"}


def _daemons(instance: dg.DagsterInstance) -> dict[str, Any]:
    statuses = instance.get_daemon_statuses()
    required = {kind: status for kind, status in statuses.items() if status.required}
    silent = [kind.lower() for kind, status in required.items() if not status.healthy]
    if not any(status.last_heartbeat for status in required.values()):
        return _finding("Dagster's daemon", f"never ran, so no schedule and no sensor starts anything. {_START}")
    return _finding("Dagster's daemon", f"no heartbeat: {', '.join(silent)}. {_START}" if silent else "")


def _switched_off(instance: dg.DagsterInstance) -> dict[str, Any]:
    off = [state.instigator_name for state in instance.all_instigator_state() if not state.is_running]
    return _finding(
        "schedule and sensors",
        f"switched off: {', '.join(off)}. Switch them on in the UI, under Automation" if off else "",
    )


def _dead_runs(instance: dg.DagsterInstance) -> dict[str, Any]:
    raw = read()
    if is_missing(raw.part(StateSettings).state.get_secret_value()):
        return _finding("runs", "")
    dead: list[str] = []
    for opener in OPENERS:
        with open_monitor(raw, opener.names.catalogue) as monitor:
            dead += [each.dagster_run.run_id[:8] for each in find_dead_runs(instance, monitor, opener.names)]
    why = f"their process is gone: {', '.join(dead)}. `lost_runs` marks them as failed, or terminate them in the UI"
    return _finding("runs", why if dead else "")


def _finding(check: str, problem: str) -> dict[str, Any]:
    return {"check": check, "ok": not problem, "detail": problem or "no problem"}


if __name__ == "__main__":
    try:
        print(json.dumps(list(diagnose())))  # noqa: T201  its one output
    except BgPipelineError as error:
        sys.exit(str(error))
