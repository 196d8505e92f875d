"""Dagster as an operator runs it, for tests and benchmarks: webserver, daemon and code servers as real processes."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import requests
import yaml

import bg_pipeline
from bg_pipeline.sandbox.segmenter import CutAlpha
from bg_pipeline.sandbox.serve import running_sandbox
from bg_pipeline.sandbox.state import SandboxState
from bg_pipeline_tests.pictures import cut_middle

BIN = Path(sys.executable).parent
ROOT = Path(bg_pipeline.__file__).parent.parent
INSTANCE = Path(bg_pipeline.__file__).parent / "orchestration" / "dagster.yaml"
PATH = f"{BIN}:{os.environ['PATH']}"
TIMEOUT_S = 300.0

_TICK_S = 2.0
"""Seconds that a tick of a sensor takes at most."""

_FAST = """\
# What waits for half a minute waits for two seconds: tests need not wait for minutes.
import sys
import dagster
_sensor = dagster.sensor
dagster.sensor = lambda *args, **options: _sensor(*args, **options | {"minimum_interval_seconds": 2})
import bg_pipeline.core.dispatch
bg_pipeline.core.dispatch.FIRST_WAIT_S = 2.0
bg_pipeline.core.dispatch.GRACE_S = 30.0
import bg_pipeline.core.alerts
bg_pipeline.core.alerts.HOLD_S = 20.0
if any("dagster-daemon" in word for word in sys.orig_argv):
    import dagster._daemon.controller
    import dagster._core.run_coordinator
    dagster._daemon.controller.DEFAULT_DAEMON_INTERVAL_SECONDS = 2
    dagster._core.run_coordinator.QueuedRunCoordinator.dequeue_interval_seconds = 1
    dagster.DagsterInstance.run_monitoring_poll_interval_seconds = 5
"""

_LAUNCH = """
mutation($job: String!, $config: RunConfigData, $tags: [ExecutionTag!]) { launchRun(executionParams: {selector: {
    repositoryLocationName: "bg_pipeline", repositoryName: "__repository__", jobName: $job},
    runConfigData: $config, mode: "default", executionMetadata: {tags: $tags}}) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message }
  ... on RunConfigValidationInvalid { errors { message } } } }
"""

_BACKFILL = """
mutation($names: [String!]!, $config: RunConfigData) { launchPartitionBackfill(backfillParams: {
    assetSelection: [{path: ["cutouts"]}], partitionNames: $names, runConfigData: $config}) {
  __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }
"""

_RUNS = """
{ runsOrError { ... on Runs { results {
    runId jobName status startTime endTime hasConcurrencyKeySlots tags { key value } } } } }
"""

_WORKERS = """
{ runsOrError(filter: {statuses: [STARTING, STARTED]}) { ... on Runs { results {
    runId eventConnection { events { ... on MessageEvent { message } } } } } } }
"""

_TERMINATE = """
mutation($id: String!) { terminateRun(runId: $id) { __typename ... on PythonError { message } } }
"""

_RETRY = """
mutation($id: String!) { launchRunReexecution(reexecutionParams: {parentRunId: $id, strategy: FROM_FAILURE}) {
    __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }
"""

_TICKS = """
query($name: String!) { sensorOrError(sensorSelector: {repositoryLocationName: "bg_pipeline",
    repositoryName: "__repository__", sensorName: $name}) { ... on Sensor { sensorState {
        ticks(limit: 1) { status skipReason error { message } } } } } }
"""

_SENSOR = """
query($name: String!) { sensorOrError(sensorSelector: {repositoryLocationName: "bg_pipeline",
    repositoryName: "__repository__", sensorName: $name}) { ... on Sensor { id sensorState { status } } } }
"""

_START_SENSOR = """
mutation($name: String!) { startSensor(sensorSelector: {repositoryLocationName: "bg_pipeline",
    repositoryName: "__repository__", sensorName: $name}) { __typename ... on PythonError { message } } }
"""

_SCHEDULE = """
query($name: String!) { scheduleOrError(scheduleSelector: {repositoryLocationName: "bg_pipeline",
    repositoryName: "__repository__", scheduleName: $name}) { ... on Schedule { id } } }
"""

_STOP_SENSOR = "mutation($id: String!) { stopSensor(id: $id) { __typename ... on PythonError { message } } }"

_STOP_SCHEDULE = """
mutation($id: String!) { stopRunningSchedule(id: $id) { __typename ... on PythonError { message } } }
"""


@dataclass
class Deployment:
    """One shop with its Dagster, its vendor and its folders."""

    home: Path
    vendor: SandboxState
    url: str
    env: Mapping[str, str]
    processes: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)
    _commands: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def put(self, key: str, data: bytes) -> None:
        (self.home / "images" / key).parent.mkdir(parents=True, exist_ok=True)
        (self.home / "images" / key).write_bytes(data)

    def outputs(self) -> list[str]:
        cutouts = self.home / "cutouts"
        files = (Path(folder, name) for folder, _, names in os.walk(cutouts) for name in names)  # some come and go
        return sorted(file.relative_to(cutouts).as_posix() for file in files if file.suffix == ".png")

    def charges(self) -> int:
        return len(self.vendor.ledger.charges())

    def top_up(self, balance: int) -> None:
        self.vendor.ledger.set_balance("bgeraser", Decimal(balance))

    def ask(self, query: str, **variables: Any) -> Any:
        answer = requests.post(f"{self.url}/graphql", json={"query": query, "variables": variables}, timeout=60)
        answer.raise_for_status()
        found = answer.json()
        assert "errors" not in found, found
        return found["data"]

    def launch(self, job: str, *, config: Any = None, tags: Mapping[str, str] | None = None) -> str:
        """Returns the id of a run of this job."""
        listed = [{"key": key, "value": value} for key, value in (tags or {}).items()]
        done = self.ask(_LAUNCH, job=job, config=config or {}, tags=listed)["launchRun"]
        assert done["__typename"] == "LaunchRunSuccess", done
        return str(done["run"]["runId"])

    def backfill(self, *names: str, config: Any = None) -> str:
        """Returns the id of a backfill of `cutouts`."""
        done = self.ask(_BACKFILL, names=list(names), config=config or {})["launchPartitionBackfill"]
        assert done["__typename"] == "LaunchBackfillSuccess", done
        return str(done["backfillId"])

    def terminate(self, run_id: str) -> None:
        done = self.ask(_TERMINATE, id=run_id)["terminateRun"]
        assert done["__typename"] == "TerminateRunSuccess", done

    def reexecute_from_failure(self, run_id: str) -> str:
        done = self.ask(_RETRY, id=run_id)["launchRunReexecution"]
        assert done["__typename"] == "LaunchRunSuccess", done
        return str(done["run"]["runId"])

    def runs(self) -> list[dict[str, Any]]:
        return list(self.ask(_RUNS)["runsOrError"]["results"])

    def status(self, run_id: str) -> str:
        return next(str(r["status"]) for r in self.runs() if r["runId"] == run_id)

    def workers(self) -> dict[str, int]:
        """The process of each run that works, as its own events tell it, by the id of the run."""
        workers = {}
        for run in self.ask(_WORKERS)["runsOrError"]["results"]:
            told = " ".join(str(event.get("message")) for event in run["eventConnection"]["events"])
            if process := re.search(r"Started process for run \(pid: (\d+)\)", told):
                workers[str(run["runId"])] = int(process[1])
        return workers

    def ended(self, backfill: str) -> bool:
        """Whether every run of a backfill ended well."""
        tag = {"key": "dagster/backfill", "value": backfill}
        statuses = {r["status"] for r in self.runs() if tag in r["tags"]}
        assert "FAILURE" not in statuses, self.runs()
        return statuses == {"SUCCESS"}

    def last_tick(self, sensor: str) -> str:
        ticks = self.ask(_TICKS, name=sensor)["sensorOrError"]["sensorState"]["ticks"]
        return "" if not ticks else str(ticks[0]["skipReason"] or ticks[0]["error"] or ticks[0]["status"])

    def switch_off(self, sensor: str) -> None:
        def stays_off() -> bool:
            done = self.ask(_STOP_SENSOR, id=self.ask(_SENSOR, name=sensor)["sensorOrError"]["id"])["stopSensor"]
            assert done["__typename"] == "StopSensorMutationResult", done
            time.sleep(_TICK_S)
            return bool(self.ask(_SENSOR, name=sensor)["sensorOrError"]["sensorState"]["status"] == "STOPPED")

        # A tick that is under way may write back that it is on.
        self.until(f"{sensor} stays off", stays_off)

    def switch_on(self, sensor: str) -> None:
        done = self.ask(_START_SENSOR, name=sensor)["startSensor"]
        assert done["__typename"] == "Sensor", done

    def switch_off_schedule(self, schedule: str) -> None:
        found = self.ask(_SCHEDULE, name=schedule)["scheduleOrError"]["id"]
        done = self.ask(_STOP_SCHEDULE, id=found)["stopRunningSchedule"]
        assert done["__typename"] == "ScheduleStateResult", done

    def until(self, what: str, reached: Callable[[], bool], timeout_s: float = TIMEOUT_S) -> None:
        deadline = time.monotonic() + timeout_s
        while not reached():
            assert time.monotonic() < deadline, f"waited in vain until {what}; runs: {self.runs()}"
            time.sleep(0.3)

    def start(self, name: str, *command: str) -> None:
        """Start one of the processes; its output goes to `NAME.log`."""
        self._commands[name] = command
        with (self.home / f"{name}.log").open("a") as log:
            self.processes[name] = subprocess.Popen(
                command, cwd=self.home, env=self.env, stdout=log, stderr=log, start_new_session=True
            )

    def start_daemon(self) -> None:
        self.start("daemon", "dagster-daemon", "run", "-w", "workspace.yaml")

    def kill(self, name: str) -> None:
        """Kill one of the processes, with what it started."""
        os.killpg(self.processes[name].pid, signal.SIGKILL)
        self.processes[name].wait()

    def start_again(self, name: str) -> None:
        self.start(name, *self._commands[name])

    def stop(self) -> None:
        """End what was started, with what that started, as Ctrl-C does."""
        for process in self.processes.values():
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGINT)
        for name, process in self.processes.items():
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=30)
            with suppress(ProcessLookupError):
                self.kill(name)


@contextmanager
def deployed(
    home: Path,
    *,
    vendor: SandboxState | None = None,
    cut: CutAlpha = cut_middle,
    postgres: str = "",
    code_server: bool = False,
    settings: Mapping[str, str] | None = None,
    fast: bool = False,
    instance: Mapping[str, Any] | None = None,
) -> Iterator[Deployment]:
    """
    A webserver and a daemon on a new shop in `home`, with the shipped `dagster.yaml` and `workspace.yaml`.

    Args:
        home: an empty folder.
        vendor: whom the cutouts are bought from.
        cut: how he cuts.
        postgres: URL of a database for Dagster's records; empty for SQLite.
        code_server: whether the code is in a server of its own, as in `deploy/`.
        settings: of the pipeline.
        fast: with sensors and leases that take seconds.
        instance: further entries of `dagster.yaml`.
    """
    vendor = vendor or SandboxState()
    (home / "dagster").mkdir()
    whole = yaml.safe_load(INSTANCE.read_text()) | dict(instance or {})
    if postgres:
        del whole["event_log_storage"]
        whole["storage"] = {"postgres": {"postgres_url": postgres}}
    (home / "dagster" / "dagster.yaml").write_text(yaml.safe_dump(whole))
    code_port = free_port()
    workspace = ROOT / "deploy" / "workspace.yaml" if code_server else ROOT / "workspace.yaml"
    (home / "workspace.yaml").write_text(workspace.read_text().replace("4000", str(code_port)))
    with running_sandbox(vendor, cut) as sandbox:
        env = {
            "PATH": PATH,
            "HOME": str(home),
            "DAGSTER_HOME": str(home / "dagster"),
            "BG_PROVIDER": "bgeraser",
            "BG_LOW_CREDITS": "50",
            "BGERASER_API_KEY": "canary-key",
            "BGERASER_BASE_URL": sandbox.base_url,
            "BG_STABLE_S": "0",
            **({"PYTHONPATH": str(fast_python(home))} if fast else {}),
            **(settings or {}),
        }
        port = free_port()
        made = Deployment(home, vendor, f"http://127.0.0.1:{port}", env)
        address = ("--host", "127.0.0.1", "--port", str(port))
        subprocess.run([sys.executable, "-m", "bg_pipeline.orchestration.home"], cwd=home, env=env, check=True)
        try:
            if code_server:
                module = ("--module-name", "bg_pipeline.orchestration.definitions")
                at = ("--host", "127.0.0.1", "--port", str(code_port))
                made.start("code-server", "dagster", "code-server", "start", *module, *at)
            made.start("webserver", "dagster-webserver", "-w", "workspace.yaml", *address)
            made.start_daemon()
            made.until("the webserver answers", lambda: answers(made.url))
            yield made
        finally:
            made.stop()


@contextmanager
def developing(clone: Path, *command: str) -> Iterator[Deployment]:
    """All of Dagster, started by one command of a developer in a folder like a clone; its output is in `NAME.log`."""
    port = free_port()
    env = {
        "PATH": PATH,
        "HOME": str(clone),
        "DAGSTER_HOME": str(clone / ".dagster"),
        "DAGSTER_WEBSERVER_PORT": str(port),
    }
    made = Deployment(clone, SandboxState(), f"http://127.0.0.1:{port}", env)
    made.start(command[0], *command)
    try:
        made.until("the webserver answers", lambda: answers(made.url))
        yield made
    finally:
        made.stop()


def fast_python(home: Path) -> Path:
    """A folder for PYTHONPATH with which sensors and leases take seconds."""
    (home / "fast").mkdir()
    (home / "fast" / "sitecustomize.py").write_text(_FAST)
    return home / "fast"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/server_info", timeout=5).ok
    except requests.RequestException:
        return False


def descendants(pid: int) -> dict[int, str]:
    """Processes that this one started, and they in turn: id to command line."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue  # it has just ended
            parents.setdefault(parent, []).append(int(entry.name))
    found, left = {}, [pid]
    while left:
        for child in parents.get(left.pop(), []):
            left.append(child)
            try:
                found[child] = (Path("/proc") / str(child) / "cmdline").read_text().replace("\0", " ")
            except OSError:
                continue
    return found
