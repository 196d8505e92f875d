"""Laws of nights with a window: an alert about idle work is raised when a run might have started, and only then."""

from hypothesis import given
from hypothesis import strategies as st

from bg_pipeline.core.alerts import IDLE_S, START_S, unprocessed_since
from bg_pipeline.core.night_window import Night, why_not_now

_HOUR_S = 3600.0
_TICK_S = 300.0


@given(
    every_h=st.sampled_from([24, 7 * 24]),
    window_h=st.integers(1, 23),
    detected_h=st.floats(0, 7 * 24),
    waits_h=st.floats(0, 20 * 24),
)
def test_work_counts_as_idle_only_if_a_run_for_it_could_have_started(
    every_h: int, window_h: int, detected_h: float, waits_h: float
) -> None:
    """However late a night is caught up, and however rarely one is due; its later nights do not detect at all."""
    detected_at = detected_h * _HOUR_S
    now = detected_at + waits_h * _HOUR_S

    def night_of(moment: float) -> Night:
        due_at = moment // (every_h * _HOUR_S) * every_h * _HOUR_S
        return Night(due_at, due_at + window_h * _HOUR_S)

    ticks = [detected_at + n * _TICK_S for n in range(int((now - detected_at) / _TICK_S))]
    chances = [at for at in ticks if not why_not_now(night_of(at), detected_at, at)]
    idle = unprocessed_since([detected_at], night_of, now) is not None

    assert not idle or (chances and now - detected_at > IDLE_S)
    if len(chances) * _TICK_S > START_S + _TICK_S and now - detected_at > IDLE_S:
        assert idle


@given(detected_h=st.lists(st.floats(0, 100), max_size=5), now_h=st.floats(0, 200))
def test_where_nights_have_no_end_the_oldest_work_counts(detected_h: list[float], now_h: float) -> None:
    detected, now = [h * _HOUR_S for h in detected_h], now_h * _HOUR_S
    oldest = min(detected, default=now)

    assert unprocessed_since(detected, lambda _at: None, now) == (oldest if now - oldest > IDLE_S else None)
