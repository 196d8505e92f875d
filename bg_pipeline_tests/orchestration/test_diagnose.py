"""What the doctor finds of Dagster."""

import shutil
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.remote_origin import ManagedGrpcPythonEnvCodeLocationOrigin
from dagster._core.scheduler.instigation import InstigatorState, InstigatorStatus
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

from bg_pipeline.orchestration.diagnose import diagnose
from bg_pipeline_tests.deployment import INSTANCE


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = tmp_path / "dagster"
    made.mkdir()
    shutil.copy(INSTANCE, made)
    monkeypatch.setenv("DAGSTER_HOME", str(made))
    return made


def found() -> dict[str, str]:
    return {f["check"]: f["detail"] for f in diagnose() if not f["ok"]}


def test_a_missing_home_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)

    assert "forget" in found()["DAGSTER_HOME"]


def test_a_home_without_its_settings_is_found(home: Path) -> None:
    (home / "dagster.yaml").unlink()

    assert "no limit and no retention" in found()["dagster.yaml"]


def test_a_daemon_that_never_ran_is_found(home: Path) -> None:
    assert "never ran" in found()["Dagster's daemon"]


def test_a_sensor_that_was_switched_off_is_found(home: Path) -> None:
    assert "schedule and sensors" not in found()
    target = LoadableTargetOrigin(module_name="bg_pipeline.orchestration.definitions")
    origin = ManagedGrpcPythonEnvCodeLocationOrigin(target, "bg_pipeline")
    with dg.DagsterInstance.get() as instance:
        instance.add_instigator_state(
            InstigatorState(_origin_of(origin, "delta_dispatch"), InstigatorType.SENSOR, InstigatorStatus.STOPPED)
        )

    assert "delta_dispatch" in found()["schedule and sensors"]


def _origin_of(location: ManagedGrpcPythonEnvCodeLocationOrigin, name: str) -> object:
    from dagster._core.remote_origin import RemoteInstigatorOrigin, RemoteRepositoryOrigin

    return RemoteInstigatorOrigin(RemoteRepositoryOrigin(location, "__repository__"), name)
