"""bgeraser's two APIs: the tools under /api/tools/ with /api/account, and the remove.bg-like /v1/."""

import asyncio
import math
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final

from PIL import Image
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

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
    apply_fault,
    bearer,
)
from bg_pipeline.sandbox.pictures import File, UnreadablePicture, decode, encode
from bg_pipeline.sandbox.removebg.endpoint import RemoveBg
from bg_pipeline.sandbox.segmenter import Segmenter
from bg_pipeline.sandbox.state import SandboxState

VENDOR: Final[Vendor] = "bgeraser"

PRICE = Decimal(1)
"""Credits a call, whatever the tool; bgeraser.ink/blog/bgeraser-api-quickstart, read 2026-11."""

FILE_FIELDS = ("image_file", "image", "file")
"""Accepted names of the file field. The vendor's examples do not show it, so every likely name is accepted."""

_MAX_PIXELS = 50_000_000

_ERRORS: Mapping[FaultKind, tuple[int, str, str]] = {
    FaultKind.INTERNAL_ERROR: (500, "INTERNAL_ERROR", "Something went wrong."),
    FaultKind.UNAVAILABLE: (503, "SERVICE_UNAVAILABLE", "The service is not available."),
    FaultKind.TOO_MANY_REQUESTS: (429, "RATE_LIMITED", "Too many requests."),
    FaultKind.NO_CREDITS: (402, "INSUFFICIENT_CREDITS", "Not enough credits."),
    FaultKind.BAD_KEY: (401, "UNAUTHORIZED", "The API key is missing or not valid."),
    FaultKind.SUCCESS_ERROR: (200, "PROCESSING_FAILED", "The image could not be processed."),
}


def _upscale(picture: Image.Image) -> Image.Image:
    factor = min(2.0, math.sqrt(_MAX_PIXELS / (picture.width * picture.height)))
    return picture.resize((int(picture.width * factor), int(picture.height * factor)))


def _expand(picture: Image.Image) -> Image.Image:
    across, down = picture.width // 4, picture.height // 4
    return picture.crop((-across, -down, picture.width + across, picture.height + down))


def _crop(picture: Image.Image) -> Image.Image:
    return picture.crop(picture.getchannel("A").getbbox())


def _unchanged(picture: Image.Image) -> Image.Image:
    return picture


class _Tool(PaidEndpoint[float]):
    """
    The tools API, simulated from the sandbox's state.

    Documented (bgeraser.ink/blog/bgeraser-api-quickstart and its neighbour
    batch-background-removal-api-guide, bgeraser.ink/privacy; read 2026-11): the paths, the Bearer key,
    the multipart upload, the success body, 1 credit a call, 402 with INSUFFICIENT_CREDITS, 429 with
    Retry-After, results that are gone within an hour. Assumed: the names of the file field, the shape of
    errors and of the account, every other error code, the order of checks, that refused calls cost
    nothing, that a result is fetched without the key and as large as the upload, and all effects of the other
    tools on a picture; their parameters are not documented, so all are ignored.
    """

    vendor = VENDOR
    delivers_by_url = True

    def __init__(self, state: SandboxState, segmenter: Segmenter, effect: Callable[[Image.Image], Image.Image]) -> None:
        super().__init__(state, segmenter)
        self._effect = effect

    def key_of(self, request: Request) -> str:
        return bearer(request)

    async def read(self, request: Request) -> PaidCall[float]:
        """Read the call. Its parameters are ignored, and replaced by the time of arrival."""
        came_at = self.state.clock.now()
        uploads = [content for name, content in (await read_form(request)).files if name in FILE_FIELDS]
        if len(uploads) != 1:
            raise Refused(_bad_request("INVALID_REQUEST", f"Send one file, as one of {', '.join(FILE_FIELDS)}."))
        try:
            picture = await asyncio.to_thread(decode, uploads[0], _MAX_PIXELS)
        except UnreadablePicture as error:
            raise Refused(_bad_request("INVALID_IMAGE", "The file is not an image that can be read.")) from error
        return PaidCall(uploads[0], picture, came_at, (PriceTier(PRICE, _MAX_PIXELS),))

    def render(self, call: PaidCall[float], tier: PriceTier) -> Rendering:  # noqa: ARG002 - one price, one quality
        image = self._effect(call.picture)
        return Rendering(image, (0, 0, *image.size))

    def encode_file(self, call: PaidCall[float], image: Image.Image) -> File:  # noqa: ARG002 - one format
        return encode(image, "png")

    def answer(
        self,
        request: Request,
        call: PaidCall[float],
        tier: PriceTier,  # noqa: ARG002 - as above
        result: Result,
    ) -> Response:
        token = self.state.results.add(result.file.content, result.fault)
        # The correct size even where a fault delivers another: clients have to check the pixels.
        width, height = result.rendering.image.size
        data = {
            "imageUrl": f"{request.base_url}files/{token}.png",
            "width": width,
            "height": height,
            "format": "png",
            "processingTimeMs": round((self.state.clock.now() - call.parameters) * 1000),
        }
        return JSONResponse({"success": True, "data": data})

    def error(self, kind: FaultKind) -> Response:
        return _error(kind)


class _V1(RemoveBg):
    """
    The API of bgeraser.ink/api-docs (read 2026-11), which claims remove.bg's parameters, answers and errors.

    Documented there: the path, X-Api-Key, `image_file` and `size`, an image as the answer, plans that count calls.
    Assumed: that the rest is exactly remove.bg's, /v1/account too, that every call costs 1 credit whatever its
    size, and that no limit of a minute is counted in megapixels.
    """

    vendor = VENDOR
    preview_price = PRICE

    def units(self, megapixels: float) -> int:  # noqa: ARG002 - calls are counted
        return 1


class Bgeraser:
    """All routes of bgeraser."""

    def __init__(self, state: SandboxState, segmenter: Segmenter) -> None:
        self._state = state
        self._tools = {
            name: _Tool(state, segmenter, effect)
            for name, effect in {
                "bg-removal": segmenter.cut_out,
                "upscale": _upscale,
                "generative-expand": _expand,
                "generative-fill": _unchanged,
                "crop": _crop,
                "magic-select": segmenter.cut_out,
                "brush": _unchanged,
            }.items()
        }
        self._v1 = _V1(state, segmenter)

    def routes(self) -> list[Route]:
        return [
            *(Route(f"/api/tools/{name}", tool.handle, methods=["POST"]) for name, tool in self._tools.items()),
            Route("/api/account", self._account, methods=["GET"]),
            Route("/files/{token}.png", self._download, methods=["GET"]),
            Route("/v1/removebg", self._v1.handle, methods=["POST"]),
        ]

    async def v1_account(self, request: Request) -> Response:
        """Answer GET /v1/account, which is Photoroom's path too."""
        return await self._v1.account(request)

    async def _account(self, request: Request) -> Response:
        if not self._state.accepts_key(bearer(request)):
            return _error(FaultKind.BAD_KEY)
        balance = self._state.balance(VENDOR)
        numbers = {"remaining": json_number(balance.remaining), "total": json_number(balance.total)}
        return JSONResponse({"success": True, "data": {"plan": "sandbox", "credits": numbers}})

    async def _download(self, request: Request) -> Response:
        stored = self._state.results.get(request.path_params["token"])
        if stored is None:
            return _error_body(404, "NOT_FOUND", "There is no such file, or it has expired.")
        png, fault = stored
        return apply_fault(Response(png, media_type="image/png"), fault, self._state.clock)


def _error(kind: FaultKind) -> Response:
    return _error_body(*_ERRORS[kind])


def _bad_request(code: str, message: str) -> Response:
    return _error_body(400, code, message)


def _error_body(status: int, code: str, message: str) -> Response:
    return JSONResponse({"success": False, "error": {"code": code, "message": message}}, status)
