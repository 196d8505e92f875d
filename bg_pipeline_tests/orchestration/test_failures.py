"""What Dagster shows of items that cannot be read."""

import os

import dagster as dg

from bg_pipeline.pipeline.failures import accept
from bg_pipeline.wiring import open_pipeline
from bg_pipeline.wiring.settings import load_settings
from bg_pipeline_tests.orchestration.conftest import Run, Shop
from bg_pipeline_tests.orchestration.runs import checks_of, metadata_of, night


def test_a_picture_that_cannot_be_read_is_a_gap_in_the_coverage_until_a_person_accepts_it(
    shop: Shop, run: Run, instance: dg.DagsterInstance
) -> None:
    night(run)
    shop.put("shoes/huge.png", b"")
    os.truncate(shop.home / "images/shoes/huge.png", 257 * 2**20)

    assert [checks_of(run("detect_delta"))["coverage"] for _ in range(2)][-1] is False
    assert "larger than 256 MiB" in str(metadata_of(instance, "source_images")["unreadable"])
    assert "shoes/huge.png" in str(metadata_of(instance, "manifest")["still_failed"])

    with open_pipeline(load_settings()) as pipeline:
        accept(pipeline.catalogue, pipeline.policy, ["shoes/huge.png"], "a poster")
    assert [checks_of(run("detect_delta"))["coverage"] for _ in range(2)][-1] is True
