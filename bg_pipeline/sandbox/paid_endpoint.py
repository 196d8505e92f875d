"""Handle a paid call at any vendor: key, parameters, limit, fault, reservation, cut, charge, answer."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Generic, TypeVar

from PIL import Image
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from bg_pipeline.sandbox.broken_responses import (
    DroppedConnection,
    EndlessBody,
    HangingResponse,
    SlowLorisResponse,
    TruncatedResponse,
)
from bg_pipeline.sandbox.faults import CHARGED, DELIVERY_FAULTS, Fault, FaultKind, damage_image
from bg_pipeline.sandbox.ledger import Reservation, Vendor
from bg_pipeline.sandbox.pictures import Box, File
from bg_pipeline.sandbox.segmenter import Segmenter
from bg_pipeline.sandbox.state import Clock, SandboxState

_PAGE = "<!DOCTYPE html><html><head><title>{0}</title></head><body><h1>{0}</h1></body></html>"
_PAGES: Mapping[FaultKind, tuple[str, int]] = {
    FaultKind.BAD_GATEWAY_PAGE: ("502 Bad Gateway", 502),
    FaultKind.SUCCESS_PAGE: ("Down for maintenance", 200),
}

P = TypeVar("P")


class Refused(Exception):
    """Ends the call early, free of charge, with this answer."""

    def __init__(self, answer: Response) -> None:
        super().__init__()
        self.answer = answer


@dataclass(frozen=True, slots=True)
class PriceTier:
    """A price, in the vendor's unit, and the largest number of pixels for it."""

    price: Decimal
    max_pixels: int


@dataclass(frozen=True, slots=True)
class PaidCall(Generic[P]):
    """A valid call; `parameters` are the vendor's own, parsed."""

    upload: bytes
    picture: Image.Image
    """RGBA."""
    parameters: P
    tiers: tuple[PriceTier, ...]
    """Price tiers, best first; the first that the balance covers is used."""
    units: int = 1
    """Units of the call in the limit per minute."""


@dataclass(frozen=True, slots=True)
class Rendering:
    """A rendered result, and the box of its subject."""

    image: Image.Image
    subject: Box
    largest: tuple[int, int] = (0, 0)
    """Size of the result in the largest tier, where the vendor tells it."""


@dataclass(frozen=True, slots=True)
class Result:
    """The rendering, and the delivered file, which a fault may have damaged."""

    rendering: Rendering
    file: File
    fault: Fault | None


class PaidEndpoint(ABC, Generic[P]):
    """One paid path of a vendor. Subclasses read, render and answer calls; `handle` does the rest."""

    vendor: Vendor
    delivers_by_url = False
    """True if the answer holds a URL of the picture, not the picture itself."""

    def __init__(self, state: SandboxState, segmenter: Segmenter) -> None:
        self.state = state
        self.segmenter = segmenter

    @abstractmethod
    def key_of(self, request: Request) -> str:
        """Return the key as the account knows it; empty if there is none."""

    @abstractmethod
    async def read(self, request: Request) -> PaidCall[P]:
        """
        Read the call from the request.

        Raises:
            Refused: the request is not valid; the answer is a 400.
        """

    @abstractmethod
    def render(self, call: PaidCall[P], tier: PriceTier) -> Rendering:
        """
        Render the result; slow, so it runs in a separate thread.

        Raises:
            Refused: the picture has no subject to cut out.
        """

    @abstractmethod
    def encode_file(self, call: PaidCall[P], image: Image.Image) -> File:
        """Encode a rendered image as the requested file, in the same thread."""

    @abstractmethod
    def answer(self, request: Request, call: PaidCall[P], tier: PriceTier, result: Result) -> Response:
        """Make the answer with the picture or its URL."""

    @abstractmethod
    def error(self, kind: FaultKind) -> Response:
        """Make an error of a kind that vendors answer in JSON; a 429 gets its Retry-After from `handle`."""

    def refuse_key(self, key: str) -> Response:  # noqa: ARG002 - some vendors distinguish a missing key from a wrong one
        return self.error(FaultKind.BAD_KEY)

    async def handle(self, request: Request) -> Response:
        try:
            # Read the body before any refusal: a client that is still sending would see a broken pipe.
            await request.body()
        except ClientDisconnect:
            return DroppedConnection()
        self.state.ledger.count_request()
        key = self.key_of(request)
        if not self.state.accepts_key(key):
            return self.refuse_key(key)
        started_at = self.state.clock.now()
        try:
            call = await self.read(request)
            return await self._admit(request, call, started_at)
        except Refused as refused:
            return refused.answer

    async def _admit(self, request: Request, call: PaidCall[P], started_at: float) -> Response:
        limiter = self.state.limiter(self.vendor)
        wait_s = limiter.enter(self.state.limits_for(self.vendor), call.units)
        if wait_s is not None:
            return _with_retry_after(self.error(FaultKind.TOO_MANY_REQUESTS), str(wait_s))
        try:
            answer = await self._serve(request, call)
            await self.state.wait_out_latency(started_at)
            return answer
        finally:
            limiter.leave()

    async def _serve(self, request: Request, call: PaidCall[P]) -> Response:
        fault = self.state.faults.next_call(self.vendor)
        if fault is not None and fault.kind not in CHARGED:
            return self._answer_uncharged(fault)
        reserved = self._reserve(call)
        if reserved is None:
            return self.error(FaultKind.NO_CREDITS)
        tier, reservation = reserved
        with reservation:
            result = await self.segmenter.run(self._make, call, tier, fault)
            reservation.charge(request.url.path, hashlib.sha256(call.upload).hexdigest())
        if fault is not None and fault.kind is FaultKind.SLOW:
            await self.state.clock.sleep(fault.seconds)
        answer = self.answer(request, call, tier, result)
        if self.delivers_by_url and fault is not None and fault.kind in DELIVERY_FAULTS:
            return answer
        return apply_fault(answer, fault, self.state.clock)

    def _reserve(self, call: PaidCall[P]) -> tuple[PriceTier, Reservation] | None:
        for tier in call.tiers:
            reservation = self.state.ledger.reserve(self.vendor, tier.price)
            if reservation is not None:
                return tier, reservation
        return None

    def _make(self, call: PaidCall[P], tier: PriceTier, fault: Fault | None) -> Result:
        kind = fault.kind if fault is not None else None
        rendering = self.render(call, tier)
        file = self.encode_file(call, damage_image(rendering.image, kind))
        if kind is FaultKind.TRUNCATED_IMAGE:
            # Content-Length matches the half file, so that only the file itself shows the damage.
            file = File(file.content[: len(file.content) // 2], file.media_type)
        return Result(rendering, file, fault)

    def _answer_uncharged(self, fault: Fault) -> Response:
        match fault.kind:
            case FaultKind.RESET_BEFORE:
                return DroppedConnection()
            case FaultKind.BAD_GATEWAY_PAGE | FaultKind.SUCCESS_PAGE:
                title, status = _PAGES[fault.kind]
                return HTMLResponse(_PAGE.format(title), status)
            case FaultKind.EMPTY_BODY:
                return Response(media_type="application/json")
            case FaultKind.REDIRECT:
                return RedirectResponse(fault.location, 307)
            case FaultKind.TOO_MANY_REQUESTS if fault.retry_after is not None:
                return _with_retry_after(self.error(fault.kind), fault.retry_after)
            case _:
                return self.error(fault.kind)


def apply_fault(answer: Response, fault: Fault | None, clock: Clock) -> Response:
    """Apply a fault to the answer."""
    match fault:
        case Fault(kind=FaultKind.RESET_AFTER_CHARGE):
            return DroppedConnection()
        case Fault(kind=FaultKind.HANG):
            return HangingResponse()
        case Fault(kind=FaultKind.TRUNCATED_LENGTH | FaultKind.TRUNCATED_CLOSE as kind):
            return TruncatedResponse(answer, length=kind is FaultKind.TRUNCATED_LENGTH)
        case Fault(kind=FaultKind.SLOW_LORIS, seconds=seconds):
            return SlowLorisResponse(answer, lambda: clock.sleep(seconds))
        case Fault(kind=FaultKind.ENDLESS):
            return EndlessBody(answer)
        case _:
            return answer


def bearer(request: Request) -> str:
    """Return the key of an `Authorization: Bearer` header; empty if there is none."""
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""


def with_headers(answer: Response, headers: Mapping[str, str]) -> Response:
    answer.headers.update(headers)
    return answer


def _with_retry_after(answer: Response, value: str) -> Response:
    return with_headers(answer, {"Retry-After": value})
