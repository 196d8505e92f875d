"""Which commits wait for the disk."""

from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from sqlalchemy import Connection

from bg_pipeline.core.records import Change, Observation, Reason
from bg_pipeline.manifest import deltas
from bg_pipeline.manifest.catalogues import catalogue_id
from bg_pipeline.manifest.database import Database
from bg_pipeline.manifest.deltas import SqlDeltas
from bg_pipeline.manifest.observations import SqlObservations


def test_a_delta_is_on_the_disk_when_it_is_recorded_though_its_batches_do_not_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(f"sqlite:///{tmp_path}/manifest.db")
    number = catalogue_id(database)
    keys = [f"c/{n}.jpg" for n in range(5)]
    SqlObservations(database, number).observe([Observation(key, "c", "f", key, 1, "image/jpeg") for key in keys])
    monkeypatch.setattr(deltas, "BATCH", 2)
    waited: list[bool] = []
    real_write = database.write

    def write(*, durable: bool = True) -> AbstractContextManager[Connection]:
        waited.append(durable)
        return real_write(durable=durable)

    monkeypatch.setattr(database, "write", write)
    SqlDeltas(database, number).record([Change(key, "c", Reason.NEW, "new", purchase_id=key) for key in keys], 0.0)
    database.close()

    assert waited == [False, False, False, True]
