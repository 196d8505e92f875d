"""A vendor and a store of another package, through the command line: nothing of ours names them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import bg_pipeline
from bg_pipeline_tests.pictures import product
from bg_pipeline_tests.plugin import plugin_site  # noqa: F401  a fixture

ROOT = Path(bg_pipeline.__file__).parent


@pytest.fixture
def command(plugin_site: Path, tmp_path: Path):  # noqa: F811
    """Runs a command where the package is installed, on three shelves and an account of this vendor."""
    settings = {
        "BG_SOURCE": f"shelf://{tmp_path}/images.db",
        "BG_OUTPUT": f"shelf://{tmp_path}/cutouts.db",
        "BG_MASTERS": f"shelf://{tmp_path}/masters.db",
        "BG_PROVIDER": "scissors",
        "SCISSORS_BALANCE": "200",
    }

    def run(*words: str, code: int = 0, **others: str) -> str:
        path = {"PATH": os.environ["PATH"], "PYTHONPATH": f"{plugin_site}{os.pathsep}{ROOT.parent}"}
        start = "import sys; from bg_pipeline.cli.main import main; main(sys.argv[1:])"
        done = subprocess.run(
            [sys.executable, "-c", start, *words],
            cwd=tmp_path,
            env={**path, **settings, **others},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout or done.stderr

    return run


def test_a_sync_buys_from_it_and_reads_and_writes_there(command, plugin_site: Path, tmp_path: Path) -> None:  # noqa: F811
    put = (
        "import sys, pathlib; from bgp_example.shelf import Shelf, ShelfSettings;"
        "Shelf(pathlib.Path(sys.argv[1]), ShelfSettings()).put('shoes/a.png', sys.stdin.buffer.read())"
    )
    env = {"PYTHONPATH": f"{plugin_site}{os.pathsep}{ROOT.parent}"}
    shelf = [sys.executable, "-c", put, str(tmp_path / "images.db")]
    subprocess.run(shelf, input=product(1, size=(240, 160)), env=env, check=True)
    first, second = (json.loads(command("sync", "--json")) for _ in range(2))

    assert (first["published"], first["credits"]) == (1, 1)
    assert (second["published"], second["credits"]) == (0, 0)
    assert json.loads(command("check", "--masters", "--json"))["masters"] == 1


def test_doctor_lists_both_with_the_package_that_brings_them(command) -> None:
    found = {line["check"]: line["detail"] for line in json.loads(command("doctor", "--json", code=2))}

    assert "scissors (bgp-example 1.0)" in found["vendors"]
    assert "shelf:///FILE (bgp-example 1.0)" in found["stores"]


def test_without_the_package_both_are_wrong_settings(command) -> None:
    without = {"PYTHONPATH": str(ROOT.parent)}
    ours = {"BG_SOURCE": "", "BG_OUTPUT": "", "BG_MASTERS": ""}

    assert "BG_SOURCE: must be a folder" in command("plan", code=2, **without)
    assert "BG_PROVIDER: must be one of" in command("plan", code=2, **without, **ours)


def test_nothing_of_ours_names_them() -> None:
    text = "".join(file.read_text() for file in ROOT.rglob("*.py")).lower()

    assert not [name for name in ("scissors", "shelf://", "bgp-example", "bgp_example") if name in text]
