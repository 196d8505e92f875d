"""Photoroom's two surfaces, Basic (POST /v1/segment) and Plus (GET and POST /v2/edit), and their account."""

import asyncio
import base64
import re
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, TypeVar

from PIL import Image, ImageDraw, ImageFont
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bg_pipeline.sandbox.cutting import Cutter
from bg_pipeline.sandbox.faults import FaultKind
from bg_pipeline.sandbox.frame import Drawing, Offer, Order, Refused, Result, Surface, with_headers
from bg_pipeline.sandbox.ledger import Provider, json_number
from bg_pipeline.sandbox.pictures import (
    Box,
    Colour,
    File,
    UnreadablePicture,
    colour,
    decode,
    encode,
    on_colour,
    shrink,
)
from bg_pipeline.sandbox.state import Plan, SandboxState
from bg_pipeline.sandbox.uploads import Form, fetch, read_form

PROVIDER: Final[Provider] = "photoroom"

SANDBOX_PREFIX = "sandbox_"
"""In front of the real key: free of charge, with a watermark (docs.photoroom.com, sandbox mode, read 2026-11)."""

PRICES: Mapping[tuple[str, Plan], Decimal] = {
    ("segment", "basic"): Decimal(1),
    ("segment", "plus"): Decimal("0.2"),
    ("edit", "basic"): Decimal(5),
    ("edit", "plus"): Decimal(1),
}
"""Images of the plan; docs.photoroom.com, pricing, read 2026-11: one edit counts for five images of the Basic plan."""

_MAX_PIXELS = 36_000_000
_SEGMENT_PIXELS = {"preview": 250_000, "medium": 1_500_000, "hd": 4_000_000, "full": _MAX_PIXELS}
_SEGMENT_BYTES = 50_000_000
_EDIT_BYTES = 30_000_000
_LONGEST_SIDE_PX = 6_000
_EXPORTS = {"png": "png", "jpg": "jpg", "jpeg": "jpg", "webp": "webp", "avif": "avif"}
_SIDES = ("Left", "Top", "Right", "Bottom")

_DRAWN = {
    *("imageUrl", "removeBackground", "background.color", "outputSize", "maxWidth", "maxHeight", "referenceBox"),
    *("scaling", "export.format"),
    *(name + side for name in ("padding", "margin") for side in ("", *_SIDES)),
}

_UNEXPECTED = "An unexpected error occurred. Please try again later or contact support."
_MESSAGES: Mapping[FaultKind, tuple[int, str]] = {
    FaultKind.INTERNAL_ERROR: (500, _UNEXPECTED),
    FaultKind.UNAVAILABLE: (503, "Service unavailable"),
    FaultKind.TOO_MANY_REQUESTS: (429, "Rate limit exceeded"),
    FaultKind.NO_CREDITS: (
        402,
        "API credits exhausted. Visit https://app.photoroom.com/api-dashboard to purchase more API credits",
    ),
    FaultKind.BAD_KEY: (403, "Forbidden"),
    FaultKind.SUCCESS_ERROR: (200, _UNEXPECTED),
}

W = TypeVar("W")


class _Invalid(Exception):
    """A parameter is not as documented."""


class _Photoroom(Surface[W]):
    """
    Answers as the vendor does, out of the sandbox's state.

    Documented (the vendor's OpenAPI description that tryAGI/Photoroom keeps, and docs.photoroom.com; read 2026-11):
    the paths, the parameters, 400 and 402 in two shapes, 403 for keys, the header of the score, `sandbox_` keys, the
    prices, the largest files, the account. Assumed: that `Accept: application/json` asks for base64, bodies of 403 and
    429, Retry-After, the order of checks, every message but those of the description, that a picture of more than 6,000
    pixels a side is refused. Not simulated: HEIC, the monthly and daily cap of `sandbox_` keys, /v1/render.
    """

    provider = PROVIDER
    product: str
    max_bytes: int

    def key_of(self, request: Request) -> str:
        return _key(request).removeprefix(SANDBOX_PREFIX)

    async def picture_of(self, upload: bytes) -> Image.Image:
        """
        Raises:
            Refused: too many bytes or pixels, or no picture.
        """
        if len(upload) > self.max_bytes:
            raise Refused(self.bad_request(f"The image is larger than {self.max_bytes // 1_000_000} MB."))
        try:
            picture = await asyncio.to_thread(decode, upload)
        except UnreadablePicture as error:
            raise Refused(self.bad_request("The image could not be read.")) from error
        if max(picture.size) > _LONGEST_SIDE_PX:
            raise Refused(self.bad_request(f"The image has more than {_LONGEST_SIDE_PX} pixels a side."))
        return picture

    def offers(self, request: Request, max_pixels: int) -> tuple[Offer, ...]:
        price = Decimal(0) if _is_sandbox(request) else PRICES[self.product, self.state.photoroom_plan]
        return (Offer(price, max_pixels),)

    @abstractmethod
    def bad_request(self, message: str) -> Response: ...


@dataclass(frozen=True, slots=True)
class _Segment:
    """The parameters of Basic, understood."""

    format: str
    alpha_only: bool
    background: Colour | None
    crop: bool
    max_pixels: int
    watermark: bool


class _Basic(_Photoroom[_Segment]):
    product = "segment"
    max_bytes = _SEGMENT_BYTES

    async def read(self, request: Request) -> Order[_Segment]:
        form = await read_form(request)
        upload = form.file("image_file")
        if upload is None:
            raise Refused(_basic_error(400, "Please provide an image.", "missing_image"))
        picture = await self.picture_of(upload)
        try:
            wish = _segment(form.texts, _is_sandbox(request))
        except _Invalid as error:
            raise Refused(self.bad_request(str(error))) from error
        return Order(upload, picture, wish, self.offers(request, wish.max_pixels))

    def draw(self, order: Order[_Segment], offer: Offer) -> Drawing:
        wish = order.wish
        image = self.cutter.cut_out(order.picture)
        subject = image.getchannel("A").getbbox() or _NOTHING
        if wish.crop and subject != _NOTHING:
            image = image.crop(subject)
        image = shrink(image, offer.max_pixels)
        if wish.watermark:
            _stamp(image)
        if wish.alpha_only:
            return Drawing(image.getchannel("A"), subject)
        return Drawing(image if wish.background is None else on_colour(image, wish.background), subject)

    def pack(self, order: Order[_Segment], image: Image.Image) -> File:
        return encode(image, order.wish.format)

    def answer(self, request: Request, order: Order[_Segment], offer: Offer, result: Result) -> Response:  # noqa: ARG002
        file = result.file
        if "application/json" in request.headers.get("Accept", ""):
            answer: Response = JSONResponse({"base64img": base64.b64encode(file.content).decode()})
        else:
            answer = Response(file.content, media_type=file.media_type)
        return with_headers(answer, _score(result))

    def error(self, kind: FaultKind) -> Response:
        return _basic_error(*_MESSAGES[kind])

    def bad_request(self, message: str) -> Response:
        return _basic_error(400, message)


@dataclass(frozen=True, slots=True)
class _Edit:
    """The parameters of Plus, understood."""

    remove_background: bool
    background: Colour | None
    whole_picture: bool
    """Whether the picture, and not its subject alone, is fitted into the result."""
    output: str | tuple[int, int]
    max_width: int | None
    max_height: int | None
    insets: Mapping[str, str]
    """`paddingLeft` and so on; what is not there is 0."""
    fill: bool
    format: str
    ignored: tuple[str, ...]
    watermark: bool


class _Plus(_Photoroom[_Edit]):
    product = "edit"
    max_bytes = _EDIT_BYTES

    async def read(self, request: Request) -> Order[_Edit]:
        if request.method == "GET":
            form = Form({name: value for name, value in request.query_params.items() if value})
        else:
            form = await read_form(request)
        upload = await self._upload(request, form)
        picture = await self.picture_of(upload)
        try:
            wish = _edit(form.texts, _is_sandbox(request))
        except _Invalid as error:
            raise Refused(self.bad_request(str(error))) from error
        return Order(upload, picture, wish, self.offers(request, _MAX_PIXELS))

    async def _upload(self, request: Request, form: Form) -> bytes:
        if request.method == "POST":
            upload = form.file("imageFile")
            if upload is None:
                raise Refused(self.bad_request("imageFile: Required"))
            return upload
        url = form.texts.get("imageUrl", "")
        if not re.match("https?://[^/]", url):
            raise Refused(self.bad_request("imageUrl: Required"))
        found = await fetch(url, _EDIT_BYTES)
        if found is None:
            raise Refused(self.bad_request("imageUrl could not be downloaded"))
        return found

    def draw(self, order: Order[_Edit], offer: Offer) -> Drawing:
        wish = order.wish
        image = self.cutter.cut_out(order.picture) if wish.remove_background else order.picture
        subject = image.getchannel("A").getbbox() or _NOTHING
        if subject != _NOTHING:
            image = _composed(image if wish.whole_picture else image.crop(subject), order.picture.size, wish)
        image = shrink(image, offer.max_pixels)
        if wish.background is not None:
            image = on_colour(image, wish.background)
        if wish.watermark:
            _stamp(image)
        return Drawing(image, subject)

    def pack(self, order: Order[_Edit], image: Image.Image) -> File:
        return encode(image, order.wish.format)

    def answer(self, request: Request, order: Order[_Edit], offer: Offer, result: Result) -> Response:  # noqa: ARG002
        headers = _score(result)
        if order.wish.ignored:
            headers["pr-unsupported-attributes"] = ",".join(order.wish.ignored)
        return Response(result.file.content, media_type=result.file.media_type, headers=headers)

    def error(self, kind: FaultKind) -> Response:
        status, message = _MESSAGES[kind]
        return _plus_error(status, message, "detail" if kind is FaultKind.NO_CREDITS else "message")

    def bad_request(self, message: str) -> Response:
        return _plus_error(400, message)


class Photoroom:
    """All that Photoroom serves."""

    def __init__(self, state: SandboxState, cutter: Cutter) -> None:
        self._state = state
        self._basic = _Basic(state, cutter)
        self._plus = _Plus(state, cutter)

    def routes(self) -> list[Route]:
        return [
            Route("/v1/segment", self._basic.call, methods=["POST"]),
            Route("/v2/edit", self._plus.call, methods=["GET", "POST"]),
            Route("/v2/account", self._account, methods=["GET"]),
        ]

    async def _account(self, request: Request) -> Response:
        return self._refused(request) or JSONResponse({"images": self._numbers(), "plan": self._state.photoroom_plan})

    def _numbers(self) -> dict[str, int | float]:
        balance = self._state.balance(PROVIDER)
        return {"available": json_number(balance.remaining), "subscription": json_number(balance.total)}

    def _refused(self, request: Request) -> Response | None:
        key = self._plus.key_of(request)
        if not key:
            return _plus_error(400, "apiKey: Required")
        return None if self._state.accepts_key(key) else self._plus.error(FaultKind.BAD_KEY)


_NOTHING: Box = (0, 0, 0, 0)


def _key(request: Request) -> str:
    return request.headers.get("x-api-key", "").strip()


def _is_sandbox(request: Request) -> bool:
    return _key(request).startswith(SANDBOX_PREFIX)


def _segment(texts: Mapping[str, str], watermark: bool) -> _Segment:
    _one_of(texts, "despill", "false", "true")
    return _Segment(
        format=_one_of(texts, "format", "png", "jpg", "webp"),
        alpha_only=_one_of(texts, "channels", "rgba", "alpha") == "alpha",
        background=_colour(texts, "bg_color"),
        crop=_one_of(texts, "crop", "false", "true") == "true",
        max_pixels=_SEGMENT_PIXELS[_one_of(texts, "size", "full", *_SEGMENT_PIXELS)],
        watermark=watermark,
    )


def _edit(texts: Mapping[str, str], watermark: bool) -> _Edit:
    if texts.get("removeBackground", "true") not in {"true", "false"}:
        raise _Invalid("removeBackground must be boolean")
    output = texts.get("outputSize", "auto")
    size = re.fullmatch("([1-9][0-9]{0,4})x([1-9][0-9]{0,4})", output)
    if size is None and output not in {"auto", "originalImage", "croppedSubject"}:
        raise _Invalid("outputSize is not valid")
    if {"maxWidth", "maxHeight"} & texts.keys() and output not in {"originalImage", "croppedSubject"}:
        raise _Invalid("maxWidth and maxHeight need an outputSize of originalImage or croppedSubject")
    insets = {name: value for name, value in texts.items() if name.startswith(("padding", "margin"))}
    for name, value in insets.items():
        if not re.fullmatch(r"0?\.[0-4]\d*|0|[0-4]?\d(\.\d+)?%|\d+px", value):
            raise _Invalid(f"{name} is not valid")
    return _Edit(
        remove_background=texts.get("removeBackground", "true") == "true",
        background=_colour(texts, "background.color"),
        whole_picture=_one_of(texts, "referenceBox", "subjectBox", "originalImage") == "originalImage",
        output=(int(size[1]), int(size[2])) if size else output,
        max_width=_number(texts, "maxWidth"),
        max_height=_number(texts, "maxHeight"),
        insets=insets,
        fill=_one_of(texts, "scaling", "fit", "fill") == "fill",
        format=_EXPORTS[_one_of(texts, "export.format", *_EXPORTS)],
        ignored=tuple(name for name in texts if name not in _DRAWN),
        watermark=watermark,
    )


def _one_of(texts: Mapping[str, str], name: str, default: str, *others: str) -> str:
    value = texts.get(name, default)
    if value not in {default, *others}:
        raise _Invalid(f"{name} must be one of {', '.join(dict.fromkeys((default, *others)))}")
    return value


def _colour(texts: Mapping[str, str], name: str) -> Colour | None:
    found = colour(texts[name]) if name in texts else None
    if name in texts and found is None:
        raise _Invalid(f"{name} is not a colour")
    return found


def _number(texts: Mapping[str, str], name: str) -> int | None:
    if name not in texts:
        return None
    if not re.fullmatch("[1-9][0-9]{0,4}", texts[name]):
        raise _Invalid(f"{name} must be a number")
    return int(texts[name])


def _composed(reference: Image.Image, original: tuple[int, int], wish: _Edit) -> Image.Image:
    """The reference fitted into the middle of what margin and padding leave of the result, as the vendor does."""
    if isinstance(wish.output, tuple):
        size = wish.output
    else:
        size = reference.size if wish.output == "croppedSubject" else original
    factor = min(1.0, (wish.max_width or size[0]) / size[0], (wish.max_height or size[1]) / size[1])
    size = (max(1, round(size[0] * factor)), max(1, round(size[1] * factor)))
    left, top, right, bottom = _within(_within((0, 0, *size), "margin", wish.insets), "padding", wish.insets)
    ratios = ((right - left) / reference.width, (bottom - top) / reference.height)
    factor = max(ratios) if wish.fill else min(ratios)
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


def _stamp(image: Image.Image) -> None:
    """The watermark of results that cost nothing."""
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(max(8, image.width // 12))
    draw.text((image.width // 2, image.height // 2), "PHOTOROOM SANDBOX", (255, 0, 255, 255), font, anchor="mm")


def _score(result: Result) -> dict[str, str]:
    """The sandbox is sure, unless it found nothing."""
    return {"x-uncertainty-score": "1" if result.drawing.subject == _NOTHING else "0"}


def _basic_error(status: int, detail: str, kind: str = "unknown_error") -> Response:
    return JSONResponse({"detail": detail, "status_code": status, "type": kind}, status)


def _plus_error(status: int, message: str, name: str = "message") -> Response:
    return JSONResponse({"error": {name: message}}, status)
