"""A step that failed is repeated, or not, and nothing is bought twice."""

import dagster as dg
import pytest

from bg_pipeline.core.claims import lease_of_step
from bg_pipeline.errors import StoreError
from bg_pipeline.orchestration.definitions import OPENERS
from bg_pipeline.stores.file.blobs import FolderStore
from bg_pipeline_tests.orchestration.conftest import Run, Shop
from bg_pipeline_tests.orchestration.runs import backfill


def broken_once(monkeypatch: pytest.MonkeyPatch, folder: str) -> list[str]:
    """The first picture that is written into this folder fails, and the probe after it; returns the names tried."""
    tried: list[str] = []
    probes_that_fail = iter([StoreError("the share is away for a moment")])
    real = FolderStore.write

    def write(store: FolderStore, name: str, data: bytes) -> None:
        if store._root.name == folder:
            if not name.startswith(".bgp-probe"):
                tried.append(name)
                if len(tried) == 1:
                    raise StoreError("the share is away for a moment")
            elif tried:
                for error in probes_that_fail:
                    raise error
        real(store, name, data)

    monkeypatch.setattr(FolderStore, "write", write)
    return tried


def test_a_step_waits_for_the_lease_of_the_lost_process_whose_work_it_was_given(
    shop: Shop, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    with OPENERS[0].open() as pipeline:
        lease = pipeline.catalogue.leases.acquire(
            lease_of_step("5d5fa5d2-0000-4000-8000-000000000000", "nightly_cutouts.work_1"), "a worker that was killed"
        )

        def expire(_policy: dg.RetryPolicy, _attempt: int) -> float:
            pipeline.catalogue.leases.release(lease)
            return 0.0

        monkeypatch.setattr(dg.RetryPolicy, "calculate_delay", expire)

        assert run("process_pending", run_id="5d5fa5d2-0000-4000-8000-000000000000").success


@pytest.mark.parametrize("job", ["process_pending", "process_delta"])
def test_a_store_that_is_away_for_a_moment_is_tried_again_and_nothing_is_bought_twice(
    shop: Shop, run: Run, monkeypatch: pytest.MonkeyPatch, job: str
) -> None:
    run("detect_delta")
    tried = broken_once(monkeypatch, "cutouts")
    result = run(job) if job == "process_pending" else backfill(run, "bags", "shoes")

    assert result.success
    assert len(tried) == 4
    assert len(shop.vendor.ledger.charges()) == 3


def test_masters_that_are_away_for_a_moment_cost_no_second_charge(
    shop: Shop, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("detect_delta")
    broken_once(monkeypatch, "masters")
    for _ in range(2):
        assert run("process_pending").success

    assert len(list((shop.home / "cutouts").rglob("*.png"))) == 3
    assert len(shop.vendor.ledger.charges()) == 3


def test_a_repeated_step_spends_under_the_same_cap(shop: Shop, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BG_MAX_CREDITS_PER_RUN", "2")
    run("detect_delta")
    broken_once(monkeypatch, "cutouts")
    run("process_pending")

    assert len(shop.vendor.ledger.charges()) == 2


def test_a_backfill_cannot_spend_more_than_the_settings_allow_a_run(
    shop: Shop, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BG_MAX_CREDITS_PER_RUN", "1")
    run("detect_delta")
    backfill(run, "bags", "shoes", max_credits=50.0)

    assert len(shop.vendor.ledger.charges()) == 1
