"""The first thing a stranger runs."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from bg_pipeline.demo.run import _prepare_folder
from bg_pipeline.errors import ConfigurationError

pytestmark = pytest.mark.processes

BIN = Path(sys.executable).parent
FRAGMENTS = [
    r"54 files in ",
    r"new +50 +50 +50 ",
    r"duplicate +3 +0 +0 ",
    r"failed +1 +0 +0 +fashion/sneaker-campaign-banner\.jpg: it is named like a picture",
    r"published 52, bought 49 for 49 credits, failed 1,",
    r"home/vase-upload-interrupted\.jpg +failed +the JPEG is damaged",
    r"nothing was paid for",
    r"4 pictures added, 2 shot again, 1 renamed, 1 deleted, 1 touched",
    r"new +4 +4 +4 ",
    r"changed +2 +2 +2 ",
    r"renamed +1 +0 +0 ",
    r"unchanged: 48",
    r"published 7, bought 6 for 6 credits, failed 0,",
    r"overlap with the true outline: 0\.9[5-9]",
    r"charges on the vendor's own ledger: 55;",
    r"dagster dev -w dagster/workspace\.yaml",
]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The demo in a folder that holds an earlier one, and what it prints."""
    home = tmp_path_factory.mktemp("demo") / "kept"
    home.mkdir()
    for name in (".bg-pipeline-demo", "left over"):
        (home / name).touch()
    env = {"PATH": os.environ["PATH"], "BG_PROVIDER": "rembg", "BG_SOURCE": "not this one", "COLUMNS": "200"}
    done = subprocess.run(
        [BIN / "bg-pipeline", "demo", "--keep", home],
        env=env,
        capture_output=True,
        text=True,
        check=False,
        cwd=home.parent,
    )
    assert done.returncode == 0, done.stderr
    return home, done.stdout


@pytest.mark.parametrize("fragment", FRAGMENTS)
def test_the_demo_tells_what_was_found_bought_and_missed(demo: tuple[Path, str], fragment: str) -> None:
    assert re.search(fragment, demo[1]), demo[1]


def test_the_readme_shows_what_the_demo_prints(demo: tuple[Path, str]) -> None:
    """Line by line, but for what is cut off with an ellipsis and for seconds."""
    import bg_pipeline

    readme = (Path(bg_pipeline.__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"<!-- demo -->\n```text\n(.*?)```", readme, re.DOTALL)
    printed = [re.sub(r"\s+", " ", line).strip() for line in demo[1].splitlines()]
    for line in filter(None, (re.sub(r"\s+", " ", raw).strip() for raw in shown.splitlines())):
        start = re.sub(r"(; \d+\.\d s, .*|…$)", "", line).strip()
        assert any(candidate.startswith(start) for candidate in printed), line


def test_the_demo_leaves_pictures_and_pages_to_look_at(demo: tuple[Path, str]) -> None:
    home, _ = demo
    with Image.open(home / "before-after.png") as sheet:
        assert sheet.width > 1000
    assert "home/vase-upload-interrupted.jpg" in (home / "before-after.html").read_text(encoding="utf-8")
    assert {page.name for page in (home / ".bg_pipeline/gallery").iterdir()} == {
        "fashion.html",
        "home.html",
        "kitchen.html",
        "thumbnails",
    }
    assert not (home / "left over").exists()


def test_the_runs_of_the_demo_are_real_ones_that_the_ui_can_show(demo: tuple[Path, str]) -> None:
    code = (
        "import dagster as dg\n"
        "with dg.DagsterInstance.get() as instance:\n"
        "    print(*sorted(f'{r.job_name}:{r.status.value}' for r in instance.get_runs()))"
    )
    env = {"PATH": os.environ["PATH"], "DAGSTER_HOME": str(demo[0] / "dagster")}
    told = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)

    assert told.stdout.split() == ["detect_delta:SUCCESS"] * 2 + ["process_pending:SUCCESS"] * 2


def test_the_demo_does_not_empty_a_folder_that_is_not_its_own(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("precious")

    with pytest.raises(ConfigurationError, match="choose another folder"):
        _prepare_folder(tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "precious"


def test_without_a_folder_the_demo_takes_a_new_one_each_time() -> None:
    first, second = _prepare_folder(None), _prepare_folder(None)
    for folder in (first, second):
        folder.rmdir()

    assert first != second
