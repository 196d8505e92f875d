"""Backfills: which items they take, and what they may spend."""

import contextlib
import threading
from collections.abc import Iterator
from decimal import Decimal

import dagster as dg
import pytest

from bg_pipeline.core.claims import Ask, AskedBy
from bg_pipeline.core.credits import Budget
from bg_pipeline.pipeline.backfill import BackfillResult
from bg_pipeline.wiring import open_pipeline
from bg_pipeline.wiring.settings import load_settings
from bg_pipeline_tests.orchestration.conftest import Run, Shop
from bg_pipeline_tests.orchestration.runs import backfill, night, partitions_of
from bg_pipeline_tests.pictures import product


def test_a_limit_of_credits_leaves_the_rest_pending(
    shop: Shop, run: Run, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BG_MAX_CREDITS_PER_RUN", "1")
    run("detect_delta")
    assert run("process_delta", partition_key="shoes").success

    assert partitions_of(instance, "cutouts") == []
    with open_pipeline(load_settings()) as pipeline:
        assert pipeline.catalogue.queue.pending() == {"bags": 1, "shoes": 1}
    assert sum(c.credits for c in shop.vendor.ledger.charges()) == Decimal(1)


def test_one_run_of_a_backfill_does_several_collections_and_tells_of_each(
    shop: Shop, run: Run, instance: dg.DagsterInstance
) -> None:
    run("detect_delta")
    assert backfill(run, "bags", "shoes").success

    records = instance.fetch_materializations(dg.AssetKey("cutouts"), limit=10).records
    told = {r.partition_key: r.asset_materialization.metadata["published"].value for r in records}  # type: ignore[union-attr]
    assert told == {"bags": 1, "shoes": 2}
    assert partitions_of(instance, "review_gallery") == ["bags", "shoes"]


def test_a_backfill_stops_at_its_own_limit_of_credits(shop: Shop, run: Run) -> None:
    run("detect_delta")
    backfill(run, "bags", "shoes", max_credits=2.0)

    assert len(shop.vendor.ledger.charges()) == 2


def test_a_backfill_does_a_sample_of_each_collection(shop: Shop, run: Run) -> None:
    run("detect_delta")
    backfill(run, "bags", "shoes", sample=1)

    assert len(shop.vendor.ledger.charges()) == 2


def test_a_run_that_stops_at_its_limit_shows_as_made_only_what_has_a_cutout(
    shop: Shop, run: Run, instance: dg.DagsterInstance
) -> None:
    run("detect_delta")
    run("process_delta", partition_key="bags")
    result = backfill(run, "bags", "shoes", max_credits=0.0)

    assert result.success
    assert partitions_of(instance, "cutouts") == ["bags", "bags"]


@contextlib.contextmanager
def held_for_a_second(key: str) -> Iterator[None]:
    """An item in the hands of another run, which lets go of it."""
    with open_pipeline(load_settings()) as pipeline:
        queue = pipeline.catalogue.queue
        claim = queue.claim_items(Ask(AskedBy.BACKFILL, Budget("another run")), "another run", {key: None}).claim
        assert claim is not None
        timer = threading.Timer(1.0, queue.release, [claim])
        timer.start()
        yield
        timer.join()


def test_a_backfill_waits_for_items_that_another_run_holds(shop: Shop, run: Run) -> None:
    run("detect_delta")
    with held_for_a_second("bags/9.png"):
        assert backfill(run, "bags", "shoes").success

    assert len(shop.vendor.ledger.charges()) == 3


@pytest.mark.parametrize("asked_for", [{"only": "failed"}, {"apply_recipe_change": True}])
def test_a_backfill_waits_for_items_that_are_not_pending_and_that_another_run_holds(
    asked_for: dict[str, object], shop: Shop, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = "bags/9.png"
    if "only" in asked_for:
        key = "bags/broken.png"
        shop.put(key, product(7)[:-25])
    night(run)
    if "only" not in asked_for:
        monkeypatch.setenv("BG_MAX_PIXELS_SENT", "64")
        run("detect_delta")
    with held_for_a_second(key):
        assert backfill(run, "bags", "bags", **asked_for).success


def test_a_terminated_backfill_shows_the_collections_that_it_finished(
    shop: Shop, run: Run, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    def terminated(*args: object) -> None:
        real(*args)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    real = BackfillResult.add
    monkeypatch.setattr(BackfillResult, "add", terminated)
    run("detect_delta")
    with contextlib.suppress(KeyboardInterrupt):
        backfill(run, "bags", "shoes")

    assert len(partitions_of(instance, "cutouts")) == 1


def test_a_share_of_a_recipe_change_can_be_bought_from_the_ui(
    shop: Shop, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    night(run)
    monkeypatch.setenv("BG_MAX_PIXELS_SENT", "64")
    run("detect_delta")
    backfill(run, "bags", "shoes", recipe_change_share=2)
    run("detect_delta")
    run("process_pending")

    assert len(shop.vendor.ledger.charges()) == 3 + 2


def test_a_backfill_of_what_failed_tries_that_and_nothing_else(shop: Shop, run: Run) -> None:
    shop.put("shoes/broken.png", product(7)[:-25])
    night(run)
    shop.put("shoes/new.png", product(8))
    run("detect_delta")
    charges = len(shop.vendor.ledger.charges())
    backfill(run, "shoes", only="failed")

    assert len(shop.vendor.ledger.charges()) == charges
    assert not (shop.home / "cutouts/shoes/new.png").exists()


def test_a_backfill_of_what_changed_leaves_what_is_new(shop: Shop, run: Run) -> None:
    night(run)
    shop.put("shoes/0.png", product(50))
    shop.put("shoes/new.png", product(8))
    run("detect_delta")
    backfill(run, "shoes", only="changed")

    assert len(shop.vendor.ledger.charges()) == 4
    assert not (shop.home / "cutouts/shoes/new.png").exists()


def test_a_recipe_change_of_many_pictures_needs_a_canary_or_a_person_who_wants_none(
    shop: Shop, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(20, 25):
        shop.put(f"shoes/{n}.png", product(n))
    night(run)
    monkeypatch.setenv("BG_MAX_PIXELS_SENT", "64")
    run("detect_delta")
    refused = backfill(run, "shoes", apply_recipe_change=True)
    assert not refused.success
    failure = next(event for event in refused.all_events if event.is_step_failure)
    assert "no canary of it is accepted" in str(failure.step_failure_data.error)
    assert len(shop.vendor.ledger.charges()) == 8

    assert backfill(run, "shoes", apply_recipe_change=True, without_canary=True).success
    assert len(shop.vendor.ledger.charges()) == 8 + 7


def test_a_recipe_change_is_bought_in_the_chosen_collections_only(
    shop: Shop, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    night(run)
    monkeypatch.setenv("BG_MAX_PIXELS_SENT", "64")
    run("detect_delta")
    backfill(run, "bags", apply_recipe_change=True)
    run("process_pending")

    assert len(shop.vendor.ledger.charges()) == 4
