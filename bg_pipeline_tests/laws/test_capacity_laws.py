"""The model of a night against a simulation of its workers, over any costs; and where it says that ceilings lie."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bg_pipeline.vendors.registry import plugin
from bg_pipeline_tests.benchmarks.capacity_model import NIGHT_S, Costs, Service, night, price, simulated


def costs(picture_s: float = 0.1, cores: int = 2, item_s: float = 2e-5) -> Costs:
    return Costs(0.5, item_s, picture_s, cores, {"LIST": 4, "PUT": 3}, {"PUT": 2, "GET": 2, "HEAD": 3, "DELETE": 0.0})


@settings(max_examples=60, deadline=None)
@given(
    picture_s=st.floats(0.01, 0.5),
    cores=st.integers(1, 8),
    latency_s=st.floats(0.1, 5.0),
    slots=st.integers(1, 16),
    rounds=st.integers(25, 60),
    items=st.integers(0, 10**6),
)
def test_model_and_simulation_agree_within_15_percent(
    *, picture_s: float, cores: int, latency_s: float, slots: int, rounds: int, items: int
) -> None:
    service, each = Service(latency_s, slots), costs(picture_s, cores)
    pictures = rounds * max(slots, cores)

    assert night(items, pictures, each, service).seconds == pytest.approx(
        simulated(items, pictures, each, service), rel=0.15
    )


@pytest.mark.parametrize(
    ("service", "limit"),
    [
        (Service(2.0, 8), "slots of the account"),
        (Service(2.0, 64), "processors"),
        (Service(0.1, 64, per_minute=30), "rate of the account"),
    ],
)
def test_the_slowest_part_is_the_ceiling(service: Service, limit: str) -> None:
    assert night(1000, 100, costs(), service).limit == limit
    assert night(1000, 0, costs(), service).limit == "the listing"


def test_slots_and_machines_are_as_many_as_finish_in_a_night() -> None:
    pictures = 1_000_000
    needed = night(0, pictures, costs(), Service(2.0, 8))
    enough = night(0, pictures, costs(picture_s=0.1 / needed.machines), Service(2.0, needed.slots))

    assert needed.seconds > NIGHT_S
    assert enough.seconds <= 1.001 * NIGHT_S


def test_requests_are_counted_by_page_and_picture_and_priced() -> None:
    made = night(9_000, 1_000, costs(), Service(2.0, 8))

    assert made.requests == {"LIST": 24, "PUT": 2_003, "GET": 2_000, "HEAD": 3_000, "DELETE": 0}
    assert made.s3_usd == pytest.approx(Decimal("0.012135"))


@pytest.mark.parametrize("vendor", ["bgeraser", "photoroom", "removebg"])
def test_money_is_by_the_vendors_own_description(vendor: str) -> None:
    described = plugin(vendor).vendor
    credits_, usd = price(described, 1_000, 2000)

    assert credits_ == 1_000
    assert usd is not None
    assert usd == 1_000 * (next(iter(described.variants.values())).price.usd_per_credit or 0)
