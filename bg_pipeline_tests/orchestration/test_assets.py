"""The assets on real parts: what they do, what they tell, and what they keep to themselves."""

from decimal import Decimal
from pathlib import Path

import dagster as dg
import pytest

from bg_pipeline.sandbox.faults import Fault
from bg_pipeline_tests.orchestration.conftest import Run, Shop
from bg_pipeline_tests.pictures import opened, product


def metadata_of(instance: dg.DagsterInstance, asset: str) -> dict[str, object]:
    event = instance.get_latest_materialization_event(dg.AssetKey(asset))
    assert event is not None
    materialization = event.asset_materialization
    assert materialization is not None
    return {name: value.value for name, value in materialization.metadata.items()}


def checks_of(result: dg.ExecuteInProcessResult) -> dict[str, bool]:
    return {e.check_name: e.passed for e in result.get_asset_check_evaluations()}


def night(run: Run, instance: dg.DagsterInstance) -> list[dg.ExecuteInProcessResult]:
    detected = run("detect_delta")
    keys = instance.get_dynamic_partitions("collections")
    return [detected, *(run("process_delta", partition_key=key) for key in keys)]


def test_a_night_publishes_every_collection(shop: Shop, run: Run, instance: dg.DagsterInstance) -> None:
    results = night(run, instance)

    assert [r.success for r in results] == [True] * 3
    assert sorted(p.relative_to(shop.home / "cutouts").as_posix() for p in shop.home.glob("cutouts/*/*")) == [
        "bags/9.png",
        "shoes/0.png",
        "shoes/1.png",
    ]
    assert opened((shop.home / "cutouts/shoes/0.png").read_bytes()).mode == "RGBA"
    assert len(shop.vendor.ledger.charges()) == 3


def test_the_delta_tells_what_it_is_and_what_it_costs(shop: Shop, run: Run, instance: dg.DagsterInstance) -> None:
    run("detect_delta")
    told = metadata_of(instance, "image_delta")

    assert (told["new"], told["unchanged"], told["purchases"], told["credits"]) == (3, 0, 3, 3.0)
    assert sorted(instance.get_dynamic_partitions("collections")) == ["bags", "shoes"]


def test_a_second_night_buys_nothing(shop: Shop, run: Run, instance: dg.DagsterInstance) -> None:
    night(run, instance)
    night(run, instance)

    assert metadata_of(instance, "image_delta")["unchanged"] == 3
    assert metadata_of(instance, "manifest")["published"] == 3
    assert len(shop.vendor.ledger.charges()) == 3


def test_a_collection_tells_what_happened_with_counts_failures_and_pictures(
    shop: Shop, run: Run, instance: dg.DagsterInstance
) -> None:
    shop.put("shoes/broken.png", product(7)[:-25])
    run("detect_delta")
    run("process_delta", partition_key="shoes")
    told = metadata_of(instance, "cutouts")

    assert (told["published"], told["purchases"], told["credits"], told["failed"]) == (2, 2, 2.0, 1)
    failures = told["failures"]
    assert "shoes/broken.png" in str(failures)
    assert str(told["contact_sheet"]).startswith("![before and after](data:image/png;base64,")
    page = metadata_of(instance, "review_gallery")["page"]
    assert "shoes/0.png" in Path(str(page)).read_text(encoding="utf-8")


def test_one_event_a_collection_and_none_an_image(shop: Shop, run: Run, instance: dg.DagsterInstance) -> None:
    """The event log must not grow with the catalogue."""
    few = sum(len(r.all_events) for r in night(run, instance))
    for n in range(30):
        shop.put(f"shoes/more-{n}.png", product(100 + n))
    many = sum(len(r.all_events) for r in night(run, instance))

    assert many <= few


def test_no_image_goes_through_an_io_manager(shop: Shop, run: Run, instance: dg.DagsterInstance) -> None:
    kinds = {e.event_type for result in night(run, instance) for e in result.all_events}

    assert dg.DagsterEventType.HANDLED_OUTPUT not in kinds
    assert dg.DagsterEventType.LOADED_INPUT not in kinds


def test_an_empty_account_pauses_the_run_and_says_so(shop: Shop, run: Run, instance: dg.DagsterInstance) -> None:
    shop.vendor.faults.replace([Fault(kind="402")])
    run("detect_delta")
    result = run("process_delta", partition_key="bags")
    told = metadata_of(instance, "cutouts")

    assert result.success
    assert (told["failed"], told["pending"]) == (0, 1)
    assert "402" in str(told["paused"])


def test_a_charge_without_a_cutout_fails_the_spend_check(shop: Shop, run: Run) -> None:
    shop.vendor.faults.replace([Fault(kind="opaque")])
    run("detect_delta")
    result = run("process_delta", partition_key="bags")

    assert checks_of(result) == {"spend": False}


def test_the_checks_of_a_sound_night_pass(shop: Shop, run: Run, instance: dg.DagsterInstance) -> None:
    night(run, instance)
    results = night(run, instance)

    assert checks_of(results[0]) == {"coverage": True, "output_integrity": True, "no_collisions": True}


def test_a_damaged_output_fails_the_integrity_check(shop: Shop, run: Run, instance: dg.DagsterInstance) -> None:
    night(run, instance)
    (shop.home / "cutouts/bags/9.png").write_bytes(b"damaged")

    assert checks_of(run("detect_delta"))["output_integrity"] is False


def test_two_items_with_one_name_fail_the_collision_check(shop: Shop, run: Run) -> None:
    shop.put("shoes/0.jpg", product(70, kind="JPEG"))

    assert checks_of(run("detect_delta"))["no_collisions"] is False


def test_a_missing_source_fails_the_run_in_one_sentence(
    shop: Shop, run: Run, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BG_SOURCE", "unmounted")
    result = run("detect_delta")
    failure = result.failure_data_for_node("source_images")

    assert not result.success
    assert failure is not None
    assert "BG_SOURCE is there, mounted and readable" in str(failure.user_failure_data)


def test_wrong_settings_fail_the_run_in_one_sentence(shop: Shop, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BGERASER_API_KEY")
    failure = run("detect_delta").failure_data_for_node("source_images")

    assert failure is not None
    assert "BGERASER_API_KEY" in str(failure.user_failure_data)


def test_failed_items_are_made_pending_again_by_their_job(shop: Shop, run: Run, instance: dg.DagsterInstance) -> None:
    (shop.home / "images/bags/9.png").write_bytes(product(9)[:-25])
    night(run, instance)
    result = run("retry_failed", run_config={"ops": {"make_failed_pending": {"config": {"collection": "bags"}}}})

    assert result.success
    assert metadata_of(instance, "manifest")["failed"] == 0
    run("detect_delta")
    assert metadata_of(instance, "manifest")["pending"] == 1


def test_no_key_is_in_any_event(shop: Shop, run: Run, instance: dg.DagsterInstance) -> None:
    shop.vendor.faults.replace([Fault(kind="401"), Fault(kind="500")])
    for result in night(run, instance):
        for event in instance.all_logs(result.run_id):
            assert "canary-key" not in str(event)


def test_a_limit_of_credits_leaves_the_rest_pending(
    shop: Shop, run: Run, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BG_MAX_CREDITS_PER_RUN", "1")
    run("detect_delta")
    run("process_delta", partition_key="shoes")

    assert metadata_of(instance, "cutouts")["pending"] == 1
    assert sum(c.credits for c in shop.vendor.ledger.charges()) == Decimal(1)
