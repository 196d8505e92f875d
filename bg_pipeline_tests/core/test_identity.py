"""Names of purchases and renditions: pinned, because masters and manifests are found by them."""

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bg_pipeline.core import identity
from bg_pipeline.core.delta import Goal
from bg_pipeline.core.identity import cut_digests
from bg_pipeline.core.recipe import AS_IT_IS, RENDERER, Cut, Recipe, Rendition, Tool, purchase_id, rendition_digests
from bg_pipeline.purchasing.settings import PurchasingSettings
from bg_pipeline.settings.reader import RawSettings
from bg_pipeline.vendors.registry import plugin
from bg_pipeline.vendors.removebg.vendor import RemoveBgSettings
from bg_pipeline.wiring.settings import compose

KEYS = dict.fromkeys(("bgeraser_api_key", "removebg_api_key", "photoroom_api_key"), "k")


def cut_of(provider: str, **names: str) -> Cut:
    return compose(RawSettings({**KEYS, "bg_provider": provider, **names})).recipe.cut


CUTS = json.loads(Path(__file__).with_name("cut_names.json").read_text())
"""For each vendor and some of its settings, the present name of the cut and the older one."""


@pytest.mark.parametrize("pinned", CUTS, ids=[each["case"] for each in CUTS])
def test_a_cut_keeps_its_names(pinned: dict[str, Any]) -> None:
    """Another present name holds a whole catalogue; a lost older one buys what there are masters of."""
    cut = cut_of(pinned["vendor"], **pinned["settings"])

    assert (cut.digest, cut.digests) == (pinned["present"], (pinned["present"], pinned["older"]))


def test_tools_without_a_cut_keep_their_name_and_no_older_scheme_has_one_for_them() -> None:
    cut = cut_of("bgeraser", bgeraser_tools="upscale?factor=2", bgeraser_tools_only="true")

    assert cut.digests == ("bdbfed91ccf9b7b030e65387a49a1f58513449601ef4353505f794de5199600e",)


def test_what_is_cut_out_already_keeps_its_names() -> None:
    assert AS_IT_IS.digests == (
        "3e06f5e341e993557e2f64e6624025709b9cc0f98e2bc3c5b70afe248917cf39",
        "52668e70e1a5981eddff90fcaccefe70231e866a1c832e2f4464dd546bb28501",
    )


@pytest.mark.parametrize(
    ("rendition", "present", "older"),
    [
        pytest.param(
            Rendition(),
            "b21814b90d3dd1de376395efdb5ffa2d556f928d8cc8170ea5ac0bd447441219",
            "cf1fee05f974b01792f37afacadda17b6058b7ba34b2fbbd885095aa359dc6ad",
            id="png",
        ),
        pytest.param(
            Rendition("jpg", "white"),
            "ddff6f2f745a46ac5329b27b468ec16b20c292f556526345ea0fc5a743fa9955",
            "c08218df1991c7feaf677d548110a1aef0492757358783f87ed4554e9b265c29",
            id="jpg",
        ),
        pytest.param(
            Rendition("webp"),
            "279c0b0f97f42a967a334bb77cf45e99b9c84005d40f11fe8192d641eda723b8",
            "3bdbf1b093192f7df5e57490925bdcc4705ec9955b3ef96fba115406287ca095",
            id="webp",
        ),
        pytest.param(
            Rendition(background="#fefefe", canvas=(800, 600), padding=0.1),
            "dad8a40f1a54fe7967cb76c3efeef8a36a1c7c4161ca3ea34bce5eddef9838c1",
            "149dd4f35a59e3225b93ff64ffe363ed6e8c2b366e6e9e7f025a7cbef4d81382",
            id="canvas",
        ),
    ],
)
def test_a_rendition_keeps_its_names(rendition: Rendition, present: str, older: str) -> None:
    """Otherwise every published output is rendered and written again."""
    assert rendition_digests(rendition, 1) == (present, older)
    assert rendition.digests[-2:] == (present, older)


def test_the_purchase_of_a_picture_keeps_its_name() -> None:
    assert purchase_id("ab" * 32, "cd" * 32) == "4e0a198b670bc81ee413018ad446659696e162b6deed88a6f0f56276a28fb669"


def test_each_field_of_a_cut_is_part_of_its_name_or_a_limit_that_follows_from_the_rest() -> None:
    """A new field: decide which, and give it its neutral value in the list."""
    ours = {"surface": "variant", "steps": "tools"}
    named = {ours.get(name, name) for name in identity.CUT}

    assert {f.name for f in fields(Cut)} == {"provider", *named, "vendor_side_px", "max_pixels", "former"}


def test_each_field_of_a_rendition_is_part_of_its_name() -> None:
    assert {f.name for f in fields(Rendition)} == set(identity.RENDITION)


VALUES = {
    "side_px": 2500,
    "endpoint": "",
    "surface": "tools",
    "params": {"model": "v2"},
    "tool_order": "",
    "steps": [],
    "tools_only": False,
}
FORMER = (2500, 0)
NEWER = {**identity.CUT, "tool_order": ""}


def test_a_new_field_with_its_neutral_value_changes_no_name() -> None:
    """One new field must not hold a whole catalogue."""
    present = Cut("bgeraser", 2500, variant="tools", params={"model": "v2"}).digests

    assert cut_digests("bgeraser", VALUES, former=FORMER, neutral=NEWER) == present


def test_a_new_field_with_another_value_is_another_purchase_that_no_older_scheme_can_name() -> None:
    """What was bought before this field was there must not pass for it."""
    present = cut_digests("bgeraser", VALUES, former=FORMER, neutral=NEWER)
    names = cut_digests("bgeraser", {**VALUES, "tool_order": "reversed"}, former=FORMER, neutral=NEWER)

    assert len(names) == 1
    assert set(names).isdisjoint(present)


def test_a_new_field_of_a_rendition_is_neutral_or_no_older_scheme_can_name_it() -> None:
    values = {"format": "png", "background": "", "canvas": None, "padding": 0.0, "shadow": ""}
    newer = {**identity.RENDITION, "shadow": ""}
    present = identity.rendition_digests(values, RENDERER, newer)

    assert present == Rendition().digests
    assert set(identity.rendition_digests({**values, "shadow": "soft"}, RENDERER, newer)).isdisjoint(present)


def test_a_field_that_is_not_in_the_list_is_refused() -> None:
    with pytest.raises(KeyError, match="tool_order"):
        cut_digests("bgeraser", VALUES, former=FORMER)


class Larger(PurchasingSettings):
    """Settings of a later version, with another default."""

    max_pixels_sent: int = 3000


class Elsewhere(RemoveBgSettings):
    """Settings of a later version, with another host."""

    base_url: str = "https://cutouts.example"


def test_a_changed_default_is_another_cut_and_the_old_one_keeps_its_name_when_it_is_set() -> None:
    def cut(purchasing: PurchasingSettings) -> Cut:
        bgeraser = plugin("bgeraser")
        return bgeraser.cut(bgeraser.settings(), purchasing.max_pixels_sent)

    assert cut(Larger()).digest == cut_of("bgeraser", bg_max_pixels_sent="3000").digest != cut_of("bgeraser").digest
    assert cut(Larger(max_pixels_sent=2500)).digests == cut_of("bgeraser").digests


def test_what_a_changed_default_gets_elsewhere_is_not_taken_for_the_vendors() -> None:
    cut = plugin("removebg").cut

    assert cut(Elsewhere(), 2500).endpoint == "cutouts.example"
    assert cut(Elsewhere(base_url="https://api.remove.bg"), 2500).endpoint == ""


params = st.dictionaries(st.sampled_from(["size", "type"]), st.sampled_from(["full", "hd", ""]))
FIELDS = {
    "provider": st.sampled_from(["bgeraser", "removebg", "photoroom", "local"]),
    "side_px": st.sampled_from([1000, 2500, 7000, 9000]),
    "endpoint": st.sampled_from(["", "127.0.0.1"]),
    "variant": st.sampled_from(["", "tools", "v1", "basic", "basic sandbox"]),
    "params": params,
    "tools_only": st.booleans(),
    "tools": st.lists(st.builds(Tool, st.sampled_from(["upscale", "expand"]), params), max_size=2).map(tuple),
}
LIMITS = {"vendor_side_px": st.sampled_from([0, 6000]), "max_pixels": st.sampled_from([0, 10_000_000])}
cuts = st.builds(Cut, **FIELDS, **LIMITS)


@pytest.mark.parametrize("field", FIELDS)
@given(cut=cuts, data=st.data())
def test_two_cuts_that_differ_in_one_field_have_different_names(field: str, cut: Cut, data: st.DataObject) -> None:
    other = replace(cut, **{field: data.draw(FIELDS[field])})

    assert (cut.digest == other.digest) is (cut == other)


@pytest.mark.parametrize("limit", LIMITS)
@given(cut=cuts, data=st.data())
def test_a_limit_is_no_part_of_a_name(limit: str, cut: Cut, data: st.DataObject) -> None:
    assert replace(cut, **{limit: data.draw(LIMITS[limit])}).digests == cut.digests


def test_the_order_of_parameters_is_no_part_of_a_name_and_that_of_tools_is() -> None:
    upscale, expand = Tool("upscale", {"a": "1", "b": "2"}), Tool("expand")
    cut = Cut("bgeraser", 2500, tools=(upscale, expand))

    assert replace(cut, tools=(Tool("upscale", {"b": "2", "a": "1"}), expand)).digests == cut.digests
    assert set(replace(cut, tools=(expand, upscale)).digests).isdisjoint(cut.digests)


@given(cut=cuts)
def test_a_stage_has_the_names_of_a_cut_without_the_further_tools(cut: Cut) -> None:
    first = cut.tools[:1] if cut.tools_only else ()
    assert cut.stages[0].digests == replace(cut, tools=first).digests
    assert cut.stages[-1].digests == cut.digests
    assert len({stage.digest for stage in cut.stages}) == len(cut.stages)


def test_a_newer_renderer_gives_a_new_name_and_accepts_all_older_ones() -> None:
    rendition = Rendition("webp", "white")
    older = rendition_digests(rendition, 1)
    newer = rendition_digests(rendition, 2)

    assert rendition.digests == rendition_digests(rendition, RENDERER)
    assert newer[1:] == older
    assert newer[0] not in older


def test_a_goal_accepts_each_name_in_the_order_in_which_the_cuts_are_tried() -> None:
    first, second = Cut("removebg", 2500), Cut("bgeraser", 2500, variant="tools")
    goal = Goal.of(Recipe((first, second), Rendition()))

    assert goal.cuts == (*first.digests, *second.digests, *AS_IT_IS.digests)
    assert goal.renditions == Rendition().digests
    assert Goal.of(Recipe((first,), Rendition(), keep_cutouts=False)).cuts == first.digests


def test_a_goal_that_is_to_be_rendered_again_accepts_the_present_renderer_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The older scheme named no renderer: the first one made all that has its names."""
    recipe = Recipe((Cut("local", 2500),), Rendition())
    monkeypatch.setattr("bg_pipeline.core.recipe.RENDERER", 1)
    assert Goal.of(recipe, rerender=True).renditions == Goal.of(recipe).renditions

    monkeypatch.setattr("bg_pipeline.core.recipe.RENDERER", 2)
    assert Goal.of(recipe, rerender=True).renditions == (Rendition().digest,)
