"""What was paid for is kept, whatever the stores do."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from bg_pipeline.core.answers import RESULT_HOST_S, RESULT_URL_S, WAITS_S, answer_bytes
from bg_pipeline.core.records import AttemptState, State
from bg_pipeline.core.report import Cause
from bg_pipeline.core.responses import ResponseKind
from bg_pipeline.errors import ItemUnreadable, PaidResultLost, ResultAwaited, StoreError
from bg_pipeline.ports.stores import PROBE_BYTES
from bg_pipeline_tests.fakes.remover import FakeRemover
from bg_pipeline_tests.graph import Graph
from bg_pipeline_tests.pictures import product

ITEMS = 12
SLOTS = 3


class Killed(BaseException):
    """Stands for a process that ends here."""


@pytest.fixture
def graph() -> Graph:
    graph = Graph(concurrency=SLOTS)
    for number in range(ITEMS):
        graph.source.put(f"bags/{number:02d}.png", product(number))
    return graph


def after_requests(graph: Graph, number: int, happens: Callable[[], None]) -> None:
    def before(_request: object) -> None:
        if len(graph.remover.requests) == number:
            happens()

    graph.remover.before = before


def states(graph: Graph) -> set[AttemptState]:
    return {attempt.state for attempt in graph.database.attempts.values()}


def items(graph: Graph) -> dict[str, int]:
    return {state: count for state, count in graph.items.states().items() if count}


def charged_twice(graph: Graph) -> list[str]:
    bought = [request.purchase_id for request in graph.remover.requests]
    return [each for each in bought if bought.count(each) > 1]


@pytest.mark.parametrize("tells_free", [True, False], ids=["a disk", "a bucket"])
def test_masters_that_fill_up_lose_no_answer_and_stop_the_buying(graph: Graph, tells_free: bool) -> None:
    graph.masters.tells_free = tells_free
    after_requests(graph, 5, lambda: setattr(graph.masters, "full", True))
    with pytest.raises(StoreError):
        graph.sync()
    bought = len(graph.remover.requests)

    assert bought <= 5 + SLOTS
    assert len(graph.masters.blobs) + len(graph.spool.blobs) == bought
    assert "failed" not in items(graph)

    for _ in range(4):
        graph.stop.clear()
        with pytest.raises(StoreError):
            graph.sync()
    assert len(graph.remover.requests) == bought

    graph.stop.clear()
    graph.masters.full = False
    done = graph.sync()

    assert items(graph) == {"published": ITEMS}
    assert done.summary.purchases == ITEMS - bought
    assert charged_twice(graph) == []
    assert graph.spool.blobs == {}
    assert states(graph) == {AttemptState.CHARGED}


def test_what_is_paid_and_not_stored_is_counted(graph: Graph) -> None:
    real = graph.masters.write

    def refuse(name: str, data: bytes) -> None:
        raise StoreError("503")

    graph.masters.write = refuse  # type: ignore[method-assign]
    done = graph.sync(sample=1)

    assert (done.summary.awaited, done.summary.purchases, done.summary.credits) == (1, 1, 1)
    assert [failure.cause for failure in done.summary.failures] == [Cause.AWAITED]
    assert states(graph) == {AttemptState.ANSWERED}

    graph.masters.write = real  # type: ignore[method-assign]
    assert graph.sync(sample=1).summary.purchases == 0
    assert charged_twice(graph) == []


@pytest.mark.parametrize("store", ["spool", "masters"])
def test_nothing_is_bought_without_room_for_its_answer(graph: Graph, store: str) -> None:
    getattr(graph, store).free = SLOTS * answer_bytes(64, 48) - 1
    with pytest.raises(StoreError, match=f"BG_{store.upper()} has .* left"):
        graph.sync()

    assert graph.remover.requests == []


@pytest.mark.parametrize("store", ["spool", "masters"])
def test_a_probe_is_as_large_as_an_answer_may_be(graph: Graph, store: str) -> None:
    graph.sync()
    largest = max(answer_bytes(r.width_px, r.height_px) for r in graph.remover.requests)

    assert largest > PROBE_BYTES
    assert max(getattr(graph, store).probed) == largest


def test_a_run_killed_before_an_answer_was_decoded_pays_nothing_again(
    graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kill(*_args: object) -> None:
        raise Killed

    monkeypatch.setattr("bg_pipeline.purchasing.answers.validate_answer", kill)
    with pytest.raises(Killed):
        graph.sync()
    monkeypatch.undo()
    graph.stop.clear()
    graph.clock.now += 200
    done = graph.sync()

    assert items(graph) == {"published": ITEMS}
    assert done.summary.in_doubt == 0
    assert charged_twice(graph) == []


@pytest.mark.parametrize("tells_free", [True, False], ids=["a disk", "a bucket"])
def test_a_spool_that_fails_loses_nothing_and_stops_the_buying(graph: Graph, tells_free: bool) -> None:
    graph.spool.tells_free = tells_free
    after_requests(graph, 4, lambda: setattr(graph.spool, "full", True))
    with pytest.raises(StoreError):
        graph.sync()

    assert len(graph.remover.requests) <= 4 + SLOTS
    assert len(graph.masters.blobs) == len(graph.remover.requests)


def test_what_no_store_took_is_no_fault_of_the_picture(graph: Graph) -> None:
    def full() -> None:
        graph.masters.full = graph.spool.full = True

    for _ in range(5):
        graph.remover.requests.clear()
        after_requests(graph, 1, full)
        with pytest.raises(PaidResultLost):
            graph.sync(sample=1)
        graph.masters.full = graph.spool.full = False
        graph.stop.clear()

    assert states(graph) == {AttemptState.LOST}
    graph.remover.before = lambda _request: None
    assert graph.sync(sample=1).summary.published == 1


def not_ready(times: int, *, refused: bool = False) -> Callable[[bytes], bytes]:
    left = [times]

    def opens(answer: bytes) -> bytes:
        left[0] -= 1
        if left[0] >= 0:
            raise ResultAwaited("its result is not ready: 404", refused=refused)
        return answer

    return opens


def test_a_result_that_is_not_ready_is_waited_for(graph: Graph) -> None:
    graph.remover.opens = not_ready(3, refused=True)
    done = graph.sync(sample=1)

    assert graph.slept == list(WAITS_S[:3])
    assert (done.summary.published, done.summary.purchases) == (1, 1)


@pytest.mark.parametrize("refused", [True, False])
def test_a_result_that_is_not_ready_in_this_run_is_asked_for_by_the_next(graph: Graph, refused: bool) -> None:
    graph.remover.opens = not_ready(1000, refused=refused)
    done = graph.sync(sample=1)

    assert [(f.state, f.cause) for f in done.summary.failures] == [(State.PENDING, Cause.AWAITED)]
    assert graph.gates.gate("bgeraser").is_open

    graph.remover.opens = lambda answer: answer
    done = graph.sync(sample=1)
    assert (done.summary.published, done.summary.purchases) == (1, 0)
    assert charged_twice(graph) == []


def test_a_slow_result_host_closes_nothing(graph: Graph) -> None:
    graph.remover.opens = not_ready(1000)
    done = graph.sync()

    assert done.summary.awaited == ITEMS
    assert graph.gates.gate("bgeraser").is_open
    assert items(graph) == {"pending": ITEMS}


@pytest.mark.parametrize(("refused", "until_s"), [(True, RESULT_URL_S), (False, RESULT_HOST_S)])
def test_a_result_that_never_comes_is_bought_again_once_it_has_expired(
    graph: Graph, refused: bool, until_s: float
) -> None:
    graph.remover.opens = not_ready(1000, refused=refused)
    graph.sync(sample=1)
    graph.clock.now += until_s - 10
    graph.sync(sample=1)
    assert len(graph.remover.requests) == 1

    graph.clock.now += 20
    graph.sync(sample=1)
    assert AttemptState.UNUSABLE in states(graph)
    graph.remover.opens = lambda answer: answer
    assert graph.sync(sample=1).summary.published >= 1


def test_an_answer_whose_decoder_dies_was_paid_for(graph: Graph) -> None:
    def dies(answer: bytes) -> bytes:
        raise ItemUnreadable("the picture made its decoder crash")

    graph.remover.opens = dies
    done = graph.sync(sample=1)

    assert (done.summary.wasted, done.summary.failed) == (1, 0)
    assert states(graph) == {AttemptState.UNUSABLE}


def test_an_answer_that_waits_serves_the_same_picture_under_another_name(graph: Graph) -> None:
    graph.source.files.clear()
    graph.source.put("bags/a.png", product(1))
    graph.remover.opens = not_ready(1000)
    graph.sync()
    graph.source.files.clear()
    graph.source.put("shoes/b.png", product(1))
    graph.remover.opens = not_ready(1)
    done = graph.sync()

    assert (done.summary.published, done.summary.purchases) == (1, 0)


def test_answers_in_the_spool_outlive_the_manifest(graph: Graph) -> None:
    graph.remover.opens = not_ready(1000)
    graph.sync()
    graph.remover.opens = lambda answer: answer
    spool, requests = graph.spool, len(graph.remover.requests)
    fresh = Graph(source=graph.source, remover=graph.remover, spool=spool, concurrency=SLOTS)
    done = fresh.sync()

    assert done.summary.published == ITEMS
    assert len(graph.remover.requests) == requests
    assert spool.blobs == {}


@pytest.mark.parametrize(
    "state", [AttemptState.IN_DOUBT, AttemptState.LOST, AttemptState.REFUSED, AttemptState.UNUSABLE]
)
def test_an_answer_that_came_after_its_attempt_was_given_up_is_used(graph: Graph, state: AttemptState) -> None:
    """A process was stopped for longer than its claim lived; a reading of the balance may have told of the charge."""
    graph.remover.opens = not_ready(1000)
    graph.sync(sample=1)
    for number, attempt in graph.database.attempts.items():
        graph.database.attempts[number] = replace(attempt, state=state)
    graph.remover.opens = lambda answer: answer
    done = graph.sync(sample=1)

    assert (done.summary.published, done.summary.purchases) == (1, 0)
    assert graph.spool.blobs == {}


def test_an_answer_that_is_known_to_be_none_is_not_kept(graph: Graph) -> None:
    graph.remover.opens = not_ready(1000)
    graph.sync(sample=1)
    for number, attempt in graph.database.attempts.items():
        graph.database.attempts[number] = replace(attempt, state=AttemptState.UNUSABLE, kind=ResponseKind.UNUSABLE)
    graph.remover.opens = lambda answer: answer

    assert graph.sync(sample=1).summary.purchases == 1
    assert graph.spool.blobs == {}


def test_an_answer_that_vanished_from_the_spool_is_not_bought_again_before_a_person_could_look(graph: Graph) -> None:
    graph.remover.opens = not_ready(1000)
    graph.sync(sample=1)
    graph.spool.blobs.clear()
    graph.remover = FakeRemover()
    done = graph.sync(sample=1)

    assert "BG_SPOOL" in done.summary.failures[0].detail
    assert graph.remover.requests == []

    graph.clock.now += RESULT_HOST_S + 1
    graph.sync(sample=1)
    assert graph.sync(sample=1).summary.published >= 1
