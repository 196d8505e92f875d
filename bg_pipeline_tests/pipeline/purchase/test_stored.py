"""Masters that are in the store and whose record is lost: they are paid for."""

from dataclasses import replace

import pytest

from bg_pipeline.core.keys import master_name
from bg_pipeline.core.recipe import Recipe, Rendition, Tool, purchase_id
from bg_pipeline.errors import ItemError
from bg_pipeline_tests.fakes import FakeRemover
from bg_pipeline_tests.graph import Graph
from bg_pipeline_tests.pictures import cutout_of, product
from bg_pipeline_tests.pipeline.purchase.shop import FIRST, SECOND, shop, with_fallback
from bg_pipeline_tests.pipeline.states import state_of


def bought_before() -> Graph:
    """A shop whose picture is bought, with its cutout gone, and the record of its master too."""
    graph = shop()
    graph.sync()
    graph.outputs.blobs.clear()
    graph.purchases.forget(purchase_of(graph))
    return graph


def purchase_of(graph: Graph) -> str:
    entry = graph.items.entry("c/1.png")
    assert entry is not None
    return purchase_id(entry.content_hash, graph.recipe.cut.digest)


def test_a_master_in_the_store_is_not_bought_again_when_its_record_is_lost() -> None:
    graph = bought_before()
    done = graph.sync().summary

    assert (done.published, done.purchases, done.saved) == (1, 0, 1)
    assert len(graph.remover.requests) == 1
    assert graph.purchases.bought([purchase_of(graph)])


def test_before_a_purchase_the_store_is_asked_for_each_name_of_its_cut_and_for_nothing_else() -> None:
    graph, asked = shop(), list[str]()
    graph.masters.read = asked.append  # type: ignore[method-assign,assignment]
    graph.sync()
    entry = graph.items.entry("c/1.png")
    assert entry is not None

    assert len(graph.remover.requests) == 1
    assert asked == [master_name(purchase_id(entry.content_hash, name)) for name in graph.recipe.cut.digests]


def test_a_damaged_master_in_the_store_is_bought_again_and_replaced() -> None:
    graph = bought_before()
    name = master_name(purchase_of(graph))
    graph.masters.blobs[name] = graph.masters.blobs[name][:-30]
    done = graph.sync().summary

    assert (done.published, done.purchases) == (1, 1)
    assert len(graph.masters.blobs[name]) > 30


def test_a_master_in_the_store_under_an_older_name_counts_too() -> None:
    graph = bought_before()
    entry = graph.items.entry("c/1.png")
    assert entry is not None
    older = purchase_id(entry.content_hash, graph.recipe.cut.digests[-1])
    graph.masters.blobs[master_name(older)] = graph.masters.blobs.pop(master_name(purchase_of(graph)))

    assert graph.sync().summary.purchases == 0


def test_a_master_of_the_fallback_vendor_in_the_store_is_taken_before_the_first_vendor_is_asked() -> None:
    graph = with_fallback(FakeRemover())
    graph.recipe = Recipe((SECOND,), Rendition())
    graph.sync()
    graph.purchases.forget(purchase_of(graph))
    graph.outputs.blobs.clear()
    graph.recipe = Recipe((FIRST, SECOND), Rendition())

    assert graph.sync().summary.purchases == 0


def test_the_stage_before_a_further_tool_is_found_in_the_store_too() -> None:
    graph = bought_before()
    graph.recipe = Recipe((replace(graph.recipe.cut, tools=(Tool("upscale", {}),)),), Rendition())
    graph.sync(apply_recipe_change=True)

    assert [request.tool for request in graph.remover.requests] == ["", "upscale"]


def test_a_stored_master_that_kills_its_decoder_waits_for_a_person(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = bought_before()

    def crash(*_args: object) -> None:
        raise ItemError("its decoder died")

    monkeypatch.setattr("bg_pipeline.purchasing.stored.inspect_alone", crash)
    done = graph.sync().summary

    assert (done.purchases, state_of(graph, "c/1.png").value) == (0, "quarantined")


def test_a_master_with_other_bytes_than_its_record_is_moved_aside_for_good() -> None:
    """Its bytes are those of another picture: neither this run nor a later one may take them for what was paid."""
    graph = shop()
    graph.sync()
    name = master_name(purchase_of(graph))
    graph.masters.blobs[name] = other = cutout_of(product(7))
    graph.outputs.blobs.clear()
    done = graph.sync(cap=0).summary
    assert (done.budget_reached, graph.masters.blobs) == (True, {f".damaged/{name}": other})

    assert graph.sync().summary.purchases == 1
