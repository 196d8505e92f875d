"""The loop of docs/export.md, as a shop runs it, and its reader of the table."""

import os
import re
import subprocess
from pathlib import Path

import pytest

import bg_pipeline
from bg_pipeline_tests.e2e.shop import COMMAND, Shop

DOCUMENT = Path(bg_pipeline.__file__).parent.parent / "docs" / "export.md"


def test_the_documented_loop_tells_each_change_once_it_is_imported(shop: Shop) -> None:
    (loop,) = re.findall(r"```sh\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    upload = "import csv, sys; rows = list(csv.DictReader(open(sys.argv[1], newline=''))); sys.exit({code})"
    shop.run("sync")

    def run(code: int) -> list[str]:
        (shop.home / "upload.py").write_text(upload.format(code=code))
        env = shop.env | {"PATH": f"{Path(COMMAND).parent}{os.pathsep}{shop.env['PATH']}"}
        subprocess.run(["bash", "-c", loop], cwd=shop.home, env=env, check=not code)
        return (shop.home / "changes.csv").read_text().splitlines()[1:]

    first = run(code=1)
    assert len(first) == 5
    assert run(code=0) == first
    assert run(code=0) == []


def test_the_documented_reader_reads_the_table_beside_the_cutouts(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    (reader,) = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    shop.env["BG_EXPORT"] = "csv"
    shop.run("sync")
    monkeypatch.chdir(shop.home)
    names: dict[str, list[tuple[str, str]]] = {}
    exec(reader, names)

    assert len(names["shown"]) == 5
    for key, location in names["shown"]:
        assert Path(location).is_file(), key
