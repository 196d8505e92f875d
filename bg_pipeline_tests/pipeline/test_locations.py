"""The whole job where its locations are of different kinds."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from bg_pipeline.stores.file.blobs import FolderStore
from bg_pipeline.stores.s3.blobs import S3Store
from bg_pipeline.stores.s3.source import S3Source
from bg_pipeline.stores.sql.source import SqlSource
from bg_pipeline_tests.graph import Graph
from bg_pipeline_tests.pictures import product
from bg_pipeline_tests.s3 import S3Server


def _asked(*locations: Any) -> list[str]:
    """Collects the operations that are asked for from now on."""
    asked: list[str] = []
    for location in locations:
        location._objects._client.meta.events.register(
            "before-send.s3", lambda request, event_name, **_: asked.append(event_name.rpartition(".")[2])
        )
    return asked


def test_an_unchanged_bucket_is_listed_and_not_read(s3: S3Server) -> None:
    catalogue, shop, safe = (s3.new_bucket(prefix) for prefix in ("img/", "cut/", ""))
    for shade in range(3):
        s3.put(catalogue, f"shoes/{shade} ü+.png", product(shade))
    source, outputs, masters = (
        S3Source(catalogue, s3.endpoint),
        S3Store(shop, s3.endpoint),
        S3Store(safe, s3.endpoint, write_once=True),
    )
    graph = Graph(source=source, outputs=outputs, masters=masters)  # type: ignore[arg-type]
    first = graph.sync()

    assert sorted(first.published) == [f"shoes/{shade} ü+.png" for shade in range(3)]
    assert s3.keys(shop) == [f"cut/shoes/{shade} ü+.png" for shade in range(3)]
    assert len(s3.keys(safe)) == len(graph.remover.requests) == 3
    head = s3.client.head_object(Bucket=shop.name, Key="cut/shoes/0 ü+.png")
    assert head["ContentType"] == "image/png"

    asked = _asked(source, outputs, masters)
    graph.clock.now += 3600
    assert graph.sync().published == []
    assert sorted(asked) == ["ListObjectsV2", "ListObjectsV2"]


def test_a_database_is_cut_out_into_bucket_and_folder(
    s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path}/shop.db"
    engine = create_engine(url)
    with engine.begin() as conn:
        conn.execute(text("CREATE TABLE items (sku TEXT PRIMARY KEY, picture BLOB, version INTEGER)"))
        for shade in range(2):
            conn.execute(text("INSERT INTO items VALUES (:k, :d, 1)"), {"k": f"shoes/{shade}", "d": product(shade)})
    source = SqlSource(url, "SELECT sku AS key, picture AS image, version FROM items")
    shop = s3.new_bucket()
    graph = Graph(source=source, outputs=S3Store(shop, s3.endpoint), masters=FolderStore(tmp_path / "masters"))  # type: ignore[arg-type]
    graph.sync()
    with engine.begin() as conn:
        conn.execute(text("UPDATE items SET picture = :d, version = 2 WHERE sku = 'shoes/1'"), {"d": product(9)})
    engine.dispose()

    assert s3.keys(shop) == ["shoes/0.png", "shoes/1.png"]
    assert graph.sync().published == ["shoes/1"]
    assert len(graph.remover.requests) == 3
