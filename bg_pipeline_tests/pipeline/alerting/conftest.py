"""A shop without an alert, and one in which all is pending."""

import pytest

from bg_pipeline_tests.graph import Graph
from bg_pipeline_tests.pictures import product
from bg_pipeline_tests.pipeline.alerting.shop import only_detect


@pytest.fixture
def shop() -> Graph:
    graph = Graph()
    for n in range(4):
        graph.source.put(f"shoes/{n}.png", product(n))
    graph.source.put("bags/1.png", product(9))
    return graph


@pytest.fixture
def pending(shop: Graph) -> Graph:
    """All is pending, and nothing else is wrong."""
    only_detect(shop)
    shop.clock.now += 1.0
    return shop
