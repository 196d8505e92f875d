"""A small shop with real parts, and an instance of Dagster that forgets."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.remote_origin import (
    ManagedGrpcPythonEnvCodeLocationOrigin,
    RemoteInstigatorOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.scheduler.instigation import InstigatorState, InstigatorStatus, ScheduleInstigatorData
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

from bg_pipeline.orchestration.schedule import SCHEDULE
from bg_pipeline.sandbox.serve import running_sandbox
from bg_pipeline.sandbox.state import SandboxState
from bg_pipeline_tests.pictures import cut_middle, product


@dataclass
class Shop:
    """Where its files are, and its vendor."""

    home: Path
    vendor: SandboxState

    def put(self, key: str, data: bytes) -> None:
        file = self.home / "images" / key
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    state = SandboxState()
    with running_sandbox(state, cut_middle) as running:
        monkeypatch.setenv("BG_PROVIDER", "bgeraser")
        monkeypatch.setenv("BG_LOW_CREDITS", "50")
        monkeypatch.setenv("BGERASER_API_KEY", "canary-key")
        monkeypatch.setenv("BGERASER_BASE_URL", running.base_url)
        monkeypatch.setenv("BG_STABLE_S", "0")
        made = Shop(tmp_path, state)
        for n in range(2):
            made.put(f"shoes/{n}.png", product(n))
        made.put("bags/9.png", product(9))
        yield made


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


@pytest.fixture
def stored(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """An instance that has a storage of schedules."""
    home = tmp_path / "dagster"
    home.mkdir()
    with dg.DagsterInstance.local_temp(str(home)) as made:
        yield made


def switch(instance: dg.DagsterInstance, status: InstigatorStatus, since: float = 0.0) -> None:
    """What the switch in the UI does."""
    target = LoadableTargetOrigin(module_name="bg_pipeline.orchestration.definitions")
    location = ManagedGrpcPythonEnvCodeLocationOrigin(target, "bg_pipeline")
    origin = RemoteInstigatorOrigin(RemoteRepositoryOrigin(location, "__repository__"), SCHEDULE)
    data = ScheduleInstigatorData("0 2 * * *", start_timestamp=since)
    state = InstigatorState(origin, InstigatorType.SCHEDULE, status, data)
    known = instance.get_instigator_state(state.instigator_origin_id, state.selector_id)
    (instance.update_instigator_state if known else instance.add_instigator_state)(state)


Run = Callable[..., dg.ExecuteInProcessResult]


@pytest.fixture
def run(instance: dg.DagsterInstance) -> Run:
    """Runs a job of the code location on the instance."""
    from bg_pipeline.orchestration.definitions import defs

    def execute(job: str, **options: object) -> dg.ExecuteInProcessResult:
        return defs.resolve_job_def(job).execute_in_process(instance=instance, raise_on_error=False, **options)  # type: ignore[arg-type]

    return execute
