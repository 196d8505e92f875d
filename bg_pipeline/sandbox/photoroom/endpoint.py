"""Parts that both APIs of Photoroom share."""

import asyncio
from abc import abstractmethod
from collections.abc import Mapping
from decimal import Decimal
from typing import Final, TypeVar

from PIL import Image, ImageDraw, ImageFont
from starlette.requests import Request
from starlette.responses import Response

from bg_pipeline.sandbox.faults import FaultKind
from bg_pipeline.sandbox.ledger import Vendor
from bg_pipeline.sandbox.paid_endpoint import PaidEndpoint, PriceTier, Refused, Result
from bg_pipeline.sandbox.pictures import Box, Colour, UnreadablePicture, colour, decode
from bg_pipeline.sandbox.state import Plan

VENDOR: Final[Vendor] = "photoroom"

SANDBOX_PREFIX = "sandbox_"
"""Prefix of a real key for free calls with a watermark (docs.photoroom.com, sandbox mode, read 2026-11)."""

PRICES: Mapping[tuple[str, Plan], Decimal] = {
    ("segment", "basic"): Decimal(1),
    ("segment", "plus"): Decimal("0.2"),
    ("edit", "basic"): Decimal(5),
    ("edit", "plus"): Decimal(1),
}
"""Prices in images of the plan; docs.photoroom.com, pricing, read 2026-11: one edit is five images of Basic."""

MAX_PIXELS = 36_000_000
_LONGEST_SIDE_PX = 6_000

_UNEXPECTED = "An unexpected error occurred. Please try again later or contact support."
MESSAGES: Mapping[FaultKind, tuple[int, str]] = {
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

P = TypeVar("P")


class InvalidParameter(Exception):
    """A parameter that does not match the documentation."""


class PhotoroomEndpoint(PaidEndpoint[P]):
    """
    Photoroom's answers, simulated from the sandbox's state.

    Documented (the vendor's OpenAPI description that tryAGI/Photoroom keeps, and docs.photoroom.com; read 2026-11):
    the paths, the parameters, 400 and 402 in two shapes, 403 for keys, the header of the score, `sandbox_` keys, the
    prices, the largest files, the account. Assumed: that `Accept: application/json` asks for base64, bodies of 403 and
    429, Retry-After, the order of checks, every message but those of the description, that a picture of more than 6,000
    pixels a side is refused. Not simulated: HEIC, the monthly and daily cap of `sandbox_` keys, /v1/render.
    """

    vendor = VENDOR
    product: str
    max_bytes: int

    def key_of(self, request: Request) -> str:
        return _key(request).removeprefix(SANDBOX_PREFIX)

    async def decode_upload(self, upload: bytes) -> Image.Image:
        """
        Decode the uploaded picture.

        Raises:
            Refused: it has too many bytes or pixels, or is no picture.
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

    def tiers(self, request: Request, max_pixels: int) -> tuple[PriceTier, ...]:
        price = Decimal(0) if has_sandbox_key(request) else PRICES[self.product, self.state.photoroom_plan]
        return (PriceTier(price, max_pixels),)

    @abstractmethod
    def bad_request(self, message: str) -> Response: ...


NO_SUBJECT: Box = (0, 0, 0, 0)


def _key(request: Request) -> str:
    return request.headers.get("x-api-key", "").strip()


def has_sandbox_key(request: Request) -> bool:
    return _key(request).startswith(SANDBOX_PREFIX)


def parse_choice(texts: Mapping[str, str], name: str, default: str, *others: str) -> str:
    value = texts.get(name, default)
    if value not in {default, *others}:
        raise InvalidParameter(f"{name} must be one of {', '.join(dict.fromkeys((default, *others)))}")
    return value


def parse_colour(texts: Mapping[str, str], name: str) -> Colour | None:
    value = colour(texts[name]) if name in texts else None
    if name in texts and value is None:
        raise InvalidParameter(f"{name} is not a colour")
    return value


def add_watermark(image: Image.Image) -> None:
    """Draw the watermark of free results."""
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(max(8, image.width // 12))
    draw.text((image.width // 2, image.height // 2), "PHOTOROOM SANDBOX", (255, 0, 255, 255), font, anchor="mm")


def score_headers(result: Result) -> dict[str, str]:
    """Return the header of the uncertainty score: 0, or 1 if there is no subject."""
    return {"x-uncertainty-score": "1" if result.rendering.subject == NO_SUBJECT else "0"}
