"""Whose fault a refusal is."""

import threading
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest

from bg_pipeline.core.claims import Ask, AskedBy, Claim
from bg_pipeline.core.credits import Budget
from bg_pipeline.core.refusals import IN_A_ROW
from bg_pipeline.errors import AccountError, BgPipelineError, NoCredits, RefusedForNow, TransientError
from bg_pipeline.ports.purchasing import CutRequest
from bg_pipeline.purchasing.refusals import ASK_EVERY_S, DoubtingRemover
from bg_pipeline_tests.fakes import FakeClock, FakeRemover
from bg_pipeline_tests.pictures import product

CLAIM = Claim(1, "a test", Ask(AskedBy.SYNC, Budget("a run")))
IMAGE = product(1)


def request(name: str) -> CutRequest:
    return CutRequest(name, f"c/{name}.png", IMAGE, "image/png", 48, 32, {}, Decimal(1), CLAIM)


def refusing(*script: BgPipelineError | None, account: BgPipelineError | None = None) -> tuple[FakeRemover, FakeClock]:
    client = FakeRemover(script, Decimal(100))
    client.account_error = account
    return client, FakeClock()


def refusal() -> AccountError:
    error = AccountError("403 forbidden")
    error.answer, error.request_id = "<html>", "r-1"
    return error


@pytest.mark.parametrize("account", [None, TransientError("502")], ids=["well", "unreadable"])
def test_a_refusal_is_about_the_picture_if_the_account_is_not_refused(account: BgPipelineError | None) -> None:
    client, clock = refusing(refusal(), account=account)
    with pytest.raises(RefusedForNow, match="403 forbidden") as caught:
        DoubtingRemover(client, clock).cut(request("a"))

    assert (caught.value.answer, caught.value.request_id) == ("<html>", "r-1")


@pytest.mark.parametrize("account", [AccountError("401"), NoCredits("402")])
def test_a_refusal_is_about_the_account_if_its_own_endpoint_says_so(account: AccountError) -> None:
    client, clock = refusing(refusal(), account=account)
    with pytest.raises(AccountError) as caught:
        DoubtingRemover(client, clock).cut(request("a"))

    assert isinstance(caught.value, NoCredits) == isinstance(account, NoCredits)
    assert (caught.value.answer, caught.value.request_id) == ("<html>", "r-1")


def test_different_pictures_refused_in_a_row_are_about_the_account() -> None:
    client, clock = refusing(*(refusal() for _ in range(IN_A_ROW)))
    doubting = DoubtingRemover(client, clock)
    errors: list[type[BgPipelineError]] = []
    for number in range(IN_A_ROW):
        with pytest.raises(BgPipelineError) as caught:
            doubting.cut(request(str(number)))
        errors.append(caught.type)

    assert errors == [RefusedForNow] * (IN_A_ROW - 1) + [AccountError]


@pytest.mark.parametrize("names", ["aaaaaa", "ab-cd-ef"], ids=["the same one", "with cutouts in between"])
def test_refusals_that_are_not_of_different_pictures_in_a_row_are_not(names: str) -> None:
    client, clock = refusing(*(None if name == "-" else refusal() for name in names))
    doubting = DoubtingRemover(client, clock)

    for name in names:
        if name == "-":
            doubting.cut(request(name))
        else:
            with pytest.raises(RefusedForNow):
                doubting.cut(request(name))


def test_an_empty_account_is_not_doubted() -> None:
    client, clock = refusing(NoCredits("402"))
    with pytest.raises(NoCredits):
        DoubtingRemover(client, clock).cut(request("a"))

    assert client.readings == 0


def test_the_account_is_asked_once_for_all_workers_and_again_later() -> None:
    client, clock = refusing(*(refusal() for _ in range(9)), account=AccountError("401"))
    doubting = DoubtingRemover(client, clock)
    together = threading.Barrier(8)
    client.before = lambda _request: together.wait() if len(client.requests) <= 8 and not together.broken else None

    def cut(number: int) -> None:
        with pytest.raises(AccountError):
            doubting.cut(request(str(number)))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(cut, range(8)))
    assert client.readings == 1

    together.abort()
    clock.now += ASK_EVERY_S + 1
    cut(9)
    assert client.readings == 2
