"""A spreadsheet of addresses as a catalogue, by DuckDB."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

import bg_pipeline
from bg_pipeline.errors import SourceUnreadable
from bg_pipeline.ports.source import ImageSource
from bg_pipeline.settings import reader
from bg_pipeline.stores.locations import CatalogueLocations
from bg_pipeline.stores.sql.source import SqlSource

_DOCUMENT = Path(bg_pipeline.__file__).parent.parent / "docs" / "sources.md"
_CSV = "sku,photo,updated\n10.250,https://cdn.example.com/b,2\n0099,https://cdn.example.com/a,1\nA,,\n"


def _open(folder: Path) -> ImageSource:
    raw = reader.read(folder)
    return raw.part(CatalogueLocations).open_source(raw)


def test_the_example_of_the_document_reads_a_csv_beside_the_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (example,) = re.findall(r"```sh\n(BG_SOURCE=.*?)```", _DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / ".env").write_text(example)
    (tmp_path / "products.csv").write_text(_CSV)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert len(shlex.split(example)) == 2

    listed = list(_open(Path()).list())
    assert [(row.key, row.fingerprint) for row in listed] == [("0099", "1"), ("10.250", "2"), ("A", "")]


@pytest.mark.parametrize(("name", "options"), [("p.parquet", "FORMAT parquet"), ("p.jsonl", "FORMAT json")])
def test_other_files_of_rows_are_read(name: str, options: str, tmp_path: Path) -> None:
    with duckdb.connect() as conn:
        conn.execute(
            f"COPY (SELECT * FROM (VALUES (10, 'u'), (9, 'v')) AS rows (KEY, URL)) TO '{tmp_path / name}' ({options})"
        )
    source = SqlSource("duckdb:///:memory:", f"SELECT * FROM '{name}'", str.encode, folder=tmp_path)

    assert [row.key for row in source.list()] == ["10", "9"]
    assert [source.exists(key) for key in ("10", "010", "x")] == [True, False, False]


def test_a_database_of_duckdb_is_only_read_and_left_to_others_between_two_uses(tmp_path: Path) -> None:
    file = tmp_path / "shop.duckdb"
    write = f"import duckdb; duckdb.connect({str(file)!r}).execute({{!r}})"
    run = [sys.executable, "-c"]
    subprocess.run([*run, write.format("CREATE TABLE items AS SELECT 'a' AS key, 'u' AS url")], check=True)
    source = SqlSource(f"duckdb:///{file}", "SELECT key, url FROM items")
    assert [row.key for row in source.list()] == ["a"]

    subprocess.run([*run, write.format("INSERT INTO items VALUES ('b', 'u')")], check=True)
    assert source.exists("b")
    with pytest.raises(SourceUnreadable, match="read-only"), source._errors(), source._snapshot() as (conn, _):
        conn.exec_driver_sql("DELETE FROM items")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("SELECT * FROM 'no.csv'", "no.csv"),
        ("SELECT * FROM 'https://example.com/a.csv'", "requires the extension httpfs"),
    ],
)
def test_a_file_that_is_not_there_is_named_and_no_code_is_downloaded(query: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(SourceUnreadable, match=said):
        list(SqlSource("duckdb:///:memory:", query, folder=tmp_path).list())


def test_a_relative_file_of_duckdb_starts_at_the_folder_of_the_settings(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("BG_SOURCE=duckdb:///shop.duckdb\nBG_SOURCE_QUERY=SELECT 1\n")

    assert reader.read(tmp_path).part(CatalogueLocations).source_name == f"duckdb:///{tmp_path}/shop.duckdb"
