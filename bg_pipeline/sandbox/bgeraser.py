"""The bgeraser "tools" dialect: POST /api/tools/bg-removal and GET /api/account."""

import asyncio
import hashlib
from decimal import Decimal
from typing import Final

from PIL import Image
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from bg_pipeline.sandbox.cutting import Cutter, decode_rgb, encode_png
from bg_pipeline.sandbox.dropping import DroppedConnection
from bg_pipeline.sandbox.faults import CHARGED, Fault, FaultKind, damaged
from bg_pipeline.sandbox.ledger import json_number
from bg_pipeline.sandbox.state import SandboxState

PROVIDER: Final = "bgeraser"

PRICE = Decimal(1)
"""Credits a call, whatever the tool; bgeraser.ink/blog/bgeraser-api-quickstart, read 2026-11."""

FILE_FIELDS = ("image_file", "image", "file")
"""The vendor's examples hide the name, so a client's likely guesses all work."""

_PAGE = "<!DOCTYPE html><html><head><title>{0}</title></head><body><h1>{0}</h1></body></html>"

_ERRORS: dict[FaultKind, tuple[int, str, str]] = {
    FaultKind.INTERNAL_ERROR: (500, "INTERNAL_ERROR", "Something went wrong."),
    FaultKind.UNAVAILABLE: (503, "SERVICE_UNAVAILABLE", "The service is not available."),
    FaultKind.TOO_MANY_REQUESTS: (429, "RATE_LIMITED", "Too many requests."),
    FaultKind.NO_CREDITS: (402, "INSUFFICIENT_CREDITS", "Not enough credits."),
    FaultKind.BAD_KEY: (401, "UNAUTHORIZED", "The API key is missing or not valid."),
    FaultKind.SUCCESS_ERROR: (200, "PROCESSING_FAILED", "The image could not be processed."),
}


class BgeraserDialect:
    """
    Answers as the vendor does, out of the sandbox's state.

    Documented (bgeraser.ink/blog/bgeraser-api-quickstart and its neighbour
    batch-background-removal-api-guide, bgeraser.ink/privacy; read 2026-11): both paths, the Bearer key,
    the multipart upload, the success body, 402 with INSUFFICIENT_CREDITS, 429 with Retry-After, results
    that are gone within an hour. Assumed: the names of the file field, the shape of errors and of the
    account, every other error code, the order of checks, that refused calls cost nothing, that a result
    is fetched without the key and as large as the upload.
    """

    def __init__(self, state: SandboxState, cutter: Cutter) -> None:
        self._state = state
        self._cutter = cutter

    def routes(self) -> list[Route]:
        return [
            Route("/api/tools/bg-removal", self._remove_background, methods=["POST"]),
            Route("/api/account", self._account, methods=["GET"]),
            Route("/files/{token}.png", self._download, methods=["GET"]),
        ]

    async def _remove_background(self, request: Request) -> Response:
        try:
            # Before any refusal: a client that is still sending would report a broken pipe instead.
            await request.body()
        except ClientDisconnect:
            return DroppedConnection()
        self._state.ledger.count_request()
        if not self._has_key(request):
            return _error(FaultKind.BAD_KEY)
        limiter = self._state.limiter(PROVIDER)
        wait_s = limiter.enter(self._state.limits)
        if wait_s is not None:
            return _error(FaultKind.TOO_MANY_REQUESTS, retry_after=str(wait_s))
        try:
            started_at = self._state.clock.now()
            response = await self._answer(request, started_at)
            await self._state.wait_out_latency(started_at)
            return response
        finally:
            limiter.leave()

    async def _answer(self, request: Request, started_at: float) -> Response:
        data = await _uploaded_file(request)
        if data is None:
            return _bad_request("INVALID_REQUEST", f"Send one file, as one of {', '.join(FILE_FIELDS)}.")
        rgb = await asyncio.to_thread(decode_rgb, data)
        if rgb is None:
            return _bad_request("INVALID_IMAGE", "The file is not an image that can be read.")
        fault = self._state.faults.next_call()
        if fault is not None and fault.kind not in CHARGED:
            return _uncharged(fault)
        reservation = self._state.ledger.reserve(PROVIDER, PRICE)
        if reservation is None:
            return _error(FaultKind.NO_CREDITS)
        with reservation:
            png = await self._cutter.run(self._draw, rgb, fault)
            reservation.charge(hashlib.sha256(data).hexdigest())
        if fault is not None and fault.kind is FaultKind.RESET_AFTER_CHARGE:
            return DroppedConnection()
        if fault is not None and fault.kind is FaultKind.SLOW:
            await self._state.clock.sleep(fault.seconds)
        return self._success(request, rgb.size, png, started_at)

    def _draw(self, rgb: Image.Image, fault: Fault | None) -> bytes:
        kind = fault.kind if fault is not None else None
        png = encode_png(damaged(self._cutter.cut_out(rgb), kind))
        # Its Content-Length fits what is left, so that only the PNG itself tells of the damage.
        return png[: len(png) // 2] if kind is FaultKind.TRUNCATED_IMAGE else png

    def _success(self, request: Request, size: tuple[int, int], png: bytes, started_at: float) -> Response:
        token = self._state.results.add(png)
        # The size of the upload, whatever a fault delivers: clients have to look at the pixels.
        width, height = size
        data = {
            "imageUrl": f"{request.base_url}files/{token}.png",
            "width": width,
            "height": height,
            "format": "png",
            "processingTimeMs": round((self._state.clock.now() - started_at) * 1000),
        }
        return JSONResponse({"success": True, "data": data})

    async def _account(self, request: Request) -> Response:
        if not self._has_key(request):
            return _error(FaultKind.BAD_KEY)
        balance = self._state.ledger.balance(PROVIDER)
        numbers = {"remaining": json_number(balance.remaining), "total": json_number(balance.total)}
        return JSONResponse({"success": True, "data": {"plan": "sandbox", "credits": numbers}})

    async def _download(self, request: Request) -> Response:
        png = self._state.results.get(request.path_params["token"])
        if png is None:
            return _error_body(404, "NOT_FOUND", "There is no such file, or it has expired.")
        return Response(png, media_type="image/png")

    def _has_key(self, request: Request) -> bool:
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        return scheme.lower() == "bearer" and self._state.accepts_key(key.strip())


async def _uploaded_file(request: Request) -> bytes | None:
    """None unless the form carries exactly one file under exactly one of the accepted names."""
    try:
        async with request.form() as form:
            given = [value for name, value in form.multi_items() if name in FILE_FIELDS]
            if len(given) == 1 and isinstance(given[0], UploadFile):
                return await given[0].read()
    except HTTPException:  # how Starlette reports a malformed form
        pass
    return None


def _uncharged(fault: Fault) -> Response:
    match fault.kind:
        case FaultKind.RESET_BEFORE:
            return DroppedConnection()
        case FaultKind.BAD_GATEWAY_PAGE:
            return HTMLResponse(_PAGE.format("502 Bad Gateway"), 502)
        case FaultKind.SUCCESS_PAGE:
            return HTMLResponse(_PAGE.format("Down for maintenance"))
        case FaultKind.EMPTY_BODY:
            return Response(media_type="application/json")
        case FaultKind.TOO_MANY_REQUESTS:
            return _error(fault.kind, retry_after=fault.retry_after)
        case _:
            return _error(fault.kind)


def _error(kind: FaultKind, *, retry_after: str | None = None) -> Response:
    response = _error_body(*_ERRORS[kind])
    if retry_after is not None:
        response.headers["Retry-After"] = retry_after
    return response


def _bad_request(code: str, message: str) -> Response:
    return _error_body(400, code, message)


def _error_body(status: int, code: str, message: str) -> Response:
    return JSONResponse({"success": False, "error": {"code": code, "message": message}}, status)
