"""Photoroom's routes: both APIs and their account."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bg_pipeline.sandbox.faults import FaultKind
from bg_pipeline.sandbox.ledger import json_number
from bg_pipeline.sandbox.photoroom.basic import Basic
from bg_pipeline.sandbox.photoroom.endpoint import VENDOR
from bg_pipeline.sandbox.photoroom.plus import Plus, plus_error
from bg_pipeline.sandbox.segmenter import Segmenter
from bg_pipeline.sandbox.state import SandboxState


class Photoroom:
    """All routes of Photoroom."""

    def __init__(self, state: SandboxState, segmenter: Segmenter) -> None:
        self._state = state
        self._basic = Basic(state, segmenter)
        self._plus = Plus(state, segmenter)

    def routes(self) -> list[Route]:
        return [
            Route("/v1/segment", self._basic.handle, methods=["POST"]),
            Route("/v2/edit", self._plus.handle, methods=["GET", "POST"]),
            Route("/v2/account", self._account, methods=["GET"]),
        ]

    async def old_account(self, request: Request) -> Response:
        """Answer GET /v1/account, which is bgeraser's path too."""
        return self._refused(request) or JSONResponse({"credits": self._numbers()})

    async def _account(self, request: Request) -> Response:
        return self._refused(request) or JSONResponse({"images": self._numbers(), "plan": self._state.photoroom_plan})

    def _numbers(self) -> dict[str, int | float]:
        balance = self._state.balance(VENDOR)
        return {"available": json_number(balance.remaining), "subscription": json_number(balance.total)}

    def _refused(self, request: Request) -> Response | None:
        key = self._plus.key_of(request)
        if not key:
            return plus_error(400, "apiKey: Required")
        return None if self._state.accepts_key(key) else self._plus.error(FaultKind.BAD_KEY)
