"""What a person decides is carried out, recorded, kept, and undone by another decision."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from bg_pipeline.core.keys import master_name
from bg_pipeline.core.recipe import digest_of
from bg_pipeline.core.records import State
from bg_pipeline.core.review import ReviewDecision, Seen
from bg_pipeline.errors import ConfigurationError
from bg_pipeline.pipeline.gallery import pictures_of, read_picture
from bg_pipeline.pipeline.review import items_to_review, review_item
from bg_pipeline.pipeline.trash import restore
from bg_pipeline_tests.fakes import FakeRemover
from bg_pipeline_tests.graph import Graph
from bg_pipeline_tests.pictures import encoded, opened, product
from bg_pipeline_tests.pipeline.decisions import (
    APPROVE,
    KEY,
    OF_ONE_ITEM,
    OTHER,
    REDO,
    REJECT,
    TAKE_OFF,
    TWIN,
    bought,
    choose,
    entry_of,
    in_trash,
    marked,
    on_shop,
    shown,
    three_published,
)


@pytest.fixture
def graph() -> Graph:
    return three_published()


def test_every_decision_is_recorded_with_who_when_why_and_what_was_seen(graph: Graph) -> None:
    before = entry_of(graph)
    assert before.published is not None
    for decision in (APPROVE, TAKE_OFF, APPROVE, REJECT, REDO):
        choose(graph, decision, reason=f"because of {decision}")

    made = graph.reviews.decisions([KEY])[KEY]
    assert [each.decision for each in made] == [APPROVE, TAKE_OFF, APPROVE, REJECT, REDO]
    assert {(each.decided_by, each.reason) for each in made} == {("ana", f"because of {d}") for d in OF_ONE_ITEM}
    assert {each.seen for each in made[:4]} == {Seen(before.content_hash, before.published.output_digest)}
    assert sorted(each.decided_at for each in made) == [each.decided_at for each in made]


def test_what_is_taken_off_leaves_the_shop_at_once_and_its_paid_result_stays(graph: Graph) -> None:
    assert choose(graph, TAKE_OFF) == [KEY]

    assert on_shop(graph) == {TWIN, OTHER}
    assert {name.rpartition("/")[2] for name in in_trash(graph)} == {"a.png"}
    assert len(graph.masters.blobs) == 2
    entry = entry_of(graph)
    assert (entry.state, entry.detail) == (State.WITHDRAWN, "taken off the shop by ana: a halo")


def stay(_graph: Graph) -> None:
    """Nothing changes."""


def change_picture(graph: Graph) -> None:
    graph.source.put(KEY, product(7))


def rename(graph: Graph) -> None:
    graph.source.put("bags/renamed.png", graph.source.files.pop(KEY))


def go_and_return(graph: Graph) -> None:
    data = graph.source.files.pop(KEY)
    graph.sync()
    graph.source.put(KEY, data)


def change_rendition(graph: Graph) -> None:
    graph.change_recipe(background="white")


def change_cut(graph: Graph) -> None:
    graph.change_recipe(side_px=40)


@pytest.mark.parametrize("happens", [stay, change_picture, rename, go_and_return, change_rendition, change_cut])
def test_what_is_taken_off_stays_off_whatever_happens_to_its_picture_and_the_recipe(
    graph: Graph, happens: Callable[[Graph], None]
) -> None:
    choose(graph, TAKE_OFF)
    happens(graph)
    paid = bought(graph)
    for _ in range(2):
        graph.sync(apply_recipe_change=True)
        graph.items.retry()

    assert on_shop(graph) == {TWIN, OTHER}
    assert bought(graph) == paid + (2 if happens is change_cut else 0)
    assert entry_of(graph).state is State.WITHDRAWN


def test_an_approval_puts_back_at_once_what_was_taken_off(graph: Graph) -> None:
    before = graph.outputs.blobs[KEY]
    choose(graph, TAKE_OFF)
    choose(graph, APPROVE, reason="")

    assert graph.outputs.blobs[KEY] == before
    assert in_trash(graph) == set()
    assert entry_of(graph).state is State.PUBLISHED
    assert graph.sync().delta.changes == ()


def test_an_approval_makes_a_cutout_that_left_the_trash_again_from_its_master_for_nothing(graph: Graph) -> None:
    choose(graph, TAKE_OFF)
    graph.outputs.remove(*in_trash(graph))
    graph.trash.end_trash(KEY)
    choose(graph, APPROVE)
    done = graph.sync()

    assert (done.summary.published, bought(graph)) == (1, 2)
    assert on_shop(graph) == {KEY, TWIN, OTHER}


@pytest.mark.parametrize("found", [None, b"cut short"])
def test_an_approval_puts_back_no_cutout_that_another_program_altered_or_removed_in_the_trash(
    graph: Graph, found: bytes | None
) -> None:
    before = graph.outputs.blobs[KEY]
    choose(graph, TAKE_OFF)
    (name,) = in_trash(graph)
    del graph.outputs.blobs[name]
    if found is not None:
        graph.outputs.blobs[name] = found
    choose(graph, APPROVE)
    assert KEY not in on_shop(graph)

    done = graph.sync()
    assert (done.summary.published, bought(graph), graph.outputs.blobs[KEY]) == (1, 2, before)


def test_a_rejection_is_about_all_items_with_the_picture_and_a_new_picture_ends_it(graph: Graph) -> None:
    assert choose(graph, REJECT) == [KEY, TWIN]
    graph.sync()
    assert on_shop(graph) == {OTHER}

    graph.source.put(KEY, product(7))
    graph.sync()
    assert on_shop(graph) == {KEY, OTHER}
    assert entry_of(graph, TWIN).state is State.WITHDRAWN


def test_a_decision_about_a_result_leaves_what_was_taken_off_by_itself(graph: Graph) -> None:
    choose(graph, TAKE_OFF, TWIN)

    assert choose(graph, REJECT) == [KEY]
    assert choose(graph, APPROVE) == [KEY]
    assert entry_of(graph, TWIN).state is State.WITHDRAWN


def test_a_redo_only_asks_and_the_next_sync_buys_it_once_for_all_items_with_the_picture(graph: Graph) -> None:
    graph.remover.opens = marked(1)
    before = dict(graph.outputs.blobs)
    assert choose(graph, REDO) == [KEY, TWIN]

    assert bought(graph) == 2
    assert graph.outputs.blobs == before
    done = graph.sync()
    assert (done.delta.purchases, done.delta.credits, done.summary.purchases) == (1, graph.policy.price, 1)
    assert (bought(graph), done.summary.published) == (3, 2)
    assert graph.outputs.blobs[KEY] != before[KEY]
    assert graph.outputs.blobs[TWIN] == graph.outputs.blobs[KEY]
    assert graph.sync().delta.changes == ()


def test_a_redo_keeps_to_the_cap_of_the_sync(graph: Graph) -> None:
    choose(graph, REDO)
    done = graph.sync(cap=0)

    assert (done.summary.budget_reached, bought(graph)) == (True, 2)
    assert entry_of(graph).state is State.PENDING
    assert on_shop(graph) == {KEY, TWIN, OTHER}


def test_a_redo_keeps_the_paid_results_before_it(graph: Graph) -> None:
    paid = set(graph.masters.blobs.values())
    for turn in range(4):
        graph.remover.opens = marked(turn)
        choose(graph, REDO)
        assert graph.sync().summary.purchases == 1
        paid |= set(graph.masters.blobs.values())

    assert set(graph.masters.blobs.values()) == paid
    assert len(paid) == 6
    assert all(
        digest_of(graph.masters.blobs[master_name(m.purchase_id)]) == m.digest for m in graph.purchases.masters()
    )


@pytest.mark.parametrize("undo", [APPROVE, REJECT, TAKE_OFF])
def test_another_decision_ends_a_request_before_it_costs_anything(graph: Graph, undo: ReviewDecision) -> None:
    choose(graph, REDO)
    choose(graph, undo)
    done = graph.sync()

    assert (done.delta.purchases, bought(graph)) == (0, 2)
    assert (KEY in on_shop(graph)) is (undo is APPROVE)
    if undo is not APPROVE:
        choose(graph, APPROVE)
        graph.sync()
    assert KEY in on_shop(graph)
    assert bought(graph) == 2


def test_a_second_request_before_the_sync_is_refused(graph: Graph) -> None:
    choose(graph, REDO)
    with pytest.raises(ConfigurationError, match="waits to be bought already"):
        choose(graph, REDO)


def test_a_suspicious_result_that_is_bought_again_is_judged_again() -> None:
    graph = Graph(remover=FakeRemover([encoded(opened(product(1)).convert("RGBA"))]))
    graph.source.put(KEY, product(1))
    assert graph.sync().summary.quarantined == 1
    choose(graph, REDO)
    done = graph.sync()

    assert (done.summary.published, bought(graph)) == (1, 2)
    assert len(graph.masters.blobs) == 2


def test_the_trash_gives_nothing_back_that_a_person_took_off(graph: Graph) -> None:
    choose(graph, TAKE_OFF)
    with pytest.raises(ConfigurationError, match="taken off the shop by ana: a halo: `bg-pipeline review approve`"):
        restore(graph.catalogue, graph.run, [KEY])
    assert on_shop(graph) == {TWIN, OTHER}


def test_a_redo_does_not_reach_the_limit_of_charges(graph: Graph) -> None:
    for _ in range(5):
        choose(graph, REDO)
        done = graph.sync()
        assert (done.summary.purchases, done.summary.quarantined) == (1, 0)


def test_the_sample_asks_for_published_items_until_their_result_is_decided(graph: Graph) -> None:
    assert {key for key, item in shown(graph, 1.0).items() if item.in_sample} == {KEY, TWIN, OTHER}
    assert not any(item.in_sample for item in shown(graph).values())
    choose(graph, APPROVE)
    assert {key for key, item in shown(graph, 1.0).items() if item.in_sample} == {OTHER}

    graph.source.put(KEY, product(9))
    graph.sync()
    assert {key for key, item in shown(graph, 1.0).items() if item.in_sample} == {KEY, OTHER}


def test_suspicious_items_come_before_the_sample_and_that_before_the_rest() -> None:
    whole = encoded(opened(product(5)).convert("RGBA"))
    graph = Graph(remover=FakeRemover([whole]))
    for n in range(5, 25):
        graph.source.put(f"bags/{n:02}.png", product(n))
    graph.sync()
    order = list(items_to_review(graph.catalogue, graph.accounts, graph.policy, "bags", share=0.5))

    assert order[0].entry.state is State.QUARANTINED
    chosen = [item.in_sample for item in order[1:]]
    assert chosen == sorted(chosen, reverse=True)
    assert 0 < sum(chosen) < 19
    assert items_to_review(graph.catalogue, graph.accounts, graph.policy, "shoes", share=0.5) == []


def test_the_pictures_of_a_review_are_those_that_a_decision_is_about(graph: Graph) -> None:
    choose(graph, TAKE_OFF)
    for key in (KEY, OTHER):
        item = review_item(graph.catalogue, graph.accounts, graph.policy, key)
        data = [read_picture(graph.catalogue, graph.accounts, picture) for picture in pictures_of(item)]
        assert [digest_of(each) for each in data] == [item.seen.content_hash, item.seen.result_digest]

    graph.source.put(OTHER, product(30))
    graph.outputs.blobs[OTHER] = b"another"
    for picture in pictures_of(review_item(graph.catalogue, graph.accounts, graph.policy, OTHER)):
        with pytest.raises(Exception, match="has changed since the last sync"):
            read_picture(graph.catalogue, graph.accounts, picture)
    graph.outputs.remove(OTHER)
    (_, cutout) = pictures_of(review_item(graph.catalogue, graph.accounts, graph.policy, OTHER))
    with pytest.raises(Exception, match="not there any more"):
        read_picture(graph.catalogue, graph.accounts, cutout)


def test_a_day_cap_counts_requests_for_new_results_too(graph: Graph) -> None:
    graph.day_cap = Decimal(2)
    choose(graph, REDO)

    assert graph.sync().summary.budget_reached
    assert bought(graph) == 2
