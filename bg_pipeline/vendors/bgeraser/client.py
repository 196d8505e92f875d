"""bgeraser.ink: the "tools" API, which answers with a result URL, and the "v1" API, which copies remove.bg's."""

from decimal import Decimal

from bg_pipeline.core.responses import ANY_STATUS, ResponseKind, Rule, Shape, read_json, shape_of
from bg_pipeline.errors import UnusableAnswer
from bg_pipeline.net.http import Api, download
from bg_pipeline.net.settings import Access
from bg_pipeline.ports.purchasing import CutReply, CutRequest

RESPONSES = (
    Rule(
        ResponseKind.NO_CREDITS,
        ANY_STATUS,
        "the one code that the vendor names, for 402: bgeraser.ink/blog/batch-background-removal-api-guide",
        codes=("INSUFFICIENT_CREDITS",),
    ),
    Rule(
        ResponseKind.OK,
        (200,),
        "JSON with imageUrl (tools: bgeraser.ink/blog/bgeraser-api-quickstart), or the picture (v1: its api-docs)",
        shapes=(Shape.JSON, Shape.PICTURE),
    ),
    Rule(
        ResponseKind.UNUSABLE,
        (200,),
        "a success without a result: nothing says whether it was charged, so it counts as charged",
    ),
    Rule(ResponseKind.REJECTED, (400,), "the guide: bad format, too large; log and skip"),
    Rule(ResponseKind.ACCOUNT, (401, 403), "the status of a bad key is not documented, so both usual ones count"),
    Rule(ResponseKind.NO_CREDITS, (402,), "the guide: credits are gone"),
    Rule(ResponseKind.RATE_LIMITED, (429,), "the guide: wait as Retry-After says"),
    Rule(ResponseKind.TRANSIENT, (500, 503), "the guide: retry after a 500; it does not call them free", free=False),
)
"""Rules for responses, read 2026-11. For others, `core.responses.DEFAULT_RULES` apply."""

_BALANCES = (
    ("data", "credits", "remaining"),
    ("data", "credits"),
    ("credits", "remaining"),
    ("credits",),
    ("data", "attributes", "credits", "total"),
)
"""Possible paths of the balance in the answer, including remove.bg's: the format is not documented."""


class Bgeraser:
    """
    `ports.Remover` for bgeraser.

    The vendor's public pages disagree on host, path, authentication and file field, so all are settings.
    """

    def __init__(
        self, access: Access, *, base_url: str, path: str, account_path: str, auth: str, file_field: str
    ) -> None:
        self._base = base_url
        self._path = path
        self._account_url = base_url + account_path
        self._file_field = file_field
        self._egress = access.egress
        self._api = Api(
            "bgeraser",
            access,
            {"Authorization": f"Bearer {access.key}"} if auth == "bearer" else {"X-Api-Key": access.key},
            RESPONSES,
            "Check that BGERASER_API_KEY is right and belongs to BGERASER_BASE_URL, and that BGERASER_API is the API"
            " of your plan",
        )

    def cut(self, request: CutRequest) -> CutReply:
        path = f"{self._path.rpartition('/')[0]}/{request.tool}" if request.tool else self._path
        reply = self._api.post(self._base + path, self._file_field, request, request.params)
        if not request.tool:  # a tool may make it smaller
            self._api.check_quality(reply, request)
        return self._api.cut_reply(reply, request)

    def open_answer(self, answer: bytes) -> bytes:
        if shape_of(answer) is not Shape.JSON:
            return answer
        data = read_json(answer).get("data")
        url = data.get("imageUrl") if isinstance(data, dict) else None
        if not isinstance(url, str):
            raise self._api.unusable(answer, "success, but no imageUrl")
        try:
            return download(url, self._base, self._egress)
        except UnusableAnswer as error:
            raise self._api.unusable(answer, str(error), url) from error

    def balance(self) -> Decimal | None:
        return self._api.account(self._account_url, *_BALANCES)
