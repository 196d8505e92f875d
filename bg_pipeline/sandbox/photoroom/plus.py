"""GET and POST /v2/edit, the Plus API."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from PIL import Image
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from bg_pipeline.sandbox.faults import FaultKind
from bg_pipeline.sandbox.forms import Form, fetch, read_form
from bg_pipeline.sandbox.paid_endpoint import PaidCall, PriceTier, Refused, Rendering, Result
from bg_pipeline.sandbox.photoroom.endpoint import (
    MAX_PIXELS,
    MESSAGES,
    NO_SUBJECT,
    InvalidParameter,
    PhotoroomEndpoint,
    add_watermark,
    has_sandbox_key,
    parse_choice,
    parse_colour,
    score_headers,
)
from bg_pipeline.sandbox.pictures import Box, Colour, File, encode, on_colour, shrink, with_shadow

_EDIT_BYTES = 30_000_000
_EXPORTS = {"png": "png", "jpg": "jpg", "jpeg": "jpg", "webp": "webp", "avif": "avif"}
_SIDES = ("Left", "Top", "Right", "Bottom")

_SUPPORTED = {
    *("imageUrl", "removeBackground", "background.color", "outputSize", "maxWidth", "maxHeight", "referenceBox"),
    *("scaling", "export.format", "shadow.mode"),
    *(name + side for name in ("padding", "margin") for side in ("", *_SIDES)),
}


_CHOICES: Mapping[str, tuple[str, ...]] = {
    "shadow.mode": ("ai.soft", "ai.hard", "ai.floating", "ai.preset-soft", "ai.preset-hard", "ai.auto-with-overrides"),
    "lighting.mode": ("ai.auto", "ai.preserve-hue-and-saturation"),
    "upscale.mode": ("ai.fast", "ai.slow"),
    "textRemoval.mode": ("ai.artificial", "ai.natural", "ai.all"),
    "segmentation.mode": ("keepSalientObject", "ignoreSalientObject"),
    "horizontalAlignment": ("left", "center", "right"),
    "verticalAlignment": ("top", "center", "bottom"),
    "keepExistingAlphaChannel": ("auto", "never"),
    "ignorePaddingAndSnapOnCroppedSides": ("true", "false"),
    "preserveMetadata": ("never", "xmp", "exifSubset", "exifSubsetWithXmpCompatibility"),
    **dict.fromkeys(
        (f"{name}.mode" for name in ("expand", "uncrop", "editWithAI", "flatLay", "ghostMannequin", "virtualModel")),
        ("ai.auto",),
    ),
}
"""Values of parameters that are checked; of these, only the shadow is rendered."""

_RANGES: Mapping[str, tuple[float, float]] = {
    "export.dpi": (72, 1200),
    "outline.width": (0, 0.1),
    "outline.blurRadius": (0, 0.025),
    "shadow.intensityOverride": (0, 1),
    "shadow.softnessOverride": (0, 1),
}

_UPSCALED_PX = {"ai.fast": 1000, "ai.slow": 512}
"""Longest side of a picture to upscale, by mode."""

_SHADOWS = {"ai.hard": 0.7, "ai.preset-hard": 0.7}
"""Opacity of the shadow that is drawn, by mode; of the others, `_SOFT`."""
_SOFT = 0.4


@dataclass(frozen=True, slots=True)
class _EditParameters:
    """Parsed parameters of Plus."""

    remove_background: bool
    background: Colour | None
    whole_picture: bool
    """True if the whole picture is fitted into the result, not only its subject."""
    output: str | tuple[int, int]
    max_width: int | None
    max_height: int | None
    insets: Mapping[str, str]
    """`paddingLeft` and so on; 0 where missing."""
    fill: bool
    format: str
    ignored: tuple[str, ...]
    watermark: bool
    shadow_opacity: float
    """From 0 to 1; 0 for no shadow."""


class Plus(PhotoroomEndpoint[_EditParameters]):
    product = "edit"
    max_bytes = _EDIT_BYTES

    async def read(self, request: Request) -> PaidCall[_EditParameters]:
        if request.method == "GET":
            form = Form({name: value for name, value in request.query_params.items() if value})
        else:
            form = await read_form(request)
        upload = await self._upload(request, form)
        picture = await self.decode_upload(upload)
        try:
            parameters = _parse_edit(form.texts, picture.size, has_sandbox_key(request))
        except InvalidParameter as error:
            raise Refused(self.bad_request(str(error))) from error
        return PaidCall(upload, picture, parameters, self.tiers(request, MAX_PIXELS))

    async def _upload(self, request: Request, form: Form) -> bytes:
        if request.method == "POST":
            upload = form.file("imageFile")
            if upload is None:
                raise Refused(self.bad_request("imageFile: Required"))
            return upload
        url = form.texts.get("imageUrl", "")
        if not re.match("https?://[^/]", url):
            raise Refused(self.bad_request("imageUrl: Required"))
        content = await fetch(url, _EDIT_BYTES)
        if content is None:
            raise Refused(self.bad_request("imageUrl could not be downloaded"))
        return content

    def render(self, call: PaidCall[_EditParameters], tier: PriceTier) -> Rendering:
        parameters = call.parameters
        image = self.segmenter.cut_out(call.picture) if parameters.remove_background else call.picture
        subject = image.getchannel("A").getbbox() or NO_SUBJECT
        if subject != NO_SUBJECT:
            image = _compose(image if parameters.whole_picture else image.crop(subject), call.picture.size, parameters)
        image = shrink(image, tier.max_pixels)
        if parameters.shadow_opacity:
            image = with_shadow(image, parameters.shadow_opacity)
        if parameters.background is not None:
            image = on_colour(image, parameters.background)
        if parameters.watermark:
            add_watermark(image)
        return Rendering(image, subject)

    def encode_file(self, call: PaidCall[_EditParameters], image: Image.Image) -> File:
        return encode(image, call.parameters.format)

    def answer(self, request: Request, call: PaidCall[_EditParameters], tier: PriceTier, result: Result) -> Response:  # noqa: ARG002
        headers = score_headers(result)
        if call.parameters.ignored:
            headers["pr-unsupported-attributes"] = ",".join(call.parameters.ignored)
        return Response(result.file.content, media_type=result.file.media_type, headers=headers)

    def error(self, kind: FaultKind) -> Response:
        status, message = MESSAGES[kind]
        return plus_error(status, message, "detail" if kind is FaultKind.NO_CREDITS else "message")

    def bad_request(self, message: str) -> Response:
        return plus_error(400, message)


def _parse_edit(texts: Mapping[str, str], picture_px: tuple[int, int], watermark: bool) -> _EditParameters:
    _check(texts, picture_px)
    if texts.get("removeBackground", "true") not in {"true", "false"}:
        raise InvalidParameter("removeBackground must be boolean")
    output = texts.get("outputSize", "auto")
    size = re.fullmatch("([1-9][0-9]{0,4})x([1-9][0-9]{0,4})", output)
    if size is None and output not in {"auto", "originalImage", "croppedSubject"}:
        raise InvalidParameter("outputSize is not valid")
    if {"maxWidth", "maxHeight"} & texts.keys() and output not in {"originalImage", "croppedSubject"}:
        raise InvalidParameter("maxWidth and maxHeight need an outputSize of originalImage or croppedSubject")
    insets = {name: value for name, value in texts.items() if name.startswith(("padding", "margin"))}
    for name, value in insets.items():
        if not re.fullmatch(r"0?\.[0-4]\d*|0|[0-4]?\d(\.\d+)?%|\d+px", value):
            raise InvalidParameter(f"{name} is not valid")
    return _EditParameters(
        remove_background=texts.get("removeBackground", "true") == "true",
        background=parse_colour(texts, "background.color"),
        whole_picture=parse_choice(texts, "referenceBox", "subjectBox", "originalImage") == "originalImage",
        output=(int(size[1]), int(size[2])) if size else output,
        max_width=_number(texts, "maxWidth"),
        max_height=_number(texts, "maxHeight"),
        insets=insets,
        fill=parse_choice(texts, "scaling", "fit", "fill") == "fill",
        format=_EXPORTS[parse_choice(texts, "export.format", *_EXPORTS)],
        ignored=tuple(name for name in texts if name not in _SUPPORTED),
        watermark=watermark,
        shadow_opacity=_SHADOWS.get(texts["shadow.mode"], _SOFT) if "shadow.mode" in texts else 0.0,
    )


def _check(texts: Mapping[str, str], picture_px: tuple[int, int]) -> None:
    """
    Check parameters that the description limits, rendered or not.

    Raises:
        InvalidParameter: a value is not one of the description's.
    """
    for name, choices in _CHOICES.items():
        if name in texts:
            parse_choice(texts, name, *choices)
    for name, (least, most) in _RANGES.items():
        if name in texts and not (re.fullmatch(r"\d+(\.\d+)?", texts[name]) and least <= float(texts[name]) <= most):
            raise InvalidParameter(f"{name} must be a number between {least} and {most}")
    if "upscale.mode" in texts and max(picture_px) > (side_px := _UPSCALED_PX[texts["upscale.mode"]]):
        raise InvalidParameter(
            f"upscale.mode {texts['upscale.mode']} takes pictures of at most {side_px} pixels a side"
        )
    if texts.get("removeBackground") == "false" and "referenceBox" in texts:
        raise InvalidParameter("referenceBox cannot be provided if removeBackground is false")


def _number(texts: Mapping[str, str], name: str) -> int | None:
    if name not in texts:
        return None
    if not re.fullmatch("[1-9][0-9]{0,4}", texts[name]):
        raise InvalidParameter(f"{name} must be a number")
    return int(texts[name])


def _compose(reference: Image.Image, original: tuple[int, int], parameters: _EditParameters) -> Image.Image:
    """Fit the reference into the middle of the area inside margin and padding, as the vendor does."""
    if isinstance(parameters.output, tuple):
        size = parameters.output
    else:
        size = reference.size if parameters.output == "croppedSubject" else original
    factor = min(1.0, (parameters.max_width or size[0]) / size[0], (parameters.max_height or size[1]) / size[1])
    size = (max(1, round(size[0] * factor)), max(1, round(size[1] * factor)))
    left, top, right, bottom = _within(
        _within((0, 0, *size), "margin", parameters.insets), "padding", parameters.insets
    )
    ratios = ((right - left) / reference.width, (bottom - top) / reference.height)
    factor = max(ratios) if parameters.fill else min(ratios)
    fitted = (max(1, round(reference.width * factor)), max(1, round(reference.height * factor)))
    result = Image.new("RGBA", size)
    middle = (left + (right - left - fitted[0]) // 2, top + (bottom - top - fitted[1]) // 2)
    result.paste(reference.resize(fitted), middle)
    return result


def _within(box: Box, name: str, insets: Mapping[str, str]) -> Box:
    wide, high = box[2] - box[0], box[3] - box[1]
    left, top, right, bottom = (
        _inset(insets.get(name + side, insets.get(name, "0")), whole)
        for side, whole in zip(_SIDES, (wide, high, wide, high), strict=True)
    )
    return box[0] + left, box[1] + top, max(box[0] + left + 1, box[2] - right), max(box[1] + top + 1, box[3] - bottom)


def _inset(text: str, whole_px: int) -> int:
    if text.endswith("px"):
        return int(text.removesuffix("px"))
    share = float(text.removesuffix("%")) / 100 if text.endswith("%") else float(text)
    return round(share * whole_px)


def plus_error(status: int, message: str, name: str = "message") -> Response:
    return JSONResponse({"error": {name: message}}, status)
