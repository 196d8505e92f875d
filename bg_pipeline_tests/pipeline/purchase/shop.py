"""A shop with one picture, and one with a fallback vendor."""

import pytest

from bg_pipeline.core.recipe import Cut, Recipe, Rendition
from bg_pipeline_tests.fakes import FakeRemover
from bg_pipeline_tests.graph import Graph
from bg_pipeline_tests.pictures import product

FIRST, SECOND = Cut("bgeraser", 2500, variant="tools"), Cut("removebg", 2500)


def shop(*keys: str, **options: object) -> Graph:
    made = Graph(**options)  # type: ignore[arg-type]
    for n, key in enumerate(keys or ("c/1.png",)):
        made.source.put(key, product(n + 1))
    return made


def with_fallback(first: FakeRemover, second: FakeRemover | None = None, *keys: str) -> Graph:
    recipe = Recipe((FIRST, SECOND), Rendition())
    return shop(*keys, recipe=recipe, remover=first, others={"removebg": second or FakeRemover()})


def killed(**options: object) -> Graph:
    """A shop of which a run was killed while its only picture was in flight."""
    graph = shop(remover=FakeRemover([KeyboardInterrupt()]), **options)
    with pytest.raises(KeyboardInterrupt):
        graph.sync()
    graph.stop.clear()
    return graph


def interrupted(*_args: object) -> None:
    raise KeyboardInterrupt
