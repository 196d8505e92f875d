"""What a vendor's account may do: a balance that is behind, single refusals, long waits, a new key."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bg_pipeline_tests.e2e.shop import Shop
from bg_pipeline_tests.pictures import product
from bg_pipeline_tests.stub_vendor import Answer, StubVendor


@pytest.fixture
def shop(tmp_path: Path, vendor: StubVendor) -> Shop:
    made = Shop(tmp_path, vendor, vendor.base_url)
    made.env["BG_CONCURRENCY"] = "4"
    return made


def fill(shop: Shop, collections: int, pictures: int) -> None:
    for n in range(collections * pictures):
        shop.put(f"c{n % collections:02}/{n:03}.png", product(n, size=(40 + n % 50, 30 + n // 50)))


def test_a_balance_that_is_behind_does_not_hide_the_threshold(shop: Shop, vendor: StubVendor) -> None:
    vendor.start_with(120)
    vendor.lag_s = 5.0
    fill(shop, collections=12, pictures=10)
    shop.run("sync", code=3)

    assert vendor.credits == 49  # the purchase that goes below the threshold is the last
    facts = shop.json("status")["gate"]["bgeraser"]
    assert (facts["state"], facts["reason"], facts["balance"]) == ("closed", "low_credits", 49)
    assert facts["drift"] >= 0

    shop.run("sync", code=3)
    assert vendor.credits == 49


def test_what_others_spend_is_seen_near_the_threshold_as_soon_as_the_balance_shows_it(
    shop: Shop, vendor: StubVendor
) -> None:
    vendor.start_with(120)
    vendor.lag_s = 0.5
    vendor.latency_s = 0.2

    def spends_too(number: int, _image: bytes) -> None:
        if number % 3 == 0:
            vendor.spend(1)

    vendor.answers = spends_too
    fill(shop, collections=12, pictures=10)
    shop.run("sync", code=3)

    assert 50 - 25 <= vendor.credits <= 50  # what one lag and ten purchases hide
    assert "the vendor showed" in shop.run("status")


def test_a_balance_below_zero_is_a_balance(shop: Shop, vendor: StubVendor) -> None:
    vendor.start_with(-3)
    fill(shop, collections=1, pictures=2)
    shop.run("sync", code=3)

    assert vendor.sold == []
    facts = shop.json("status")["gate"]["bgeraser"]
    assert (facts["reason"], facts["balance"], facts["reading"]) == ("low_credits", -3, -3)


@pytest.mark.processes
@pytest.mark.parametrize("answer", [Answer(403, b"<html>firewall</html>"), Answer(404)], ids=["firewall", "not found"])
def test_one_refused_picture_stops_neither_the_vendor_nor_the_others(
    shop: Shop, vendor: StubVendor, answer: Answer
) -> None:
    fill(shop, collections=1, pictures=30)
    refused: set[bytes] = set()

    def refuse(number: int, image: bytes) -> Answer | None:
        if number == 3:
            refused.add(image)
        return answer if image in refused else None

    vendor.answers = refuse
    for _ in range(3):
        shop.run("sync", code=1)

    assert (len(vendor.sold), len(vendor.charges)) == (30, 29)
    facts = shop.json("status")
    assert (facts["items"]["published"], facts["items"]["pending"], facts["items"]["failed"]) == (29, 1, 0)
    assert facts["gate"]["bgeraser"]["state"] == "open"

    vendor.answers = lambda _number, _image: None
    shop.run("gate", "open", "bgeraser")
    shop.run("sync")
    assert len(vendor.charges) == 30


@pytest.mark.processes
@pytest.mark.parametrize(
    "headers",
    [
        {"Retry-After": "86400"},
        {"X-RateLimit-Limit": "500", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1900000000000"},
    ],
    ids=["a day", "milliseconds"],
)
def test_no_header_stops_a_vendor_for_more_than_an_hour_and_opening_the_gate_ends_the_wait(
    shop: Shop, vendor: StubVendor, headers: dict[str, str]
) -> None:
    fill(shop, collections=1, pictures=12)
    vendor.answers = lambda _number, _image: Answer(429, headers=headers)
    began = datetime.now(UTC)
    shop.run("sync", code=3)
    refused = len(vendor.sold)
    shop.run("sync", code=3)
    assert len(vendor.sold) == refused <= 5

    for command in ("status", "gate", "doctor"):
        shop.run(command, code=2 if command == "doctor" else 0)
    (gate,) = shop.json("gate")
    until = datetime.strptime(gate["waits_until"], "%Y-%m-%d %H:%M UTC").replace(tzinfo=UTC)
    assert timedelta(minutes=50) < until - began < timedelta(minutes=62)
    assert gate["waits_until"] in shop.run("status")

    vendor.answers = lambda _number, _image: None
    shop.run("gate", "open", "bgeraser")
    assert shop.json("gate")[0]["waits_until"] == "–"
    shop.run("sync")
    assert len(vendor.charges) == 12


def test_a_new_key_is_tried_at_once_where_the_old_one_was_refused(shop: Shop, vendor: StubVendor) -> None:
    fill(shop, collections=1, pictures=3)
    vendor.account = lambda: 401
    vendor.answers = lambda _number, _image: Answer(401)
    shop.run("sync", code=3)
    vendor.account = lambda: 200
    vendor.answers = lambda _number, _image: None
    shop.run("sync", code=3)
    assert vendor.charges == []

    shop.env["BGERASER_API_KEY"] = "canary-key-2"
    shop.run("sync")
    assert len(vendor.charges) == 3
    assert all(b"canary-key" not in file.read_bytes() for file in (shop.home / ".bg_pipeline").rglob("*.db*"))


def test_a_402_that_the_balance_does_not_explain_waits_before_it_is_asked_again(shop: Shop, vendor: StubVendor) -> None:
    fill(shop, collections=1, pictures=12)
    vendor.answers = lambda _number, _image: Answer(402)
    shop.run("sync", code=3)
    refused = len(vendor.sold)
    shop.run("sync", code=3)

    assert len(vendor.sold) == refused
    assert ", not before 20" in shop.json("gate")[0]["why"]


@pytest.mark.parametrize("cap", ["nan", "inf"])
def test_a_cap_that_is_no_number_of_credits_is_refused_with_a_sentence(shop: Shop, cap: str) -> None:
    shop.run("sync", "--max-credits", cap, code=2)
    assert "is not a number of credits from 0 to 1,000,000,000" in shop.err
