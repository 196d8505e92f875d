"""The assets on real parts: what they do, what they tell, and what they keep to themselves."""

from decimal import Decimal
from pathlib import Path

import dagster as dg
import pytest

from bg_pipeline.core.gate import Gate
from bg_pipeline.orchestration.definitions import defs
from bg_pipeline.orchestration.opener import owner_of
from bg_pipeline.orchestration.partitions import register
from bg_pipeline.ports.context import DETECTION, Accounts, Policy, leased
from bg_pipeline.ports.context import Run as PipelineRun
from bg_pipeline.purchasing.gate import read_balances
from bg_pipeline.sandbox.faults import Fault
from bg_pipeline.wiring import open_pipeline
from bg_pipeline.wiring.settings import load_settings
from bg_pipeline_tests.orchestration.conftest import Run, Shop
from bg_pipeline_tests.orchestration.runs import backfill, checks_of, metadata_of, night, partitions_of
from bg_pipeline_tests.pictures import opened, product


def test_a_night_publishes_every_collection(shop: Shop, run: Run, instance: dg.DagsterInstance) -> None:
    results = night(run)

    assert [r.success for r in results] == [True] * 2
    assert partitions_of(instance, "cutouts") == ["bags", "shoes"]
    assert sorted(p.relative_to(shop.home / "cutouts").as_posix() for p in shop.home.glob("cutouts/*/*.png")) == [
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


def test_the_delta_tells_in_which_order_it_is_bought(
    shop: Shop, run: Run, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BG_BUY_FIRST", "shoes")
    run("detect_delta")
    rows = [record.data for record in metadata_of(instance, "image_delta")["bought_first"].records]  # type: ignore[attr-defined]

    assert rows == [
        {"step": "new, shoes", "items": 2, "purchases": 2, "credits": 2.0},
        {"step": "new, others", "items": 1, "purchases": 1, "credits": 1.0},
    ]


def test_a_night_tells_where_its_table_is_or_why_it_is_not_up_to_date(
    shop: Shop, run: Run, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BG_EXPORT", "csv")
    night(run)
    table = shop.home / "cutouts/.bg-pipeline/cutouts.csv"
    assert metadata_of(instance, "nightly_cutouts")["table"] == str(table)
    assert table.read_text().count("published,") == 3

    table.unlink()
    table.mkdir()
    shop.put("shoes/7.png", product(7))
    assert [result.success for result in night(run)] == [True] * 2
    told = str(metadata_of(instance, "nightly_cutouts")["table"])
    assert told.startswith("not up to date: ")
    assert "a folder has this name" in told


def test_a_second_night_buys_nothing(shop: Shop, run: Run, instance: dg.DagsterInstance) -> None:
    night(run)
    night(run)

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
    assert str(told["contact_sheet"]).startswith("![before and after](data:image/webp;base64,")
    page = metadata_of(instance, "review_gallery")["page"]
    assert "shoes/0.png" in Path(str(page)).read_text(encoding="utf-8")
    assert "review" not in told


def test_the_pages_link_to_the_review_where_a_setting_gives_its_address(
    shop: Shop, run: Run, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BG_REVIEW_URL", "http://127.0.0.1:8786")
    shop.put("shoes/broken.png", product(7)[:-25])
    night(run)

    assert metadata_of(instance, "nightly_cutouts")["review"] == "http://127.0.0.1:8786"
    link = str(metadata_of(instance, "review_gallery")["review"])
    assert link in {f"http://127.0.0.1:8786/?collection={name}" for name in ("bags", "shoes")}


def test_one_event_a_collection_and_none_an_image(shop: Shop, run: Run) -> None:
    """The event log must not grow with the catalogue."""
    few = sum(len(r.all_events) for r in night(run))
    for n in range(30):
        shop.put(f"shoes/more-{n}.png", product(100 + n))
    many = sum(len(r.all_events) for r in night(run))

    assert many <= few


def test_no_image_goes_through_an_io_manager(shop: Shop, run: Run) -> None:
    kinds = {e.event_type for result in night(run) for e in result.all_events}

    assert dg.DagsterEventType.HANDLED_OUTPUT not in kinds
    assert dg.DagsterEventType.LOADED_INPUT not in kinds


def test_an_empty_account_pauses_the_run_and_says_so(shop: Shop, run: Run, instance: dg.DagsterInstance) -> None:
    shop.vendor.faults.replace([Fault(kind="402")])
    (shop.home / "images/shoes/0.png").unlink()
    (shop.home / "images/shoes/1.png").unlink()
    _, result = night(run)
    told = metadata_of(instance, "nightly_cutouts")

    assert result.success
    assert (told["failed"], told["pending"]) == (0, 1)
    assert "402" in str(told["paused"])
    assert "402" in instance.get_run_by_id(result.run_id).tags["bg_pipeline/left_undone"]  # type: ignore[union-attr]
    assert [pool.limit for pool in instance.event_log_storage.get_pool_limits()] == [0]


def test_a_backfill_waits_while_the_gate_is_closed_and_goes_on_after_a_top_up(
    shop: Shop, run: Run, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("detect_delta")
    shop.vendor.ledger.set_balance("bgeraser", Decimal(10))
    monkeypatch.setattr("bg_pipeline.pipeline.backfill._POLL_S", 0.01)
    looked = []

    def top_up(accounts: Accounts, policy: Policy, pipeline_run: PipelineRun) -> list[Gate]:
        looked.append(len(shop.vendor.ledger.charges()))
        if len(looked) == 3:
            shop.vendor.ledger.set_balance("bgeraser", Decimal(500))
        return read_balances(accounts, policy, pipeline_run)

    monkeypatch.setattr("bg_pipeline.pipeline.backfill.read_balances", top_up)
    result = run("process_delta", partition_key="shoes")

    assert result.success
    assert looked == [0, 0, 0]
    assert metadata_of(instance, "cutouts")["published"] == 2
    assert instance.get_run_by_id(result.run_id).tags["bg_pipeline/waits_for"].startswith("nothing, since ")  # type: ignore[union-attr]


def test_a_charge_without_a_cutout_fails_the_spend_check(shop: Shop, run: Run) -> None:
    shop.vendor.faults.replace([Fault(kind="opaque")])
    run("detect_delta")
    result = run("process_delta", partition_key="bags")

    assert checks_of(result) == {"spend": False}


def test_the_checks_of_a_sound_night_pass(shop: Shop, run: Run) -> None:
    night(run)
    results = night(run)

    assert checks_of(results[0]) == {"coverage": True, "output_integrity": True, "no_collisions": True}


def test_a_damaged_output_fails_the_integrity_check(shop: Shop, run: Run) -> None:
    night(run)
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
    assert "BG_SOURCE exists, is mounted and is readable" in str(failure.user_failure_data)


def test_wrong_settings_fail_the_run_in_one_sentence(shop: Shop, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BGERASER_API_KEY")
    failure = run("detect_delta").failure_data_for_node("source_images")

    assert failure is not None
    assert "BGERASER_API_KEY" in str(failure.user_failure_data)


def test_failed_items_are_made_pending_again_by_their_job(shop: Shop, run: Run, instance: dg.DagsterInstance) -> None:
    (shop.home / "images/bags/9.png").write_bytes(product(9)[:-25])
    night(run)
    result = run("retry_failed", run_config={"ops": {"make_failed_pending": {"config": {"collection": "bags"}}}})

    assert result.success
    run("detect_delta")
    assert metadata_of(instance, "manifest")["pending"] == 1


def test_no_key_is_in_any_event(shop: Shop, run: Run, instance: dg.DagsterInstance) -> None:
    shop.vendor.faults.replace([Fault(kind="401"), Fault(kind="500")])
    for result in night(run):
        for event in instance.all_logs(result.run_id):
            assert "canary-key" not in str(event)


def test_a_detection_beside_another_says_who_is_at_it_since_when_and_ends_well(
    shop: Shop, run: Run, instance: dg.DagsterInstance
) -> None:
    run("detect_delta")
    with (
        open_pipeline(load_settings()) as pipeline,
        leased(pipeline.catalogue.leases, DETECTION, owner_of("the first night")),
    ):
        result = run("detect_delta")

    assert result.success
    said = instance.get_run_by_id(result.run_id).tags["bg_pipeline/skipped"]  # type: ignore[union-attr]
    assert "Dagster run the firs since 20" in said


def test_a_collection_without_new_work_is_not_called_unsynced_after_another_night(
    shop: Shop, run: Run, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dagster._core.definitions.data_version import CachingStaleStatusResolver, StaleStatus
    from dagster._core.loader import LoadingContextForTest

    graph = defs.resolve_asset_graph()
    # The code may have been loaded under the settings of another test.
    loaded = graph.get(dg.AssetKey("cutouts")).code_version
    monkeypatch.setattr("bg_pipeline.orchestration.versions.of_recipes", lambda _recipes: loaded)
    night(run)
    shop.put("bags/8.png", product(8))
    night(run)
    resolver = CachingStaleStatusResolver(
        instance=instance, asset_graph=graph, loading_context=LoadingContextForTest(instance)
    )
    found = {key: resolver.get_status(dg.AssetKey("cutouts"), key) for key in ("bags", "shoes")}

    assert found == {"bags": StaleStatus.FRESH, "shoes": StaleStatus.FRESH}


def test_every_collection_has_a_partition_up_to_a_limit_and_the_rest_is_counted(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert register(instance, "collections", [f"c{n:04}" for n in range(2500)]) == 0
    assert len(instance.get_dynamic_partitions("collections")) == 2500

    monkeypatch.setattr("bg_pipeline.orchestration.partitions.MOST_COLLECTIONS", 2600)
    kept = [f"c{n:04}" for n in range(2450)]
    assert register(instance, "collections", [f"d{n}" for n in range(200)] + kept) == 50
    known = set(instance.get_dynamic_partitions("collections"))
    assert len(known) == 2600
    assert set(kept) < known
    assert "c2450" not in known


def test_collections_without_work_have_a_partition_too(shop: Shop, run: Run) -> None:
    """A new DAGSTER_HOME, or work that was done on the command line."""
    night(run)
    with dg.DagsterInstance.ephemeral() as new:
        defs.resolve_job_def("detect_delta").execute_in_process(instance=new)

        assert sorted(new.get_dynamic_partitions("collections")) == ["bags", "shoes"]


def test_collections_beyond_the_limit_are_published_and_counted(
    shop: Shop, run: Run, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bg_pipeline.orchestration.partitions.MOST_COLLECTIONS", 1)
    night(run)

    assert metadata_of(instance, "image_delta")["collections_without_partition"] == 1
    assert len(list(shop.home.glob("cutouts/*/*.png"))) == 3


def test_after_a_night_the_manifest_and_the_checks_show_the_state_after_it(
    shop: Shop, run: Run, instance: dg.DagsterInstance
) -> None:
    night(run)

    assert metadata_of(instance, "manifest")["published"] == 3
    for asset, check in (("manifest", "coverage"), ("cutouts", "spend")):
        key = dg.AssetCheckKey(dg.AssetKey(asset), check)
        record = instance.event_log_storage.get_latest_asset_check_execution_by_key([key])[key]
        assert record.event is not None
        assert record.event.dagster_event.asset_check_evaluation_data.passed  # type: ignore[union-attr]
    assert partitions_of(instance, "review_gallery") == ["bags", "shoes"]


def test_a_collection_whose_items_all_failed_does_not_appear_as_made(
    shop: Shop, run: Run, instance: dg.DagsterInstance
) -> None:
    shop.put("bags/9.png", product(9)[:-25])
    night(run)
    result = backfill(run, "bags", "shoes", only="failed")

    assert not result.success
    assert "bags: none of its items has a cutout; bags/9.png" in str(result.failure_data_for_node("cutouts"))
    assert set(partitions_of(instance, "cutouts")) == {"shoes"}


def test_a_collection_without_items_does_not_appear_as_made(shop: Shop, run: Run, instance: dg.DagsterInstance) -> None:
    night(run)
    (shop.home / "images/bags/9.png").unlink()
    run("detect_delta")
    made = len(partitions_of(instance, "cutouts"))
    result = run("process_delta", partition_key="bags")

    assert "bags: no item is in it" in str(result.failure_data_for_node("cutouts"))
    assert len(partitions_of(instance, "cutouts")) == made


def test_a_catalogue_without_folders_is_one_collection(shop: Shop, run: Run, instance: dg.DagsterInstance) -> None:
    for key in ("shoes/0.png", "shoes/1.png", "bags/9.png"):
        (shop.home / "images" / key).rename(shop.home / "images" / key.replace("/", "-"))
    night(run)

    assert partitions_of(instance, "cutouts") == ["."]
    assert len(list(shop.home.glob("cutouts/*.png"))) == 3


def test_a_page_that_cannot_be_written_ends_no_night(shop: Shop, run: Run) -> None:
    long = "/".join(["Обувь для всей семьи"] * 3)
    shop.put(f"{long}/1.png", product(40))
    (shop.home / ".bg_pipeline").mkdir(exist_ok=True)
    (shop.home / ".bg_pipeline/gallery").write_bytes(b"a file in its place")

    assert [result.success for result in night(run)] == [True] * 2
    assert run("process_delta", partition_key="shoes").success


def test_a_folder_that_cannot_be_looked_at_is_a_gap_in_the_coverage(
    shop: Shop, run: Run, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BG_FOLLOW_LINKS", "true")
    night(run)
    (shop.home / "images/shoes/loop").symlink_to("loop")

    assert [checks_of(run("detect_delta"))["coverage"] for _ in range(2)][-1] is False
    assert "shoes/loop" in str(metadata_of(instance, "source_images")["not_looked_at"])
