"""What holds for the limiter whatever happens: refusals, failures, crashes, and processes that come in between."""

import json
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from bg_pipeline.core.limits import (
    SLOT_S,
    WINDOW_S,
    Limits,
    Pace,
    ask,
    failed,
    limits_from,
    refused,
    released,
    succeeded,
)
from bg_pipeline.core.records import RateFacts
from bg_pipeline.manifest.database import Database
from bg_pipeline.manifest.gates import SqlGates

NOW = 1_800_000_000.0
waits = st.none() | st.sampled_from([0.0, 1.0, 4.0, 30.0, 59.0, 600.0])
facts = st.none() | st.builds(RateFacts, st.sampled_from([0, 1, 7, 100]), st.sampled_from([0, 1, 50]), st.floats(0, 60))


class Account(RuleBasedStateMachine):
    """Everything that can happen to one account, in any order."""

    tokens = Bundle("tokens")

    def __init__(self) -> None:
        super().__init__()
        self.state = Limits()
        self.now = NOW
        self.ceiling = 8
        self.count = 0

    @rule(target=tokens, units=st.sampled_from([1.0, 4.0, 25.0]))
    def ask(self, units: float) -> str:
        self.count += 1
        token = str(self.count)
        before = self.state
        self.state, wait = ask(self.state, token, units, self.ceiling, self.now)
        assert wait >= 0
        assert (token in self.state.slots) == (wait == 0)
        if not wait:
            assert len(self.state.slots) <= min(before.width, self.ceiling)
        return token

    @rule(seconds=st.sampled_from([0.01, 0.2, 1.0, 30.0, SLOT_S]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(ceiling=st.integers(1, 12))
    def the_settings_change(self, ceiling: int) -> None:
        self.ceiling = ceiling

    @rule(token=consumes(tokens), rate=facts)
    def it_succeeds(self, token: str, rate: RateFacts | None) -> None:
        self.state = succeeded(self.state, token, rate, self.ceiling, self.now)

    @rule(token=consumes(tokens), wait=waits, rate=facts)
    def it_is_refused(self, token: str, wait: float | None, rate: RateFacts | None) -> None:
        had_a_slot = token in self.state.slots
        self.state = refused(self.state, token, wait, rate, self.now)
        if had_a_slot and wait is not None and wait > WINDOW_S:
            _, again = ask(self.state, "another", 1.0, self.ceiling, self.now)
            assert again > 0

    @rule(token=consumes(tokens))
    def it_fails(self, token: str) -> None:
        self.state = failed(self.state, token)

    @rule(token=consumes(tokens))
    def it_tells_nothing(self, token: str) -> None:
        self.state = released(self.state, token)

    @rule(_token=consumes(tokens))
    def its_process_dies(self, _token: str) -> None:
        pass

    @rule()
    def the_process_starts_again(self) -> None:
        self.state = limits_from(json.loads(json.dumps(self.state.as_json())))

    @invariant()
    def it_is_the_same_after_a_trip_through_json(self) -> None:
        assert limits_from(json.loads(json.dumps(self.state.as_json()))) == self.state

    @invariant()
    def it_can_always_send_again_one_day(self) -> None:
        assert self.state.width >= 1
        assert self.state.pace is Pace.FREE or self.state.units >= 1
        later = max(self.now + SLOT_S + 62, self.state.next_at)
        assert ask(self.state, "later", 1.0, self.ceiling, later)[1] == 0

    @invariant()
    def it_stays_small(self) -> None:
        assert len(self.state.sent) <= 4 * 62 + 2


TestAccount = Account.TestCase
TestAccount.settings = settings(max_examples=60, stateful_step_count=40)


@given(
    limit=st.integers(1, 60),
    calls=st.lists(st.tuples(st.floats(0, 20), st.sampled_from([1.0, 2.0, 10.0])), max_size=80),
)
def test_units_within_any_minute_never_exceed_the_learned_limit(limit: int, calls: list[tuple[float, float]]) -> None:
    state, now = Limits(width=100, base=100, pace=Pace.PACED, units=float(limit), told=True), NOW
    sent: list[tuple[float, float]] = []
    for number, (pause, units) in enumerate(calls):
        now += pause
        state, wait = ask(state, str(number), min(units, limit), 1_000, now)
        if not wait:
            sent.append((now, min(units, limit)))
            state = succeeded(state, str(number), None, 1_000, now)

    for start, _ in sent:
        assert sum(units for when, units in sent if start <= when < start + 60) <= limit


@given(
    steps=st.lists(st.tuples(st.booleans(), st.sampled_from(["ask", "ask", "answer", "crash", "wait"])), max_size=30),
    width=st.integers(1, 4),
)
@settings(max_examples=25)
def test_two_processes_together_never_exceed_the_limit(steps: list[tuple[bool, str]], width: int) -> None:
    """Each has its own connection to the same database; what a crash leaves counts until it runs out."""
    with TemporaryDirectory() as folder:
        databases = [Database(f"sqlite:///{Path(folder)}/manifest.db") for _ in range(2)]
        try:
            _interleave([SqlGates(database) for database in databases], steps, width)
        finally:
            for database in databases:
                database.close()


def _interleave(of_process: list[SqlGates], steps: list[tuple[bool, str]], width: int) -> None:
    now = NOW
    in_flight: dict[str, tuple[int, float]] = {}

    def asked(state: Limits, token: str, admitted: list[bool]) -> Limits:
        state, wait = ask(state, token, 1.0, width, now)
        admitted.append(wait == 0)
        return state

    def answered(found: Mapping[str, Any] | None, token: str) -> Mapping[str, Any]:
        return succeeded(limits_from(found), token, None, width, now).as_json()

    for number, (second, step) in enumerate(steps):
        process, token = int(second), str(number)
        gates = of_process[process]
        if step == "ask":
            admitted: list[bool] = []
            gates.change_limits(
                "bgeraser", lambda found, t=token, a=admitted: asked(limits_from(found), t, a).as_json()
            )
            if admitted[0]:
                in_flight[token] = (process, now)
        elif step == "wait":
            now += 50.0
        else:
            mine = [name for name, (owner, _) in in_flight.items() if owner == process]
            if mine and step == "answer":
                del in_flight[mine[0]]
                gates.change_limits("bgeraser", lambda found, t=mine[0]: answered(found, t))
        in_flight = {name: (owner, since) for name, (owner, since) in in_flight.items() if since + SLOT_S > now}
        assert len(in_flight) <= width
        assert set(in_flight) == {
            name for name, slot in limits_from(gates.limits("bgeraser")).slots.items() if slot.since + SLOT_S > now
        }


@pytest.mark.parametrize("pace", Pace)
def test_every_pace_survives_json(pace: Pace) -> None:
    state = Limits(pace=pace, units=3.0)
    assert limits_from(json.loads(json.dumps(state.as_json()))) == state
