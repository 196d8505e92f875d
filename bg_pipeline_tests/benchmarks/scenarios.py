"""Services whose limits a client does not know, and what is asked of a client there."""

from collections.abc import Sequence
from dataclasses import dataclass

WARM_UP_S = 60.0
"""What happens before is not counted: a client may take a minute to learn."""

MIN_SHARE = 0.95
MAX_REFUSED = 0.01


@dataclass(frozen=True, slots=True)
class Allowed:
    """What a service takes at one time; None is unlimited."""

    concurrent: int | None = None
    per_minute: int | None = None


@dataclass(frozen=True, slots=True)
class Scenario:
    """A service that takes so much, and from half-way on something else."""

    name: str
    first: Allowed
    then: Allowed
    seconds: float = 600.0
    latency_s: float = 1.0
    ceiling: int = 8
    fixed_window: bool = False
    says_when: bool = True
    warm_up_s: float = WARM_UP_S
    busy_s: float = 0.5
    """What it asks to wait if only an answer makes room."""

    def allowed(self, after_s: float) -> Allowed:
        return self.first if after_s < self.seconds / 2 else self.then


def _steady(name: str, allowed: Allowed, **more: float) -> Scenario:
    return Scenario(name, allowed, allowed, **more)  # type: ignore[arg-type]


SCENARIOS: Sequence[Scenario] = (
    _steady("5 concurrent", Allowed(concurrent=5)),
    _steady("120 a minute", Allowed(per_minute=120)),
    Scenario("5, then 3 concurrent", Allowed(concurrent=5), Allowed(concurrent=3)),
    Scenario("5, then 8 concurrent", Allowed(concurrent=5), Allowed(concurrent=8), ceiling=16),
    Scenario("120, then 60 a minute", Allowed(per_minute=120), Allowed(per_minute=60)),
    Scenario("120, then 180 a minute", Allowed(per_minute=120), Allowed(per_minute=180), seconds=720.0),
    Scenario("5 concurrent, then 120 a minute", Allowed(concurrent=5), Allowed(per_minute=120)),
)
"""What the benchmark runs over sockets, and the default tests in virtual time."""

FURTHER: Sequence[Scenario] = (
    _steady("5 concurrent, 2 s each", Allowed(concurrent=5), latency_s=2.0),
    _steady("120 a minute, fixed windows", Allowed(per_minute=120), fixed_window=True),
    _steady("120 a minute, no Retry-After", Allowed(per_minute=120), says_when=False),
    _steady("5 concurrent, no Retry-After", Allowed(concurrent=5), says_when=False),
    _steady("5 concurrent, Retry-After of 5 s", Allowed(concurrent=5), latency_s=0.5, busy_s=5.0),
    _steady("5 concurrent, Retry-After of 30 s", Allowed(concurrent=5), busy_s=30.0),
    _steady("500 a minute", Allowed(per_minute=500), seconds=300.0, ceiling=16),
    _steady("nothing limited", Allowed()),
    _steady("5 concurrent and 120 a minute", Allowed(5, 120)),
    Scenario("240, then 120 a minute", Allowed(per_minute=240), Allowed(per_minute=120)),
    Scenario("120, then 110 a minute", Allowed(per_minute=120), Allowed(per_minute=110)),
    Scenario("8, then 5 concurrent", Allowed(concurrent=8), Allowed(concurrent=5), ceiling=16),
    Scenario(
        "120, then 60 a minute, fixed windows", Allowed(per_minute=120), Allowed(per_minute=60), fixed_window=True
    ),
)
"""In virtual time only."""
