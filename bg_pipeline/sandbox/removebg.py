"""remove.bg's API 1.0: POST /v1.0/removebg and GET /v1.0/account."""

import asyncio
import base64
import binascii
import io
import json
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from PIL import Image, ImageOps
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bg_pipeline.sandbox.faults import FaultKind
from bg_pipeline.sandbox.frame import Drawing, Offer, Order, Refused, Result, Surface, bearer, with_headers
from bg_pipeline.sandbox.ledger import Provider, json_number
from bg_pipeline.sandbox.pictures import (
    Box,
    Colour,
    File,
    Flaw,
    UnreadablePicture,
    colour,
    decode,
    encode,
    is_transparent,
    on_colour,
    shrink,
)
from bg_pipeline.sandbox.uploads import Form, fetch, read_form

PREVIEW_PRICE = Decimal("0.25")
FULL_PRICE = Decimal(1)
"""Credits; remove.bg's OpenAPI description, early 2021."""

PREVIEW_PIXELS = 250_000
PNG_PIXELS = 10_000_000
_PIXELS: Mapping[str, int] = {
    "preview": PREVIEW_PIXELS,
    "small": PREVIEW_PIXELS,
    "regular": PREVIEW_PIXELS,
    "medium": 1_500_000,
    "hd": 4_000_000,
    "full": 25_000_000,
    "4k": 25_000_000,
    "50MP": 50_000_000,
}
MAX_INPUT_PIXELS = 50_000_000
MAX_INPUT_MB = 22
"""12 in the OpenAPI description of 2021; 22 since then, by third parties only."""

_LARGEST_MARGIN_PX = 500

_MULTIPLE = "Multiple {} sources given: Please provide either the {} parameter."
_NO_FOREGROUND = (
    "Could not identify foreground in image. "
    "For details and recommendations see https://www.remove.bg/supported-images."
)
_TITLES: Mapping[str, tuple[str, str]] = {
    "missing_source": (
        "No image given",
        "Please provide the source image in the image_url, image_file or image_file_b64 parameter.",
    ),
    "multiple_sources": (_MULTIPLE.format("image", "image_url, image_file or image_file_b64"), ""),
    "multiple_bg_sources": (
        _MULTIPLE.format("background", "bg_color, the bg_image_url or the bg_image_file"),
        "",
    ),
    "file_too_large": ("File too large", f"File exceeds limit of {MAX_INPUT_MB}MB"),
    "invalid_file_type": ("Invalid file type", "Expected jpg/png/webp"),
    "failed_to_read_image": ("There was an error reading the image.", ""),
    "unknown_foreground": (_NO_FOREGROUND, ""),
    "invalid_image_url": ("Invalid image_url: Please provide a valid URL.", ""),
    "invalid_bg_image_url": ("Invalid bg_image_url: Please provide a valid URL.", ""),
    "roi_exceeds_bounds": (
        "ROI exceeds image bounds",
        "The given roi parameter defines a region that exceeds the image bounds",
    ),
    "roi_region_empty": ("ROI region is empty", "The given roi parameter defines an empty region"),
    **{f"invalid_{name}": (f"Invalid value for parameter '{name}'", "") for name in ("size", "channels")},
    **{
        f"invalid_{name}": (f"Invalid {name} parameter given", "")
        for name in ("format", "bg_color", "crop_margin", "position", "roi", "scale", "semitransparency")
    },
}
"""Title and detail by code, as in the OpenAPI description."""

_ERRORS: Mapping[FaultKind, tuple[int, str, str]] = {
    FaultKind.INTERNAL_ERROR: (500, "internal_error", "Something went wrong"),
    FaultKind.UNAVAILABLE: (503, "service_unavailable", "Service unavailable"),
    FaultKind.TOO_MANY_REQUESTS: (429, "rate_limit_exceeded", "Rate limit exceeded"),
    FaultKind.NO_CREDITS: (402, "insufficient_credits", "Insufficient credits"),
    FaultKind.BAD_KEY: (403, "auth_failed", "API Key invalid"),
    FaultKind.SUCCESS_ERROR: (200, "unknown_foreground", _NO_FOREGROUND),
}

_COARSE_TYPES = frozenset({"person", "product", "animal", "car"})
_FINE_TYPES = _COARSE_TYPES | {"car_interior", "car_part", "transportation", "graphics"}

_TO_ALL = {"Access-Control-Allow-Origin": "*"}
"""On every recorded answer, errors included (the Ruby client's recordings, 2020-06)."""


class _Invalid(Exception):
    """A parameter is not as documented; carries the code of the error."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Length:
    """Pixels, or a share of something."""

    value: float
    is_share: bool

    def px(self, whole_px: int) -> float:
        return self.value * whole_px if self.is_share else self.value


@dataclass(frozen=True, slots=True)
class Wish:
    """The parameters, understood."""

    size: str
    format: str
    alpha_only: bool
    roi: tuple[Length, Length, Length, Length] | None
    margins: tuple[Length, Length, Length, Length] | None
    """Top, right, bottom, left round the cropped subject; None does not crop."""
    scale: float | None
    position: tuple[float, float] | None
    background: Colour | Image.Image | None
    type: str
    """Of the header; empty leaves it out."""
    as_json: bool


class RemoveBg(Surface[Wish]):
    """
    Answers as the vendor does, out of the sandbox's state.

    Documented (the OpenAPI description that APIs-guru keeps, about 2021, and copies of remove.bg/api up to 2025;
    read 2026-11): the paths, the three kinds of body, the parameters and their codes, titles and details, the sizes
    and prices, base64 in and out, the ZIP, the headers, the account, 403 for keys, no charge for errors, the limit of
    500 megapixels a minute. Recorded (remove-bg/ruby): `0.25` and `1` as spellings, `auto` at 0.25 for a picture that
    fits a preview, the window of the limit, which answers carry its headers, Access-Control-Allow-Origin.
    By third parties only: the codes of 402, 403 and 429, 22 MB, WebP. Assumed: megapixels to the nearest, `auto` as a
    preview where the balance covers no more, X-RateLimit-* on a 429, that parameters without an error code of their
    own take any value, what a bad body or base64 text is called, and an account whose free calls are used up.
    Not drawn: shadows. Parameters given as an empty text count as not given, as the official clients need it.
    """

    provider: Provider = "removebg"
    preview_price = PREVIEW_PRICE

    def routes(self) -> list[Route]:
        return [
            Route("/v1.0/removebg", self.call, methods=["POST"]),
            Route("/v1.0/account", self.account, methods=["GET"]),
        ]

    def key_of(self, request: Request) -> str:
        return request.headers.get("X-Api-Key", "").strip() or bearer(request)

    def refuse_key(self, key: str) -> Response:
        return self.error(FaultKind.BAD_KEY) if key else _errors(403, "auth_failed", "Missing API Key")

    def units(self, megapixels: float) -> int:
        return max(1, round(megapixels))

    async def read(self, request: Request) -> Order[Wish]:
        form = await read_form(request)
        try:
            upload = await _source(form)
            picture = await asyncio.to_thread(decode, upload, MAX_INPUT_PIXELS)
            wish = _wish(
                form.texts,
                background=await _background(form),
                as_json="application/json" in request.headers.get("Accept", ""),
            )
            _region(wish, picture)
        except _Invalid as error:
            raise Refused(_bad_request(error.code)) from error
        except UnreadablePicture as error:
            raise Refused(_unreadable(error)) from error
        pixels = picture.width * picture.height
        return Order(upload, picture, wish, self._offers(wish.size, pixels), self.units(pixels / 1e6))

    def _offers(self, size: str, pixels: int) -> tuple[Offer, ...]:
        preview = Offer(self.preview_price, PREVIEW_PIXELS)
        if size == "auto":
            return (preview,) if pixels <= PREVIEW_PIXELS else (Offer(FULL_PRICE, _PIXELS["full"]), preview)
        most = _PIXELS[size]
        return (preview,) if most == PREVIEW_PIXELS else (Offer(FULL_PRICE, most),)

    def draw(self, order: Order[Wish], offer: Offer) -> Drawing:
        wish = order.wish
        image = self.cutter.cut_out(order.picture)
        region = _region(wish, order.picture)
        if region is not None:
            inside = Image.new("RGBA", image.size)
            inside.paste(image.crop(region), region)
            image = inside
        subject = image.getchannel("A").getbbox()
        if subject is None:
            raise Refused(_bad_request("unknown_foreground"))
        if wish.margins is not None:
            image = image.crop(_with_margins(subject, wish.margins))
        elif wish.scale is not None or wish.position is not None:
            image = _placed(image, subject, wish)
        as_png = not wish.alpha_only and (wish.format == "png" or (wish.format == "auto" and wish.background is None))
        image = shrink(image, min(offer.max_pixels, PNG_PIXELS) if as_png else offer.max_pixels)
        alpha = image.getchannel("A")
        subject = alpha.getbbox() or (0, 0, *image.size)
        return Drawing(alpha if wish.alpha_only else _on_background(image, wish.background), subject)

    def pack(self, order: Order[Wish], image: Image.Image) -> File:
        kind = order.wish.format
        if kind == "zip":
            return _zipped(image)
        if kind == "auto":
            kind = "png" if image.mode == "L" or is_transparent(image) else "jpg"
        return encode(image, kind)

    def answer(self, request: Request, order: Order[Wish], offer: Offer, result: Result) -> Response:  # noqa: ARG002
        file = result.file
        left, top, right, bottom = result.drawing.subject
        places = {"top": top, "left": left, "width": right - left, "height": bottom - top}
        if order.wish.as_json:
            text = base64.b64encode(file.content).decode()
            answer = _json({"data": {"result_b64": text} | {f"foreground_{name}": at for name, at in places.items()}})
        else:
            answer = Response(file.content, media_type=file.media_type, headers=_TO_ALL)
        # The size as it should be, whatever a fault delivers: clients have to look at the pixels.
        width, height = result.drawing.image.size
        headers = {
            **{f"X-{most}Width": str(width) for most in ("", "Max-")},
            **{f"X-{most}Height": str(height) for most in ("", "Max-")},
            **{f"X-Foreground-{name.title()}": str(at) for name, at in places.items()},
            "X-Credits-Charged": str(json_number(offer.price)),
        }
        if order.wish.type:
            headers["X-Type"] = order.wish.type
        return with_headers(answer, headers | self._rate_headers())

    def error(self, kind: FaultKind) -> Response:
        answer = _errors(*_ERRORS[kind])
        return with_headers(answer, self._rate_headers()) if kind is FaultKind.TOO_MANY_REQUESTS else answer

    def _rate_headers(self) -> dict[str, str]:
        left = self.state.limiter(self.provider).allowance(self.state.limits_on(self.provider))
        if left is None:
            return {}
        return {
            "X-RateLimit-Limit": str(left.limit),
            "X-RateLimit-Remaining": str(left.remaining),
            "X-RateLimit-Reset": str(left.resets_at),
        }

    async def account(self, request: Request) -> Response:
        key = self.key_of(request)
        if not self.state.accepts_key(key):
            return self.refuse_key(key)
        left = json_number(self.state.balance(self.provider).remaining)
        numbers = {"total": left, "subscription": 0, "payg": left, "enterprise": 0}
        return _json({"data": {"attributes": {"credits": numbers, "api": {"free_calls": 0, "sizes": "all"}}}})


async def _source(form: Form) -> bytes:
    upload = form.file("image_file")
    text, url = form.texts.get("image_file_b64"), form.texts.get("image_url")
    if sum(source is not None for source in (upload, text, url)) > 1:
        raise _Invalid("multiple_sources")
    if url is not None:
        return await _downloaded(url, "image")
    if text is not None:
        upload = _from_base64(text)
    if upload is None:
        raise _Invalid("missing_source")
    return _not_too_large(upload)


def _from_base64(text: str) -> bytes:
    try:
        return base64.b64decode(text)
    except binascii.Error as error:
        raise _Invalid("failed_to_read_image") from error


def _not_too_large(upload: bytes) -> bytes:
    if len(upload) > MAX_INPUT_MB * 1_000_000:
        raise _Invalid("file_too_large")
    return upload


async def _downloaded(url: str, kind: str) -> bytes:
    """`kind` is image or bg, as in the codes."""
    if not re.match("https?://[^/]", url):
        raise _Invalid("invalid_image_url" if kind == "image" else "invalid_bg_image_url")
    content = await fetch(url, MAX_INPUT_MB * 1_000_000)
    if content is None:
        what = "image" if kind == "image" else "background image"
        raise Refused(_errors(400, f"failed_{kind}_download", f"Failed to download {what} from given image_url: {url}"))
    return content


async def _background(form: Form) -> Colour | Image.Image | None:
    file = form.file("bg_image_file")
    name, url = form.texts.get("bg_color"), form.texts.get("bg_image_url")
    if sum(source is not None for source in (file, name, url)) > 1:
        raise _Invalid("multiple_bg_sources")
    if name is not None:
        found: Colour = _checked("bg_color", colour(name))
        return found
    if url is not None:
        file = await _downloaded(url, "bg")
    return None if file is None else await asyncio.to_thread(decode, file, MAX_INPUT_PIXELS)


def _wish(texts: Mapping[str, str], *, background: Colour | Image.Image | None, as_json: bool) -> Wish:
    margins = _margins(texts.get("crop_margin", "0"))
    _one_of(texts, "semitransparency", "true", "false")
    scale = texts.get("scale", "original")
    position = texts.get("position", "original" if scale == "original" else "center")
    return Wish(
        size=_one_of(texts, "size", "preview", "auto", *_PIXELS),
        format=_one_of(texts, "format", "auto", "png", "jpg", "zip", "webp"),
        alpha_only=_one_of(texts, "channels", "rgba", "alpha") == "alpha",
        roi=_roi(texts["roi"]) if "roi" in texts else None,
        margins=margins if texts.get("crop") == "true" else None,
        scale=None if scale == "original" else _share("scale", scale, least=0.1),
        position=None if position == "original" else _position(position),
        background=background,
        type=_type_header(texts.get("type", "auto"), texts.get("type_level", "1")),
        as_json=as_json,
    )


def _one_of(texts: Mapping[str, str], name: str, default: str, *others: str) -> str:
    value = texts.get(name, default)
    if value not in {default, *others}:
        raise _Invalid(f"invalid_{name}")
    return value


def _checked(name: str, value: Any) -> Any:
    if value is None:
        raise _Invalid(f"invalid_{name}")
    return value


def _length(text: str) -> Length | None:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(px|%)?", text)
    if found is None:
        return None
    is_share = found[2] == "%"
    return Length(float(found[1]) / 100 if is_share else float(found[1]), is_share)


def _roi(text: str) -> tuple[Length, Length, Length, Length]:
    """Some clients leave `px` out."""
    lengths = [_checked("roi", _length(part)) for part in text.split()]
    if len(lengths) != 4:
        raise _Invalid("invalid_roi")
    return lengths[0], lengths[1], lengths[2], lengths[3]


def _margins(text: str) -> tuple[Length, Length, Length, Length]:
    lengths: list[Length] = [_checked("crop_margin", _length(part)) for part in text.split()]
    match lengths:
        case [every]:
            return every, every, every, every
        case [upright, across]:
            return upright, across, upright, across
        case [top, right, bottom, left]:
            return top, right, bottom, left
        case _:
            raise _Invalid("invalid_crop_margin")


def _share(name: str, text: str, *, least: float = 0.0) -> float:
    length = _length(text)
    if length is None or not length.is_share or not least <= length.value <= 1:
        raise _Invalid(f"invalid_{name}")
    return length.value


def _position(text: str) -> tuple[float, float]:
    if text == "center":
        return 0.5, 0.5
    shares = [_share("position", part) for part in text.split()]
    match shares:
        case [both]:
            return both, both
        case [across, down]:
            return across, down
        case _:
            raise _Invalid("invalid_position")


def _type_header(wanted: str, level: str) -> str:
    """What an asking client is told that it sees; without one, a product."""
    if level == "none":
        return ""
    found = {"auto": "product", "graphic": "graphics"}.get(wanted, wanted)
    return found if found in (_COARSE_TYPES if level == "1" else _FINE_TYPES) else "other"


def _region(wish: Wish, picture: Image.Image) -> Box | None:
    """
    The region of interest in pixels.

    Raises:
        _Invalid: it does not lie inside the picture, or is empty.
    """
    if wish.roi is None:
        return None
    edges = [length.px(whole) for length, whole in zip(wish.roi, picture.size * 2, strict=True)]
    if max(edges[::2]) > picture.width or max(edges[1::2]) > picture.height:
        raise _Invalid("roi_exceeds_bounds")
    left, top, right, bottom = (round(edge) for edge in edges)
    if right <= left or bottom <= top:
        raise _Invalid("roi_region_empty")
    return left, top, right, bottom


def _with_margins(subject: Box, margins: tuple[Length, Length, Length, Length]) -> Box:
    left, top, right, bottom = subject
    width, height = right - left, bottom - top

    def px(margin: Length, whole_px: int) -> int:
        return round(min(margin.px(whole_px), whole_px / 2, _LARGEST_MARGIN_PX))

    return (
        left - px(margins[3], width),
        top - px(margins[0], height),
        right + px(margins[1], width),
        bottom + px(margins[2], height),
    )


def _placed(image: Image.Image, subject: Box, wish: Wish) -> Image.Image:
    """The subject scaled and moved within the same frame."""
    cut = image.crop(subject)
    if wish.scale is not None:
        factor = wish.scale * min(image.width / cut.width, image.height / cut.height)
        cut = cut.resize((max(1, round(cut.width * factor)), max(1, round(cut.height * factor))))
    across, down = wish.position or (0.5, 0.5)
    placed = Image.new("RGBA", image.size)
    placed.paste(cut, (round((image.width - cut.width) * across), round((image.height - cut.height) * down)))
    return placed


def _on_background(image: Image.Image, background: Colour | Image.Image | None) -> Image.Image:
    if background is None:
        return image
    if isinstance(background, Image.Image):
        return Image.alpha_composite(ImageOps.fit(background, image.size), image)
    return on_colour(image, background)


def _zipped(image: Image.Image) -> File:
    """Both entries stored as they are; real clients fail on an alpha that is not 8-bit grey."""
    alpha = image if image.mode == "L" else image.convert("RGBA").getchannel("A")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("color.jpg", encode(image.convert("RGB"), "jpg").content)
        archive.writestr("alpha.png", encode(alpha, "png").content)
    return File(buffer.getvalue(), "application/zip")


def _unreadable(error: UnreadablePicture) -> Response:
    if error.flaw is Flaw.TOO_MANY_PIXELS:
        have = round(error.size[0] * error.size[1] / 1e6) or "too many"
        most = MAX_INPUT_PIXELS // 1_000_000
        detail = f"Input image has {have} megapixels, maximum supported input resolution is {most} megapixels"
        return _errors(400, "resolution_too_high", "Image resolution too high", detail)
    return _bad_request("invalid_file_type" if error.flaw is Flaw.NO_PICTURE else "failed_to_read_image")


def _bad_request(code: str) -> Response:
    return _errors(400, code, *_TITLES[code])


def _errors(status: int, code: str, title: str, detail: str = "") -> Response:
    error = {"title": title, "code": code} | ({"detail": detail} if detail else {})
    return _json({"errors": [error]}, status)


def _json(body: Mapping[str, Any], status: int = 200) -> Response:
    return Response(json.dumps(body), status, _TO_ALL, "application/json; charset=utf-8")
