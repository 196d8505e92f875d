"""A run that a person asks to end, from another process or machine."""

import threading
import time
from collections.abc import Callable

import dagster as dg
import pytest

from bg_pipeline.core.claims import lease_of_step
from bg_pipeline.core.runlog import DetectRecord, ScanRecord
from bg_pipeline.orchestration.definitions import OPENERS
from bg_pipeline.pipeline.stop import ask_to_stop
from bg_pipeline.stores.file.source import FolderSource
from bg_pipeline_tests.orchestration.conftest import Run, Shop
from bg_pipeline_tests.orchestration.test_definitions import requests
from bg_pipeline_tests.pictures import product


def by_command(_instance: dg.DagsterInstance, run: dg.DagsterRun) -> None:
    with OPENERS[0].monitor() as monitor:
        ask_to_stop(monitor, run.run_id[:8], "anna@shop")


def by_terminate(instance: dg.DagsterInstance, run: dg.DagsterRun) -> None:
    """As a launcher does it that cannot reach the process of the step."""
    instance.report_run_canceling(run)


@pytest.mark.parametrize(("ask", "by"), [(by_command, "anna@shop"), (by_terminate, "Dagster, where the run")])
def test_a_run_that_is_asked_to_end_finishes_what_is_in_flight_and_stays_ended(
    ask: Callable[..., None],
    by: str,
    shop: Shop,
    run: Run,
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bg_pipeline.ports.context.BEATS", 200)
    monkeypatch.setenv("BG_CONCURRENCY", "1")
    for n in range(20):
        shop.put(f"hats/{n}.png", product(100 + n))
    run("detect_delta")
    shop.vendor.latency_s = 0.3
    request = requests(instance)[0][0]

    def ask_while_it_buys() -> None:
        while not shop.vendor.ledger.charges():
            time.sleep(0.02)
        ask(instance, instance.get_runs()[0])

    asking = threading.Thread(target=ask_while_it_buys)
    asking.start()
    result = run("process_pending", tags=request.tags)
    asking.join()

    (failed,) = [event for event in result.all_events if event.is_step_failure]
    assert f"stopped on request ({by}" in failed.step_failure_data.user_failure_data.description
    assert 0 < len(shop.vendor.ledger.charges()) == len(list(shop.home.glob("cutouts/**/*.png"))) < 23
    ended = instance.get_run_by_id(result.run_id)
    assert ended is not None
    assert ended.status is dg.DagsterRunStatus.CANCELED
    assert 0 not in {pool.limit for pool in instance.event_log_storage.get_pool_limits()}, "no gate is closed"
    assert f"run {result.run_id[:8]} was cancelled" in requests(instance)[1]


def test_a_run_that_is_asked_to_end_while_it_lists_ends_although_a_read_hangs(
    shop: Shop, run: Run, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bg_pipeline.ports.context.BEATS", 200)
    monkeypatch.setattr("bg_pipeline.pipeline.interruptible.GRACE_S", 0.1)
    share_is_back = threading.Event()

    def hang(source: FolderSource, key: str) -> bytes:
        if not share_is_back.is_set():
            by_command(instance, instance.get_runs()[0])
            share_is_back.wait(60)
        raise AssertionError(f"{key} is not wanted now")

    monkeypatch.setattr(FolderSource, "read", hang)
    result = run("detect_delta")

    assert not share_is_back.is_set(), "it hangs still"
    share_is_back.set()
    ended = instance.get_run_by_id(result.run_id)
    assert ended is not None
    assert ended.status is dg.DagsterRunStatus.CANCELED
    with OPENERS[0].monitor() as monitor:
        assert [scan.complete for scan in monitor.run_log.read(ScanRecord)] == [False]
        assert not monitor.run_log.read(DetectRecord)


def test_a_name_that_no_run_at_work_has_is_told_with_those_at_work(shop: Shop, run: Run) -> None:
    run("detect_delta")
    with OPENERS[0].monitor() as monitor, OPENERS[0].open() as pipeline:
        lease = pipeline.catalogue.leases.acquire(lease_of_step("1a2b", "nightly_cutouts.work_1"), "Dagster run 1a2b")
        with pytest.raises(Exception, match=r"no run at work has a name that begins with 'ffff'\. At work:\n  1a2b"):
            ask_to_stop(monitor, "ffff", "anna@shop")
        pipeline.catalogue.leases.release(lease)
        with pytest.raises(Exception, match="At work: none"):
            ask_to_stop(monitor, "1a2b", "anna@shop")
