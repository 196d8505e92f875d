"""PhotoRoom: `/v1/segment` on the Basic plan, `/v2/edit` on Plus; two hosts, two APIs, one account."""

import base64
import binascii
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from bg_pipeline.core.params import Effect, effect
from bg_pipeline.core.responses import ResponseKind, Rule, Shape, read_json, shape_of
from bg_pipeline.errors import AccountError, ConfigurationError, ItemRejected
from bg_pipeline.net.http import Api
from bg_pipeline.net.settings import Access
from bg_pipeline.ports.purchasing import CutReply, CutRequest
from bg_pipeline.vendors.photoroom.params import HEADER, PLUS
from bg_pipeline.vendors.photoroom.vendor import SANDBOX_PREFIX

BASIC_URL = "https://sdk.photoroom.com"
PLUS_URL = "https://image-api.photoroom.com"

RESPONSES = (
    Rule(ResponseKind.OK, (200,), "Basic may send the picture as base64 in JSON", shapes=(Shape.PICTURE, Shape.JSON)),
    Rule(ResponseKind.UNUSABLE, (200,), "a success is billed"),
    Rule(
        ResponseKind.ACCOUNT,
        (400,),
        "the form has no picture: an error of the request, not of the picture",
        codes=("missing_image",),
    ),
    Rule(ResponseKind.REJECTED, (400,), "Plus has no codes: a parameter that it does not take looks the same"),
    Rule(ResponseKind.NO_CREDITS, (402,), "'API credits exhausted'"),
    Rule(
        ResponseKind.ACCOUNT,
        (401, 403),
        "'Unauthorized': a bad key or an empty account (docs' troubleshooting page)",
    ),
    Rule(ResponseKind.RATE_LIMITED, (429,), "staff in photoroom.discourse.group, topic 11: no Retry-After is promised"),
    Rule(ResponseKind.TRANSIENT, (500, 503), "failed calls are not billed: docs.photoroom.com/getting-started/pricing"),
)
"""Rules by PhotoRoom's OpenAPI (tryAGI/Photoroom), read 2026-11. For others, `core.responses.DEFAULT_RULES` apply."""


class PhotoRoom:
    """
    `ports.Remover` for PhotoRoom.

    Args:
        access: its key is with or without `sandbox_`.
        plan: `basic` or `plus`.
        base_url: base URL of all routes; empty for the vendor's two hosts.
    """

    def __init__(self, access: Access, *, plan: str, base_url: str) -> None:
        self._plan = plan
        self._basic, self._plus = base_url or BASIC_URL, base_url or PLUS_URL
        self._counted = not access.key.startswith(SANDBOX_PREFIX)
        self._api = Api(
            "photoroom",
            access,
            {"X-Api-Key": access.key},
            RESPONSES,
            "PhotoRoom answers the same for a wrong key and an empty account: check PHOTOROOM_API_KEY,"
            " PHOTOROOM_PLAN, and in its dashboard how many images are left",
        )

    def cut(self, request: CutRequest) -> CutReply:
        headers = {name: value for name, value in request.params.items() if name.startswith(HEADER)}
        params = {name: value for name, value in request.params.items() if name not in headers}
        if self._plan == "basic":
            url, field, defaults = f"{self._basic}/v1/segment", "image_file", {"format": "png"}
        else:
            url, field, defaults = f"{self._plus}/v2/edit", "imageFile", _defaults(params)
        try:
            reply = self._api.post(url, field, request, {**defaults, **params}, headers)
        except ItemRejected as error:
            if of_account := _of_parameter(error, request.params):
                raise of_account from error
            raise
        return self._api.cut_reply(reply, request)  # no header gives the cost of a call

    def open_answer(self, answer: bytes) -> bytes:
        if shape_of(answer) is not Shape.JSON:
            return answer
        try:
            return base64.b64decode(read_json(answer)["base64img"], validate=True)
        except (KeyError, TypeError, binascii.Error, ValueError) as error:
            raise self._api.unusable(answer, "success, but no base64img") from error

    def balance(self) -> Decimal | None:
        if not self._counted:
            return None
        paths = (("images", "available"), ("credits", "available"))
        return self._api.account(f"{self._plus}/v2/account", *paths, check=self._require_plan)

    def _require_plan(self, account: Mapping[str, Any]) -> None:
        """
        Check that the account has the plan that the price is of.

        Raises:
            ConfigurationError: an edit takes five images of a Basic account; the caps would count one.
        """
        if self._plan == "plus" and account.get("plan") == "basic":
            raise ConfigurationError(
                "PHOTOROOM_PLAN=plus: the account has the plan basic, where each edit is charged as five images. Set"
                " PHOTOROOM_PLAN=basic, or change the plan in the dashboard. Nothing was bought"
            )


def _of_parameter(error: ItemRejected, params: Mapping[str, str]) -> AccountError | None:
    """
    Return the error in place of a refusal that is about a parameter; None if it is about the picture.

    Plus has no codes; it says `removeBackground must be boolean` (its OpenAPI). No other picture would be taken either.
    """
    said = re.match(r"photoroom answered 400[^:]*: (\S+) ", str(error))
    if said is None or said[1] not in params:
        return None
    of_account = AccountError(f"{error}. Check BG_PARAMS and BG_PARAMS_UNCHECKED")
    of_account.answer, of_account.request_id = error.answer, error.request_id
    return of_account


def _defaults(params: Mapping[str, str]) -> dict[str, str]:
    """Return the parameters of Plus that are set unless the recipe has others."""
    defaults = {"removeBackground": "true", "export.format": "png"}
    if effect(PLUS, params)[0] in {Effect.FRAME, Effect.SCENE}:
        return defaults
    # By default PhotoRoom fits the subject into the frame; it must stay where it is.
    whole = {"outputSize": "originalImage"}
    return {**defaults, **whole, **({} if params.get("removeBackground") == "false" else _IN_PLACE)}


_IN_PLACE = {"referenceBox": "originalImage"}
"""Not taken without a background to remove."""
