"""Stores are looked through only where a folder has changed since a detection found all in order."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bg_pipeline.core.records import Reason
from bg_pipeline.core.runlog import Look, LookRecord
from bg_pipeline.pipeline.detect import detect
from bg_pipeline.pipeline.looks import missing_outputs
from bg_pipeline.stores.file import mounts
from bg_pipeline.stores.file.blobs import FolderStore
from bg_pipeline_tests.graph import Graph
from bg_pipeline_tests.pictures import product

KEYS = ("bags/a.png", "bags/b.png", "shoes/c.png")
_TICK_S = 0.05
"""Longer than a step of the clock of the disk that tests run on."""


def later() -> float:
    return time.time() + 10


@pytest.fixture(autouse=True)
def _times_prove(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bg_pipeline.stores.file.blobs.is_proof", lambda _root: True)


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    made = FolderStore(tmp_path, now=later)
    for key in KEYS:
        made.write(key, b"1")
    return made


def changes(root: Path) -> dict[str, Callable[[], object]]:
    return {
        "removed": (root / "bags/a.png").unlink,
        "renamed": lambda: (root / "bags/a.png").rename(root / "bags/z.png"),
        "moved away": lambda: (root / "bags/a.png").rename(root / "shoes/a.png"),
        "a folder removed": lambda: ((root / "shoes/c.png").unlink(), (root / "shoes").rmdir()),
        "a folder in its place": lambda: ((root / "shoes").rename(root / "old"), (root / "shoes").mkdir()),
        "new": (root / "bags/new.png").touch,
        "half-written": (root / "bags/.bgp-x-1").touch,
        "a new folder": (root / "hats").mkdir,
    }


@pytest.mark.parametrize("change", list(changes(Path())))
def test_whatever_comes_or_goes_changes_the_state_of_the_folders(
    store: FolderStore, tmp_path: Path, change: str
) -> None:
    look = store.look_through(older_than=0.0)
    assert look.state
    assert store.state_of(look.folders) == look.state
    time.sleep(_TICK_S)
    changes(tmp_path)[change]()

    assert store.state_of(look.folders) != look.state


def test_a_state_is_told_only_when_nothing_can_change_unseen(
    store: FolderStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert FolderStore(tmp_path).look_through(older_than=0.0) == Look(
        tuple(store.look_through(older_than=0.0).folders)
    )  # it changed within a tick of the file system's clock
    (tmp_path / "bags/.bgp-x-1").touch()
    assert store.look_through(older_than=0.0) == Look()
    assert store.look_through(older_than=later()) == Look()
    assert store.look_through(older_than=0.0).state
    monkeypatch.setattr("bg_pipeline.stores.file.blobs.is_proof", mounts.is_proof)
    monkeypatch.setattr(mounts, "MOUNTS", tmp_path / "none")
    assert store.look_through(older_than=0.0).state == ""


def test_a_folder_that_is_not_there_tells_nothing(tmp_path: Path) -> None:
    """Else all that comes into it later would count as in order."""
    store = FolderStore(tmp_path / "outputs", now=later)
    assert store.look_through(older_than=0.0) == Look()
    assert store.state_of(()) == ""


def shop(root: Path) -> Graph:
    """Three published items, and a night after them in which nothing changed."""
    made = Graph(outputs=FolderStore(root, now=later))  # type: ignore[arg-type]
    for number, key in enumerate(KEYS):
        made.source.put(key, product(number))
    for published in (3, 0):
        assert made.sync().summary.published == published
    return made


def no_listing(_store: FolderStore) -> object:
    raise AssertionError("the outputs are listed")


def test_outputs_are_not_listed_while_nothing_came_or_went(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = shop(tmp_path)
    monkeypatch.setattr(FolderStore, "list", no_listing)
    assert graph.sync().delta.changes == ()

    graph.source.put("bags/new.png", product(5))
    assert graph.sync().summary.published == 1
    with pytest.raises(AssertionError, match="are listed"):
        graph.sync()


def test_a_lost_output_is_looked_for_until_it_is_there_again(tmp_path: Path) -> None:
    graph = shop(tmp_path)
    time.sleep(_TICK_S)
    (tmp_path / KEYS[0]).unlink()
    for reason in (Reason.OUTPUT_MISSING, Reason.UNFINISHED):
        delta = detect(graph.catalogue, graph.accounts, graph.policy, graph.run)
        assert [(change.key, change.reason) for change in delta.work] == [(KEYS[0], reason)]
        assert missing_outputs(graph.catalogue) == {KEYS[0]: KEYS[0]}
        assert [list(each.stores) for each in graph.run_log.read(LookRecord)] == [[]]
    graph.sync()

    assert (tmp_path / KEYS[0]).exists()
    assert missing_outputs(graph.catalogue) == {}


def test_a_night_in_which_nothing_changed_writes_no_record(tmp_path: Path) -> None:
    graph = shop(tmp_path)
    before = graph.run_log.read(LookRecord, limit=10)
    graph.sync()

    assert graph.run_log.read(LookRecord, limit=10) == before
