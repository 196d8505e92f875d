"""The sandbox as an ASGI application: the vendors' routes, and the control routes of tests and demos."""

from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bg_pipeline.sandbox.bgeraser import BgeraserDialect
from bg_pipeline.sandbox.cutting import Cut, Cutter
from bg_pipeline.sandbox.faults import Fault, sentence
from bg_pipeline.sandbox.ledger import Provider, json_number
from bg_pipeline.sandbox.state import UNLIMITED, Limits, SandboxState


def create_app(state: SandboxState, cut: Cut) -> Starlette:
    """Dropped connections need `dropping.DroppableProtocol`; all other answers work on any server."""
    return Starlette(routes=[*BgeraserDialect(state, Cutter(cut)).routes(), *_Control(state).routes()])


class _StateChange(BaseModel):
    """What is not mentioned stays as it is."""

    model_config = ConfigDict(strict=True, extra="forbid")

    credits: dict[Provider, Annotated[Decimal, Field(ge=0)]] = {}
    latency_s: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    limits: Limits = UNLIMITED
    faults: list[Fault] = []


class _Control:
    def __init__(self, state: SandboxState) -> None:
        self._state = state

    def routes(self) -> list[Route]:
        return [
            Route("/_sandbox/ledger", self._ledger, methods=["GET"]),
            Route("/_sandbox/state", self._show_state, methods=["GET"]),
            Route("/_sandbox/state", self._change_state, methods=["PUT"]),
        ]

    async def _ledger(self, _: Request) -> Response:
        ledger = self._state.ledger
        charges = [
            {
                "provider": charge.provider,
                "sha256": charge.sha256,
                "credits": json_number(charge.credits),
                "time": charge.time.isoformat(),
            }
            for charge in ledger.charges()
        ]
        return JSONResponse({"charges": charges, "requests": ledger.requests})

    async def _show_state(self, _: Request) -> Response:
        state = self._state
        balances = {name: json_number(state.ledger.balance(name).remaining) for name in state.ledger.providers}
        return JSONResponse(
            {
                "credits": balances,
                "latency_s": state.latency_s,
                "limits": {"concurrent": state.limits.concurrent, "per_minute": state.limits.per_minute},
                "faults": [fault.as_json() for fault in state.faults.remaining()],
            }
        )

    async def _change_state(self, request: Request) -> Response:
        try:
            change = _StateChange.model_validate_json(await request.body())
        except ValidationError as error:
            return JSONResponse({"error": sentence(error)}, 400)
        self._apply(change)
        return await self._show_state(request)

    def _apply(self, change: _StateChange) -> None:
        state = self._state
        for provider, amount in change.credits.items():
            state.ledger.set_balance(provider, amount)
        state.limits = state.limits.model_copy(update=change.limits.model_dump(exclude_unset=True))
        if "latency_s" in change.model_fields_set:
            state.latency_s = change.latency_s
        if "faults" in change.model_fields_set:
            state.faults.replace(change.faults)
