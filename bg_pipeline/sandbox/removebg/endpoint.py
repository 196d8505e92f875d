"""POST /v1.0/removebg and GET /v1.0/account."""

import asyncio
import base64

from PIL import Image
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bg_pipeline.sandbox.faults import FaultKind
from bg_pipeline.sandbox.forms import read_form
from bg_pipeline.sandbox.ledger import Vendor, json_number
from bg_pipeline.sandbox.paid_endpoint import Drawing, Offer, Order, PaidEndpoint, Refused, Result, bearer, with_headers
from bg_pipeline.sandbox.pictures import File, UnreadablePicture, decode, encode, is_transparent, shrink
from bg_pipeline.sandbox.removebg.errors import ERRORS, TO_ALL, Invalid, bad_request, errors, json_answer, unreadable
from bg_pipeline.sandbox.removebg.layout import on_background, place_in_frame, region_of, with_margins, zipped
from bg_pipeline.sandbox.removebg.parameters import Wish, read_wish
from bg_pipeline.sandbox.removebg.prices import (
    FULL_PRICE,
    MAX_INPUT_PIXELS,
    PIXELS,
    PNG_PIXELS,
    PREVIEW_PIXELS,
    PREVIEW_PRICE,
)
from bg_pipeline.sandbox.removebg.sources import read_background, read_source


class RemoveBg(PaidEndpoint[Wish]):
    """
    remove.bg's answers, simulated from the sandbox's state.

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

    vendor: Vendor = "removebg"
    preview_price = PREVIEW_PRICE

    def routes(self) -> list[Route]:
        return [
            Route("/v1.0/removebg", self.call, methods=["POST"]),
            Route("/v1.0/account", self.account, methods=["GET"]),
        ]

    def key_of(self, request: Request) -> str:
        return request.headers.get("X-Api-Key", "").strip() or bearer(request)

    def refuse_key(self, key: str) -> Response:
        return self.error(FaultKind.BAD_KEY) if key else errors(403, "auth_failed", "Missing API Key")

    def units(self, megapixels: float) -> int:
        return max(1, round(megapixels))

    async def read(self, request: Request) -> Order[Wish]:
        form = await read_form(request)
        try:
            upload = await read_source(form)
            picture = await asyncio.to_thread(decode, upload, MAX_INPUT_PIXELS)
            wish = read_wish(
                form.texts,
                background=await read_background(form),
                as_json="application/json" in request.headers.get("Accept", ""),
            )
            region_of(wish, picture)
        except Invalid as error:
            raise Refused(bad_request(error.code)) from error
        except UnreadablePicture as error:
            raise Refused(unreadable(error)) from error
        pixels = picture.width * picture.height
        return Order(upload, picture, wish, self._offers(wish.size, pixels), self.units(pixels / 1e6))

    def _offers(self, size: str, pixels: int) -> tuple[Offer, ...]:
        preview = Offer(self.preview_price, PREVIEW_PIXELS)
        if size == "auto":
            return (preview,) if pixels <= PREVIEW_PIXELS else (Offer(FULL_PRICE, PIXELS["full"]), preview)
        most = PIXELS[size]
        return (preview,) if most == PREVIEW_PIXELS else (Offer(FULL_PRICE, most),)

    def draw(self, order: Order[Wish], offer: Offer) -> Drawing:
        wish = order.wish
        image = self.segmenter.cut_out(order.picture)
        region = region_of(wish, order.picture)
        if region is not None:
            inside = Image.new("RGBA", image.size)
            inside.paste(image.crop(region), region)
            image = inside
        subject = image.getchannel("A").getbbox()
        if subject is None:
            raise Refused(bad_request("unknown_foreground"))
        if wish.margins is not None:
            image = image.crop(with_margins(subject, wish.margins))
        elif wish.scale is not None or wish.position is not None:
            image = place_in_frame(image, subject, wish)
        as_png = not wish.alpha_only and (wish.format == "png" or (wish.format == "auto" and wish.background is None))
        image = shrink(image, min(offer.max_pixels, PNG_PIXELS) if as_png else offer.max_pixels)
        alpha = image.getchannel("A")
        subject = alpha.getbbox() or (0, 0, *image.size)
        return Drawing(alpha if wish.alpha_only else on_background(image, wish.background), subject)

    def pack(self, order: Order[Wish], image: Image.Image) -> File:
        kind = order.wish.format
        if kind == "zip":
            return zipped(image)
        if kind == "auto":
            kind = "png" if image.mode == "L" or is_transparent(image) else "jpg"
        return encode(image, kind)

    def answer(self, request: Request, order: Order[Wish], offer: Offer, result: Result) -> Response:  # noqa: ARG002
        file = result.file
        left, top, right, bottom = result.drawing.subject
        box = {"top": top, "left": left, "width": right - left, "height": bottom - top}
        if order.wish.as_json:
            text = base64.b64encode(file.content).decode()
            answer = json_answer(
                {"data": {"result_b64": text} | {f"foreground_{name}": at for name, at in box.items()}}
            )
        else:
            answer = Response(file.content, media_type=file.media_type, headers=TO_ALL)
        # The correct size even where a fault delivers another: clients have to check the pixels.
        width, height = result.drawing.image.size
        headers = {
            **{f"X-{most}Width": str(width) for most in ("", "Max-")},
            **{f"X-{most}Height": str(height) for most in ("", "Max-")},
            **{f"X-Foreground-{name.title()}": str(at) for name, at in box.items()},
            "X-Credits-Charged": str(json_number(offer.price)),
        }
        if order.wish.type:
            headers["X-Type"] = order.wish.type
        return with_headers(answer, headers | self._rate_headers())

    def error(self, kind: FaultKind) -> Response:
        answer = errors(*ERRORS[kind])
        return with_headers(answer, self._rate_headers()) if kind is FaultKind.TOO_MANY_REQUESTS else answer

    def _rate_headers(self) -> dict[str, str]:
        left = self.state.limiter(self.vendor).allowance(self.state.limits_on(self.vendor))
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
