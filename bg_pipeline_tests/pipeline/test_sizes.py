"""What is stored, counted by parts; in every store that can tell."""

from pathlib import Path

import pytest

from bg_pipeline.core.keys import damaged_name, master_name
from bg_pipeline.core.records import Master
from bg_pipeline.errors import StoreError
from bg_pipeline.pipeline.sizes import Size, measure, measure_masters
from bg_pipeline.ports.stores import SizedStore
from bg_pipeline.stores.file.blobs import FolderStore
from bg_pipeline.stores.registry import kind_of
from bg_pipeline.stores.s3.blobs import S3Store
from bg_pipeline_tests.graph import Graph
from bg_pipeline_tests.plugin import plugin, plugin_site  # noqa: F401  fixtures


@pytest.fixture(params=["folder", "s3", pytest.param("radosgw", marks=pytest.mark.radosgw)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> SizedStore:
    if request.param == "folder":
        return FolderStore(tmp_path / "cutouts")
    server = request.getfixturevalue(request.param)
    return S3Store(server.new_bucket("cutouts 1/"), server.endpoint)


def test_a_store_tells_the_sizes_of_all_that_it_has_also_of_what_is_hidden(store: FolderStore | S3Store) -> None:
    assert dict(store.sizes()) == {}
    names = {"a/é.png": 3, ".trash/2026-01-01/a.png": 5, f"{damaged_name('ab')}": 0}
    for name, size in names.items():
        store.write(name, bytes(size))
    store.set_owner("mine")
    sizes = dict(store.sizes())

    assert {name: sizes[name] for name in names} == names
    assert len(sizes) <= len(names) + 1


def test_a_folder_that_cannot_be_listed_has_no_size(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreError, match="file cannot be listed"):
        list(FolderStore(tmp_path / "file").sizes())


def test_each_part_is_counted() -> None:
    graph = Graph()
    for name, size in {"a.png": 10, ".trash/2026-01-01/b.png": 20, ".bg-pipeline/previous/a/b": 30}.items():
        graph.outputs.blobs[name] = bytes(size)
    graph.purchases.adopt(Master("aa", "d", 1, 1, content_hash="h"))
    graph.purchases.adopt(Master("bb", "d", 1, 1, "odd"))
    graph.masters.blobs = {master_name("aa"): bytes(3), master_name("bb"): bytes(4), damaged_name("aa"): bytes(5)}
    graph.spool.blobs["cc"] = bytes(6)

    assert measure(graph.catalogue, graph.accounts) == {
        "outputs": Size(1, 10),
        "trash": Size(1, 20),
        "previous outputs": Size(1, 30),
        "masters": Size(2, 7),
        "masters in quarantine": Size(1, 4),
        "masters that no item uses": Size(1, 3),
        "damaged masters": Size(1, 5),
        "spool": Size(1, 6),
    }
    assert measure_masters(graph.accounts, ["aa"]) == Size(1, 3)


@pytest.mark.usefixtures("plugin")
def test_a_store_of_another_package_that_cannot_tell_has_no_size(tmp_path: Path) -> None:
    kind = kind_of(f"shelf://{tmp_path}/shelf.db")
    graph = Graph()
    graph.masters = kind.open_blobs(f"shelf://{tmp_path}/shelf.db", kind.settings(), True)
    sizes = measure(graph.catalogue, graph.accounts)

    assert (sizes["masters"], sizes["outputs"]) == (None, Size(0, 0))
