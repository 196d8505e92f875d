"""One picture that a firewall does not let through."""

from decimal import Decimal

from bg_pipeline.core.gate import GateReason, GateState, by_hand
from bg_pipeline.core.records import State
from bg_pipeline.core.refusals import FIRST_WAIT_S, IN_A_ROW
from bg_pipeline.errors import AccountError
from bg_pipeline.ports.purchasing import CutRequest
from bg_pipeline_tests.graph import Graph
from bg_pipeline_tests.pipeline.purchase.shop import shop
from bg_pipeline_tests.pipeline.states import state_of


def refusing(graph: Graph, *keys: str) -> None:
    def refuse(request: CutRequest) -> None:
        if request.item_key in keys:
            raise AccountError("403: a firewall")

    graph.remover.credits_left = Decimal(500)
    graph.remover.before = refuse


def sent(graph: Graph, key: str) -> int:
    return sum(request.item_key == key for request in graph.remover.requests)


def test_it_stays_pending_and_is_sent_again_ever_later_while_all_others_are_published() -> None:
    graph = shop(*(f"c/{n:02}.png" for n in range(12)))
    refusing(graph, "c/05.png")
    first = graph.sync()
    assert (first.summary.published, first.summary.failed, first.summary.pending) == (11, 0, 1)
    assert first.summary.paused == ""

    tries = []
    for _ in range(40):
        graph.clock.now += FIRST_WAIT_S / 2
        graph.sync()
        tries.append(sent(graph, "c/05.png"))
    assert [tries.index(n) + 1 for n in range(2, 6)] == [2, 6, 14, 30]  # after 10, 20, 40 and 80 minutes
    assert state_of(graph, "c/05.png") is State.PENDING
    assert graph.gates.gate("bgeraser").is_open

    graph.remover.before = lambda _request: None
    graph.clock.now += 86_400
    assert graph.sync().summary.published == 1


def test_as_many_in_a_row_as_prove_a_refused_account_close_the_gate() -> None:
    keys = [f"c/{n:02}.png" for n in range(12)]
    graph = shop(*keys)
    refusing(graph, *keys)
    done = graph.sync()

    assert graph.gates.gate("bgeraser").reason is GateReason.BAD_KEY
    assert IN_A_ROW <= len(graph.remover.requests) <= IN_A_ROW + 1  # one more may have been in flight
    assert (done.summary.failed, done.summary.pending) == (0, 12)


def test_a_person_who_opens_the_gate_ends_the_wait_of_every_picture() -> None:
    graph = shop()
    refusing(graph, "c/1.png")
    for _ in range(2):
        graph.sync()
    assert sent(graph, "c/1.png") == 1

    graph.remover.before = lambda _request: None
    graph.gates.change_gate("bgeraser", lambda gate: by_hand(gate, GateState.OPEN, "", graph.clock()))
    assert graph.sync().summary.published == 1
