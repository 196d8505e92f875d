"""A run that dies at any moment, and the run after it."""

from collections import Counter
from contextlib import suppress
from decimal import Decimal
from itertools import count

import pytest

from bg_pipeline.core.records import AttemptState, State
from bg_pipeline.errors import BgPipelineError, SourceUnreadable, StateError, StoreError
from bg_pipeline_tests.crashing import MANIFEST, STORES, Failure, Fuse, Killed, wired
from bg_pipeline_tests.graph import Graph
from bg_pipeline_tests.model.inline import use_one_thread
from bg_pipeline_tests.model.pictures import call_once
from bg_pipeline_tests.pictures import opened, product

PICTURES = 3
MAYBE_CHARGED = {AttemptState.CHARGED, AttemptState.UNUSABLE, AttemptState.IN_DOUBT}


def shop() -> Graph:
    looks = count()
    graph = Graph(call=call_once, seconds=lambda: float(next(looks)))
    for n in range(PICTURES):
        graph.source.put(f"{'ab'[n % 2]}/{n}.png", product(n, size=(48 + 8 * n, 32)))
    graph.source.put("b/twin.png", product(0, size=(48, 32)))
    return graph


def killed(graph: Graph, at: int, after: bool) -> bool:
    """Sync until the fuse burns; whether it did."""
    try:
        with wired(graph, Fuse(at, after)):
            graph.sync()
    except Killed:
        return True
    finally:
        # The dead hold their leases and claims until they run out.
        graph.clock.now += 1000
        graph.stop.clear()
    return False


@pytest.mark.every_call
@pytest.mark.parametrize("after", [False, True], ids=["before a call", "after a call"])
def test_wherever_a_run_is_killed_nothing_is_lost_and_every_charge_is_on_record(after: bool) -> None:
    """At most one extra charge for each request that was in flight, and that one counts as in doubt."""
    kills = 0
    while True:
        graph = shop()
        if not killed(graph, kills + 1, after):
            break
        kills += 1
        done = graph.sync()

        where = f"killed at call {kills}"
        in_doubt = whole_again(graph, where)
        assert in_doubt <= graph.concurrency, where  # no more than were in flight
        assert done.summary.in_doubt == in_doubt, where
    assert kills > 60


NO_SPACE, BROKEN = "No space left on device", "Input/output error"
FAULTS = {
    "no space in a store": (StoreError(NO_SPACE), STORES, False),
    "a store fails": (StoreError(BROKEN), STORES, False),
    "a store fails after it wrote": (StoreError(BROKEN), STORES, True),
    "the source fails": (SourceUnreadable(BROKEN), ("source",), False),
    "the manifest is locked": (StateError("database is locked"), MANIFEST, False),
    "the manifest fails after it wrote": (StateError("the server closed the connection"), MANIFEST, True),
}


@pytest.mark.every_call
@pytest.mark.parametrize("fault", FAULTS)
def test_whichever_call_fails_nothing_is_lost_and_nothing_is_bought_twice(
    fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_one_thread(monkeypatch)
    error, ports, after = FAULTS[fault]
    failed = 0
    while True:
        graph = shop()
        failure = Failure(failed + 1, after, error)
        with wired(graph, failure, ports), suppress(BgPipelineError):
            graph.sync()
        if failure.calls <= failed:
            break
        failed += 1
        graph.clock.now += 1000
        graph.stop.clear()
        graph.sync()
        whole_again(graph, f"{fault}, call {failed}")
        assert len(graph.remover.requests) == PICTURES, f"{fault}, call {failed}"
    assert failed >= (2 if ports == ("source",) else 20)


def whole_again(graph: Graph, where: str) -> int:
    """What must be true after one more run, and that a third has nothing to do; return the attempts in doubt."""
    charged = Counter(r.purchase_id for r in graph.remover.requests)
    attempts = list(graph.ledger.log(0.0))
    recorded = Counter(a.purchase_id for a in attempts if a.state in MAYBE_CHARGED)
    in_doubt = sum(a.state is AttemptState.IN_DOUBT for a in attempts)
    assert graph.items.states()[State.PUBLISHED] == PICTURES + 1, where
    assert all(opened(blob).mode == "RGBA" for blob in graph.outputs.blobs.values()), where
    assert all(charged[work] <= recorded[work] for work in charged), where
    assert sum(charged.values()) <= PICTURES + in_doubt, where
    assert graph.spool.blobs == {}, where
    assert not graph.ledger.abandoned(), where
    assert graph.ledger.spent(0.0) == Decimal(PICTURES + in_doubt), where
    again = graph.sync()
    assert (again.delta.changes, len(graph.remover.requests)) == ((), sum(charged.values())), where
    return in_doubt
