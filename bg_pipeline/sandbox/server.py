"""The sandbox as an ASGI application: the vendors' routes, and control routes for tests and the demo."""

from decimal import Decimal
from typing import Annotated, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from bg_pipeline.sandbox.bgeraser import Bgeraser
from bg_pipeline.sandbox.faults import NO_CHANCE, Chance, Fault, describe_errors
from bg_pipeline.sandbox.ledger import Vendor, json_number
from bg_pipeline.sandbox.photoroom.service import Photoroom
from bg_pipeline.sandbox.removebg.endpoint import RemoveBg
from bg_pipeline.sandbox.segmenter import CutAlpha, Segmenter
from bg_pipeline.sandbox.state import BGERASER_PREFIX, UNLIMITED, Limits, Plan, SandboxState

M = TypeVar("M", bound=BaseModel)


def create_app(state: SandboxState, cut: CutAlpha) -> Starlette:
    """Create the app. Faults below HTTP need `broken_responses.ConnectionProtocol`; the rest works on any server."""
    segmenter = Segmenter(cut)
    bgeraser, photoroom = Bgeraser(state, segmenter), Photoroom(state, segmenter)

    async def v1_account(request: Request) -> Response:
        """Answer for the vendor that the key is of: on one host, two vendors have this path."""
        of_bgeraser = request.headers.get("x-api-key", "").strip().startswith(BGERASER_PREFIX)
        return await (bgeraser.v1_account if of_bgeraser else photoroom.old_account)(request)

    vendors = [
        *bgeraser.routes(),
        *RemoveBg(state, segmenter).routes(),
        *photoroom.routes(),
        Route("/v1/account", v1_account, methods=["GET"]),
    ]
    # Browsers ask before each call with a key. Only vendors answer them: no page of others changes the sandbox.
    any_page = Middleware(CORSMiddleware, allow_origins=["*"], allow_methods=["*"], allow_headers=["*"])
    return Starlette(
        routes=[Mount("/_sandbox", routes=_Control(state).routes()), Mount("/", routes=vendors, middleware=[any_page])]
    )


class _StateChange(BaseModel):
    """A change of the state; missing fields stay unchanged."""

    model_config = ConfigDict(strict=True, extra="forbid")

    credits: dict[Vendor, Annotated[Decimal, Field(ge=0)]] = {}
    latency_s: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    lag_s: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    limits: Limits = UNLIMITED
    limits_of: dict[Vendor, Limits] = {}
    faults: list[Fault] = []
    chance: Chance = NO_CHANCE
    photoroom_plan: Plan = "basic"


class _Control:
    def __init__(self, state: SandboxState) -> None:
        self._state = state

    def routes(self) -> list[Route]:
        return [
            Route("/ledger", self._ledger, methods=["GET"]),
            Route("/state", self._show_state, methods=["GET"]),
            Route("/state", self._change_state, methods=["PUT"]),
        ]

    async def _ledger(self, _: Request) -> Response:
        ledger = self._state.ledger
        charges = [
            {
                "provider": charge.vendor,
                "endpoint": charge.endpoint,
                "sha256": charge.sha256,
                "credits": json_number(charge.credits),
                "time": charge.time.isoformat(),
            }
            for charge in ledger.charges()
        ]
        return JSONResponse({"charges": charges, "requests": ledger.requests, "faults": self._state.faults.done()})

    async def _show_state(self, _: Request) -> Response:
        state = self._state
        vendors: tuple[Vendor, ...] = get_args(Vendor)
        return JSONResponse(
            {
                "credits": {name: json_number(state.ledger.balance(name).remaining) for name in vendors},
                "latency_s": state.latency_s,
                "lag_s": state.lag_s,
                "limits": state.limits.model_dump(),
                "limits_of": {name: state.limits_of[name].model_dump() for name in vendors},
                "faults": [fault.as_json() for fault in state.faults.remaining()],
                "chance": state.faults.chance.model_dump(),
                "photoroom_plan": state.photoroom_plan,
            }
        )

    async def _change_state(self, request: Request) -> Response:
        try:
            change = _StateChange.model_validate_json(await request.body())
        except ValidationError as error:
            return JSONResponse({"error": describe_errors(error)}, 400)
        self._apply(change)
        return await self._show_state(request)

    def _apply(self, change: _StateChange) -> None:
        state = self._state
        for vendor, amount in change.credits.items():
            state.ledger.set_balance(vendor, amount)
        state.limits = _changed(state.limits, change.limits)
        for vendor, limits in change.limits_of.items():
            state.limits_of[vendor] = _changed(state.limits_of[vendor], limits)
        state.faults.chance = _changed(state.faults.chance, change.chance)
        if "latency_s" in change.model_fields_set:
            state.latency_s = change.latency_s
        if "lag_s" in change.model_fields_set:
            state.lag_s = change.lag_s
        if "faults" in change.model_fields_set:
            state.faults.replace(change.faults)
        if "photoroom_plan" in change.model_fields_set:
            state.photoroom_plan = change.photoroom_plan


def _changed(present: M, change: M) -> M:
    return present.model_copy(update=change.model_dump(exclude_unset=True))
