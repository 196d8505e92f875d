"""The alert about pictures and folders that cannot be read."""

from bg_pipeline.core.alerts import HOLD_S, Kind
from bg_pipeline.core.filters import Filter
from bg_pipeline.pipeline.failures import accept
from bg_pipeline_tests.graph import Graph
from bg_pipeline_tests.pictures import product
from bg_pipeline_tests.pipeline.alerting.shop import kinds, lines, told

KEY = "shoes/0.png"


def test_what_cannot_be_read_is_told_with_examples_until_it_can_be(shop: Graph) -> None:
    shop.source.unreadable |= {KEY, "shoes/1.png"}
    shop.sync()
    assert told(shop) == ["2 pictures or folders cannot be read"]
    assert f"{KEY}: " in lines(shop, Kind.UNREADABLE)
    assert "bg-pipeline failures" in lines(shop, Kind.UNREADABLE)
    assert told(shop) == []

    shop.source.unreadable.clear()
    shop.sync()
    told(shop)
    shop.clock.now += HOLD_S + 1
    assert told(shop) == ["2 pictures or folders cannot be read"]
    assert kinds(shop) == []


def test_what_a_person_accepted_is_not_told(shop: Graph) -> None:
    shop.source.unreadable.add(KEY)
    shop.sync()
    accept(shop.catalogue, shop.policy, [KEY], "private")

    assert kinds(shop) == []


def test_what_is_left_out_is_not_told(shop: Graph) -> None:
    shop.source.unreadable.add(KEY)
    shop.sync()
    shop.filter = Filter(exclude=["shoes/"])

    assert kinds(shop) == []


def test_a_picture_that_failed_for_another_reason_is_not_told_as_unreadable(shop: Graph) -> None:
    shop.source.put(KEY, product(0)[:-25])
    shop.sync()

    assert Kind.UNREADABLE not in kinds(shop)
