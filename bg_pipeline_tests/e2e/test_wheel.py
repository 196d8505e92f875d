"""What is installed is what is in the wheel."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import bg_pipeline

ROOT = Path(bg_pipeline.__file__).parent.parent


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel's content, unpacked: what pip puts into site-packages."""
    made = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(made)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = made.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(made / "site")
    return made / "site"


def run(installed: Path, *words: str, cwd: Path) -> str:
    code = "import sys, bg_pipeline as b; print(b.__file__); from bg_pipeline.cli.main import main; main(sys.argv[1:])"
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(installed)}
    done = subprocess.run(
        [sys.executable, "-c", code, *words], cwd=cwd, env=env, capture_output=True, text=True, check=False
    )
    assert done.stdout.startswith(str(installed)), done.stderr
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_holds_all_that_runs_and_none_of_the_tests(installed: Path) -> None:
    shipped = ROOT / "bg_pipeline/orchestration/dagster.yaml"
    assert (installed / "bg_pipeline/orchestration/dagster.yaml").read_text() == shipped.read_text()
    assert (installed / "bg_pipeline/imaging/sheet.html").exists()
    assert (installed / "bg_pipeline/py.typed").exists()
    assert not (installed / "bg_pipeline_tests").exists()
    (entry_points,) = installed.glob("*.dist-info/entry_points.txt")
    assert "bg-pipeline = bg_pipeline.cli.start:run" in entry_points.read_text()


def test_the_installed_command_makes_its_database_and_plans(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()

    assert '"purchases": 0' in run(installed, "plan", "--json", cwd=tmp_path)
