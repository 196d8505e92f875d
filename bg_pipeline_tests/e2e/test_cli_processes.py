"""Processes that are killed, run side by side, or meet every kind of fault."""

import json
import signal
import time
from collections import Counter

import pytest

from bg_pipeline.sandbox.faults import Fault
from bg_pipeline_tests.e2e.shop import Shop
from bg_pipeline_tests.pictures import product

pytestmark = pytest.mark.processes


def test_a_terminated_sync_keeps_what_was_paid_for_and_buys_nothing_twice(shop: Shop) -> None:
    for n in range(40):
        shop.put(f"hats/{n}.png", product(100 + n))
    shop.vendor.latency_s = 0.3
    shop.env["BG_CONCURRENCY"] = "4"
    process = shop.start("sync", "--json")
    while len(shop.vendor.ledger.charges()) < 6:
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    out, err = shop.end(process, 60)
    stopped = json.loads(out.splitlines()[-1])
    assert (process.returncode, stopped["paused"]) == (3, "stopped on request"), err
    assert stopped["published"] == stopped["purchases"] == len(shop.vendor.ledger.charges()) < 45

    shop.vendor.latency_s = 0.0
    assert shop.json("sync")["pending"] == 0
    assert len(shop.vendor.ledger.charges()) == 45


def test_a_sync_that_another_process_asks_to_stop_keeps_what_was_paid_for(shop: Shop) -> None:
    for n in range(60):
        shop.put(f"hats/{n}.png", product(100 + n))
    shop.vendor.latency_s = 0.5
    shop.env["BG_CONCURRENCY"] = "2"
    process = shop.start("sync", "--json")
    while len(shop.vendor.ledger.charges()) < 2:
        time.sleep(0.02)
    (name,) = shop.json("stop")["at_work"]
    assert "asked to stop" in shop.run("stop", name)

    out, err = shop.end(process, 30)
    stopped = json.loads(out.splitlines()[-1])
    assert (process.returncode, stopped["paused"]) == (3, "stopped on request"), err
    assert stopped["published"] == len(shop.vendor.ledger.charges()) < 65


def test_a_sync_does_what_a_killed_one_held_and_pays_at_most_once_more_for_each_request_in_flight(
    shop: Shop,
) -> None:
    for n in range(40):
        shop.put(f"hats/{n}.png", product(100 + n))
    shop.vendor.latency_s = 0.3
    shop.env["BG_CONCURRENCY"] = "4"
    process = shop.start("sync")
    while len(shop.vendor.ledger.charges()) < 6:
        time.sleep(0.02)
    process.kill()
    process.communicate()
    shop.vendor.latency_s = 0.0

    done = shop.json("sync")
    extra = len(shop.vendor.ledger.charges()) - 45
    assert done["pending"] == 0
    assert 0 <= extra <= done["in_doubt"] <= 4


def test_two_syncs_at_once_buy_each_picture_once(shop: Shop) -> None:
    """Two machines with one cron line."""
    for n in range(10):
        shop.put(f"hats/{n}.png", product(100 + n))
        shop.put(f"ties/{n}.png", product(200 + n))
    shop.vendor.latency_s = 0.2
    both = [shop.start("sync", "--json") for _ in range(2)]
    ended = [(*shop.end(p), p.returncode) for p in both]

    assert [code for _, _, code in ended] == [0, 0], ended
    done = [json.loads(out.splitlines()[-1]) for out, _, _ in ended]
    assert sum(each["published"] for each in done) == 25
    charges = [charge.sha256 for charge in shop.vendor.ledger.charges()]
    assert len(charges) == len(set(charges)) == 25
    assert len(list((shop.home / "cutouts").rglob("*.png"))) == 25


def test_a_night_under_every_kind_of_fault_ends_with_all_published_and_all_charges_on_record(shop: Shop) -> None:
    for n in range(20):
        shop.put(f"hats/{n}.png", product(100 + n))
    kinds = ("500", "429", "503", "reset_after_charge", "truncated_image", "200_html", "wrong_size", "empty_body")
    shop.vendor.faults.replace([Fault(kind=kind, after=2) for kind in kinds])  # type: ignore[arg-type]
    for _ in range(4):
        process = shop.start("sync")
        shop.end(process)

    assert shop.json("status")["items"]["published"] == 25
    attempts = shop.json("ledger")["attempts"]
    maybe_charged = [a for a in attempts if a["became"] in {"charged", "unusable", "in_doubt"}]
    assert len(shop.vendor.ledger.charges()) <= len(maybe_charged)
    assert max(Counter(a["purchase_id"] for a in maybe_charged).values()) <= 3
