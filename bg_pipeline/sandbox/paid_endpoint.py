"""Steps of every paid call at any vendor: key, order, limit, fault, money, cut, answer."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Generic, TypeVar

from PIL import Image
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from bg_pipeline.sandbox.broken_responses import CutShort, DroppedConnection, EndlessBody, Silence, Trickle
from bg_pipeline.sandbox.faults import CHARGED, OF_THE_DELIVERY, Fault, FaultKind, damaged
from bg_pipeline.sandbox.ledger import Reservation, Vendor
from bg_pipeline.sandbox.pictures import Box, File
from bg_pipeline.sandbox.segmenter import Segmenter
from bg_pipeline.sandbox.state import Clock, SandboxState

_PAGE = "<!DOCTYPE html><html><head><title>{0}</title></head><body><h1>{0}</h1></body></html>"
_PAGES: Mapping[FaultKind, tuple[str, int]] = {
    FaultKind.BAD_GATEWAY_PAGE: ("502 Bad Gateway", 502),
    FaultKind.SUCCESS_PAGE: ("Down for maintenance", 200),
}

W = TypeVar("W")


class Refused(Exception):
    """Early end of the call, free of charge, with this answer."""

    def __init__(self, answer: Response) -> None:
        super().__init__()
        self.answer = answer


@dataclass(frozen=True, slots=True)
class Offer:
    """A price, in the vendor's unit, and the largest number of pixels for it."""

    price: Decimal
    max_pixels: int


@dataclass(frozen=True, slots=True)
class Order(Generic[W]):
    """A valid call; `wish` holds the vendor's parameters, parsed."""

    upload: bytes
    picture: Image.Image
    """RGBA."""
    wish: W
    offers: tuple[Offer, ...]
    """Offers, best first; the first that the balance covers is used."""
    units: int = 1
    """Units of the call in the limit per minute."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """A result, and the place of its subject."""

    image: Image.Image
    subject: Box


@dataclass(frozen=True, slots=True)
class Result:
    """The drawing, and the delivered file, which a fault may have damaged."""

    drawing: Drawing
    file: File
    fault: Fault | None


class PaidEndpoint(ABC, Generic[W]):
    """One paid path of a vendor. Subclasses read, draw and answer calls; `call` does the rest."""

    vendor: Vendor
    delivers_by_url = False
    """True if the picture is fetched from a URL in the answer, and is not the answer itself."""

    def __init__(self, state: SandboxState, segmenter: Segmenter) -> None:
        self.state = state
        self.segmenter = segmenter

    @abstractmethod
    def key_of(self, request: Request) -> str:
        """Return the key in the account's form; empty if there is none."""

    @abstractmethod
    async def read(self, request: Request) -> Order[W]:
        """
        Read the order from the request.

        Raises:
            Refused: the request is not valid; the answer is a 400.
        """

    @abstractmethod
    def draw(self, order: Order[W], offer: Offer) -> Drawing:
        """
        Draw the result; slow, so it runs in a separate thread.

        Raises:
            Refused: the picture has no subject to cut out.
        """

    @abstractmethod
    def pack(self, order: Order[W], image: Image.Image) -> File:
        """Encode a drawn image as the requested file, in the same thread."""

    @abstractmethod
    def answer(self, request: Request, order: Order[W], offer: Offer, result: Result) -> Response:
        """Make the answer with the picture or its URL."""

    @abstractmethod
    def error(self, kind: FaultKind) -> Response:
        """Make an error of a kind that vendors answer in JSON; a 429 without Retry-After."""

    def refuse_key(self, key: str) -> Response:  # noqa: ARG002 - some vendors tell a missing key from a wrong one
        return self.error(FaultKind.BAD_KEY)

    async def call(self, request: Request) -> Response:
        try:
            # Before any refusal: a client that is still sending would see a broken pipe instead.
            await request.body()
        except ClientDisconnect:
            return DroppedConnection()
        self.state.ledger.count_request()
        key = self.key_of(request)
        if not self.state.accepts_key(key):
            return self.refuse_key(key)
        started_at = self.state.clock.now()
        try:
            order = await self.read(request)
            return await self._admit(request, order, started_at)
        except Refused as refused:
            return refused.answer

    async def _admit(self, request: Request, order: Order[W], started_at: float) -> Response:
        limiter = self.state.limiter(self.vendor)
        wait_s = limiter.enter(self.state.limits_on(self.vendor), order.units)
        if wait_s is not None:
            return _with_retry_after(self.error(FaultKind.TOO_MANY_REQUESTS), str(wait_s))
        try:
            answer = await self._serve(request, order)
            await self.state.wait_out_latency(started_at)
            return answer
        finally:
            limiter.leave()

    async def _serve(self, request: Request, order: Order[W]) -> Response:
        fault = self.state.faults.next_call(self.vendor)
        if fault is not None and fault.kind not in CHARGED:
            return self._uncharged(fault)
        bought = self._reserve(order)
        if bought is None:
            return self.error(FaultKind.NO_CREDITS)
        offer, reservation = bought
        with reservation:
            result = await self.segmenter.run(self._make, order, offer, fault)
            reservation.charge(request.url.path, hashlib.sha256(order.upload).hexdigest())
        if fault is not None and fault.kind is FaultKind.SLOW:
            await self.state.clock.sleep(fault.seconds)
        answer = self.answer(request, order, offer, result)
        if self.delivers_by_url and fault is not None and fault.kind in OF_THE_DELIVERY:
            return answer
        return spoiled(answer, fault, self.state.clock)

    def _reserve(self, order: Order[W]) -> tuple[Offer, Reservation] | None:
        for offer in order.offers:
            reservation = self.state.ledger.reserve(self.vendor, offer.price)
            if reservation is not None:
                return offer, reservation
        return None

    def _make(self, order: Order[W], offer: Offer, fault: Fault | None) -> Result:
        kind = fault.kind if fault is not None else None
        drawing = self.draw(order, offer)
        file = self.pack(order, damaged(drawing.image, kind))
        if kind is FaultKind.TRUNCATED_IMAGE:
            # Content-Length matches the rest, so that only the file itself shows the damage.
            file = File(file.content[: len(file.content) // 2], file.media_type)
        return Result(drawing, file, fault)

    def _uncharged(self, fault: Fault) -> Response:
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


def spoiled(answer: Response, fault: Fault | None, clock: Clock) -> Response:
    """Apply a fault to the answer."""
    match fault:
        case Fault(kind=FaultKind.RESET_AFTER_CHARGE):
            return DroppedConnection()
        case Fault(kind=FaultKind.HANG):
            return Silence()
        case Fault(kind=FaultKind.TRUNCATED_LENGTH | FaultKind.TRUNCATED_CLOSE as kind):
            return CutShort(answer, length=kind is FaultKind.TRUNCATED_LENGTH)
        case Fault(kind=FaultKind.SLOW_LORIS, seconds=seconds):
            return Trickle(answer, lambda: clock.sleep(seconds))
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
