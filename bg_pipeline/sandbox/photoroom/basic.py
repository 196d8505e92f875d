"""POST /v1/segment, the Basic API."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass

from PIL import Image
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from bg_pipeline.sandbox.accept import wants_json
from bg_pipeline.sandbox.faults import FaultKind
from bg_pipeline.sandbox.forms import read_form
from bg_pipeline.sandbox.paid_endpoint import PaidCall, PriceTier, Refused, Rendering, Result, with_headers
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
from bg_pipeline.sandbox.pictures import Colour, File, encode, on_colour, shrink

_SEGMENT_PIXELS = {"preview": 250_000, "medium": 1_500_000, "hd": 4_000_000, "full": MAX_PIXELS}
_SEGMENT_BYTES = 50_000_000


@dataclass(frozen=True, slots=True)
class _SegmentParameters:
    """Parsed parameters of Basic."""

    format: str
    alpha_only: bool
    background: Colour | None
    crop: bool
    max_pixels: int
    watermark: bool


class Basic(PhotoroomEndpoint[_SegmentParameters]):
    product = "segment"
    max_bytes = _SEGMENT_BYTES

    async def read(self, request: Request) -> PaidCall[_SegmentParameters]:
        form = await read_form(request)
        upload = form.file("image_file")
        if upload is None:
            raise Refused(_basic_error(400, "Please provide an image.", "missing_image"))
        picture = await self.decode_upload(upload)
        try:
            parameters = _parse_segment(form.texts, has_sandbox_key(request))
        except InvalidParameter as error:
            raise Refused(self.bad_request(str(error))) from error
        return PaidCall(upload, picture, parameters, self.tiers(request, parameters.max_pixels))

    def render(self, call: PaidCall[_SegmentParameters], tier: PriceTier) -> Rendering:
        parameters = call.parameters
        image = self.segmenter.cut_out(call.picture)
        subject = image.getchannel("A").getbbox() or NO_SUBJECT
        if parameters.crop and subject != NO_SUBJECT:
            image = image.crop(subject)
        image = shrink(image, tier.max_pixels)
        if parameters.watermark:
            add_watermark(image)
        if parameters.alpha_only:
            return Rendering(image.getchannel("A"), subject)
        return Rendering(image if parameters.background is None else on_colour(image, parameters.background), subject)

    def encode_file(self, call: PaidCall[_SegmentParameters], image: Image.Image) -> File:
        return encode(image, call.parameters.format)

    def answer(self, request: Request, call: PaidCall[_SegmentParameters], tier: PriceTier, result: Result) -> Response:  # noqa: ARG002
        file = result.file
        if wants_json(request):
            answer: Response = JSONResponse({"base64img": base64.b64encode(file.content).decode()})
        else:
            answer = Response(file.content, media_type=file.media_type)
        return with_headers(answer, score_headers(result))

    def error(self, kind: FaultKind) -> Response:
        return _basic_error(*MESSAGES[kind])

    def bad_request(self, message: str) -> Response:
        return _basic_error(400, message)


def _parse_segment(texts: Mapping[str, str], watermark: bool) -> _SegmentParameters:
    parse_choice(texts, "despill", "false", "true")
    return _SegmentParameters(
        format=parse_choice(texts, "format", "png", "jpg", "webp"),
        alpha_only=parse_choice(texts, "channels", "rgba", "alpha") == "alpha",
        background=parse_colour(texts, "bg_color"),
        crop=parse_choice(texts, "crop", "false", "true") == "true",
        max_pixels=_SEGMENT_PIXELS[parse_choice(texts, "size", "full", *_SEGMENT_PIXELS)],
        watermark=watermark,
    )


def _basic_error(status: int, detail: str, kind: str = "unknown_error") -> Response:
    return JSONResponse({"detail": detail, "status_code": status, "type": kind}, status)
