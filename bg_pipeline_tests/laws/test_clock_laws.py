"""Whatever a clock does, nothing is blocked for longer than the longest wait once it is right again."""

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal

from hypothesis import example, given
from hypothesis import strategies as st

from bg_pipeline.core import limits
from bg_pipeline.core.alerts import HOLD_S, REPEAT_S, Alert, AlertCheck, Incident, Kind, is_due, plan_notifications
from bg_pipeline.core.alerts import LONGEST_WAIT_S as LONGEST_DELIVERY_S
from bg_pipeline.core.claims import LEASE_S, is_live
from bg_pipeline.core.credits import day_of
from bg_pipeline.core.gate import Gate, GateReason, on_refusal, on_time
from bg_pipeline.core.limits import Limits
from bg_pipeline.core.moments import TOLERANCE_S
from bg_pipeline.core.records import Attempt, AttemptState
from bg_pipeline.core.refusals import LONGEST_WAIT_S as LONGEST_REFUSAL_S
from bg_pipeline.core.refusals import refused_lately
from bg_pipeline.core.responses import ResponseKind
from bg_pipeline.core.retry import LONGEST_WAIT_S
from bg_pipeline.core.window import SPAN_S

RIGHT = 1_800_000_000.0
YEAR_S = 365 * 86_400.0
jumps = st.sampled_from([-YEAR_S, -86_400.0, -3600.0, -60.0, 0.0, 0.0, 60.0, 1800.0, 3600.0, 86_400.0, YEAR_S])
steps = st.lists(
    st.tuples(jumps, st.sampled_from(["ask", "refused", "long wait", "outage", "picture", "alert", "claim"])),
    min_size=1,
    max_size=25,
)


@dataclass
class Records:
    """What one account and its alerts have on record."""

    limits: Limits = field(default_factory=Limits)
    gate: Gate = field(default_factory=lambda: Gate("bgeraser"))
    attempts: list[Attempt] = field(default_factory=list)
    incidents: tuple[Incident, ...] = ()
    due_at: float = 0.0
    claim_ends_at: float = 0.0

    def happens(self, what: str, now: float) -> None:
        if what in {"ask", "refused", "long wait"}:
            name = str(len(self.limits.slots))
            self.limits, wait = limits.ask(self.limits, name, 1.0, 8, now)
            if what != "ask" and not wait:
                retry_after_s = 1.0 if what == "refused" else 1e9
                self.limits = limits.refused(self.limits, name, retry_after_s, None, now)
        elif what == "outage":
            self.gate = on_refusal(on_time(self.gate, now), GateReason.OUTAGE, "503", now, for_s=1e9)
        elif what == "picture":
            state = AttemptState.REFUSED
            kind = ResponseKind.REFUSED
            self.attempts.append(
                Attempt(1, "p", "bgeraser", state, Decimal(1), Decimal(0), now, ended_at=now, kind=kind)
            )
        elif what == "alert":
            plan = plan_notifications(AlertCheck((Alert(Kind.OUTAGE, "", "down"),)), self.incidents, now)
            self.incidents, self.due_at = plan.incidents, now + 3600.0
        else:
            self.claim_ends_at = now + LEASE_S


@given(steps)
@example([(-60.0, "ask"), (60.0, "long wait")])
def test_when_the_clock_is_right_again_no_wait_is_longer_than_the_longest(happened: list[tuple[float, str]]) -> None:
    records = Records()
    for off_s, what in happened:
        records.happens(what, RIGHT + off_s)

    def within(longest_s: float, is_free: Callable[[float], bool]) -> bool:
        """
        What is dated ahead is void until then: it may block again on that date, and no longer than once.

        That date may come while something else still blocks, so that two waits follow each other.
        """
        return any(is_free(RIGHT + waits * (longest_s + TOLERANCE_S)) for waits in (0, 1, 2))

    longest_s = max(LONGEST_WAIT_S, limits.SLOT_S + SPAN_S)
    assert within(longest_s, lambda now: not limits.ask(records.limits, "later", 1.0, 8, now)[1])
    assert within(LONGEST_WAIT_S, lambda now: on_time(records.gate, now).is_open)
    assert within(LONGEST_REFUSAL_S, lambda now: refused_lately(records.attempts, 0.0, now) is None)
    assert within(LONGEST_DELIVERY_S, lambda now: is_due(records.due_at, now))
    assert within(LEASE_S, lambda now: not is_live(records.claim_ends_at, now))
    alert = AlertCheck((Alert(Kind.OUTAGE, "", "down"),))
    assert within(REPEAT_S, lambda now: bool(plan_notifications(alert, records.incidents, now).notifications))
    assert within(HOLD_S, lambda now: not plan_notifications(AlertCheck(()), records.incidents, now).incidents)


@given(jumps.filter(lambda off_s: off_s > 60))
def test_what_a_clock_wrote_that_was_ahead_blocks_nothing_at_all(off_s: float) -> None:
    records = Records()
    for what in ("long wait", "outage", "picture", "claim"):
        records.happens(what, RIGHT + off_s)

    assert limits.ask(records.limits, "now", 1.0, 8, RIGHT)[1] == 0
    assert on_time(records.gate, RIGHT).is_open
    assert refused_lately(records.attempts, 0.0, RIGHT) is None
    assert not is_live(records.claim_ends_at, RIGHT)


@given(st.floats(0, 2 * YEAR_S))
def test_the_cap_of_a_day_counts_its_own_day_only(off_s: float) -> None:
    """What a clock that is a year ahead spends is counted in that day, and not in each day of the year before."""
    began, ends = day_of(RIGHT, "Europe/Berlin")
    assert began <= RIGHT < ends
    assert (began <= RIGHT + off_s < ends) == (day_of(RIGHT + off_s, "Europe/Berlin")[0] == began)
