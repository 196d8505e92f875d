"""A paid answer is kept: the order of record, request, master and publication, and runs that were killed."""

import pytest

from bg_pipeline.core.records import AttemptState
from bg_pipeline.errors import StoreError
from bg_pipeline_tests.fakes import FakeRemover
from bg_pipeline_tests.graph import Graph
from bg_pipeline_tests.pictures import encoded, opened, product


def test_the_attempt_is_on_record_before_the_request_is_sent(graph: Graph) -> None:
    on_record: list[bool] = []
    graph.remover.before = lambda request: on_record.append(
        AttemptState.INTENT in {a.state for a in graph.ledger.attempts([request.purchase_id])}
    )
    graph.sync()

    assert on_record == [True] * 4


def test_the_master_is_stored_before_anything_is_published(graph: Graph) -> None:
    graph.remover.before = lambda _request: setattr(graph.outputs, "full", True)
    with pytest.raises(StoreError):
        graph.sync(collection="bags")

    assert len(graph.masters.blobs) == 1
    graph.outputs.full = False
    graph.stop.clear()
    assert graph.sync(collection="bags").summary.purchases == 0


def test_a_run_killed_after_the_master_was_stored_pays_nothing_again(graph: Graph) -> None:
    class Killed(BaseException):
        pass

    def kill(*_args: object) -> None:
        raise Killed

    real, graph.purchases.keep = graph.purchases.keep, kill  # type: ignore[method-assign]
    with pytest.raises(Killed):
        graph.sync(collection="bags")
    graph.stop.clear()
    graph.purchases.keep = real  # type: ignore[method-assign]
    done = graph.sync(collection="bags")

    assert (done.summary.published, done.summary.purchases, done.summary.in_doubt) == (1, 0, 0)
    assert len(graph.remover.requests) == 1


def test_a_suspicious_master_stays_suspicious_when_its_run_was_killed(graph: Graph) -> None:
    answer = opened(product(9)).convert("RGBA")
    answer.putalpha(0)
    graph.remover = FakeRemover([encoded(answer)])
    real, graph.purchases.keep = graph.purchases.keep, _killed  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        graph.sync(collection="bags")
    graph.stop.clear()
    graph.purchases.keep = real  # type: ignore[method-assign]

    assert graph.sync(collection="bags").summary.quarantined == 1
    assert graph.outputs.blobs == {}


def _killed(*_args: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("store", ["masters", "outputs"])
def test_nothing_is_bought_that_could_not_be_stored(graph: Graph, store: str) -> None:
    getattr(graph, store).full = True
    with pytest.raises(StoreError):
        graph.sync()

    assert graph.remover.requests == []


def test_a_rotten_master_of_a_killed_run_is_made_anew_from_the_spool(graph: Graph) -> None:
    real, graph.purchases.keep = graph.purchases.keep, _killed  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        graph.sync(collection="bags")
    graph.stop.clear()
    graph.purchases.keep = real  # type: ignore[method-assign]
    graph.masters.blobs = dict.fromkeys(graph.masters.blobs, b"rotten")
    done = graph.sync(collection="bags")

    assert (done.summary.in_doubt, done.summary.purchases, done.summary.published) == (0, 0, 1)


def test_a_rotten_master_of_a_killed_run_is_in_doubt_and_stops_no_other(graph: Graph) -> None:
    real, graph.purchases.keep = graph.purchases.keep, _killed  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        graph.sync(collection="bags")
    graph.stop.clear()
    graph.purchases.keep = real  # type: ignore[method-assign]
    graph.masters.blobs = dict.fromkeys(graph.masters.blobs, b"rotten")
    graph.spool.blobs.clear()
    done = graph.sync(collection="bags")

    assert (done.summary.in_doubt, done.summary.published) == (1, 1)


def test_masters_that_are_not_there_are_not_bought_again(graph: Graph) -> None:
    """A disk that is not mounted, or a wrong BG_MASTERS: the plan said free."""
    graph.sync()
    graph.masters.blobs.clear()
    graph.outputs.blobs.clear()
    with pytest.raises(StoreError, match="BG_MASTERS"):
        graph.sync()

    assert len(graph.remover.requests) == 4
