"""remove.bg, API v1.0: multipart in, a ZIP of colours and alpha out, with fewer bytes and more pixels than its PNG."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from bg_pipeline.core.responses import ResponseKind, Rule, Shape, shape_of
from bg_pipeline.errors import UnusableAnswer
from bg_pipeline.imaging.archive import compose
from bg_pipeline.net.http import Api
from bg_pipeline.net.settings import Access
from bg_pipeline.ports.purchasing import CutReply, CutRequest
from bg_pipeline.ports.running import Call

RESPONSES = (
    Rule(ResponseKind.OK, (200,), "the picture, or color.jpg and alpha.png", shapes=(Shape.PICTURE, Shape.ZIP)),
    Rule(ResponseKind.UNUSABLE, (200,), "credits are charged for a success"),
    Rule(
        ResponseKind.ACCOUNT,
        (400,),
        "an error of the request, not of the picture: every other picture would be refused as well",
        codes=(
            *("missing_source", "multiple_sources", "multiple_bg_sources", "invalid_image_url", "invalid_bg_image_url"),
            *("failed_image_download", "failed_bg_download", "invalid_size", "invalid_channels", "invalid_format"),
            *("invalid_bg_color", "invalid_crop_margin", "invalid_position", "invalid_roi", "invalid_scale"),
            *("invalid_semitransparency", "roi_region_empty"),
        ),
    ),
    Rule(
        ResponseKind.REJECTED,
        (400,),
        "unknown_foreground, file_too_large, resolution_too_high, failed_to_read_image and similar codes",
    ),
    Rule(ResponseKind.NO_CREDITS, (402,), "insufficient_credits"),
    Rule(ResponseKind.ACCOUNT, (403,), "auth_failed: recorded in remove-bg/ruby's cassettes"),
    Rule(ResponseKind.RATE_LIMITED, (429,), "rate_limit_exceeded: wait as Retry-After says"),
    Rule(
        ResponseKind.TRANSIENT,
        (500, 503),
        "its page asks to back off and try again, as after 429; only 4xx are called free",
        free=False,
    ),
)
"""Rules by remove.bg's OpenAPI (APIs-guru/openapi-directory, remove.bg 1.0.0) and remove.bg/api, read 2026-11: no 4xx
is charged. For others, `core.responses.DEFAULT_RULES` apply."""


@dataclass(frozen=True, slots=True)
class Service:
    """One service that keeps the protocol; the defaults are remove.bg's own."""

    base_url: str
    name: str = "removebg"
    """Its name in messages."""
    path: str = "/v1.0/removebg"
    account_path: str = "/v1.0/account"
    """Path of the balance; empty if there is none."""
    balance: Sequence[str] = ("data", "attributes", "credits", "total")
    """Where the balance is in the answer, from the outside inwards."""
    is_bearer: bool = False
    """True if the key is sent as a Bearer token."""
    advice: str = "Check that REMOVEBG_API_KEY is right and belongs to REMOVEBG_BASE_URL, and that it takes BG_PARAMS"
    """Instruction for a refused account."""


class RemoveBg:
    """`ports.Remover` for remove.bg and the services that keep its protocol."""

    def __init__(self, access: Access, service: Service, call: Call) -> None:
        self._service = service
        self._call = call
        header = {"Authorization": f"Bearer {access.key}"} if service.is_bearer else {"X-Api-Key": access.key}
        self._api = Api(service.name, access, header, RESPONSES, service.advice)

    def cut(self, request: CutRequest) -> CutReply:
        params = {"format": "zip", **request.params}
        reply = self._api.post(f"{self._service.base_url}{self._service.path}", "image_file", request, params)
        self._api.check_quality(reply, request)
        return self._api.cut_reply(reply, request)

    def open_answer(self, answer: bytes) -> bytes:
        if shape_of(answer) is not Shape.ZIP:
            return answer
        try:
            return self._call(compose, answer)
        except UnusableAnswer as error:
            raise UnusableAnswer(f"{self._service.name}: the ZIP is no cutout: {error}") from error

    def balance(self) -> Decimal | None:
        if not self._service.account_path:
            return None
        return self._api.account(f"{self._service.base_url}{self._service.account_path}", self._service.balance)
