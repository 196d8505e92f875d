"""Two catalogues that buy on one account at the same time, each in a process of its own."""

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bg_pipeline.sandbox.serve import running_sandbox
from bg_pipeline.sandbox.state import Limits, SandboxState
from bg_pipeline_tests.e2e.two_shops import TwoShops
from bg_pipeline_tests.pictures import cut_middle

pytestmark = pytest.mark.processes

BRANDS = ("a", "b")


@pytest.fixture
def shops(tmp_path: Path) -> Iterator[TwoShops]:
    vendor = SandboxState(latency_s=0.1)
    with running_sandbox(vendor, cut_middle) as running:
        yield TwoShops(tmp_path, vendor, running.base_url)


def sync_both(shops: TwoShops) -> dict[str, tuple[int, dict[str, object]]]:
    """Exit code and report of both, which run side by side."""
    running = {brand: shops.start("sync", "--catalogue", f"brand_{brand}", "--json") for brand in BRANDS}
    ended = {brand: process.communicate(timeout=300) for brand, process in running.items()}
    return {
        brand: (running[brand].returncode, json.loads(out.splitlines()[-1]) if out else {"error": err})
        for brand, (out, err) in ended.items()
    }


def test_the_cap_of_a_day_and_the_limit_of_requests_at_once_hold_over_both(shops: TwoShops) -> None:
    shops.write(account="max_credits_per_day = 100\nconcurrency = 5")
    shops.vendor.limits, shops.vendor.latency_s = Limits(concurrent=5), 0.5
    for n in range(80):
        for number, brand in enumerate(BRANDS):
            shops.put_in(brand, f"many/{n}.png", 300 * number + 100 + n)
    ended = sync_both(shops)

    assert len(shops.vendor.ledger.charges()) == 100, ended
    assert 4 in (codes := {code for code, _ in ended.values()}), ended
    assert codes <= {0, 4}, ended  # one may have had all of its own before the cap
    attempts = shops.json("ledger")["attempts"]
    refused = [each for each in attempts if each["became"] == "refused"]
    assert len(refused) <= 2, [each["detail"] for each in refused]
    assert min(sum(each["catalogue"] == f"brand_{brand}" for each in attempts) for brand in BRANDS) > 0
    assert 4 in (code for code, _ in sync_both(shops).values())
    assert len(shops.vendor.ledger.charges()) == 100


def test_pictures_that_both_want_at_the_same_time_are_bought_once_and_published_in_both(shops: TwoShops) -> None:
    for n in range(30):
        for brand in BRANDS:
            shops.put_in(brand, f"same/{n}.png", 100 + n)
    ended = sync_both(shops)
    assert len(shops.vendor.ledger.charges()) == 33, ended
    shops.run("sync", "--all")  # what the other was still buying when a run ended

    assert len(shops.vendor.ledger.charges()) == 33
    for brand in BRANDS:
        assert len(list((shops.home / brand / "cutouts/same").iterdir())) == 30, ended


def test_a_stopped_sync_of_all_begins_no_further_catalogue(shops: TwoShops) -> None:
    shops.vendor.latency_s = 0.5
    for n in range(40):
        shops.put_in("a", f"many/{n}.png", 100 + n)
    process = shops.start("sync", "--all", "--json")
    while not shops.vendor.ledger.charges():
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)

    assert (process.returncode, set(json.loads(out.splitlines()[-1]))) == (3, {"brand_a", "exit"})
    assert "brand_b: not begun, because the command was stopped" in err
