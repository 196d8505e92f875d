"""Answers that are published as they came: in another frame, with a background, or by a tool alone."""

from dataclasses import replace
from decimal import Decimal

import pytest
from PIL import Image

from bg_pipeline.core.recipe import Cut, Recipe, Rendition, Tool
from bg_pipeline.core.records import Use
from bg_pipeline_tests.fakes import FakeRemover
from bg_pipeline_tests.graph import Graph
from bg_pipeline_tests.pictures import cutout_of, encoded, opened, product
from bg_pipeline_tests.pipeline.purchase.shop import FIRST, shop

CROPPED = encoded(opened(cutout_of(product(1))).crop((10, 6, 38, 26)))
SCENE = encoded(Image.effect_noise((80, 60), 40).convert("RGB"))
"""A picture of its own, without any transparency."""


def cut(**params: str) -> Cut:
    return Cut("removebg", 2500, params={"size": "full", **params})


def shop_of(wanted: Cut, answer: bytes, rendition: Rendition | None = None) -> Graph:
    return shop(recipe=Recipe((wanted,), rendition or Rendition()), remover=FakeRemover([answer]))


def test_a_crop_is_published_in_its_own_frame_where_the_recipe_asks_for_one() -> None:
    graph = shop_of(cut(crop="true"), CROPPED)

    assert graph.sync().summary.published == 1
    assert opened(graph.outputs.blobs["c/1.png"]).size == (28, 20)
    assert graph.sync().delta.counts["unchanged"] == 1


def test_a_crop_that_nobody_asked_for_is_not_published() -> None:
    graph = shop_of(cut(), CROPPED)

    assert graph.sync().summary.published == 0
    assert "c/1.png" not in graph.outputs.blobs


@pytest.mark.parametrize("answer", [SCENE, encoded(opened(SCENE), "WEBP", lossless=True)], ids=["png", "webp"])
def test_a_picture_with_a_background_is_published_as_it_came(answer: bytes) -> None:
    graph = shop_of(cut(bg_color="white"), answer)

    assert graph.sync().summary.published == 1
    published = opened(graph.outputs.blobs["c/1.png"])
    assert published.convert("RGB").tobytes() == opened(answer).tobytes()
    (master,) = graph.purchases.masters()
    assert (master.use, master.suspicion) == (Use.FINISHED, "")


def test_a_cutout_without_any_transparency_is_not_taken_for_a_finished_picture() -> None:
    graph = shop_of(cut(crop="true"), SCENE)
    summary = graph.sync().summary

    assert (summary.published, summary.quarantined, summary.wasted) == (0, 0, 1)


def test_an_empty_finished_picture_waits_for_a_person() -> None:
    graph = shop_of(cut(bg_color="white"), encoded(Image.new("RGBA", (48, 32))))

    assert graph.sync().summary.quarantined == 1


def unstored(graph: Graph) -> None:
    """Its masters are full from the first request on, so the answer stays in the spool."""
    graph.remover.before = lambda _request: setattr(graph.masters, "full", True)
    assert graph.sync().summary.published == 0
    graph.masters.full = False


def test_a_finished_picture_that_waited_in_the_spool_is_published_and_not_bought_again() -> None:
    graph = shop_of(cut(bg_color="white"), SCENE)
    unstored(graph)

    assert graph.sync().summary.published == 1
    assert len(graph.remover.requests) == 1
    assert opened(graph.outputs.blobs["c/1.png"]).size == (80, 60)


def test_a_finished_picture_in_the_spool_outlives_the_manifest() -> None:
    graph = shop_of(cut(bg_color="white"), SCENE)
    unstored(graph)
    graph.spool.blobs = dict.fromkeys(graph.spool.blobs, SCENE)  # as it came, where the run was killed at once
    fresh = Graph(source=graph.source, remover=graph.remover, spool=graph.spool, recipe=graph.recipe)
    fresh.remover.before = lambda _request: None

    assert fresh.sync().summary.published == 1
    assert len(graph.remover.requests) == 1
    assert opened(fresh.outputs.blobs["c/1.png"]).size == (80, 60)


def test_a_cutout_in_the_spool_of_which_nothing_was_removed_still_waits_for_a_person() -> None:
    graph = shop_of(cut(), encoded(opened(product(1)).convert("RGBA")))
    unstored(graph)
    fresh = Graph(source=graph.source, remover=graph.remover, spool=graph.spool, recipe=graph.recipe)
    fresh.remover.before = lambda _request: None

    assert fresh.sync().summary.quarantined == 1
    assert len(graph.remover.requests) == 1


ALONE = replace(FIRST, tools=(Tool("upscale", {"factor": "2"}), Tool("generative-fill")), tools_only=True)


def test_tools_alone_are_given_the_picture_itself_and_each_is_paid_for_once() -> None:
    graph = shop(recipe=Recipe((ALONE,), Rendition()), remover=FakeRemover([SCENE, SCENE]))
    done = graph.sync()

    assert [each.tool for each in graph.remover.requests] == ["upscale", "generative-fill"]
    assert all(each.purchase_id in each.limit_ids for each in graph.remover.requests)
    assert opened(graph.remover.requests[0].image).size == (48, 32)
    assert graph.remover.requests[0].media_type == "image/jpeg"
    assert (done.summary.published, done.summary.credits) == (1, Decimal(2))
    assert opened(graph.outputs.blobs["c/1.png"]).size == (80, 60)
    assert graph.sync().delta.counts["unchanged"] == 1


def test_a_tool_alone_is_another_purchase_than_one_after_a_cut() -> None:
    after_a_cut = replace(ALONE, tools_only=False)

    assert {each.digest for each in ALONE.stages}.isdisjoint(each.digest for each in after_a_cut.stages)
    assert len(ALONE.stages) == 2
    assert len(after_a_cut.stages) == 3
