"""Dagster's command for developers, `dg`, in a clone."""

import json
import os
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

from bg_pipeline_tests.deployment import BIN, INSTANCE, ROOT


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """As far as `dg` looks at it."""
    for name in ("dg.toml", "workspace.yaml", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "bg_pipeline").symlink_to(ROOT / "bg_pipeline")
    (tmp_path / "dagster").mkdir()
    shutil.copy(INSTANCE, tmp_path / "dagster")
    return tmp_path


def dg(clone: Path, *words: str) -> str:
    """What the command prints; it must succeed, and warn of nothing."""
    env = {"PATH": os.environ["PATH"], "HOME": str(clone), "DAGSTER_HOME": str(clone / "dagster")}
    done = subprocess.run([BIN / "dg", *words], cwd=clone, env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    return done.stdout


def test_dg_checks_the_definitions(clone: Path) -> None:
    assert "All definitions loaded successfully." in dg(clone, "check", "defs")


def test_dg_lists_the_definitions(clone: Path) -> None:
    found = json.loads(dg(clone, "list", "defs", "--json"))

    assert "cutouts" in {asset["asset_key"] for asset in found["assets"]}
    assert {"detect_delta", "process_pending"} <= {job["name"] for job in found["jobs"]}
    assert [schedule["name"] for schedule in found["schedules"]] == ["nightly_delta_sync"]
    assert "delta_dispatch" in {sensor["name"] for sensor in found["sensors"]}


def test_dg_and_the_workspace_name_the_same_code_location_of_the_same_module() -> None:
    """Schedules and sensors are switched on and off under its name."""
    project = tomllib.loads((ROOT / "dg.toml").read_text())["project"]
    (listed,) = yaml.safe_load((ROOT / "workspace.yaml").read_text())["load_from"]

    assert listed["python_module"] == {
        "module_name": project["code_location_target_module"],
        "location_name": project["code_location_name"],
    }


def test_dg_has_no_table_in_pyproject_where_it_would_make_dagster_ignore_the_workspace() -> None:
    assert "dg" not in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
