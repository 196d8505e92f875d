"""Where the credits end, the first of the order are bought, and none of the rest."""

import random

import pytest

from bg_pipeline.core.buying import BuyOrder, position_of, sort_key
from bg_pipeline.core.records import Entry
from bg_pipeline_tests.graph import Graph
from bg_pipeline_tests.pictures import product

pytestmark = pytest.mark.unit

COUNT = 12


def shop(seed: int, concurrency: int) -> tuple[Graph, list[str]]:
    """A shop with new and changed pictures, priorities and twins; and its purchases in their order."""
    chance = random.Random(seed)
    graph = Graph(concurrency=concurrency, order=BuyOrder(("b", "a/1*")))
    keys = [f"{chance.choice('abc')}/{n}.png" for n in range(COUNT)]
    changed = chance.sample(keys, 4)
    for key in changed:
        graph.source.put(key, product(100 + keys.index(key)))
    graph.sync()
    for n, key in enumerate(keys):
        graph.source.put(key, product(n // 2 if chance.random() < 0.4 else n))
        graph.source.priorities[key] = float(chance.randrange(3))
    graph.sync(cap=0)
    pending = [e for e in graph.items.entries() if e.key in keys and not _has_master(graph, e)]
    in_order = sorted(pending, key=lambda e: sort_key(position_of(e)))
    return graph, list(dict.fromkeys(e.purchase_id for e in in_order))


def _has_master(graph: Graph, entry: Entry) -> bool:
    return bool(graph.purchases.bought([entry.purchase_id]))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("how", ["sync", "process", "sample"])
def test_with_one_in_flight_a_cap_buys_the_first_of_the_order_but_for_one_that_waits_for_the_slot(
    seed: int, how: str
) -> None:
    graph, order = shop(seed, concurrency=1)
    cap = random.Random(seed).randrange(1, len(order))
    {
        "sync": lambda: graph.sync(cap),
        "process": lambda: graph.process(cap),
        "sample": lambda: graph.sync(cap, sample=99),
    }[how]()

    bought = graph.purchases.bought(order)
    assert len(bought) == cap
    # There are two workers, so that one prepares a picture while the other's is answered.
    assert bought <= set(order[: cap + 1])
    assert len(set(order[:cap]) - bought) <= 1


@pytest.mark.parametrize("seed", range(4))
def test_with_many_in_flight_nothing_is_bought_before_what_is_earlier_by_more_than_the_workers(seed: int) -> None:
    graph, order = shop(seed, concurrency=2)
    cap = len(order) // 2
    graph.process(cap)

    bought = graph.purchases.bought(order)
    assert len(bought) == cap
    assert bought <= set(order[: cap + 4])


def test_a_changed_list_counts_for_all_that_is_pending_from_the_next_detection_on() -> None:
    graph = Graph()
    for n, key in enumerate(("a/1.png", "a/2.png", "c/1.png", "c/2.png")):
        graph.source.put(key, product(n))
    graph.sync(cap=0)
    graph.order = BuyOrder(("c",))
    graph.sync(cap=1)

    assert [e.collection for e in graph.items.entries() if e.published] == ["c"]


def test_a_priority_that_changes_without_the_picture_is_seen_and_hashes_nothing() -> None:
    graph = Graph()
    for n, key in enumerate(("a/1.png", "a/2.png", "b/1.png", "b/2.png")):
        graph.source.put(key, product(n))
    graph.sync(cap=0)
    graph.source.priorities |= {"b/1.png": -1.0, "b/2.png": -1.0}
    again = graph.sync(cap=1)

    assert again.scan.hashed == 0
    assert [e.collection for e in graph.items.entries() if e.published] == ["b"]
