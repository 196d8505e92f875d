"""Incidents and their notifications: written in one transaction, delivered later, one row for each target."""

from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

from sqlalchemy import Row, delete, func, insert, select, update

from bg_pipeline.core.alerts import OF_ACCOUNTS, Delivery, Event, Incident, Kind, Notification, NotificationPlan, is_due
from bg_pipeline.manifest.rows import OfCatalogue
from bg_pipeline.manifest.schema import incidents, outbox

_WAITING, _SENT, _GIVEN_UP = "waiting", "sent", "given_up"

_KEPT_S = 90 * 86_400.0
"""Seconds for which a delivery that has ended stays on record."""


_SHARED = 0
"""Catalogue of the incidents of accounts, which all catalogues share."""


class SqlOutbox(OfCatalogue):
    """`ports.alerts.Outbox` in a database, with the incidents of one catalogue and of all accounts."""

    def note(self, plan: Callable[[Sequence[Incident]], NotificationPlan], targets: Sequence[str]) -> NotificationPlan:
        here = incidents.c.catalogue_id.in_((self._catalogue, _SHARED))
        with self._db.write() as conn:
            known = [_incident(row) for row in conn.execute(select(incidents).where(here))]
            planned = plan(known)
            if set(planned.incidents) != set(known):
                conn.execute(delete(incidents).where(here))
                if planned.incidents:
                    conn.execute(insert(incidents), [self._values(incident) for incident in planned.incidents])
            targeted = product(planned.notifications, targets)
            deliveries = [self._delivery(notification, target) for notification, target in targeted]
            if deliveries:
                conn.execute(insert(outbox), deliveries)
                conn.execute(delete(outbox).where(outbox.c.ended_at < self._now() - _KEPT_S))
        return planned

    def claim(self, target: str, for_s: float) -> Delivery | None:
        oldest = (
            select(outbox).where(outbox.c.target == target, outbox.c.state == _WAITING).order_by(outbox.c.id).limit(1)
        )
        with self._db.write() as conn:
            row = conn.execute(oldest).one_or_none()
            if row is None or not is_due(row.due_at, self._now()):
                return None
            tries = row.tries + 1
            taken = update(outbox).where(outbox.c.id == row.id)
            conn.execute(taken.values(tries=tries, due_at=self._now() + for_s))
        return Delivery(row.id, row.target, Notification(Event(row.event), row.title, row.body), row.made_at, tries)

    def close(self, delivery: Delivery, accepted: bool, wait_s: float, detail: str = "") -> None:
        row = update(outbox).where(outbox.c.id == delivery.id)
        if accepted:
            closed = row.values(state=_SENT, ended_at=self._now(), detail="")
        else:
            # Skipped if another process took it meanwhile because this one was too slow.
            closed = row.where(outbox.c.tries == delivery.tries).values(due_at=self._now() + wait_s, detail=detail)
        with self._db.write() as conn:
            conn.execute(closed)

    def give_up(self, made_before: float) -> int:
        old = (outbox.c.state == _WAITING) & (outbox.c.made_at < made_before)
        with self._db.write() as conn:
            return conn.execute(update(outbox).where(old).values(state=_GIVEN_UP, ended_at=self._now())).rowcount

    def backlog(self) -> dict[str, tuple[int, int]]:
        query = (
            select(
                outbox.c.target,
                func.count().filter(outbox.c.state == _WAITING).label("waiting"),
                func.count().filter(outbox.c.state == _GIVEN_UP).label("given_up"),
            )
            .where(outbox.c.state != _SENT)
            .group_by(outbox.c.target)
        )
        with self._db.read() as conn:
            return {row.target: (row.waiting, row.given_up) for row in conn.execute(query)}

    def _values(self, incident: Incident) -> dict[str, Any]:
        names = ("kind", "subject", "title", "began_at", "seen_at", "notified_at")
        number = _SHARED if incident.kind in OF_ACCOUNTS else self._catalogue
        return {"catalogue_id": number} | {name: getattr(incident, name) for name in names}

    def _delivery(self, notification: Notification, target: str) -> dict[str, Any]:
        return {
            "target": target,
            "event": notification.event,
            "title": notification.title,
            "body": notification.body,
            "made_at": self._now(),
            "state": _WAITING,
            "due_at": self._now(),
        }


def _incident(row: Row[Any]) -> Incident:
    return Incident(Kind(row.kind), row.subject, row.title, row.began_at, row.seen_at, row.notified_at)
