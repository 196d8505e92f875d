"""Further tools of a vendor, one after the other, each paid for once."""

from dataclasses import replace
from decimal import Decimal

from bg_pipeline.core.recipe import Recipe, Rendition, Tool
from bg_pipeline.errors import OutcomeUnknown
from bg_pipeline_tests.fakes import FakeRemover
from bg_pipeline_tests.pictures import encoded, opened
from bg_pipeline_tests.pipeline.purchase.shop import FIRST, shop

CHAIN = replace(FIRST, tools=(Tool("upscale", {"factor": "2"}), Tool("generative-expand")))


def doubled(data: bytes) -> bytes:
    image = opened(data)
    return encoded(image.resize((image.width * 2, image.height * 2)))


class Tools(FakeRemover):
    """Cuts, and doubles whatever a further tool is asked for."""

    def cut(self, request):  # type: ignore[no-untyped-def]
        reply = super().cut(request)
        return replace(reply, answer=doubled(request.image)) if request.tool else reply


def test_further_tools_follow_the_cut_each_on_what_the_one_before_it_brought() -> None:
    graph = shop(recipe=Recipe((CHAIN,), Rendition()), remover=Tools())
    done = graph.sync()

    assert [r.tool for r in graph.remover.requests] == ["", "upscale", "generative-expand"]
    assert graph.remover.requests[1].params == {"factor": "2"}
    assert done.summary.credits == Decimal(3)
    assert opened(graph.outputs.blobs["c/1.png"]).size == (48 * 4, 32 * 4)
    assert graph.sync().delta.counts["unchanged"] == 1


def test_a_stage_that_fails_is_tried_again_without_buying_those_before_it() -> None:
    graph = shop(recipe=Recipe((CHAIN,), Rendition()), remover=Tools([None, None, OutcomeUnknown("reset")]))
    assert graph.sync().summary.published == 0
    assert graph.sync().summary.published == 1

    assert [r.tool for r in graph.remover.requests] == ["", "upscale", "generative-expand", "generative-expand"]


def test_a_recipe_that_ends_earlier_uses_what_was_bought_on_the_way() -> None:
    graph = shop(recipe=Recipe((CHAIN,), Rendition()), remover=Tools())
    graph.sync()
    graph.recipe = Recipe((FIRST,), Rendition())

    assert graph.sync(apply_recipe_change=True).summary.purchases == 0
    assert opened(graph.outputs.blobs["c/1.png"]).size == (48, 32)
