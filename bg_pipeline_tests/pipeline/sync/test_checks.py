"""Each result is compared with its picture before it is published; what fails waits for a person."""

from dataclasses import replace

import pytest

from bg_pipeline.core.checks import NOT_COMPARED, CheckLimits, failed_checks
from bg_pipeline.core.credits import MAX_CHARGES
from bg_pipeline.core.gate import GateReason
from bg_pipeline.core.keys import master_name
from bg_pipeline.core.recipe import Cut, Recipe, Rendition
from bg_pipeline.core.records import State
from bg_pipeline.core.report import Exit
from bg_pipeline.errors import ConfigurationError, ForeignStore, ItemChanged, LeaseHeld
from bg_pipeline.pipeline.rebuild import rebuild
from bg_pipeline.pipeline.review import items_to_review
from bg_pipeline.pipeline.swap import swap
from bg_pipeline.ports.purchasing import CutReply, CutRequest
from bg_pipeline.purchasing.buyer import MAX_USELESS
from bg_pipeline_tests.corpus.drawn import Case, visible
from bg_pipeline_tests.corpus.faults import FAULTS
from bg_pipeline_tests.fakes import FakeRemover
from bg_pipeline_tests.graph import RECIPE, Graph
from bg_pipeline_tests.pictures import cutout_of, encoded, opened, product
from bg_pipeline_tests.pipeline.states import state_of

pytestmark = pytest.mark.pictures

A, B = "bags/a.png", "bags/b.png"

LEA = "lea@studio"


@pytest.fixture(scope="module")
def cases() -> tuple[Case, Case]:
    """Two pictures of one size: a vendor's answer of another size shows by its size."""
    return visible(1), visible(9)


def picture(case: Case) -> bytes:
    return encoded(case.sent)


def test_an_answer_that_is_the_outline_of_something_else_waits_for_a_person(cases: tuple[Case, Case]) -> None:
    case, other = cases
    graph = Graph(remover=FakeRemover([encoded(FAULTS["another picture's outline"](case, other))]))
    graph.source.put(A, picture(case))

    assert graph.sync().summary.quarantined == 1
    assert "edge" in detail(graph, A)
    assert graph.outputs.blobs == {}


def test_a_right_answer_is_published(cases: tuple[Case, Case]) -> None:
    graph = Graph(remover=FakeRemover([encoded(cases[0].answer)]))
    graph.source.put(A, picture(cases[0]))

    assert graph.sync().summary.published == 1


def test_the_limits_are_those_of_the_settings(cases: tuple[Case, Case]) -> None:
    faint = FAULTS["opacity of 65 %"](*cases)
    graph = Graph(remover=FakeRemover([encoded(faint)]), checks=CheckLimits(opacity=0.5))
    graph.source.put(A, picture(cases[0]))

    assert graph.sync().summary.published == 1


def test_a_cut_with_a_shadow_is_not_held_for_its_colours(cases: tuple[Case, Case]) -> None:
    graph = Graph(remover=FakeRemover([encoded(FAULTS["colours shifted"](*cases))]))
    graph.recipe = Recipe((Cut("removebg", 2500, params={"shadow_type": "drop"}),), Rendition())
    graph.source.put(A, picture(cases[0]))

    assert graph.sync().summary.published == 1


class Swapping(FakeRemover):
    """Answers each of two requests with the cutout of the other."""

    def __init__(self, cases: tuple[Case, Case]) -> None:
        super().__init__()
        self._answers = {B: encoded(cases[0].answer), A: encoded(cases[1].answer)}

    def cut(self, request: CutRequest) -> CutReply:
        return replace(super().cut(request), answer=self._answers[request.item_key])


def swapped(cases: tuple[Case, Case], concurrency: int = 1) -> Graph:
    """The vendor answers two requests with each other's cutout."""
    graph = Graph(remover=Swapping(cases), concurrency=concurrency)
    for key, case in zip((A, B), cases, strict=True):
        graph.source.put(key, picture(case))
    return graph


def detail(graph: Graph, key: str) -> str:
    entry = graph.items.entry(key)
    assert entry is not None
    return entry.detail


@pytest.mark.parametrize("concurrency", [1, 2])
def test_swapped_answers_wait_for_a_person_and_each_names_the_other(cases: tuple[Case, Case], concurrency: int) -> None:
    graph = swapped(cases, concurrency)

    assert graph.sync().summary.quarantined == 2
    for key in (A, B):
        assert f"the answers of {key!r} and" in detail(graph, key)
        assert "were swapped, it seems" in detail(graph, key)
    assert {master.suspicion for master in graph.purchases.masters()} == {detail(graph, A), detail(graph, B)}


def test_nothing_swaps_them_back_by_itself(cases: tuple[Case, Case]) -> None:
    graph = swapped(cases)
    graph.sync()
    again = graph.sync().summary

    assert (again.published, again.purchases, graph.outputs.blobs) == (0, 0, {})


def test_a_person_swaps_them_back_and_the_next_sync_publishes_both_for_nothing(cases: tuple[Case, Case]) -> None:
    graph = swapped(cases)
    graph.sync()

    assert sorted(swap(graph.pipeline, (A, B), LEA)) == [A, B]
    done = graph.sync().summary
    assert (done.published, done.purchases, len(graph.remover.requests)) == (2, 0, 2)
    for key, case in zip((A, B), cases, strict=True):
        assert opened(graph.outputs.blobs[key]).getchannel("A").tobytes() == case.answer.getchannel("A").tobytes()
    assert sorted(graph.masters.blobs) == sorted(master_name(m.purchase_id) for m in graph.purchases.masters())


def test_a_swap_that_fits_no_better_stays_with_the_person(cases: tuple[Case, Case]) -> None:
    case, other = cases
    graph = Graph(remover=FakeRemover([encoded(FAULTS[f](case, other)) for f in ("inverted", "plain square")]))
    graph.source.put(A, picture(case))
    graph.source.put(B, picture(other))
    graph.sync()

    assert swap(graph.pipeline, (A, B), LEA) == []
    assert {state_of(graph, key) for key in (A, B)} == {State.QUARANTINED}


def test_a_swap_is_refused_before_anything_is_written(cases: tuple[Case, Case]) -> None:
    graph = swapped(cases)
    graph.sync()
    before = dict(graph.masters.blobs)
    with pytest.raises(ConfigurationError, match="not in the manifest"):
        swap(graph.pipeline, (A, "bags/none.png"), LEA)
    with pytest.raises(ConfigurationError, match="the same picture"):
        swap(graph.pipeline, (A, A), LEA)
    claim = graph.claim(B, owner="another run")
    with pytest.raises(LeaseHeld, match="another run has claimed it"):
        swap(graph.pipeline, (A, B), LEA)
    graph.queue.release(claim)
    graph.identity = "mine"
    graph.outputs.set_owner("of another")
    with pytest.raises(ForeignStore):
        swap(graph.pipeline, (A, B), LEA)
    graph.identity = ""
    graph.source.put(B, product(3))
    with pytest.raises(ItemChanged, match="the picture changed"):
        swap(graph.pipeline, (A, B), LEA)

    assert graph.masters.blobs == before


def test_a_vendor_that_answers_with_other_pictures_is_stopped() -> None:
    """Its answers are kept, and each further one would be paid in vain."""
    graph = Graph(remover=FakeRemover([cutout_of(product(200 + n)) for n in range(30)]))
    for n in range(30):
        graph.source.put(f"hats/{n}.png", product(100 + n))

    assert graph.sync().summary.exit_code is Exit.PAUSED
    assert graph.gates.gate("bgeraser").reason is GateReason.QUALITY
    assert MAX_USELESS <= len(graph.remover.requests) <= MAX_USELESS + 1


class Killed(BaseException):
    """Stands for a process that ends here."""


def kill(*_args: object) -> None:
    raise Killed


@pytest.mark.parametrize(("fault", "published"), [("", 1), ("mirrored", 0), ("colours shifted", 0)])
def test_an_answer_of_a_killed_run_is_compared_with_its_picture(
    cases: tuple[Case, Case], fault: str, published: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = Graph(remover=FakeRemover([encoded(FAULTS[fault](*cases) if fault else cases[0].answer)]))
    graph.source.put(A, picture(cases[0]))
    monkeypatch.setattr("bg_pipeline.purchasing.answers.validate_answer", kill)
    with pytest.raises(Killed):
        graph.sync()
    monkeypatch.undo()
    graph.stop.clear()
    graph.clock.now += 200
    done = graph.sync().summary

    assert (done.published, done.quarantined, done.purchases) == (published, 1 - published, 0)
    assert NOT_COMPARED not in {master.suspicion for master in graph.purchases.masters()}


@pytest.mark.parametrize(("fault", "published"), [("", 1), ("mirrored", 0)])
def test_a_master_whose_record_was_lost_is_compared_with_its_picture(
    cases: tuple[Case, Case], fault: str, published: int
) -> None:
    answer = encoded(FAULTS[fault](*cases) if fault else cases[0].answer)
    bought = Graph(remover=FakeRemover([answer]), checks=CheckLimits(edges=0, stretch=1, place=0, missing=100))
    bought.source.put(A, picture(cases[0]))
    assert bought.sync().summary.published == 1
    graph = Graph(masters=bought.masters, remover=FakeRemover([AssertionError("nothing is bought")]))
    graph.source.put(A, picture(cases[0]))
    rebuild(*graph.pipeline.context)

    assert [master.suspicion for master in graph.purchases.masters()] == [NOT_COMPARED]
    done = graph.sync().summary
    assert (done.published, done.quarantined, done.purchases) == (published, 1 - published, 0)


def test_swapped_answers_of_pictures_of_different_sizes_are_never_published() -> None:
    """Each has the size of the other picture, so neither is taken for a cutout of its own."""
    large, small = visible(1), visible(2)
    assert large.sent.size != small.sent.size
    graph = swapped((large, small))
    for _ in range(4):
        graph.sync()

    assert graph.outputs.blobs == {}
    assert {state_of(graph, key) for key in (A, B)} == {State.QUARANTINED}
    assert len(graph.remover.requests) == 2 * MAX_CHARGES


def test_results_of_different_sizes_can_be_swapped_by_a_person() -> None:
    """The larger was sent in the size of the smaller one."""
    large, small = visible(1), visible(9)
    bigger = large._replace(sent=large.sent.resize((2 * large.sent.width, 2 * large.sent.height)))
    graph = Graph(remover=Swapping((large, small)), recipe=Recipe((replace(RECIPE.cut, side_px=480),), Rendition()))
    graph.source.put(A, picture(bigger))
    graph.source.put(B, picture(small))
    assert graph.sync().summary.quarantined == 2

    assert sorted(swap(graph.pipeline, (A, B), LEA)) == [A, B]
    assert graph.sync().summary.published == 2
    assert opened(graph.outputs.blobs[A]).size == bigger.sent.size


def test_the_result_that_fails_more_checks_is_reviewed_first(cases: tuple[Case, Case]) -> None:
    shifted, tinted = (encoded(FAULTS[name](*cases)) for name in ("shifted by a twelfth", "colours shifted"))
    graph = Graph(remover=FakeRemover([tinted, shifted]))
    graph.source.put(A, picture(cases[0]))
    graph.sync()
    graph.source.put(B, encoded(cases[0].sent.rotate(180)))
    graph.sync()
    shown = items_to_review(graph.catalogue, graph.accounts, graph.policy)

    assert [item.entry.key for item in shown] == sorted([A, B], key=lambda key: -failed_checks(detail(graph, key)))
    assert len({failed_checks(detail(graph, key)) for key in (A, B)}) == 2
