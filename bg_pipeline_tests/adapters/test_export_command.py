"""What `bg-pipeline export` refuses, and what it leaves as it was."""

import os
import sys
import threading
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bg_pipeline.cli.main import main
from bg_pipeline.core.report import Exit
from bg_pipeline.errors import ConfigurationError
from bg_pipeline.manifest.catalogues import catalogue_id
from bg_pipeline.manifest.database import Database
from bg_pipeline.stores.file.blobs import FolderStore
from bg_pipeline.wiring.settings import load_settings
from bg_pipeline_tests.rows import fill_items

ROWS = 3


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a catalogue of which only the manifest has something."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "images").mkdir()
    state = load_settings().purchasing.state.get_secret_value()
    Path(state.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    database = Database(state)
    fill_items(database, catalogue_id(database), pending=ROWS, published=0, collections=1)
    database.close()
    return tmp_path


def export(*words: str) -> Result:
    return CliRunner().invoke(main, ["export", *words])


def left(home: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in home.iterdir() if each.is_file()}


def test_a_table_is_not_written_over_the_one_that_it_is_compared_with(home: Path) -> None:
    assert export("--to", "last.csv").exit_code == 0
    (home / "link.csv").symlink_to("last.csv")
    before = left(home)
    for words in (
        ("--since", "last.csv", "--to", "last.csv"),
        ("--since", "last.csv", "--to", "./link.csv"),
        ("--since", "last.csv", "--to", "new.csv", "--table", "last.csv"),
        ("--to", "new.csv", "--table", "new.csv"),
    ):
        refused = export(*words)
        assert refused.exit_code == Exit.SETTINGS
        assert "name the same file" in refused.output

    assert left(home) == before


@pytest.mark.parametrize("earlier", ["key,state\n", "catalogue,key,collection,state\nother,a.jpg,.,published\n"])
def test_after_an_error_every_file_is_as_it_was(home: Path, earlier: str) -> None:
    (home / "last.csv").write_text(earlier)
    (home / "changes.csv").write_text("of last night")
    (home / "new.csv").write_text("of last night too")
    before = left(home)

    assert export("--since", "last.csv", "--to", "changes.csv", "--table", "new.csv").exit_code != 0
    assert left(home) == before


def test_a_pipe_gets_the_table_and_stays_a_pipe(home: Path) -> None:
    os.mkfifo(home / "pipe")
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append((home / "pipe").read_bytes()), daemon=True)
    reader.start()
    done = export("--to", "pipe", "--format", "jsonl")
    assert (home / "pipe").is_fifo()
    reader.join(timeout=10)

    assert done.exit_code == 0
    assert got[0].count(b"\n") == ROWS


def test_the_items_of_another_manifest_are_not_exported(home: Path) -> None:
    FolderStore(home / "cutouts").set_owner("0" * 32)
    refused = export("--to", "new.csv")

    assert refused.exit_code == Exit.GUARD
    assert isinstance(refused.exception, SystemExit)
    assert not (home / "new.csv").exists()


def test_without_duckdb_a_parquet_table_is_refused_in_one_sentence(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert export("--to", "last.parquet").exit_code == 0
    before = left(home)
    monkeypatch.setitem(sys.modules, "duckdb", None)
    for words in (("--to", "new.parquet"), ("--since", "last.parquet", "--to", "new.csv")):
        refused = export(*words)
        assert refused.exit_code == Exit.SETTINGS
        assert "Parquet needs DuckDB: pip install 'bg-pipeline[duckdb]'" in refused.output
    assert left(home) == before

    monkeypatch.setenv("BG_EXPORT", "parquet")
    with pytest.raises(ConfigurationError, match="BG_EXPORT: cannot be parquet: Parquet needs DuckDB: pip install"):
        load_settings()
