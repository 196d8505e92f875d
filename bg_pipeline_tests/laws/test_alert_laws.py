"""No history of troubles floods anybody, and none is told as over that did not begin."""

from hypothesis import given
from hypothesis import strategies as st

from bg_pipeline.core.alerts import (
    HOLD_S,
    REPEAT_S,
    Alert,
    AlertCheck,
    Event,
    Incident,
    Kind,
    inert,
    plan_notifications,
)

looks = st.lists(
    st.tuples(st.floats(1.0, 3 * REPEAT_S) | st.floats(1.0, 2 * HOLD_S), st.sets(st.sampled_from(list(Kind)))),
    max_size=60,
)


@given(looks)
def test_notifications_are_bounded_by_incidents_and_days_and_come_in_order(
    looks: list[tuple[float, set[Kind]]],
) -> None:
    now, incidents = 0.0, tuple[Incident, ...]()
    told: dict[Kind, list[Event]] = {kind: [] for kind in Kind}
    seen_at: dict[Kind, float] = {}
    troubles = dict.fromkeys(Kind, 0)
    for after_s, wrong in looks:
        now += after_s
        made = plan_notifications(AlertCheck(tuple(Alert(kind, "", kind) for kind in sorted(wrong))), incidents, now)
        incidents = made.incidents
        for notification in made.notifications:
            told[Kind(notification.title.rpartition(": ")[2])].append(notification.event)
        for kind in Kind:
            # By the definition: a trouble is new if there was none, or a look saw none for as long as the hold.
            if kind in wrong:
                troubles[kind] += kind not in seen_at
                seen_at[kind] = now
            elif now - seen_at.get(kind, now) >= HOLD_S:
                del seen_at[kind]

        assert {incident.kind for incident in incidents} == set(seen_at)

    for kind, events in told.items():
        turns = [event for event in events if event is not Event.STILL]
        assert turns == [Event.BEGAN, Event.OVER] * (len(turns) // 2) + [Event.BEGAN] * (len(turns) % 2)
        assert turns.count(Event.BEGAN) == troubles[kind]
        assert len(events) <= 2 * troubles[kind] + now / REPEAT_S


@given(st.text(st.characters()) | st.text("<!@>`\n\r\x1b\u202e "))
def test_no_text_keeps_a_sign_that_is_obeyed(text: str) -> None:
    shown = inert(text)

    assert shown.isprintable()
    assert not set(shown) & set("<>@`")
    assert inert(shown[:300]) == shown[:300]
