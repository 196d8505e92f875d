"""A small catalogue that was never looked at."""

import pytest

from bg_pipeline_tests.graph import Graph
from bg_pipeline_tests.pictures import product


@pytest.fixture
def graph() -> Graph:
    made = Graph()
    for n in range(3):
        made.source.put(f"shoes/{n}.png", product(n))
    made.source.put("bags/9.png", product(9))
    return made
