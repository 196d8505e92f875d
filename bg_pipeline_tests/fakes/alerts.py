"""The outbox, and targets that take what they are sent or do not."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace

from bg_pipeline.core.alerts import Delivery, Incident, Notification, NotificationPlan, Target
from bg_pipeline_tests.fakes.database import FakeDelivery, Port


class MemoryOutbox(Port):
    """`ports.alerts.Outbox` in dictionaries."""

    def note(self, plan: Callable[[Sequence[Incident]], NotificationPlan], targets: Sequence[str]) -> NotificationPlan:
        planned = plan(self._db.incidents)
        self._db.incidents = planned.incidents
        for notification, target in itertools.product(planned.notifications, targets):
            number, now = next(self._db.ids), self._db.now()
            self._db.deliveries[number] = FakeDelivery(Delivery(number, target, notification, now, 0), now)
        return planned

    def claim(self, target: str, for_s: float) -> Delivery | None:
        waiting = (row for row in self._db.deliveries.values() if row.state == "waiting")
        row = next((row for row in waiting if row.delivery.target == target), None)
        if row is None or row.due_at > self._db.now():
            return None
        row.delivery = replace(row.delivery, tries=row.delivery.tries + 1)
        row.due_at = self._db.now() + for_s
        return row.delivery

    def close(self, delivery: Delivery, accepted: bool, wait_s: float, detail: str = "") -> None:
        row = self._db.deliveries[delivery.id]
        if accepted:
            row.state = "sent"
        elif row.delivery.tries == delivery.tries:
            row.due_at = self._db.now() + wait_s

    def give_up(self, made_before: float) -> int:
        waiting = [row for row in self._db.deliveries.values() if row.state == "waiting"]
        old = [row for row in waiting if row.delivery.made_at < made_before]
        for row in old:
            row.state = "given_up"
        return len(old)

    def backlog(self) -> dict[str, tuple[int, int]]:
        found: dict[str, list[str]] = {}
        for row in self._db.deliveries.values():
            if row.state != "sent":
                found.setdefault(row.delivery.target, []).append(row.state)
        return {target: (states.count("waiting"), states.count("given_up")) for target, states in found.items()}


class FakeSink:
    """`ports.alerts.AlertSink` that keeps what it is sent; those in `dead` take nothing."""

    def __init__(self, names: Sequence[str] = ("a chat",)) -> None:
        self.targets = [Target(name, name) for name in names]
        self.dead: set[str] = set()
        self.got: list[tuple[str, Notification]] = []

    def send(self, target: Target, notification: Notification) -> str:
        if target.name in self.dead:
            return "it is dead"
        self.got.append((target.name, notification))
        return ""
