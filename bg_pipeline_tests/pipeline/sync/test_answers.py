"""Answers that cannot be used, vendors that give only those, and outcomes that are not known."""

from decimal import Decimal

import pytest

from bg_pipeline.core.credits import MAX_CHARGES
from bg_pipeline.core.gate import GateReason
from bg_pipeline.core.keys import master_name
from bg_pipeline.core.records import AttemptState, State
from bg_pipeline.core.report import Exit
from bg_pipeline.core.review import ReviewDecision
from bg_pipeline.errors import ItemUnreadable, OutcomeUnknown
from bg_pipeline.pipeline.review import decide
from bg_pipeline.purchasing.buyer import MAX_USELESS
from bg_pipeline_tests.fakes import FakeRemover
from bg_pipeline_tests.graph import Graph
from bg_pipeline_tests.pictures import encoded, opened, product
from bg_pipeline_tests.pipeline.states import state_of


def test_a_service_that_answers_only_junk_is_stopped(graph: Graph) -> None:
    for n in range(30):
        graph.source.put(f"hats/{n}.png", product(100 + n))
    graph.remover = FakeRemover([b"junk"] * 100)
    done = graph.sync(collection="hats")

    assert MAX_USELESS <= len(graph.remover.requests) <= MAX_USELESS + 1  # one more may have been in flight
    assert done.summary.exit_code is Exit.PAUSED


def test_a_service_that_answers_only_junk_is_stopped_also_in_a_catalogue_of_small_collections(graph: Graph) -> None:
    for n in range(30):
        graph.source.put(f"collection {n}/1.png", product(100 + n))
    graph.remover = FakeRemover([b"junk"] * 100)
    done = graph.sync()

    assert MAX_USELESS <= len(graph.remover.requests) <= MAX_USELESS + 1  # one more may have been in flight
    assert done.summary.exit_code is Exit.PAUSED


def test_a_service_whose_charges_are_unknown_is_left_alone_after_five(graph: Graph) -> None:
    for n in range(30):
        graph.source.put(f"hats/{n}.png", product(100 + n))
    graph.remover = FakeRemover([OutcomeUnknown("reset")] * 100)
    done = graph.sync(collection="hats")

    assert done.summary.in_doubt <= MAX_USELESS + 1  # one more may have been in flight
    assert graph.gates.gate("bgeraser").reason is GateReason.OUTAGE


def test_a_picture_waits_for_a_person_with_its_third_charge_and_not_a_sync_later(graph: Graph) -> None:
    graph.remover = FakeRemover([b"junk"] * MAX_CHARGES)
    for _ in range(MAX_CHARGES):
        graph.sync(collection="bags")

    assert state_of(graph, "bags/9.png") is State.QUARANTINED


def test_only_useless_answers_in_a_row_stop_a_service(graph: Graph) -> None:
    for collection in range(MAX_USELESS + 2):
        graph.source.put(f"c{collection}/1.png", product(100 + collection))
    # A good answer takes longer to look at, so the junk that follows it may be counted before it.
    graph.remover = FakeRemover([b"junk", b"junk", None, b"junk", b"junk", None, b"junk", b"junk"])

    assert graph.sync(collection=None).summary.exit_code is not Exit.PAUSED
    assert graph.gates.gate("bgeraser").is_open


def crash(*_args: object) -> None:
    raise ItemUnreadable("the picture crashed its decoder")


def test_an_answer_that_kills_its_decoder_was_paid_for_and_is_kept_for_a_person(
    graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bg_pipeline.purchasing.answers.validate_answer", crash)
    assert graph.sync(collection="bags").summary.quarantined == 1
    entry = graph.items.entry("bags/9.png")
    assert entry is not None
    assert "could not be checked" in entry.detail

    monkeypatch.undo()
    decide(graph.pipeline, ReviewDecision.APPROVE, "bags/9.png", "ana")
    assert graph.sync(collection="bags").summary.published == 1
    assert len(graph.remover.requests) == 1


def test_a_service_whose_answers_cannot_be_decoded_is_stopped(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    for n in range(2 * MAX_USELESS):
        graph.source.put(f"more/{n}.png", product(200 + n))
    monkeypatch.setattr("bg_pipeline.purchasing.answers.validate_answer", crash)

    assert graph.sync().summary.exit_code is Exit.PAUSED
    assert graph.gates.gate("bgeraser").reason is GateReason.QUALITY
    assert len(graph.remover.requests) < 2 * MAX_USELESS


def test_a_damaged_master_is_not_published(graph: Graph) -> None:
    graph.sync()
    work = graph.items.entry("bags/9.png").purchase_id  # type: ignore[union-attr]
    graph.masters.blobs[master_name(work)] = product(3)
    del graph.outputs.blobs["bags/9.png"]
    done = graph.sync()

    assert done.summary.purchases == 1
    assert opened(graph.outputs.blobs["bags/9.png"]).mode == "RGBA"


def test_an_unknown_outcome_is_in_doubt_and_tried_again_in_the_next_sync(graph: Graph) -> None:
    graph.remover = FakeRemover([OutcomeUnknown("reset")])
    first = graph.sync(collection="bags")
    assert (first.summary.in_doubt, state_of(graph, "bags/9.png")) == (1, State.PENDING)
    assert len(graph.remover.requests) == 1

    assert graph.sync(collection="bags").summary.published == 1


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"<html>sorry</html>", id="a page"),
        pytest.param(product(9), id="no alpha"),
        pytest.param(encoded(opened(product(9)).convert("RGBA").resize((1, 1))), id="another size"),
        pytest.param(encoded(opened(product(9)).convert("RGBA"))[:-30], id="cut short"),
    ],
)
def test_an_unusable_answer_is_never_published_and_counts_as_charged(graph: Graph, answer: bytes) -> None:
    graph.remover = FakeRemover([answer])
    done = graph.sync(collection="bags")

    assert (done.summary.published, done.summary.wasted, done.summary.credits) == (0, 1, Decimal(1))
    assert graph.outputs.blobs == {}
    assert [a.state for a in graph.database.attempts.values()] == [AttemptState.UNUSABLE]


def test_an_answer_with_another_picture_waits_for_a_person_and_is_not_bought_again(graph: Graph) -> None:
    other = opened(product(9)).convert("RGBA").rotate(180)
    other.paste((255, 0, 0, 255), (8, 4, 40, 28))
    other.putpixel((0, 0), (0, 0, 0, 0))
    graph.remover = FakeRemover([encoded(other)])

    assert graph.sync(collection="bags").summary.quarantined == 1
    assert graph.sync(collection="bags").summary.purchases == 0
    assert len(graph.remover.requests) == 1


@pytest.mark.parametrize("alpha", [0, 255], ids=["empty", "full"])
def test_a_suspicious_cutout_goes_to_quarantine_and_is_not_bought_again(graph: Graph, alpha: int) -> None:
    answer = opened(product(9)).convert("RGBA")
    answer.putalpha(alpha)
    graph.remover = FakeRemover([encoded(answer)])
    done = graph.sync(collection="bags")
    graph.sync(collection="bags")

    assert (done.summary.quarantined, state_of(graph, "bags/9.png")) == (1, State.QUARANTINED)
    assert (len(graph.remover.requests), graph.outputs.blobs) == (1, {})
