"""bgeraser.ink's "tools" API: multipart in, JSON with a result URL out."""

import json
from decimal import Decimal, InvalidOperation
from typing import Any

from bg_pipeline.core.retry import Verdict
from bg_pipeline.errors import AccountError, BgPipelineError, OutcomeUnknown, TransientError, UnusableAnswer
from bg_pipeline.ports import CutReply, CutRequest
from bg_pipeline.providers.http import NotSent, Reply, api_session, download, error_for, send

VERDICTS: dict[int, Verdict] = {
    200: Verdict.OK,
    400: Verdict.REJECTED,
    401: Verdict.ACCOUNT,
    402: Verdict.NO_CREDITS,
    403: Verdict.ACCOUNT,
    408: Verdict.TRANSIENT,
    413: Verdict.REJECTED,
    415: Verdict.REJECTED,
    422: Verdict.REJECTED,
    429: Verdict.RATE_LIMITED,
}
"""402, 429 and retrying 5xx: bgeraser.ink/blog/batch-background-removal-api-guide, read 2026-11. The status of a bad
key is not documented, so both usual ones count. The rest follows HTTP."""


def verdict(status: int) -> Verdict:
    """Unlisted: 5xx is worth another try; anything else says that the settings are wrong, not the picture."""
    return VERDICTS.get(status, Verdict.TRANSIENT if status >= 500 else Verdict.ACCOUNT)


class Bgeraser:
    """
    `ports.Remover` for bgeraser.

    The vendor's public pages disagree on host, path, authentication and file field, so all are settings.
    """

    def __init__(self, key: str, *, base_url: str, path: str, account_path: str, auth: str, file_field: str) -> None:
        self._base = base_url
        self._key = key
        self._url = base_url + path
        self._account_url = base_url + account_path
        self._file_field = file_field
        header = {"Authorization": f"Bearer {key}"} if auth == "bearer" else {"X-Api-Key": key}
        self._session = api_session(header)

    def cut(self, request: CutRequest) -> CutReply:
        # The name is ours: a source name may hold customers' names or characters that break a header.
        part = ("image.jpg", request.image, request.media_type)
        try:
            reply = send(self._session, "POST", self._url, files={self._file_field: part}, data=dict(request.params))
        except NotSent as error:
            raise TransientError(str(error)) from error
        self._raise_for(reply)
        found = _json(reply).get("data")
        url = found.get("imageUrl") if isinstance(found, dict) else None
        if not isinstance(url, str):
            raise error_for(Verdict.UNUSABLE, reply, "bgeraser", "", "success, but no imageUrl")
        return CutReply(download(url, self._base), request.credits_expected)

    def balance(self) -> Decimal | None:
        try:
            reply = send(self._session, "GET", self._account_url)
        except (NotSent, OutcomeUnknown) as error:
            raise TransientError(f"the balance could not be read: {error}") from error
        if reply.status not in {200, 401, 402, 403}:
            raise TransientError(f"the balance could not be read: bgeraser answered {reply.status}")
        try:
            self._raise_for(reply)
        except UnusableAnswer as error:
            raise TransientError(f"the balance could not be read: {error}") from error
        left = _balance(_json(reply))
        if left is None:
            raise TransientError("bgeraser's account answer holds no number of credits")
        return left

    def _raise_for(self, reply: Reply) -> None:
        found = verdict(reply.status)
        body = _json(reply)
        # A service may quote the key that it refuses.
        code, message = (text.replace(self._key, "***") for text in _error(body))
        if found is Verdict.OK:
            if body.get("success") is False:
                raise error_for(Verdict.UNUSABLE, reply, "bgeraser", code, message)
            return
        if code == "INSUFFICIENT_CREDITS":
            found = Verdict.NO_CREDITS
        raise _advise(error_for(found, reply, "bgeraser", code, message))


def _advise(error: BgPipelineError) -> BgPipelineError:
    if type(error) is AccountError:
        return AccountError(
            f"{error}. See that BGERASER_API_KEY is right and belongs to BGERASER_BASE_URL, and that "
            "BGERASER_PATH and BGERASER_AUTH are those of your plan"
        )
    return error


def _json(reply: Reply) -> dict[str, Any]:
    try:
        found = json.loads(reply.body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _error(body: dict[str, Any]) -> tuple[str, str]:
    """Code and message; the shape is not documented, so those of similar services are tried in turn."""
    errors = body.get("errors")
    first = errors[0] if isinstance(errors, list) and errors else None
    for place in (body.get("error"), first, body):
        if isinstance(place, str):
            return place, ""
        if isinstance(place, dict) and (place.get("code") or place.get("message") or place.get("title")):
            return str(place.get("code") or ""), str(place.get("message") or place.get("title") or "")
    return "", ""


def _balance(body: dict[str, Any]) -> Decimal | None:
    for path in (
        ("data", "credits", "remaining"),
        ("data", "credits"),
        ("credits", "remaining"),
        ("credits",),
        ("data", "attributes", "credits", "total"),
    ):
        place: Any = body
        for name in path:
            place = place.get(name) if isinstance(place, dict) else None
        if isinstance(place, int | float | str) and not isinstance(place, bool):
            try:
                number = Decimal(str(place))
            except InvalidOperation:
                continue
            if number.is_finite():
                return number
    return None
