"""The folder of Dagster's records, before anything is started on it."""

from collections.abc import Mapping
from pathlib import Path

import dagster as dg
import pytest

from bg_pipeline.orchestration.dagster_private import LOST_RUN_CURSORS
from bg_pipeline.orchestration.home import prepare
from bg_pipeline_tests.deployment import INSTANCE, ROOT


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    named = tmp_path / "records" / "dagster"
    monkeypatch.setenv("DAGSTER_HOME", str(named))
    return named


def cursors() -> Mapping[str, str]:
    with dg.DagsterInstance.get() as instance:
        return instance.daemon_cursor_storage.get_cursor_values(set(LOST_RUN_CURSORS))


@dg.job
def some_job() -> None:
    """One that ran here."""


def test_a_new_home_has_settings_and_tables_and_the_daemon_knows_where_to_start(home: Path) -> None:
    prepare(home)

    assert (home / "dagster.yaml").read_text() == INSTANCE.read_text()
    assert (home / "workspace.yaml").read_text() == (ROOT / "workspace.yaml").read_text()
    assert {"event_log.db", "runs.db", "schedules.db"} <= {file.name for file in home.rglob("*.db")}
    assert cursors() == dict.fromkeys(LOST_RUN_CURSORS, "0")


def test_a_home_in_use_stays_as_it_is(home: Path) -> None:
    """A cursor set back would start old runs again."""
    home.mkdir(parents=True)
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    with dg.DagsterInstance.get() as instance:
        instance.create_run_for_job(some_job)
        instance.daemon_cursor_storage.set_cursor_values(dict.fromkeys(LOST_RUN_CURSORS, "7"))
    prepare(home)

    assert (home / "dagster.yaml").read_text() == "telemetry: {enabled: false}\n"
    assert cursors() == dict.fromkeys(LOST_RUN_CURSORS, "7")
