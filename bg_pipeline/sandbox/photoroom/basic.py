"""POST /v1/segment, the Basic API."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass

from PIL import Image
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from bg_pipeline.sandbox.faults import FaultKind
from bg_pipeline.sandbox.forms import read_form
from bg_pipeline.sandbox.paid_endpoint import Drawing, Offer, Order, Refused, Result, with_headers
from bg_pipeline.sandbox.photoroom.endpoint import (
    MAX_PIXELS,
    MESSAGES,
    NOTHING,
    Invalid,
    PhotoroomEndpoint,
    colour_of,
    is_sandbox,
    one_of,
    score_headers,
    stamp,
)
from bg_pipeline.sandbox.pictures import Colour, File, encode, on_colour, shrink

_SEGMENT_PIXELS = {"preview": 250_000, "medium": 1_500_000, "hd": 4_000_000, "full": MAX_PIXELS}
_SEGMENT_BYTES = 50_000_000


@dataclass(frozen=True, slots=True)
class _Segment:
    """Parsed parameters of Basic."""

    format: str
    alpha_only: bool
    background: Colour | None
    crop: bool
    max_pixels: int
    watermark: bool


class Basic(PhotoroomEndpoint[_Segment]):
    product = "segment"
    max_bytes = _SEGMENT_BYTES

    async def read(self, request: Request) -> Order[_Segment]:
        form = await read_form(request)
        upload = form.file("image_file")
        if upload is None:
            raise Refused(_basic_error(400, "Please provide an image.", "missing_image"))
        picture = await self.picture_of(upload)
        try:
            wish = _segment(form.texts, is_sandbox(request))
        except Invalid as error:
            raise Refused(self.bad_request(str(error))) from error
        return Order(upload, picture, wish, self.offers(request, wish.max_pixels))

    def draw(self, order: Order[_Segment], offer: Offer) -> Drawing:
        wish = order.wish
        image = self.segmenter.cut_out(order.picture)
        subject = image.getchannel("A").getbbox() or NOTHING
        if wish.crop and subject != NOTHING:
            image = image.crop(subject)
        image = shrink(image, offer.max_pixels)
        if wish.watermark:
            stamp(image)
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
        return with_headers(answer, score_headers(result))

    def error(self, kind: FaultKind) -> Response:
        return _basic_error(*MESSAGES[kind])

    def bad_request(self, message: str) -> Response:
        return _basic_error(400, message)


def _segment(texts: Mapping[str, str], watermark: bool) -> _Segment:
    one_of(texts, "despill", "false", "true")
    return _Segment(
        format=one_of(texts, "format", "png", "jpg", "webp"),
        alpha_only=one_of(texts, "channels", "rgba", "alpha") == "alpha",
        background=colour_of(texts, "bg_color"),
        crop=one_of(texts, "crop", "false", "true") == "true",
        max_pixels=_SEGMENT_PIXELS[one_of(texts, "size", "full", *_SEGMENT_PIXELS)],
        watermark=watermark,
    )


def _basic_error(status: int, detail: str, kind: str = "unknown_error") -> Response:
    return JSONResponse({"detail": detail, "status_code": status, "type": kind}, status)
