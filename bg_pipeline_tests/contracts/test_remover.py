"""One suite for everything that removes a background."""

from collections.abc import Iterator
from decimal import Decimal

import pytest

from bg_pipeline.core.records import Lease
from bg_pipeline.imaging.pictures import check, prepare
from bg_pipeline.ports import CutRequest, Remover
from bg_pipeline.providers.bgeraser import Bgeraser
from bg_pipeline.providers.local import GrabCutEngine
from bg_pipeline.sandbox.serve import running_sandbox
from bg_pipeline.sandbox.state import SandboxState
from bg_pipeline_tests.fakes import FakeRemover
from bg_pipeline_tests.graph import call_here
from bg_pipeline_tests.pictures import product
from bg_pipeline_tests.sandbox.client import cut_left_half

PRODUCT = prepare(product(3, size=(240, 160)), 2500)


def request(credits_expected: Decimal) -> CutRequest:
    lease = Lease("collection c", "a test", 1)
    return CutRequest(
        "w",
        "c/a.jpg",
        PRODUCT.image,
        PRODUCT.media_type,
        PRODUCT.width_px,
        PRODUCT.height_px,
        {},
        credits_expected,
        lease,
    )


@pytest.fixture(params=["fake", "local", "bgeraser"])
def remover(request: pytest.FixtureRequest) -> Iterator[tuple[Remover, Decimal]]:
    if request.param == "fake":
        yield FakeRemover(credits_left=Decimal(10)), Decimal(1)
    elif request.param == "local":
        yield GrabCutEngine(call_here), Decimal(0)
    else:
        settings = {"path": "/api/tools/bg-removal", "account_path": "/api/account"}
        with running_sandbox(SandboxState({"bgeraser": Decimal(10)}), cut_left_half) as sandbox:
            yield (
                Bgeraser("key", base_url=sandbox.base_url, auth="bearer", file_field="image_file", **settings),
                Decimal(1),
            )


def test_the_reply_is_a_cutout_of_what_was_sent(remover: tuple[Remover, Decimal]) -> None:
    client, price = remover
    reply = client.cut(request(price))

    assert check(reply.image, PRODUCT).suspicion == ""
    assert reply.credits_charged == price


def test_the_balance_falls_by_what_was_charged_or_is_not_counted(remover: tuple[Remover, Decimal]) -> None:
    client, price = remover
    before = client.balance()
    client.cut(request(price))
    after = client.balance()

    assert (before is None) == (price == 0)
    assert before is None or after == before - price
