"""Alerts on their way to people."""

from collections.abc import Callable, Sequence
from typing import Protocol

from bg_pipeline.core.alerts import Delivery, Incident, Notification, NotificationPlan, Target


class Outbox(Protocol):
    """Incidents, and notifications on their way to each target. It outlives every process."""

    def note(self, plan: Callable[[Sequence[Incident]], NotificationPlan], targets: Sequence[str]) -> NotificationPlan:
        """
        Plan from the open incidents; store the new ones, and one delivery for each notification and target.

        All in one transaction, so that no two processes plan at once.
        """
        ...

    def claim(self, target: str, for_s: float) -> Delivery | None:
        """
        Take the oldest delivery to this target, if it is due; the next one waits until that one has ended.

        No other process gets it for `for_s` seconds.
        """
        ...

    def close(self, delivery: Delivery, accepted: bool, wait_s: float, detail: str = "") -> None:
        """End a delivery that the target accepted; any other is due again after `wait_s` seconds."""
        ...

    def give_up(self, made_before: float) -> int:
        """Give up deliveries that were made before this time; return their number."""
        ...

    def backlog(self) -> dict[str, tuple[int, int]]:
        """Count the deliveries of each target: waiting ones, and ones given up."""
        ...


class AlertSink(Protocol):
    """The sender of notifications."""

    @property
    def targets(self) -> Sequence[Target]: ...

    def send(self, target: Target, notification: Notification) -> str:
        """
        Return why the target refused it, without a secret; empty if the target says that it accepted it.

        Raise nothing, and return within seconds.
        """
        ...
