"""
Parameters of both APIs of PhotoRoom.

By its OpenAPI (tryAGI/Photoroom, src/libs/Photoroom/openapi.yaml, 2026-06), and docs.photoroom.com, read 2026-11. In a
recipe, a request header is written like a form field.
"""

from collections.abc import Mapping

from bg_pipeline.core.params import (
    A_FILE,
    BOOLEAN,
    BY_CLIENT,
    NO_CUTOUT,
    TEXT,
    WEB_URL,
    Effect,
    Param,
    Values,
    matching,
    number,
    one_of,
    refused,
    transparent,
)

HEADER = "pr-"
"""With this, the names of its request headers begin."""

_COLOUR = matching(r"#?([0-9A-Fa-f]{6}|[0-9A-Fa-f]{8})|[A-Za-z]+", "a colour, such as FFFFFF or white")
_LENGTH = matching(
    r"0|0?\.[0-4]\d*|0\.[0-4]\d*|([0-9]|[1-4][0-9])(\.\d+)?%|\d+px",
    "a share from 0 to 0.49, a percentage from 0% to 49%, or a length such as 100px",
)
_SEED = matching(r"\d+(\.\d+)?", "a number")
_DEGREES = r"\d+(\.\d+)?"
_AUTO = one_of("ai.auto")
_VERSION = matching(r"[\w.-]+", "a version of a model, as the vendor's pages have it")
_FRAMES = one_of(
    *("PORTRAIT_HD_16_9", "PORTRAIT_HD_4_3", "PORTRAIT_HD_3_2", "SQUARE_HD"),
    *("LANDSCAPE_HD_3_2", "LANDSCAPE_HD_4_3", "LANDSCAPE_HD_16_9"),
)
_NO_LENGTH = ("0", "0%", "0px")

_HEADERS: Mapping[str, Param] = {
    "pr-hd-background-removal": Param(one_of("auto")),
    "pr-background-removal-model-version": Param(one_of("2023-06-01", "2024-09-26")),
}

BASIC: Mapping[str, Param] = {
    **refused(("image_file",), BY_CLIENT),
    **refused(("size",), "PHOTOROOM_SIZE sets it"),
    **refused(("channels",), NO_CUTOUT),
    "format": Param(transparent("png", "webp")),
    "bg_color": Param(_COLOUR, Effect.BACKDROP, off=()),
    "crop": Param(BOOLEAN, Effect.FRAME),
    "despill": Param(BOOLEAN, Effect.COLOURS),
    **_HEADERS,
}


def _made(group: str, **more: Values) -> dict[str, Param]:
    """Return the parameters of a group that makes a picture of its own where its mode is set."""
    mode = f"{group}.mode"
    named = {f"{group}.{name.replace('__', '.')}": Param(values, needs=mode) for name, values in more.items()}
    return {mode: Param(_AUTO, Effect.SCENE), **named}


_PROMPT = "background.prompt"

PLUS: Mapping[str, Param] = {
    **refused(("imageFile", "imageUrl"), BY_CLIENT),
    **refused(("background.imageFile", "background.guidance.imageFile"), f"{A_FILE}: use the URL of one"),
    **refused(("imageFromPrompt.prompt", "imageFromPrompt.seed", "imageFromPrompt.size"), "it takes no picture"),
    "removeBackground": Param(BOOLEAN, Effect.BACKDROP, off=("true",), excludes=("referenceBox", _PROMPT)),
    "export.format": Param(transparent("png", "webp")),
    "export.dpi": Param(number(72, 1200)),
    "preserveMetadata": Param(one_of("never", "xmp", "exifSubset", "exifSubsetWithXmpCompatibility")),
    "keepExistingAlphaChannel": Param(one_of("auto", "never")),
    "segmentation.prompt": Param(TEXT),
    "segmentation.negativePrompt": Param(TEXT, needs="segmentation.prompt"),
    "segmentation.mode": Param(one_of("keepSalientObject", "ignoreSalientObject"), needs="segmentation.prompt"),
    "shadow.mode": Param(
        one_of("ai.soft", "ai.hard", "ai.floating", "ai.preset-soft", "ai.preset-hard", "ai.auto-with-overrides"),
        Effect.COLOURS,
    ),
    "shadow.intensityOverride": Param(number(0, 1), needs="shadow.mode"),
    "shadow.softnessOverride": Param(number(0, 1), needs="shadow.mode"),
    "shadow.directionOverride": Param(
        matching(
            rf"{_DEGREES}|(behind|front)(Left|Right)?|left|right", "an angle in degrees, or a side such as frontLeft"
        ),
        needs="shadow.mode",
    ),
    "shadow.spreadOverride": Param(
        matching(rf"{_DEGREES}|short|medium|long", "an angle in degrees, short, medium or long"), needs="shadow.mode"
    ),
    "shadow.subjectPoseOverride": Param(
        matching(rf"{_DEGREES}|flatlay|upright", "an angle in degrees, flatlay or upright"), needs="shadow.mode"
    ),
    "lighting.mode": Param(one_of("ai.auto", "ai.preserve-hue-and-saturation"), Effect.COLOURS),
    "textRemoval.mode": Param(one_of("ai.artificial", "ai.natural", "ai.all"), Effect.COLOURS),
    "outline.color": Param(_COLOUR, Effect.COLOURS, off=()),
    "outline.width": Param(number(0, 0.1), Effect.COLOURS, off=("0",)),
    "outline.blurRadius": Param(number(0, 0.025), Effect.COLOURS, off=("0",)),
    "outputSize": Param(
        matching(
            r"auto|[1-9]\d*x[1-9]\d*|originalImage|croppedSubject", "auto, 200x400, originalImage, croppedSubject"
        ),
        Effect.FRAME,
        off=("originalImage",),
    ),
    "referenceBox": Param(one_of("subjectBox", "originalImage"), Effect.FRAME, off=("originalImage",)),
    "maxWidth": Param(number(1, 99_999, whole=True), Effect.FRAME, needs="outputSize"),
    "maxHeight": Param(number(1, 99_999, whole=True), Effect.FRAME, needs="outputSize"),
    **{
        name + side: Param(_LENGTH, Effect.FRAME, off=_NO_LENGTH)
        for name in ("padding", "margin")
        for side in ("", "Left", "Top", "Right", "Bottom")
    },
    "scaling": Param(one_of("fit", "fill"), Effect.FRAME, off=("fit",)),
    "horizontalAlignment": Param(one_of("left", "center", "right"), Effect.FRAME),
    "verticalAlignment": Param(one_of("top", "center", "bottom"), Effect.FRAME),
    "ignorePaddingAndSnapOnCroppedSides": Param(BOOLEAN, Effect.FRAME, off=()),
    "upscale.mode": Param(one_of("ai.fast", "ai.slow"), Effect.FRAME),
    "background.color": Param(_COLOUR, Effect.BACKDROP, off=("transparent",)),
    "background.imageUrl": Param(WEB_URL, Effect.BACKDROP, off=(), excludes=(_PROMPT,)),
    "background.scaling": Param(one_of("fit", "fill"), needs="background.imageUrl"),
    _PROMPT: Param(TEXT, Effect.BACKDROP, off=()),
    "background.negativePrompt": Param(TEXT, needs=_PROMPT),
    "background.expandPrompt": Param(one_of("auto", "never"), needs=_PROMPT),
    "background.expandPrompt.mode": Param(one_of("ai.auto", "ai.never"), needs=_PROMPT),
    "background.guidance.imageUrl": Param(WEB_URL, needs=_PROMPT),
    "background.guidance.scale": Param(number(0, 1), needs="background.guidance.imageUrl"),
    "background.seed": Param(_SEED, needs=_PROMPT),
    "background.blur.mode": Param(one_of("gaussian", "bokeh"), needs="removeBackground"),
    "background.blur.radius": Param(number(0, 0.05), needs="background.blur.mode"),
    "templateId": Param(matching(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}", "a UUID"), Effect.SCENE),
    "beautify.mode": Param(one_of("ai.auto", "ai.food", "ai.car"), Effect.SCENE),
    "beautify.seed": Param(_SEED, needs="beautify.mode"),
    **_made("expand", seed=_SEED),
    **_made("uncrop", seed=_SEED),
    **_made("editWithAI", prompt=TEXT, seed=_SEED),
    **_made("flatLay", prompt=TEXT, size=_FRAMES),
    **_made("ghostMannequin", prompt=TEXT, size=_FRAMES),
    **_made(
        "virtualModel",
        prompt=TEXT,
        size=_FRAMES,
        quality=one_of("standard", "advanced", "premium"),
        pose=one_of(
            *("random", "standing", "34turn", "powerstance", "walkingforward", "handinpocket", "crossedarms", "back"),
            *("overtheshoulder", "seated", "adjustingclothing", "playfulspin"),
        ),
        model__preset__name=one_of(
            *("avery", "sam", "taylor", "kendall", "jordan", "casey", "alex", "maya", "reece", "lena", "julia"),
            *("jackson", "sophia", "emma", "ava", "zoe", "fiona"),
        ),
        model__custom__imageUrl=WEB_URL,
        scene__preset__name=one_of(
            *("random", "street", "bedroom", "sunset", "factory", "studio", "coloredstudio", "concretestudio"),
            *("beach", "tropical", "library", "forest", "businessdistrict", "countryside", "flowers", "goldenlight"),
            *("mountain", "pool", "latincity", "cafe", "asiancity", "nightlights", "desert"),
        ),
        scene__custom__imageUrl=WEB_URL,
    ),
    **_HEADERS,
    "pr-ai-background-model-version": Param(_VERSION, needs=_PROMPT),
    "pr-ai-shadows-model-version": Param(_VERSION, needs="shadow.mode"),
}

UPSCALED_PX: Mapping[str, int] = {"ai.fast": 1000, "ai.slow": 512}
"""Longest side of a picture to enlarge, by `upscale.mode`."""
