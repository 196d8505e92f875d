"""One suite for everything that removes a background."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from decimal import Decimal

import pytest

from bg_pipeline.core.records import Lease
from bg_pipeline.imaging.pictures import check, prepare
from bg_pipeline.ports import CutReply, CutRequest, Remover
from bg_pipeline.providers.local import GrabCutEngine
from bg_pipeline.sandbox.serve import running_sandbox
from bg_pipeline.sandbox.state import SandboxState
from bg_pipeline_tests.adapters import clients
from bg_pipeline_tests.adapters.server import vendor
from bg_pipeline_tests.fakes import FakeRemover
from bg_pipeline_tests.graph import call_here
from bg_pipeline_tests.pictures import cutout_of, product
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


@contextmanager
def bgeraser() -> Iterator[Remover]:
    with running_sandbox(SandboxState({"bgeraser": Decimal(10)}), cut_left_half) as sandbox:
        yield clients.bgeraser(sandbox.base_url)


@contextmanager
def replayed(make: Callable[[str], Remover], path: str, account: str, balance: str, answer: bytes) -> Iterator[Remover]:
    """A vendor that gives the same answer to each call, and counts them."""
    with vendor() as service:

        class Counting:
            def cut(self, request: CutRequest) -> CutReply:
                service.say(path, body=answer)
                return client.cut(request)

            def balance(self) -> Decimal | None:
                sold = sum(seen.path == path for seen in service.seen)
                service.say(account, body=(balance % (10 - sold)).encode())
                return client.balance()

        client = make(service.base_url)
        yield Counting()


CUTOUT = cutout_of(PRODUCT.image)
REMOVERS: dict[str, tuple[Callable[[], AbstractContextManager[Remover]], Decimal]] = {
    "fake": (lambda: nullcontext(FakeRemover(credits_left=Decimal(10))), Decimal(1)),
    "local": (lambda: nullcontext(GrabCutEngine(call_here)), Decimal(0)),
    "bgeraser": (bgeraser, Decimal(1)),
    "bgeraser v1": (lambda: replayed(*clients.CLIENTS["bgeraser v1"], '{"credits": %s}', CUTOUT), Decimal(1)),
    "removebg": (
        lambda: replayed(
            *clients.CLIENTS["removebg"],
            '{"data": {"attributes": {"credits": {"total": %s}}}}',
            clients.zipped(CUTOUT),
        ),
        Decimal(1),
    ),
    "photoroom basic": (
        lambda: replayed(*clients.CLIENTS["photoroom basic"], '{"images": {"available": %s}}', CUTOUT),
        Decimal(1),
    ),
    "photoroom plus": (
        lambda: replayed(*clients.CLIENTS["photoroom plus"], '{"images": {"available": %s}}', CUTOUT),
        Decimal(1),
    ),
}


@pytest.fixture(params=REMOVERS)
def remover(request: pytest.FixtureRequest) -> Iterator[tuple[Remover, Decimal]]:
    make, price = REMOVERS[request.param]
    with make() as made:
        yield made, price


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
