"""Money under concurrency."""

import threading
from concurrent.futures import ThreadPoolExecutor, as_completed
from decimal import Decimal

import pytest

from bg_pipeline.sandbox.ledger import Balance, Ledger, json_number
from bg_pipeline.sandbox.state import MAX_STORED_BYTES, ResultStore
from bg_pipeline_tests.sandbox import client


def test_the_last_credit_pays_for_one_of_five_calls_at_once(start):
    """The credit is set aside before the cut begins, so the other four cannot see it."""
    go_on = threading.Event()

    def cut(image):
        assert go_on.wait(client.TIMEOUT_S)
        return client.cut_left_half(image)

    sandbox = start(cut=cut, credits_of={"bgeraser": Decimal(1)})
    with ThreadPoolExecutor(5) as pool:
        answers = as_completed([pool.submit(client.post, sandbox.base_url) for _ in range(5)])
        refused = [next(answers).result().status_code for _ in range(4)]
        go_on.set()
        paid = next(answers).result().status_code
    assert (refused, paid) == ([402] * 4, 200)
    assert len(client.ledger(sandbox.base_url)["charges"]) == 1
    assert client.remaining(sandbox.base_url) == 0


def test_threads_that_race_for_credits_never_overdraw_the_balance():
    ledger = Ledger({"bgeraser": Decimal(100)}, lambda: 0.0)
    together = threading.Barrier(8)

    def spend() -> int:
        together.wait()
        bought = 0
        for _ in range(50):
            reservation = ledger.reserve("bgeraser", Decimal(1))
            if reservation is not None:
                with reservation:
                    reservation.charge("/path", "digest")
                bought += 1
        return bought

    with ThreadPoolExecutor(8) as pool:
        bought = sum(future.result() for future in [pool.submit(spend) for _ in range(8)])
    assert bought == len(ledger.charges()) == 100
    assert ledger.balance("bgeraser") == Balance(Decimal(0), Decimal(100))


def test_a_reservation_without_a_charge_gives_its_credits_back():
    ledger = Ledger({"bgeraser": Decimal(2)}, lambda: 0.0)
    with ledger.reserve("bgeraser", Decimal(2)):
        assert ledger.balance("bgeraser").remaining == 0
    assert ledger.balance("bgeraser").remaining == 2
    assert ledger.charges() == ()


def test_what_is_written_stays_written(start):
    """Whatever else changes, what was there before is the beginning of what is there now."""
    base_url = start().base_url
    seen = []
    for call in (client.post, client.removebg, client.segment, client.edit):
        call(base_url)
        client.put_state(base_url, {"credits": {"bgeraser": 5}, "faults": [], "chance": {"rate": 0}})
        told = client.ledger(base_url)["charges"]
        assert (told[:-1], len(told)) == (seen, len(seen) + 1)
        seen = told
    assert [charge["provider"] for charge in seen] == ["bgeraser", "removebg", "photoroom", "photoroom"]


@pytest.mark.parametrize(("amount", "written"), [("1", "1"), ("1.0", "1"), ("0.25", "0.25"), ("0", "0")])
def test_whole_amounts_are_written_without_a_fraction(amount, written):
    assert repr(json_number(Decimal(amount))) == written


def test_old_results_make_room_for_new_ones():
    """Only their number of bytes counts here, so one object stands for both large results."""
    large = _Sized(MAX_STORED_BYTES // 2 + 1)
    store = ResultStore(60, lambda: 0.0)
    first, second = store.add(large), store.add(large)
    assert (store.get(first), store.get(second)) == (None, (large, None))


class _Sized:
    def __init__(self, size: int) -> None:
        self._size = size

    def __len__(self) -> int:
        return self._size
