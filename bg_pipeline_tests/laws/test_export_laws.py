"""Laws of the export: successive changes make the whole table, in any format and over any history."""

from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bg_pipeline.core.deletes import DeletePolicy
from bg_pipeline.core.export import REMOVED, Naming, Row, TableFormat, as_text, from_text, place
from bg_pipeline.pipeline.export import Earlier, Request, export
from bg_pipeline.tables.read import read
from bg_pipeline.tables.write import table, written_aside
from bg_pipeline_tests.graph import Graph
from bg_pipeline_tests.pictures import product

_STEPS = st.sampled_from(["put", "put again", "take away", "sync", "a day", "forget", "retry", "trash"])
_NAMES = st.sampled_from(["a/1.png", "a/2.png", "b/=1.png", "b/é\udcff.png"])
_PICTURES = [product(n) for n in range(3)]


def _step(graph: Graph, step: str, key: str) -> None:
    if step == "put":
        graph.source.put(key, _PICTURES[0])
    elif step == "put again":
        graph.source.put(key, b"\x89PNG\r\n\x1a\nbroken" if key.startswith("a/2") else _PICTURES[1])
    elif step == "take away":
        graph.source.files.pop(key, None)
    elif step == "a day":
        graph.clock.now += 90_000
    elif step == "retry":
        graph.items.retry()
    elif step == "forget":
        graph.database.entries.pop(key, None)
    elif step == "trash" and key in graph.database.entries:
        graph.trash.unpublish(key)
    else:
        graph.sync()


def _taken(graph: Graph, since: Earlier | float | None = None) -> tuple[list[Row], list[Row]]:
    changes: list[Row] = []
    whole: list[Row] = []
    export(graph.catalogue, graph.run, Naming(), changes.append, Request(since=since), whole.append)
    return changes, whole


@settings(max_examples=40)
@given(history=st.lists(st.lists(st.tuples(_STEPS, _NAMES), max_size=5), max_size=5))
def test_successive_changes_applied_to_a_table_make_the_whole_table(history: list[list[tuple[str, str]]]) -> None:
    graph = Graph(deletes=DeletePolicy(trash=True))
    graph.source.put("z.png", _PICTURES[2])
    graph.sync()
    shop: dict[str, Row] = {}
    last: list[Row] = []
    for steps in history:
        for step, key in steps:
            _step(graph, step, key)
        changes, whole = _taken(graph, Earlier("last.csv", last))
        shop |= {row.key: row for row in changes}

        assert {k: r for k, r in shop.items() if r.state != REMOVED} == {r.key: r for r in whole if r.state != REMOVED}
        last = whole


@settings(max_examples=40)
@given(steps=st.lists(st.tuples(_STEPS, _NAMES), max_size=8))
def test_every_change_of_a_row_that_stays_moves_its_time(steps: list[tuple[str, str]]) -> None:
    graph = Graph(deletes=DeletePolicy(trash=True))
    graph.source.put("z.png", _PICTURES[2])
    graph.sync()
    before = {row.key: row for row in _taken(graph)[1]}
    graph.clock.now += 60
    for step, key in steps:
        _step(graph, step, key)

    for row in _taken(graph)[1]:
        known = before.get(row.key)
        assert row == known or known is None or row.changed_at > known.changed_at


_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6)
_ROWS = st.lists(
    st.builds(
        lambda key, reason: Row("default", as_text(key), ".", "failed", reason, "", "", "main", "", "", ""),
        st.binary(min_size=1, max_size=6)
        .filter(lambda b: b"\0" not in b and not b.startswith(b"./"))
        .map(lambda b: b.decode("utf-8", "surrogateescape")),
        _TEXT.filter(lambda text: not text.startswith("./")),
    ),
    unique_by=lambda row: row.key,
    max_size=4,
).map(lambda rows: sorted(rows, key=place))


@pytest.mark.parametrize("format_", [TableFormat.CSV, TableFormat.JSONL])
@given(rows=_ROWS)
def test_a_table_is_read_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, format_: TableFormat, rows: list[Row]
) -> None:
    path = tmp_path_factory.getbasetemp() / f"law.{format_.value}"
    _write(path, format_, rows)

    assert list(read(path)) == rows


def test_a_parquet_table_is_read_as_it_was_written(tmp_path: Path) -> None:
    at = "2026-11-27T02:00:00Z"
    rows = [Row("default", key, ".", "published", "", "o", "/o", "main", "ab", at, at) for key in ("=a", "\\xff\n")]
    _write(tmp_path / "table.parquet", TableFormat.PARQUET, rows)

    assert list(read(tmp_path / "table.parquet")) == rows


@given(raw=st.binary() | st.lists(st.sampled_from([b"\\", b"x5c", b"xff", b"\xff", b"a"])).map(b"".join))
@example(raw=b"\\xff")
def test_every_name_survives_as_text(raw: bytes) -> None:
    name = raw.decode("utf-8", "surrogateescape")
    as_text(name).encode()

    assert from_text(as_text(name)) == name


def _write(path: Path, format_: TableFormat, rows: list[Row]) -> None:
    with written_aside(path) as file, table(format_, file) as write:
        for row in rows:
            write(row)
