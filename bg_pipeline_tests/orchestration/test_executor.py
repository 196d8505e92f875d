"""The executor of the jobs, as the settings name it."""

from pathlib import Path

import pytest

from bg_pipeline.errors import ConfigurationError
from bg_pipeline.orchestration.build import build
from bg_pipeline.orchestration.executor import executor_of
from bg_pipeline.settings.reader import read
from bg_pipeline_tests.orchestration.conftest import Run, Shop

JOBS = ("detect_delta", "process_pending", "process_delta", "retry_failed")

CELERY = "BG_EXECUTOR=dagster_celery.celery_executor\n"


def executors() -> set[str]:
    return {build().resolve_job_def(job).executor_def.name for job in JOBS}


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("", "in_process"),
        ("BG_EXECUTOR=dagster.multiprocess_executor\n", "multiprocess"),
        (CELERY, "celery"),
        ("BG_EXECUTOR=dagster_docker.docker_executor\n", "docker"),
        ("BG_EXECUTOR=dagster_k8s.k8s_job_executor\n", "k8s"),
    ],
)
def test_one_setting_chooses_the_executor_of_every_job(written: str, name: str) -> None:
    Path(".env").write_text(written)

    assert executors() == {name}


def test_its_config_is_the_file_that_the_workers_take_too() -> None:
    Path(".env").write_text(f"{CELERY}BG_EXECUTOR_CONFIG=celery.yaml\n")
    Path("celery.yaml").write_text("execution:\n  config:\n    broker: redis://queue.example/0\n")
    executor = executor_of(read())

    assert executor.config_schema.resolve_config({}).value["config"]["broker"] == "redis://queue.example/0"


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("BG_EXECUTOR=celery_executor\n", "BG_EXECUTOR: celery_executor cannot be imported"),
        ("BG_EXECUTOR=dagster.asset\n", "BG_EXECUTOR: dagster.asset is no executor"),
        ("BG_EXECUTOR=no_such.executor\n", "cannot be imported (No module named 'no_such')"),
        (f"{CELERY}BG_EXECUTOR_CONFIG=none.yaml\n", "none.yaml must be a file of YAML"),
        (f"{CELERY}BG_EXECUTOR_CONFIG=.env\n", "must be a file of YAML"),
    ],
)
def test_a_wrong_executor_is_told_and_unloads_nothing(written: str, said: str) -> None:
    Path(".env").write_text(written)

    with pytest.raises(ConfigurationError) as raised:
        executor_of(read())
    assert said in str(raised.value)
    assert executors() == {"in_process"}


def test_one_setting_says_how_many_steps_share_a_night() -> None:
    def steps() -> int:
        (night,) = build().resolve_job_def("process_pending").nodes
        return len(night.definition.nodes) - 1  # the last one reports

    assert steps() == 1
    Path(".env").write_text("BG_NIGHT_STEPS=4\n")
    assert steps() == 4
    Path(".env").write_text("BG_NIGHT_STEPS=none\n")
    assert steps() == 1
    with pytest.raises(ConfigurationError, match="BG_NIGHT_STEPS"):
        executor_of(read())


def test_every_run_fails_with_what_is_wrong_with_the_executor(shop: Shop, run: Run) -> None:
    Path(".env").write_text("BG_EXECUTOR=dagster.asset\n")
    result = run("detect_delta")
    (failed,) = [event for event in result.all_events if event.is_step_failure]

    assert "BG_EXECUTOR: dagster.asset is no executor" in failed.step_failure_data.user_failure_data.description
