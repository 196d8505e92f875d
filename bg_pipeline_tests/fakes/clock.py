"""Time that tests move."""


class FakeClock:
    """Time that moves when told to, and by `tick_s` whenever somebody looks: then no two moments are the same."""

    def __init__(self, now: float = 1_000_000.0, tick_s: float = 0.0) -> None:
        self.now = now
        self._tick_s = tick_s

    def __call__(self) -> float:
        self.now += self._tick_s
        return self.now
