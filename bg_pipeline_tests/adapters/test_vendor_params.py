"""Every parameter of a vendor's table: sent as it is written, accepted by the simulated vendor, and checked before."""

from collections.abc import Iterator
from decimal import Decimal

import pytest

from bg_pipeline.core.colours import use_of
from bg_pipeline.errors import BgPipelineError
from bg_pipeline.sandbox.serve import RunningSandbox, running_sandbox
from bg_pipeline.sandbox.state import SandboxState
from bg_pipeline.vendors.photoroom.params import BASIC, PLUS
from bg_pipeline.vendors.registry import plugin
from bg_pipeline.vendors.removebg.params import PARAMS
from bg_pipeline_tests.adapters.clients import CLIENTS, bought, request
from bg_pipeline_tests.adapters.server import Vendor
from bg_pipeline_tests.pictures import cutout_of, opened
from bg_pipeline_tests.sandbox.client import cut_left_half

Examples = dict[str, tuple[str, str, dict[str, str]]]
"""By parameter: a sound value, a wrong one, and the further parameters that it needs."""

REMOVEBG: Examples = {
    "type": ("product", "boat", {}),
    "type_level": ("2", "3", {}),
    "format": ("png", "jpg", {}),
    "roi": ("0% 0% 90% 90%", "0% 0% 90%", {}),
    "semitransparency": ("false", "no", {}),
    "shadow_type": ("drop", "soft", {}),
    "shadow_opacity": ("60", "101", {"shadow_type": "3D"}),
    "add_shadow": ("true", "yes", {}),
    "crop": ("true", "yes", {}),
    "crop_margin": ("10% 20px", "1% 2% 3%", {"crop": "true"}),
    "scale": ("80%", "5%", {}),
    "position": ("20% 80%", "left", {}),
    "bg_color": ("fff", "#12", {}),
    "bg_image_url": ("https://shop.example/a.jpg", "a.jpg", {}),
}
HEADERS: Examples = {
    "pr-hd-background-removal": ("auto", "true", {}),
    "pr-background-removal-model-version": ("2024-09-26", "3", {}),
}
PHOTOROOM_BASIC: Examples = {
    "format": ("webp", "jpg", {}),
    "bg_color": ("#FF00FF", "#FF", {}),
    "crop": ("true", "1", {}),
    "despill": ("true", "green", {}),
    **HEADERS,
}
SHADOW = {"shadow.mode": "ai.auto-with-overrides"}
PROMPT = {"background.prompt": "on a beach"}
SIZE = {"outputSize": "croppedSubject"}
PHOTOROOM_PLUS: Examples = {
    "removeBackground": ("false", "no", {}),
    "export.format": ("webp", "avif", {}),
    "export.dpi": ("300", "50", {}),
    "preserveMetadata": ("xmp", "all", {}),
    "keepExistingAlphaChannel": ("auto", "always", {}),
    "segmentation.prompt": ("the left shoe", "", {}),
    "segmentation.negativePrompt": ("the box", "", {"segmentation.prompt": "the shoe"}),
    "segmentation.mode": ("keepSalientObject", "keep", {"segmentation.prompt": "the shoe"}),
    "shadow.mode": ("ai.soft", "drop", {}),
    "shadow.intensityOverride": ("0.5", "2", SHADOW),
    "shadow.softnessOverride": ("1", "-1", SHADOW),
    "shadow.directionOverride": ("frontLeft", "above", SHADOW),
    "shadow.spreadOverride": ("45", "wide", SHADOW),
    "shadow.subjectPoseOverride": ("upright", "sitting", SHADOW),
    "lighting.mode": ("ai.auto", "bright", {}),
    "textRemoval.mode": ("ai.all", "all", {}),
    "outline.color": ("FF0000", "12", {}),
    "outline.width": ("0.05", "0.2", {}),
    "outline.blurRadius": ("0.02", "0.03", {}),
    "outputSize": ("200x400", "200", {}),
    "referenceBox": ("subjectBox", "subject", {}),
    "maxWidth": ("200", "0.5", SIZE),
    "maxHeight": ("200", "0", SIZE),
    **{
        name + side: (value, "60%", {})
        for name, value in (("padding", "10%"), ("margin", "0.1"))
        for side in ("", "Left", "Top", "Right", "Bottom")
    },
    "scaling": ("fill", "stretch", {}),
    "horizontalAlignment": ("left", "top", {}),
    "verticalAlignment": ("bottom", "left", {}),
    "ignorePaddingAndSnapOnCroppedSides": ("false", "no", {}),
    "upscale.mode": ("ai.fast", "ai.best", {}),
    "background.color": ("FFFFFF", "12", {}),
    "background.imageUrl": ("https://shop.example/a.jpg", "a.jpg", {}),
    "background.scaling": ("fit", "stretch", {"background.imageUrl": "https://shop.example/a.jpg"}),
    "background.prompt": ("on a beach", "", {}),
    "background.negativePrompt": ("people", "", PROMPT),
    "background.expandPrompt": ("never", "yes", PROMPT),
    "background.expandPrompt.mode": ("ai.never", "yes", PROMPT),
    "background.guidance.imageUrl": ("https://shop.example/a.jpg", "a.jpg", PROMPT),
    "background.guidance.scale": (
        "0.6",
        "6",
        {**PROMPT, "background.guidance.imageUrl": "https://shop.example/a.jpg"},
    ),
    "background.seed": ("123456", "any", PROMPT),
    "background.blur.mode": ("bokeh", "box", {"removeBackground": "false"}),
    "background.blur.radius": ("0.03", "1", {"removeBackground": "false", "background.blur.mode": "bokeh"}),
    "templateId": ("592dd982-4a1b-4cd9-ab11-21481d5a0064", "592", {}),
    "beautify.mode": ("ai.food", "ai.cat", {}),
    "beautify.seed": ("1", "any", {"beautify.mode": "ai.auto"}),
    **{
        f"{group}.{name}": (value, wrong, {} if name == "mode" else {f"{group}.mode": "ai.auto"})
        for group, names in {
            "expand": ("seed",),
            "uncrop": ("seed",),
            "editWithAI": ("prompt", "seed"),
            "flatLay": ("prompt", "size"),
            "ghostMannequin": ("prompt", "size"),
            "virtualModel": ("prompt", "size"),
        }.items()
        for name, (value, wrong) in {
            "mode": ("ai.auto", "auto"),
            "seed": ("7", "any"),
            "prompt": ("a studio", ""),
            "size": ("SQUARE_HD", "HD"),
        }.items()
        if name in {"mode", *names}
    },
    **{
        f"virtualModel.{name}": (value, wrong, {"virtualModel.mode": "ai.auto"})
        for name, value, wrong in (
            ("quality", "premium", "best"),
            ("pose", "standing", "flying"),
            ("model.preset.name", "avery", "bob"),
            ("model.custom.imageUrl", "https://shop.example/a.jpg", "a.jpg"),
            ("scene.preset.name", "beach", "moon"),
            ("scene.custom.imageUrl", "https://shop.example/a.jpg", "a.jpg"),
        )
    },
    **HEADERS,
    "pr-ai-background-model-version": ("2", "a b", PROMPT),
    "pr-ai-shadows-model-version": ("2026-04-15", "a b", SHADOW),
}
EXAMPLES = {
    ("removebg", ""): ("removebg", PARAMS, REMOVEBG),
    ("bgeraser", "v1"): ("bgeraser v1", PARAMS, REMOVEBG),
    ("photoroom", "basic"): ("photoroom basic", BASIC, PHOTOROOM_BASIC),
    ("photoroom", "plus"): ("photoroom plus", PLUS, PHOTOROOM_PLUS),
}
"""By vendor and variant: the client, its table, and its examples."""

CASES = [
    pytest.param(key, name, id=f"{' '.join(key)} {name}")
    for key, (_, _, examples) in EXAMPLES.items()
    for name in examples
]


def passed(key: tuple[str, str], name: str) -> dict[str, str]:
    value, _, more = EXAMPLES[key][2][name]
    return {name: value, **more}


@pytest.mark.parametrize("key", EXAMPLES, ids=" ".join)
def test_every_parameter_has_an_example(key: tuple[str, str]) -> None:
    _, known, examples = EXAMPLES[key]

    assert examples.keys() == {name for name, param in known.items() if not param.refused}


@pytest.mark.parametrize(("key", "name"), CASES)
def test_a_sound_value_is_accepted_and_a_wrong_one_is_refused_with_what_is_allowed(
    key: tuple[str, str], name: str
) -> None:
    vendor, variant = plugin(key[0]).vendor, key[1]
    wrong = {**passed(key, name), name: EXAMPLES[key][2][name][1]}

    assert vendor.refusal(variant, passed(key, name)) == ""
    assert f"{name}={wrong[name]} is not accepted: it must be " in vendor.refusal(variant, wrong)


@pytest.mark.parametrize(("key", "name"), CASES)
def test_a_parameter_is_sent_as_it_is_written(key: tuple[str, str], name: str, vendor: Vendor) -> None:
    make, path, _ = CLIENTS[EXAMPLES[key][0]]
    params = passed(key, name)
    sent = request(params=params)
    vendor.say(path, body=cutout_of(sent.image))
    make(vendor.base_url).cut(sent)

    (seen,) = vendor.seen
    headers = {each.lower(): value for each, value in seen.headers.items()}
    for each, value in params.items():
        in_form = seen.form.get(each)
        assert (headers.get(each), in_form) == ((value, None) if each.startswith("pr-") else (None, value.encode()))


@pytest.fixture(scope="module")
def sandbox() -> Iterator[RunningSandbox]:
    state = SandboxState(dict.fromkeys(("bgeraser", "removebg", "photoroom"), Decimal(10_000)), photoroom_plan="plus")  # type: ignore[arg-type]
    with running_sandbox(state, cut_left_half) as running:
        yield running


OFFLINE = {"bg_image_url"}
"""The simulated vendor fetches it."""


@pytest.mark.parametrize(("key", "name"), [case for case in CASES if case.values[1] not in OFFLINE])
def test_the_simulated_vendor_accepts_it_and_answers_with_what_is_declared(
    key: tuple[str, str], name: str, sandbox: RunningSandbox
) -> None:
    """Client and sandbox have their tables from the same pages, and share no code."""
    make, _, _ = CLIENTS[EXAMPLES[key][0]]
    described = plugin(key[0]).vendor
    params = passed(key, name)
    use = use_of(described.cut(2500, key[1], params=params), [described]).use
    sent = request(params={"format": "png", **params} if key[1] == "v1" else params, use=use)
    image = opened(bought(make(sandbox.base_url), sent))

    assert use.has_own_frame or image.size == (sent.width_px, sent.height_px)
    assert image.has_transparency_data or use == "finished"


@pytest.mark.parametrize("name", ["shadow_type", "shadow_opacity", "roi", "crop_margin", "scale", "position", "size"])
def test_the_simulated_vendor_refuses_what_the_table_refuses(name: str, sandbox: RunningSandbox) -> None:
    _, wrong, more = REMOVEBG.get(name, ("", "huge", {}))
    make, _, _ = CLIENTS["removebg"]

    with pytest.raises(BgPipelineError, match="400"):
        make(sandbox.base_url).cut(request(params={**more, name: wrong}))
