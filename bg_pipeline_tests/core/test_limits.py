"""What the limiter learns from each answer."""

from dataclasses import replace

import pytest

from bg_pipeline.core.limits import (
    OUTAGE,
    PROBE_GAP_S,
    SLOT_S,
    SPAN_S,
    START,
    Learned,
    Limits,
    Pace,
    ask,
    failed,
    learned,
    limits_from,
    refused,
    released,
    succeeded,
)
from bg_pipeline.core.records import RateFacts

NOW = 1_800_000_000.0
CEILING = 16


class Account:
    """One account's state, and a clock that moves when a request has to wait."""

    def __init__(self, state: Limits | None = None, now: float = NOW, ceiling: int = CEILING) -> None:
        self.state = state or Limits()
        self.now = now
        self.ceiling = ceiling
        self.names = iter(range(1_000_000))

    def ask(self, units: float = 1.0) -> tuple[str, float]:
        token = str(next(self.names))
        self.state, wait = ask(self.state, token, units, self.ceiling, self.now)
        return token, wait

    def enter(self, units: float = 1.0) -> str:
        """Waits as long as it has to, unless only an answer could end the wait."""
        token, wait = self.ask(units)
        while wait:
            assert len(self.state.slots) < min(self.state.width, self.ceiling), "full"
            self.now += wait
            token, wait = self.ask(units)
        return token

    def fill(self) -> list[str]:
        return [self.enter() for _ in range(min(self.state.width, self.ceiling) - len(self.state.slots))]

    def good(self, token: str, rate: RateFacts | None = None) -> None:
        self.state = succeeded(self.state, token, rate, self.ceiling, self.now)

    def refuse(self, token: str, retry_after_s: float | None = 1.0, rate: RateFacts | None = None) -> None:
        self.state = refused(self.state, token, retry_after_s, rate, self.now)

    def fail(self, token: str) -> None:
        self.state = failed(self.state, token)

    def round(self, latency_s: float = 1.0) -> None:
        """All that is in flight is answered with success, and replaced at once."""
        self.fill()
        self.now += latency_s
        for token in list(self.state.slots):
            self.good(token)
            self.fill()


def running(width: int = START, **more: object) -> Account:
    """An account that is known to take so many in flight, and is at rest."""
    return Account(Limits(width=width, base=width, throughput=float(width), **more))  # type: ignore[arg-type]


def test_it_starts_at_five_or_at_the_ceiling_if_that_is_lower() -> None:
    account, low = Account(), Account(ceiling=3)
    assert len(account.fill()) == START
    assert len(low.fill()) == 3

    _, wait = account.ask()
    assert 0 < wait <= SLOT_S


def test_what_is_beyond_the_known_goes_one_at_a_time() -> None:
    account = Account()
    account.enter()
    account.ask()
    _, wait = account.ask()

    assert wait == pytest.approx(PROBE_GAP_S)


def test_it_climbs_in_doubling_steps_while_all_is_well() -> None:
    account = Account(ceiling=16)
    widths = []
    for _ in range(3):
        account.round()
        widths.append(account.state.width)

    assert widths == [10, 16, 16]


def test_it_does_not_climb_while_slots_are_free() -> None:
    account = running()
    for _ in range(50):
        account.good(account.enter())

    assert account.state.width == START


def test_slots_that_bring_no_throughput_are_given_up() -> None:
    """A service that queues instead of refusing: twice as many in flight take twice as long."""
    account = Account()
    account.round(latency_s=1.0)
    assert account.state.width == 10
    account.round(latency_s=2.0)

    assert account.state.width == START


def test_a_refusal_beyond_the_known_number_in_flight_narrows_to_what_was_taken() -> None:
    account = running()
    account.state = replace(account.state, width=10)
    tokens = account.fill()
    account.refuse(tokens[7])

    assert account.state.width == 9
    for token in tokens[6:3:-1]:
        account.refuse(token)
    assert account.state.width == 6
    assert account.state.pace is Pace.FREE


def test_after_a_refusal_the_next_look_comes_ever_later() -> None:
    account = running(step=1)
    answers = []
    for _ in range(6):
        count = 0
        while account.state.width == START:
            account.fill()
            account.good(next(iter(account.state.slots)))
            count += 1
        answers.append(count)
        account.refuse(account.fill()[-1])

    assert answers == [5, 5, 10, 20, 40, 80]


def test_a_long_retry_after_tells_the_units_a_minute() -> None:
    """A full sliding window, or a fixed one: either began a minute before the time that Retry-After names."""
    account = running(4)
    for _ in range(120):
        account.good(account.enter())
        account.now += 0.2
    account.refuse(account.enter(), retry_after_s=36.0)

    assert (account.state.pace, account.state.units) == (Pace.PACED, 120)
    assert account.state.width == 4
    assert account.ask()[1] == pytest.approx(36.0)


def test_a_long_retry_after_of_a_request_too_many_is_about_concurrency_and_stops_no_other() -> None:
    account = running(5, step=1)
    account.state = replace(account.state, width=6)
    account.refuse(account.fill()[-1], retry_after_s=5.0)

    assert (account.state.width, account.state.pace) == (5, Pace.FREE)
    account.good(next(iter(account.state.slots)))
    account.now += PROBE_GAP_S
    assert account.ask()[1] == 0.0


def test_a_long_retry_after_at_the_known_width_is_about_concurrency_at_first_and_then_about_a_minute() -> None:
    account = running(6)
    account.refuse(account.fill()[-1], retry_after_s=5.0)
    assert (account.state.width, account.state.pace) == (5, Pace.FREE)

    account.refuse(next(iter(account.state.slots)), retry_after_s=5.0)
    assert account.state.pace is Pace.PACED
    assert account.ask()[1] > 0


def test_a_paced_account_never_sends_more_within_a_minute() -> None:
    account = Account(Limits(pace=Pace.PACED, units=30.0, told=True))
    sent = []
    for _ in range(100):
        account.good(account.enter())
        sent.append(account.now)

    assert all(later - earlier > 60 for earlier, later in zip(sent, sent[30:], strict=False))
    assert sent[-1] - sent[0] < 3.5 * SPAN_S


def test_a_paced_account_looks_for_more_after_enough_answers_and_stops_at_a_refusal() -> None:
    account = running(8, pace=Pace.PACED, units=60.0, look_after=60)
    while account.state.pace is Pace.PACED:
        account.good(account.enter())
    for _ in range(30):
        account.good(account.enter())
    assert account.state.pace is Pace.PROBING
    assert account.state.units > 70

    account.refuse(account.enter())
    assert account.state.pace is Pace.PACED
    assert account.state.units > 70
    assert account.state.look_after == 120


def test_one_refusal_without_a_cause_is_taken_for_chance() -> None:
    account = running(8)
    before = account.state
    account.refuse(account.fill()[-1])

    assert (account.state.width, account.state.pace, account.state.units) == (8, before.pace, before.units)


def test_a_second_one_soon_is_a_limit_that_was_lowered() -> None:
    account = running(8)
    account.refuse(account.fill()[-1])
    account.refuse(account.fill()[-1])

    assert account.state.width == 7


def test_a_second_one_much_later_is_chance_again() -> None:
    account = running(8)
    account.state = replace(account.state, step=1, patience=1_000)
    account.refuse(account.fill()[-1])
    for _ in range(3):
        account.round()
    account.refuse(next(iter(account.state.slots)))

    assert account.state.width == 8


def test_a_refusal_of_a_few_requests_does_not_hide_that_many_more_were_accepted() -> None:
    account = running()
    for _ in range(100):
        account.good(account.enter())
        account.now += 0.1
    account.now += 300.0
    learned_units = []
    for _ in range(20):
        account.refuse(account.enter())
        learned_units.append(account.state.units)

    assert learned_units[1] >= 50  # two in a row are a limit, but not one of two requests a minute
    assert learned_units[-1] == 1.0  # many in a row are


def test_a_service_that_never_says_when_and_refuses_at_few_in_flight_counts_a_minute() -> None:
    account = running(8)
    for _ in range(60):
        account.good(account.enter())
        account.now += 0.5
    account.refuse(account.enter(), retry_after_s=None)
    account.refuse(account.enter(), retry_after_s=None)

    assert (account.state.pace, account.state.units) == (Pace.PACED, 60)


def test_headers_tell_the_limit_and_nothing_is_looked_for_then() -> None:
    account = running(8)
    account.good(account.enter(), RateFacts(500, 499, 60))
    assert (account.state.pace, account.state.units, account.state.told) == (Pace.PACED, 500, True)

    account.refuse(account.enter(), 20.0, RateFacts(400, 0, 25.0))
    assert account.state.units == 400
    assert account.ask()[1] == pytest.approx(25.0)


def test_an_account_that_others_use_up_waits_for_the_next_window() -> None:
    account = running(8)
    account.good(account.enter(), RateFacts(500, 0, 12.0))

    assert account.ask()[1] == pytest.approx(12.0)


@pytest.mark.parametrize("asked_s", [3_600.0, 86_400.0, 1e18])
def test_a_wait_beyond_the_window_is_kept_for_an_hour_at_most_and_then_one_request_goes_first(asked_s: float) -> None:
    account = running(8)
    account.refuse(account.enter(), retry_after_s=asked_s)

    assert account.state.pace is Pace.FREE
    assert account.ask()[1] == pytest.approx(3_600.0)
    assert learned(account.state, account.now) == Learned(1, None, account.now + 3_600.0)
    account.now += 3_600.0
    assert len(account.fill()) == 1
    assert learned(account.state, account.now).waits_until is None


def test_a_stored_pause_that_is_longer_than_any_that_is_set_does_not_count() -> None:
    assert Account(Limits(next_at=NOW * 1000)).ask()[1] == 0.0


def test_after_an_outage_the_climb_begins_again_from_one() -> None:
    account = running(8)
    for _ in range(OUTAGE):
        account.fail(account.enter())
    assert account.state.width == 1

    widths = []
    for _ in range(9):
        account.good(account.enter())
        account.fill()
        widths.append(account.state.width)
        for token in account.state.slots:
            account.state = released(account.state, token)
    assert widths[0] == 2


def test_a_success_ends_what_looked_like_an_outage() -> None:
    account = running(8)
    for _ in range(3):
        for _ in range(OUTAGE - 1):
            account.fail(account.enter())
        account.good(account.enter())

    assert account.state.width == 8


def test_the_slot_of_a_process_that_died_comes_back_by_itself() -> None:
    account = running(2)
    account.fill()
    _, wait = account.ask()
    account.now += wait

    assert account.ask()[1] == 0.0


def test_an_answer_to_a_request_that_lost_its_slot_changes_nothing() -> None:
    account = running(2)
    before = account.state
    for answer in (account.good, account.refuse, account.fail):
        answer("nobody")

    assert account.state == before


def test_a_request_larger_than_the_whole_allowance_has_a_window_to_itself() -> None:
    account = Account(Limits(pace=Pace.PACED, units=10.0, told=True))
    account.good(account.enter(25.0))

    assert account.ask(25.0)[1] > 60


def test_a_state_that_another_version_left_is_learned_again() -> None:
    assert limits_from({"rows": 3}) == Limits()
    assert limits_from(None) == Limits()


def test_while_many_in_flight_are_refused_those_that_come_next_go_one_at_a_time() -> None:
    """The units of a minute are used up: it takes some refusals to tell that from one slot too many."""
    account, in_flight = Account(Limits(width=8, base=8, reached=8), ceiling=8), list[str]()
    for token in account.fill():
        account.good(token)
        in_flight.append(account.enter())
    for token in in_flight[:4]:
        account.refuse(token, 57.0)

    assert account.ask()[1] == 0.0
    assert account.ask()[1] == pytest.approx(PROBE_GAP_S)
