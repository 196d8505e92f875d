"""Catalogues that are published and lose some of their pictures."""

import pytest

from bg_pipeline.core.deletes import DeletePolicy
from bg_pipeline_tests.graph import Graph
from bg_pipeline_tests.pictures import product


@pytest.fixture
def graph() -> Graph:
    made = Graph(deletes=DeletePolicy(trash=True))
    for n in range(3):
        made.source.put(f"shoes/{n}.png", product(n))
    for n in range(5, 10):
        made.source.put(f"bags/{n}.png", product(n))
    made.sync()
    return made


@pytest.fixture
def large() -> Graph:
    made = Graph(deletes=DeletePolicy(trash=True))
    for n in range(30):
        made.source.put(f"shoes/{n:02}.png", product(n))
    made.sync()
    return made
