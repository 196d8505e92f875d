"""What workers ask for at the same time is done as one, and each gets its own result."""

import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bg_pipeline.ports.together import MOST, Together


class Slow:
    """A step that waits until it may go on, and doubles what it was given."""

    def __init__(self) -> None:
        self.taken: list[list[int]] = []
        self.begun, self.may_go_on = threading.Event(), threading.Event()

    def __call__(self, numbers: Sequence[int]) -> list[int | Exception]:
        self.taken.append(list(numbers))
        self.begun.set()
        assert self.may_go_on.wait(10)
        if 13 in numbers:
            raise OSError("the server is gone")
        return [LookupError(str(number)) if number % 10 == 7 else 2 * number for number in numbers]


def _asked_during_another(step: Slow, numbers: Sequence[int]) -> list[Future[int]]:
    together = Together(step)
    with ThreadPoolExecutor(len(numbers) + 1) as pool:
        first = pool.submit(together, 0)
        assert step.begun.wait(10)
        asked = [pool.submit(together, number) for number in numbers]
        while len(together._waiting) < len(numbers):
            threading.Event().wait(0.001)
        step.may_go_on.set()
    assert first.result() == 0
    return asked


def test_what_is_asked_for_during_a_step_is_one_step_after_it() -> None:
    step = Slow()
    asked = _asked_during_another(step, [1, 2, 3, 4])

    assert [each.result() for each in asked] == [2, 4, 6, 8]
    assert [sorted(numbers) for numbers in step.taken] == [[0], [1, 2, 3, 4]]


def test_an_error_of_one_is_raised_by_it_alone() -> None:
    first, seventh, third = _asked_during_another(Slow(), [1, 7, 3])

    assert (first.result(), third.result()) == (2, 6)
    with pytest.raises(LookupError, match="7"):
        seventh.result()


def test_an_error_of_the_step_is_raised_by_all_and_the_next_step_is_taken() -> None:
    asked = _asked_during_another(step := Slow(), [1, 13])

    assert [str(each.exception()) for each in asked] == ["the server is gone"] * 2
    assert Together(step)(2) == 4


def test_a_step_takes_only_so_many_and_the_others_are_the_next() -> None:
    step = Slow()
    asked = _asked_during_another(step, [10] * (MOST + 1))

    assert {each.result() for each in asked} == {20}
    assert [len(numbers) for numbers in step.taken] == [1, MOST, 1]


@given(st.lists(st.integers(0, 99), min_size=1, max_size=60), st.integers(1, 8))
def test_each_gets_the_result_of_what_it_asked_for(numbers: list[int], workers: int) -> None:
    together = Together(lambda asked: [-number for number in asked])
    with ThreadPoolExecutor(workers) as pool:
        assert list(pool.map(together, numbers)) == [-number for number in numbers]
