"""How the processes of an account share its slots."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from bg_pipeline.core import limits, shares
from bg_pipeline.core.limits import Limits

NOW = 1_800_000_000.0
LATENCY_S, TICK_S = 2.0, 0.25


class Account:
    """An account whose limit is known, and processes that always have requests for it."""

    def __init__(self, width: int) -> None:
        self.state = Limits(width=width, base=width, reached=width)
        self.width = width
        self.now = NOW
        self.count = 0

    def take(self, process: str) -> bool:
        self.count += 1
        token = f"7:{process}-{self.count}"
        self.state, wait_s = limits.ask(self.state, token, 1.0, self.width, self.now)
        return not wait_s

    def free(self, token: str) -> None:
        self.state = limits.succeeded(self.state, token, None, self.width, self.now)

    def tick(self, processes: list[str]) -> None:
        """Answers come; who gets one goes on first, and all of them look for slots."""
        self.now += TICK_S
        for process in processes:
            for token, slot in tuple(self.state.slots.items()):
                if shares.process_of(token) == process and self.now - slot.since >= LATENCY_S:
                    self.free(token)
                    self.take(process)
        for process in processes:
            while self.take(process):
                pass
            if limits.lacks_slots(self.state, process, self.width, self.now):
                self.state = limits.waits(self.state, process, self.now)

    def held(self, processes: list[str]) -> list[int]:
        counted = Counter(map(shares.process_of, self.state.slots))
        return [counted[process] for process in processes]


@given(st.integers(2, 40), st.integers(1, 5), st.data())
def test_processes_that_always_have_requests_get_their_share_of_the_slots_and_leave_none_free(
    width: int, count: int, data: st.DataObject
) -> None:
    account = Account(width)
    processes = [f"p{number}" for number in range(count)]
    while account.take(data.draw(st.sampled_from(processes))):
        pass
    for _ in range(60):
        account.tick(processes)
    held = account.held(processes)
    assert sum(held) == width
    assert min(held) >= width // count


def test_a_process_that_has_no_more_requests_or_died_leaves_its_slots_to_the_others_within_a_second() -> None:
    account = Account(8)
    while account.take("first"):
        pass
    account.tick(["first", "second"])
    assert account.state.waiting.keys() == {"second"}

    account.now += LATENCY_S - TICK_S
    for _ in range(int(shares.WAITS_S / TICK_S)):
        account.tick(["first"])
    assert account.held(["first"]) == [8]


def test_a_process_that_waits_for_its_turn_in_a_minute_says_nothing() -> None:
    account = Account(8)
    assert account.take("first")
    assert not limits.lacks_slots(account.state, "second", 8, account.now)


def test_a_process_that_is_alone_keeps_its_slots_and_says_nothing() -> None:
    account = Account(8)
    for _ in range(20):
        account.tick(["only"])
        assert (account.held(["only"]), dict(account.state.waiting)) == ([8], {})
