"""Alerts on their way to people."""

from collections.abc import Callable, Sequence
from typing import Protocol

from bg_pipeline.core.alerts import Delivery, Incident, Notification, NotificationPlan, Target


class Outbox(Protocol):
    """Incidents, and notifications on their way to each target. It survives any process."""

    def note(self, plan: Callable[[Sequence[Incident]], NotificationPlan], targets: Sequence[str]) -> NotificationPlan:
        """
        Plan over the open incidents; keep the new ones, and one delivery for each notification and target.

        All in one transaction, so that no two processes plan at once.
        """
        ...

    def claim(self, target: str, for_s: float) -> Delivery | None:
        """
        Take the oldest delivery to this target, if it is due; the next one waits until that one has ended.

        No other process gets it for `for_s` seconds.
        """
        ...

    def close(self, delivery: Delivery, took_it: bool, wait_s: float, detail: str = "") -> None:
        """End a delivery that the target took; one that it did not take is due again after `wait_s` seconds."""
        ...

    def give_up(self, made_before: float) -> int:
        """Give up deliveries that were made before; returns how many."""
        ...

    def backlog(self) -> dict[str, tuple[int, int]]:
        """Count the deliveries of each target: those that wait, and those that were given up."""
        ...


class AlertSink(Protocol):
    """Where notifications are sent."""

    @property
    def targets(self) -> Sequence[Target]: ...

    def send(self, target: Target, notification: Notification) -> bool:
        """Whether the target took it, as far as it says. Raises nothing, and comes back within seconds."""
        ...
