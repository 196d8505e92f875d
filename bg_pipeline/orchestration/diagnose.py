"""
Checks of the Dagster setup: `python -m bg_pipeline.orchestration.diagnose`.

Prints a JSON list of findings, each with `check`, `ok` and `detail`. A program of its own, because the command line
works without Dagster.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg

from bg_pipeline.errors import BgPipelineError
from bg_pipeline.orchestration.runs import find_dead_runs
from bg_pipeline.settings.reader import dagster_home
from bg_pipeline.wiring import open_pipeline
from bg_pipeline.wiring.settings import load_settings

_START = "start `dagster dev`, or `dagster-daemon run`, with this DAGSTER_HOME"


def diagnose() -> Iterator[dict[str, Any]]:
    """Return findings in the order in which a person would fix them."""
    home = dagster_home()
    if not home:
        yield _finding("DAGSTER_HOME", "not set: Dagster would forget its runs and schedules when it ends")
        return
    if not (Path(home) / "dagster.yaml").is_file():
        ours = Path(__file__).with_name("dagster.yaml")
        yield _finding("dagster.yaml", f"{home} has none, so neither limits nor retention: copy {ours} there")
        return
    with dg.DagsterInstance.get() as instance:
        yield _daemons(instance)
        yield _switched_off(instance)
        yield _zombies(instance)


def _daemons(instance: dg.DagsterInstance) -> dict[str, Any]:
    found = instance.get_daemon_statuses()
    wanted = {kind: status for kind, status in found.items() if status.required}
    silent = [kind.lower() for kind, status in wanted.items() if not status.healthy]
    if not any(status.last_heartbeat for status in wanted.values()):
        return _finding("Dagster's daemon", f"never ran: nothing starts by itself. {_START}")
    return _finding("Dagster's daemon", f"silent: {', '.join(silent)}. {_START}" if silent else "")


def _switched_off(instance: dg.DagsterInstance) -> dict[str, Any]:
    off = [state.instigator_name for state in instance.all_instigator_state() if not state.is_running]
    return _finding(
        "schedule and sensors", f"switched off: {', '.join(off)}. Switch on in the UI, Automation" if off else ""
    )


def _zombies(instance: dg.DagsterInstance) -> dict[str, Any]:
    with open_pipeline(load_settings()) as pipeline:
        dead = [record.dagster_run.run_id[:8] for record in find_dead_runs(instance, pipeline)]
    why = (
        f"started, and no process works on them: {', '.join(dead)}. `lost_runs` marks them as failed; or terminate them"
    )
    return _finding("runs", why if dead else "")


def _finding(check: str, wrong: str) -> dict[str, Any]:
    return {"check": check, "ok": not wrong, "detail": wrong or "as it should be"}


if __name__ == "__main__":
    try:
        print(json.dumps(list(diagnose())))  # noqa: T201  its one output
    except BgPipelineError as error:
        sys.exit(str(error))
