"""What holds for the count-down of a balance, however late the vendor shows it and also if others spend."""

from dataclasses import dataclass, field
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from bg_pipeline.core.credits import counted
from bg_pipeline.core.gate import LAG_S, Gate, Thresholds, on_reading

THRESHOLDS = Thresholds(Decimal(0), Decimal(50))
LONG_AGO = -10 * LAG_S


@dataclass
class Account:
    """An account at a vendor, beside the own count-down of it."""

    now: float = 0.0
    credits: Decimal = Decimal(500)
    history: list[tuple[float, Decimal]] = field(default_factory=lambda: [(LONG_AGO, Decimal(500))])
    in_flight: int = 0
    ended: list[float] = field(default_factory=list)
    gate: Gate = field(default_factory=lambda: Gate("a"))

    def change(self, by: int) -> None:
        self.credits += by
        self.history.append((self.now, self.credits))

    def spent(self, since: float) -> Decimal:
        return Decimal(self.in_flight + sum(at > since for at in self.ended))

    def shown(self, lag_s: float) -> Decimal:
        return [credits_ for at, credits_ in self.history if at <= self.now - lag_s][-1]

    def read(self, lag_s: float, answer_s: float = 0.0) -> None:
        asked_at, reading = self.now, self.shown(lag_s)
        self.now += answer_s
        self.gate = on_reading(self.gate, reading, self.spent, THRESHOLDS, asked_at)

    @property
    def left(self) -> Decimal:
        left = counted(self.gate, self.spent(self.gate.balance_at))
        assert left is not None
        return left

    def do(self, step: tuple[str, float]) -> None:
        what, amount = step
        self.now += 0.001  # no two moments are the same
        if what == "wait":
            self.now += amount
        elif what == "send":
            self.in_flight += 1
            self.change(-1)
        elif what == "end" and self.in_flight:
            self.in_flight -= 1
            self.ended.append(self.now)
        elif what == "read":
            self.read(amount)
        elif what == "top up":
            self.change(40)
        elif what == "others":
            self.change(-int(amount))


own = st.tuples(st.just("wait"), st.sampled_from([0.5, 4.0, 100.0, LAG_S])) | st.tuples(
    st.sampled_from(["send", "send", "end", "top up"]), st.just(0.0)
)
readings = st.tuples(st.just("read"), st.floats(0, LAG_S))
others = st.tuples(st.just("others"), st.integers(1, 30).map(float))


@given(st.lists(own | readings, max_size=60), st.floats(0, LAG_S))
def test_the_count_down_never_exceeds_the_truth_while_nobody_else_spends(
    steps: list[tuple[str, float]], lag_s: float
) -> None:
    account = Account()
    account.read(lag_s)
    for step in steps:
        account.do(step)
        assert account.left <= account.credits


@given(st.lists(own | readings | others, max_size=60), st.floats(0, LAG_S))
def test_right_after_a_reading_the_count_down_is_at_most_what_was_shown_and_at_least_that_minus_all_recent_charges(
    steps: list[tuple[str, float]], lag_s: float
) -> None:
    account = Account()
    for step in [*steps, ("read", lag_s)]:
        account.do(step)

    shown = account.shown(lag_s)
    assert shown - account.spent(account.now - LAG_S) <= account.left <= shown - account.in_flight


@given(st.lists(own | readings | others, max_size=60), st.floats(0, LAG_S))
def test_the_count_down_is_the_truth_once_nothing_was_spent_for_as_long_as_a_balance_may_be_behind(
    steps: list[tuple[str, float]], lag_s: float
) -> None:
    account = Account()
    for step in steps:
        account.do(step)
    while account.in_flight:
        account.do(("end", 0.0))
    account.now += LAG_S + 1
    account.read(lag_s)

    assert account.left == account.credits


@given(st.integers(0, 20), st.floats(0, 60))
def test_what_is_bought_while_the_answer_is_on_its_way_is_counted_down(bought: int, answer_s: float) -> None:
    account = Account()
    account.read(0.0)
    asked_at, reading = account.now, account.shown(0.0)
    account.now += answer_s + 0.1
    for _ in range(bought):
        account.do(("send", 0.0))
        account.do(("end", 0.0))
    account.gate = on_reading(account.gate, reading, account.spent, THRESHOLDS, asked_at)

    assert account.left == account.credits
