"""Dagster as an operator runs it: webserver, daemon and code server as real processes."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests

import bg_pipeline
from bg_pipeline.sandbox.serve import running_sandbox
from bg_pipeline.sandbox.state import SandboxState
from bg_pipeline_tests.pictures import product
from bg_pipeline_tests.sandbox.client import cut_left_half

BIN = Path(sys.executable).parent
ROOT = Path(bg_pipeline.__file__).parent.parent
TIMEOUT_S = 120.0


@dataclass
class Deployment:
    """`dagster dev` on a shop of its own."""

    home: Path
    vendor: SandboxState
    url: str

    def put(self, key: str, data: bytes) -> None:
        (self.home / "images" / key).parent.mkdir(parents=True, exist_ok=True)
        (self.home / "images" / key).write_bytes(data)

    def ask(self, query: str, **variables: Any) -> Any:
        answer = requests.post(f"{self.url}/graphql", json={"query": query, "variables": variables}, timeout=30)
        answer.raise_for_status()
        found = answer.json()
        assert "errors" not in found, found
        return found["data"]

    def launch(self, job: str) -> str:
        """Returns the id of a run of this job."""
        done = self.ask(
            """
            mutation($job: String!) { launchRun(executionParams: {selector: {
                repositoryLocationName: "bg_pipeline", repositoryName: "__repository__", jobName: $job},
                runConfigData: {}, mode: "default"}) {
              __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }
            """,
            job=job,
        )["launchRun"]
        assert done["__typename"] == "LaunchRunSuccess", done
        return str(done["run"]["runId"])

    def runs(self) -> list[dict[str, Any]]:
        found = self.ask("{ runsOrError { ... on Runs { results { runId jobName status tags { key value } } } } }")
        return list(found["runsOrError"]["results"])

    def until(self, what: str, reached: Any) -> None:
        deadline = time.monotonic() + TIMEOUT_S
        while not reached():
            assert time.monotonic() < deadline, f"waited in vain until {what}; runs: {self.runs()}"
            time.sleep(0.5)


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    home = tmp_path_factory.mktemp("deployment")
    (home / "dagster").mkdir()
    (home / "dagster" / "dagster.yaml").write_text((ROOT / "dagster.yaml").read_text())
    (home / "workspace.yaml").write_text((ROOT / "workspace.yaml").read_text())
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    vendor = SandboxState()
    with running_sandbox(vendor, cut_left_half) as sandbox, (home / "log").open("w") as log:
        env = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "DAGSTER_HOME": str(home / "dagster"),
            "BG_PROVIDER": "bgeraser",
            "BGERASER_API_KEY": "canary-key",
            "BGERASER_BASE_URL": sandbox.base_url,
        }
        process = subprocess.Popen(
            [BIN / "dagster", "dev", "--host", "127.0.0.1", "--port", str(port)],
            cwd=home,
            env=env,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        made = Deployment(home, vendor, f"http://127.0.0.1:{port}")
        made.until("the webserver answers", lambda: _answers(made.url))
        yield made
        process.send_signal(signal.SIGINT)
        process.wait(timeout=60)
        for path in (home / "dagster").rglob("*"):
            assert not path.is_file() or b"canary-key" not in path.read_bytes(), path
        assert "canary-key" not in (home / "log").read_text()


def _answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/server_info", timeout=5).ok
    except requests.ConnectionError:
        return False


def test_plain_dagster_dev_finds_the_code_location_and_runs_its_schedule_and_sensors(deployment: Deployment) -> None:
    found = deployment.ask(
        """
        { workspaceOrError { ... on Workspace { locationEntries { name locationOrLoadError {
            __typename ... on RepositoryLocation { repositories {
                schedules { name scheduleState { status } } sensors { name sensorState { status } } } } } } } } }
        """
    )["workspaceOrError"]["locationEntries"]

    assert [location["name"] for location in found] == ["bg_pipeline"]
    (repository,) = found[0]["locationOrLoadError"]["repositories"]
    states = {s["name"]: s["scheduleState"]["status"] for s in repository["schedules"]}
    states |= {s["name"]: s["sensorState"]["status"] for s in repository["sensors"]}
    assert states == {
        "nightly_delta_sync": "RUNNING",
        "delta_dispatch": "RUNNING",
        "low_credit_sensor": "RUNNING",
    }


def test_a_night_detects_dispatches_and_publishes_by_itself(deployment: Deployment) -> None:
    for n in range(3):
        deployment.put(f"shoes/{n}.png", product(n))
    deployment.put("bags/9.png", product(9))
    deployment.launch("detect_delta")
    cutouts = deployment.home / "cutouts"
    deployment.until("everything is published", lambda: len(list(cutouts.rglob("*.png"))) == 4)
    deployment.until("all runs are over", lambda: {r["status"] for r in deployment.runs()} == {"SUCCESS"})

    assert sorted(r["jobName"] for r in deployment.runs()) == ["detect_delta", "process_delta", "process_delta"]
    assert len(deployment.vendor.ledger.charges()) == 4


def test_a_paused_night_goes_on_by_itself_after_a_top_up(deployment: Deployment) -> None:
    deployment.vendor.ledger.set_balance("bgeraser", Decimal(10))
    deployment.until("the gate is closed", lambda: "closed" in _gate(deployment))
    deployment.put("hats/1.png", product(31))
    run = deployment.launch("detect_delta")
    deployment.until("the delta is found", lambda: _status(deployment, run) == "SUCCESS")
    charges = len(deployment.vendor.ledger.charges())

    deployment.vendor.ledger.set_balance("bgeraser", Decimal(500))
    deployment.until("the rest is published", (deployment.home / "cutouts/hats/1.png").exists)
    assert len(deployment.vendor.ledger.charges()) == charges + 1


def _status(deployment: Deployment, run_id: str) -> str:
    return next(str(r["status"]) for r in deployment.runs() if r["runId"] == run_id)


def _gate(deployment: Deployment) -> str:
    env = {"PATH": os.environ["PATH"], "BG_PROVIDER": "bgeraser", "BGERASER_API_KEY": "any"}
    done = subprocess.run(
        [BIN / "bg-pipeline", "status", "--json"], cwd=deployment.home, env=env, capture_output=True, check=True
    )
    return str(json.loads(done.stdout)["gate"]["bgeraser"]["state"])
