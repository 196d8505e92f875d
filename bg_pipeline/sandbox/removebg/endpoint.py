"""POST /v1.0/removebg and GET /v1.0/account."""

import asyncio
import base64
import uuid

from PIL import Image
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bg_pipeline.sandbox.accept import wants_json
from bg_pipeline.sandbox.faults import FaultKind
from bg_pipeline.sandbox.forms import read_form
from bg_pipeline.sandbox.ledger import Vendor, json_number
from bg_pipeline.sandbox.paid_endpoint import (
    PaidCall,
    PaidEndpoint,
    PriceTier,
    Refused,
    Rendering,
    Result,
    bearer,
    with_headers,
)
from bg_pipeline.sandbox.pictures import File, UnreadablePicture, decode, encode, is_transparent, shrink, with_shadow
from bg_pipeline.sandbox.removebg.errors import (
    CORS_HEADERS,
    ERRORS,
    InvalidParameter,
    bad_request,
    errors,
    json_answer,
    unreadable,
)
from bg_pipeline.sandbox.removebg.layout import on_background, place_in_frame, resolve_region, with_margins, zipped
from bg_pipeline.sandbox.removebg.parameters import Parameters, parse_parameters
from bg_pipeline.sandbox.removebg.prices import (
    FULL_PRICE,
    MAX_INPUT_PIXELS,
    PIXELS,
    PNG_PIXELS,
    PREVIEW_PIXELS,
    PREVIEW_PRICE,
)
from bg_pipeline.sandbox.removebg.sources import read_background, read_source


class RemoveBg(PaidEndpoint[Parameters]):
    """
    remove.bg's answers, simulated from the sandbox's state.

    Documented (the OpenAPI description that APIs-guru keeps, about 2021, and copies of remove.bg/api up to 2025;
    read 2026-11): the paths, the three kinds of body, the parameters and their codes, titles and details, the sizes
    and prices, base64 in and out, the ZIP, the headers, the account, 403 for keys, no charge for errors, the limit of
    500 megapixels a minute. Recorded (remove-bg/ruby): `0.25` and `1` as spellings, `auto` at 0.25 for a picture that
    fits a preview, the window of the limit, which answers carry its headers, Access-Control-Allow-Origin.
    By third parties only: the codes of 402, 403 and 429, 22 MB, WebP. Assumed: megapixels to the nearest, `auto` as a
    preview where the balance covers no more, X-RateLimit-* on a 429, that parameters without an error code of their
    own take any value, the error code of a bad body or bad base64, and an account whose free calls are used up.
    Drawn, but not as the vendor does: shadows. An empty parameter counts as missing, as the official clients require.
    """

    vendor: Vendor = "removebg"
    preview_price = PREVIEW_PRICE

    def routes(self) -> list[Route]:
        return [
            Route("/v1.0/removebg", self.handle, methods=["POST"]),
            Route("/v1.0/account", self.account, methods=["GET"]),
            Route("/v1.0/improve", self._improve, methods=["POST"]),
        ]

    def key_of(self, request: Request) -> str:
        return request.headers.get("X-Api-Key", "").strip() or bearer(request)

    def refuse_key(self, key: str) -> Response:
        return self.error(FaultKind.BAD_KEY) if key else errors(403, "auth_failed", "Missing API Key")

    def units(self, megapixels: float) -> int:
        return max(1, round(megapixels))

    async def read(self, request: Request) -> PaidCall[Parameters]:
        form = await read_form(request)
        try:
            upload = await read_source(form)
            picture = await asyncio.to_thread(decode, upload, MAX_INPUT_PIXELS)
            parameters = parse_parameters(
                form.texts,
                background=await read_background(form),
                as_json=wants_json(request),
            )
            resolve_region(parameters, picture)
        except InvalidParameter as error:
            raise Refused(bad_request(error.code)) from error
        except UnreadablePicture as error:
            raise Refused(unreadable(error)) from error
        pixels = picture.width * picture.height
        return PaidCall(upload, picture, parameters, self._tiers(parameters.size, pixels), self.units(pixels / 1e6))

    def _tiers(self, size: str, pixels: int) -> tuple[PriceTier, ...]:
        preview = PriceTier(self.preview_price, PREVIEW_PIXELS)
        if size == "auto":
            return (preview,) if pixels <= PREVIEW_PIXELS else (PriceTier(FULL_PRICE, PIXELS["full"]), preview)
        most = PIXELS[size]
        return (preview,) if most == PREVIEW_PIXELS else (PriceTier(FULL_PRICE, most),)

    def render(self, call: PaidCall[Parameters], tier: PriceTier) -> Rendering:
        parameters = call.parameters
        image = self.segmenter.cut_out(call.picture)
        region = resolve_region(parameters, call.picture)
        if region is not None:
            inside = Image.new("RGBA", image.size)
            inside.paste(image.crop(region), region)
            image = inside
        subject = image.getchannel("A").getbbox()
        if subject is None:
            raise Refused(bad_request("unknown_foreground"))
        if parameters.margins is not None:
            image = image.crop(with_margins(subject, parameters.margins))
        elif parameters.scale is not None or parameters.position is not None:
            image = place_in_frame(image, subject, parameters)
        as_png = not parameters.alpha_only and (
            parameters.format == "png" or (parameters.format == "auto" and parameters.background is None)
        )
        largest = shrink(image, PNG_PIXELS if as_png else PIXELS["50MP"]).size
        image = shrink(image, min(tier.max_pixels, PNG_PIXELS) if as_png else tier.max_pixels)
        alpha = image.getchannel("A")
        subject = alpha.getbbox() or (0, 0, *image.size)
        if parameters.shadow_opacity:
            image = with_shadow(image, parameters.shadow_opacity)
        if parameters.alpha_only:
            return Rendering(alpha, subject, largest)
        return Rendering(on_background(image, parameters.background), subject, largest)

    def encode_file(self, call: PaidCall[Parameters], image: Image.Image) -> File:
        kind = call.parameters.format
        if kind == "zip":
            return zipped(image)
        if kind == "auto":
            kind = "png" if image.mode == "L" or is_transparent(image) else "jpg"
        return encode(image, kind)

    def answer(self, request: Request, call: PaidCall[Parameters], tier: PriceTier, result: Result) -> Response:  # noqa: ARG002
        file = result.file
        left, top, right, bottom = result.rendering.subject
        box = {"top": top, "left": left, "width": right - left, "height": bottom - top}
        if call.parameters.as_json:
            text = base64.b64encode(file.content).decode()
            answer = json_answer(
                {"data": {"result_b64": text} | {f"foreground_{name}": at for name, at in box.items()}}
            )
        else:
            answer = Response(file.content, media_type=file.media_type, headers=CORS_HEADERS)
        # The correct size even where a fault delivers another: clients have to check the pixels.
        width, height = result.rendering.image.size
        headers = {
            "X-Width": str(width),
            "X-Height": str(height),
            "X-Max-Width": str(result.rendering.largest[0]),
            "X-Max-Height": str(result.rendering.largest[1]),
            **{f"X-Foreground-{name.title()}": str(at) for name, at in box.items()},
            "X-Credits-Charged": str(json_number(tier.price)),
        }
        if call.parameters.type:
            headers["X-Type"] = call.parameters.type
        return with_headers(answer, headers | self._rate_headers())

    def error(self, kind: FaultKind) -> Response:
        answer = errors(*ERRORS[kind])
        return with_headers(answer, self._rate_headers()) if kind is FaultKind.TOO_MANY_REQUESTS else answer

    def _rate_headers(self) -> dict[str, str]:
        left = self.state.limiter(self.vendor).allowance(self.state.limits_for(self.vendor))
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
        left = json_number(self.state.balance(self.vendor).remaining)
        numbers = {"total": left, "subscription": 0, "payg": left, "enterprise": 0}
        return json_answer({"data": {"attributes": {"credits": numbers, "api": {"free_calls": 0, "sizes": "all"}}}})

    async def _improve(self, request: Request) -> Response:
        """Take a picture for the vendor's own training; free, and nothing is kept here."""
        key = self.key_of(request)
        if not self.state.accepts_key(key):
            return self.refuse_key(key)
        try:
            await read_source(await read_form(request))
        except InvalidParameter as error:
            return bad_request(error.code)
        except Refused as refused:
            return refused.answer
        return json_answer({"id": str(uuid.uuid4())})
