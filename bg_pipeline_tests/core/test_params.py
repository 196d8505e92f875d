"""Parameters are checked against the vendor's table, before anything is sent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bg_pipeline.core.colours import use_of
from bg_pipeline.core.params import BOOLEAN, Effect, Param, effect, number, one_of, refusal
from bg_pipeline.core.records import Use
from bg_pipeline.vendors.registry import OURS, plugin

VENDORS = {name: plugin(name).vendor for name in OURS}


@pytest.mark.parametrize(
    ("vendor", "variant", "params", "said"),
    [
        ("local", "", {"a": "b"}, "local takes no parameters"),
        ("bgeraser", "tools", {"image": "x"}, "image cannot be passed: the client sets it"),
        ("bgeraser", "v1", {"size": "preview"}, "size cannot be passed"),
        ("bgeraser", "v1", {"format": "zip"}, "one of png, webp, which carry transparency"),
        ("removebg", "", {"channels": "alpha"}, "the answer would be no cutout"),
        ("removebg", "", {"crop_margin": "10%"}, "crop_margin does nothing without crop"),
        ("removebg", "", {"image_url": "https://a.example"}, "the client sets it"),
        ("removebg", "", {"bg_image_file": "a.png"}, "a file cannot be passed: use bg_image_url"),
        ("removebg", "", {"format": "auto"}, "one of zip, png, webp, which carry transparency"),
        ("removebg", "", {"size": "hd"}, "REMOVEBG_SIZE sets it"),
        ("removebg", "", {"roi": "0 0 10"}, "it must be four lengths"),
        ("removebg", "", {"shadow_opacity": "120", "shadow_type": "drop"}, "a whole number from 0 to 100, or auto"),
        ("removebg", "", {"shadow_type[boat]": "drop"}, "shadow_type has no kinds but person, product"),
        ("removebg", "", {"crop[car]": "true"}, "crop has no kinds"),
        ("removebg", "", {"bg_color": "white", "bg_image_url": "https://a.example/b.png"}, "beside bg_"),
        ("removebg", "", {"crop": ""}, "it must be one of true, false"),
        ("photoroom", "basic", {"shadow.mode": "ai.soft"}, "PhotoRoom has no parameter shadow.mode"),
        ("photoroom", "basic sandbox", {"channels": "alpha"}, "no cutout"),
        ("photoroom", "plus", {"shadow.mode": "soft"}, "one of ai.soft, ai.hard"),
        ("photoroom", "plus", {"export.format": "jpeg"}, "transparency"),
        ("photoroom", "plus", {"lightning.mode": "ai.auto"}, "did you mean lighting.mode?"),
        ("photoroom", "plus", {"shadow.softnessOverride": "0.5"}, "does nothing without shadow.mode"),
        ("photoroom", "plus", {"background.imageFile": "x"}, "a file cannot be passed"),
        ("photoroom", "plus", {"imageFromPrompt.prompt": "a car"}, "it takes no picture"),
        ("photoroom", "plus", {"padding": "0.5"}, "a share from 0 to 0.49"),
        ("photoroom", "plus", {"removeBackground": "false", "referenceBox": "originalImage"}, "beside referenceBox"),
        ("photoroom", "plus", {"pr-hd-background-removal": "yes"}, "it must be auto"),
    ],
)
def test_what_would_break_an_answer_is_not_passed(vendor: str, variant: str, params: dict[str, str], said: str) -> None:
    assert said in VENDORS[vendor].refusal(variant, params)


@pytest.mark.parametrize(
    ("vendor", "variant", "params"),
    [
        ("local", "", {}),
        ("bgeraser", "tools", {"model": "v2"}),
        ("removebg", "", {"type": "product", "type_level": "2", "roi": "0% 0% 90% 90%", "format": "webp"}),
        ("removebg", "", {"roi": "0 0 100% 100%", "semitransparency": "false"}),
        ("removebg", "", {"shadow_type[product]": "drop", "shadow_type": "auto", "shadow_opacity[car]": "90"}),
        ("photoroom", "basic", {"despill": "true", "format": "webp", "pr-hd-background-removal": "auto"}),
        ("photoroom", "plus", {"shadow.mode": "ai.soft", "export.format": "webp", "segmentation.prompt": "the shoe"}),
    ],
)
def test_what_the_vendor_documents_is_passed(vendor: str, variant: str, params: dict[str, str]) -> None:
    assert VENDORS[vendor].refusal(variant, params) == ""


def test_a_vendor_with_undocumented_parameters_takes_other_names_and_checks_those_it_has() -> None:
    known = {"size": Param(one_of("s", "m"))}

    assert refusal("Acme", known, {"glow": "1"}, others=True) == ""
    assert refusal("Acme", known, {"glow": "1"}) == "Acme has no parameter glow; it has size"
    assert "it must be one of s, m" in refusal("Acme", known, {"size": "l"}, others=True)


@given(st.text(max_size=8))
def test_a_value_is_accepted_only_as_it_is_documented(text: str) -> None:
    assert BOOLEAN.accepts(text) == (text in {"true", "false"})
    if number(0, 100, "auto", whole=True).accepts(text):
        assert text == "auto" or 0 <= int(text) <= 100


@given(
    st.dictionaries(st.sampled_from(["keeps", "shadow", "crop", "scene", "unknown"]), st.sampled_from(["1", "none"]))
)
def test_of_several_parameters_the_one_that_alters_most_says_what_the_answer_is(passed: dict[str, str]) -> None:
    effects = {"keeps": Effect.KEEPS, "shadow": Effect.COLOURS, "crop": Effect.FRAME, "scene": Effect.SCENE}
    known = {name: Param(one_of("1", "none"), each) for name, each in effects.items()}
    switched_on = [effects.get(name, Effect.COLOURS) for name, value in passed.items() if value != "none"]

    assert effect(known, passed)[0] == max(switched_on, default=Effect.KEEPS)


@pytest.mark.parametrize(
    ("vendor", "variant", "params", "use"),
    [
        ("removebg", "", {"crop": "true"}, Use.WHOLE),
        ("removebg", "", {"crop": "false", "scale": "original"}, Use.ALPHA),
        ("removebg", "", {"position": "center"}, Use.WHOLE),
        ("removebg", "", {"bg_color": "fff", "crop": "true"}, Use.FINISHED),
        ("photoroom", "basic", {"crop": "true"}, Use.WHOLE),
        ("photoroom", "basic", {"pr-hd-background-removal": "auto"}, Use.ALPHA),
        ("photoroom", "plus", {"outputSize": "originalImage", "padding": "0"}, Use.ALPHA),
        ("photoroom", "plus", {"outputSize": "800x800"}, Use.WHOLE),
        ("photoroom", "plus", {"background.prompt": "a beach", "shadow.mode": "ai.soft"}, Use.FINISHED),
        ("photoroom", "plus", {"templateId": "592dd982-4a1b-4cd9-ab11-21481d5a0064"}, Use.FINISHED),
        ("photoroom", "plus", {"lighting.mode": "ai.auto"}, Use.PICTURE),
        ("photoroom", "plus", {"removeBackground": "true"}, Use.ALPHA),
        ("photoroom", "plus", {"removeBackground": "false"}, Use.FINISHED),
    ],
)
def test_a_frame_or_a_background_of_its_own_is_published_as_it_came(
    vendor: str, variant: str, params: dict[str, str], use: Use
) -> None:
    described = VENDORS[vendor]

    assert described.refusal(variant, params) == ""
    assert use_of(described.cut(2500, variant, params=params), [described]).use is use


@pytest.mark.parametrize("vendor", VENDORS.values(), ids=VENDORS)
def test_what_a_parameter_needs_or_excludes_is_a_parameter_of_the_same_vendor(vendor) -> None:  # type: ignore[no-untyped-def]
    for variant in vendor.variants.values():
        named = {name for param in variant.params.values() for name in (param.needs, *param.excludes) if name}
        assert named <= variant.params.keys()
