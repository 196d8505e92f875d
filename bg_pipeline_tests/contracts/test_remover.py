"""One suite for everything that removes a background."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from decimal import Decimal

import pytest

from bg_pipeline.core.checks import CheckLimits
from bg_pipeline.imaging.pictures import prepare, validate_answer
from bg_pipeline.ports.purchasing import CutRequest, Remover
from bg_pipeline.sandbox.serve import running_sandbox
from bg_pipeline.sandbox.state import Plan, SandboxState
from bg_pipeline.vendors.local.engine import GrabCutEngine
from bg_pipeline.vendors.registry import plugin
from bg_pipeline_tests.adapters import clients
from bg_pipeline_tests.fakes import FakeRemover
from bg_pipeline_tests.graph import call_here
from bg_pipeline_tests.pictures import cut_middle, product

PRODUCT = prepare(product(3, size=(240, 160)), 2500)


def sent(credits_expected: Decimal, params: dict[str, str]) -> CutRequest:
    return clients.request(
        (PRODUCT.width_px, PRODUCT.height_px),
        image=PRODUCT.image,
        media_type=PRODUCT.media_type,
        params=params,
        credits_expected=credits_expected,
    )


@contextmanager
def in_sandbox(name: str, plan: Plan = "basic") -> Iterator[Remover]:
    """One of the vendors' clients and the sandbox, which share no code."""
    make, _, _ = clients.CLIENTS[name]
    state = SandboxState({"bgeraser": TEN, "removebg": TEN, "photoroom": TEN}, photoroom_plan=plan)
    with running_sandbox(state, cut_middle) as sandbox:
        yield make(sandbox.base_url)


def of_another_package() -> AbstractContextManager[Remover]:
    brought = plugin("scissors")
    return nullcontext(brought.client(brought.settings(), call_here))


TEN = Decimal(10)
REMOVERS: dict[str, tuple[Callable[[], AbstractContextManager[Remover]], int, dict[str, str]]] = {
    "fake": (lambda: nullcontext(FakeRemover(credits_left=TEN)), 1, {}),
    "local": (lambda: nullcontext(GrabCutEngine(call_here)), 0, {}),
    "bgeraser tools": (lambda: in_sandbox("bgeraser tools"), 1, {}),
    "bgeraser v1": (lambda: in_sandbox("bgeraser v1"), 1, {"size": "full", "format": "png"}),
    "removebg": (lambda: in_sandbox("removebg"), 1, {"size": "full"}),
    "removebg as PNG": (lambda: in_sandbox("removebg"), 1, {"size": "full", "format": "png"}),
    "removebg protocol": (lambda: in_sandbox("removebg protocol"), 1, {"size": "full", "format": "png"}),
    "photoroom basic": (lambda: in_sandbox("photoroom basic"), 1, {"size": "full"}),
    "photoroom plus": (lambda: in_sandbox("photoroom plus", "plus"), 1, {}),
    "plugin": (of_another_package, 1, {}),
}
"""How it is made, what one cut costs, and what `Settings` sends with it."""


@pytest.fixture(params=REMOVERS)
def remover(request: pytest.FixtureRequest) -> Iterator[tuple[Remover, CutRequest]]:
    make, price, params = REMOVERS[request.param]
    if request.param == "plugin":
        request.getfixturevalue("plugin")
    with make() as made:
        yield made, sent(Decimal(price), params)


def test_the_reply_is_a_cutout_of_what_was_sent(remover: tuple[Remover, CutRequest]) -> None:
    client, request = remover
    reply = client.cut(request)

    assert validate_answer(client.open_answer(reply.answer), PRODUCT, CheckLimits()).suspicion == ""
    assert reply.credits_charged == request.credits_expected


def test_the_balance_falls_by_what_was_charged_or_is_not_counted(remover: tuple[Remover, CutRequest]) -> None:
    client, request = remover
    before = client.balance()
    client.cut(request)
    after = client.balance()

    price = request.credits_expected
    assert (before is None) == (price == 0)
    assert before is None or after == before - price
