"""Whose colours are published is decided by what was bought."""

import pytest

from bg_pipeline.core.colours import use_of, use_of_master
from bg_pipeline.core.recipe import AS_IT_IS, Tool
from bg_pipeline.core.records import Master, Use
from bg_pipeline.core.vendor import FREE, Variant, Vendor
from bg_pipeline.vendors.registry import plugin


@pytest.mark.parametrize(
    ("name", "variant", "params"),
    [
        ("bgeraser", "tools", {}),
        ("bgeraser", "v1", {"size": "full", "format": "png"}),
        ("removebg", "", {"size": "50MP", "format": "zip", "type": "product", "semitransparency": "true"}),
        ("removebg", "", {"size": "full", "shadow_type": "none", "add_shadow": "false"}),
        ("photoroom", "basic", {"size": "full", "despill": "false"}),
        ("photoroom", "plus", {"segmentation.prompt": "the chair", "export.format": "png"}),
        ("local", "", {}),
        ("rembg", "", {}),
    ],
)
def test_a_plain_cut_lends_its_alpha(name: str, variant: str, params: dict[str, str]) -> None:
    vendor = plugin(name).vendor
    decision = use_of(vendor.cut(2500, variant, params=params), [vendor])

    assert decision == (Use.ALPHA, f"{vendor.title} keeps the colours of the source")


@pytest.mark.parametrize(
    ("name", "variant", "params", "said"),
    [
        ("removebg", "", {"size": "full", "shadow_type": "drop"}, "shadow_type=drop"),
        ("removebg", "", {"add_shadow": "true"}, "add_shadow=true"),
        ("removebg", "", {"shadow_type[product]": "3D"}, "shadow_type[product]=3D"),
        ("bgeraser", "v1", {"add_shadow": "true"}, "add_shadow=true"),
        ("photoroom", "basic", {"size": "full", "despill": "true"}, "despill=true"),
        ("photoroom", "plus", {"shadow.mode": "ai.soft"}, "shadow.mode=ai.soft"),
        ("photoroom", "plus", {"textRemoval.mode": "ai.all"}, "textRemoval.mode=ai.all"),
        ("photoroom", "plus", {"not.described.yet": "1"}, "not.described.yet=1"),
    ],
)
def test_a_bought_change_of_colours_is_kept(name: str, variant: str, params: dict[str, str], said: str) -> None:
    vendor = plugin(name).vendor

    assert use_of(vendor.cut(2500, variant, params=params), [vendor]) == (Use.PICTURE, f"{said} may alter colours")


def test_a_further_tool_brings_a_frame_of_its_own() -> None:
    vendor = plugin("bgeraser").vendor
    cut = vendor.cut(2500, "tools", tools=(Tool("upscale", {"factor": "2"}),))

    assert use_of(cut, [vendor]) == (Use.WHOLE, "upscale makes a picture of its own")


def test_a_source_that_is_a_cutout_already_is_used_whole() -> None:
    assert use_of(AS_IT_IS, []).use is Use.WHOLE


def test_what_is_not_described_is_not_guessed() -> None:
    vendor = Vendor("acme", "Acme", {"": Variant(FREE)})

    assert use_of(vendor.cut(2500), [vendor]).use is Use.ALPHA
    assert use_of(vendor.cut(2500, params={"glow": "1"}), [vendor]).use is Use.PICTURE
    assert use_of(vendor.cut(2500), []).use is Use.UNDECLARED
    assert use_of(None, [vendor]).use is Use.UNDECLARED


def test_a_master_that_declares_nothing_is_known_by_every_name_of_its_cut() -> None:
    vendor = plugin("removebg").vendor
    master = Master("w", "digest", 2, 1)
    plain, shadowed = (vendor.cut(2500, params=params) for params in ({}, {"shadow_type": "drop"}))
    for cut, use in ((plain, Use.ALPHA), (shadowed, Use.PICTURE)):
        assert {use_of_master(master, name, (plain, shadowed), [vendor]).use for name in cut.digests} == {use}
    assert use_of_master(master, "another", (plain, shadowed), [vendor]).use is Use.UNDECLARED


@pytest.mark.parametrize("use", Use)
def test_what_a_purchase_declared_holds_whatever_the_recipe_is_now(use: Use) -> None:
    vendor = plugin("removebg").vendor
    master, cut = Master("w", "digest", 2, 1, use=use), vendor.cut(2500, params={"shadow_type": "drop"})

    assert use_of_master(master, cut.digest, [cut], [vendor]) == (use, "declared when it was bought")
    assert use_of_master(master, "another", [], []).use is use
