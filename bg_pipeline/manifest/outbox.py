"""Episodes and their notices: written in one transaction, delivered later, one row a target."""

import time
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Row, delete, func, insert, select, update

from bg_pipeline.core.alerts import Decision, Episode, Event, Kind, Letter, Notice
from bg_pipeline.manifest.database import Database
from bg_pipeline.manifest.schema import episodes, outbox
from bg_pipeline.ports.running import Now

_WAITING, _SENT, _GIVEN_UP = "waiting", "sent", "given_up"

_KEPT_S = 90 * 86_400.0
"""How long a letter that has ended stays on record."""


class SqlOutbox:
    """`ports.alerts.Outbox` in a database."""

    def __init__(self, database: Database, now: Now = time.time) -> None:
        self._db = database
        self._now = now

    def note(self, decide: Callable[[Sequence[Episode]], Decision], targets: Sequence[str]) -> Decision:
        with self._db.write() as conn:
            known = [_episode(row) for row in conn.execute(select(episodes))]
            decision = decide(known)
            if set(decision.episodes) != set(known):
                conn.execute(delete(episodes))
                if decision.episodes:
                    conn.execute(insert(episodes), [_values(episode) for episode in decision.episodes])
            letters = [self._letter(notice, target) for notice in decision.notices for target in targets]
            if letters:
                conn.execute(insert(outbox), letters)
                conn.execute(delete(outbox).where(outbox.c.ended_at < self._now() - _KEPT_S))
        return decision

    def claim(self, target: str, for_s: float) -> Letter | None:
        oldest = (
            select(outbox).where(outbox.c.target == target, outbox.c.state == _WAITING).order_by(outbox.c.id).limit(1)
        )
        with self._db.write() as conn:
            row = conn.execute(oldest).one_or_none()
            if row is None or row.due_at > self._now():
                return None
            tries = row.tries + 1
            taken = update(outbox).where(outbox.c.id == row.id)
            conn.execute(taken.values(tries=tries, due_at=self._now() + for_s))
        return Letter(row.id, row.target, Notice(Event(row.event), row.title, row.body), row.made_at, tries)

    def settle(self, letter: Letter, took_it: bool, wait_s: float, detail: str = "") -> None:
        row = update(outbox).where(outbox.c.id == letter.id)
        if took_it:
            settled = row.values(state=_SENT, ended_at=self._now(), detail="")
        else:
            # Not if somebody else has it by now, because this one took too long.
            settled = row.where(outbox.c.tries == letter.tries).values(due_at=self._now() + wait_s, detail=detail)
        with self._db.write() as conn:
            conn.execute(settled)

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

    def _letter(self, notice: Notice, target: str) -> dict[str, Any]:
        return {
            "target": target,
            "event": notice.event,
            "title": notice.title,
            "body": notice.body,
            "made_at": self._now(),
            "state": _WAITING,
            "due_at": self._now(),
        }


def _episode(row: Row[Any]) -> Episode:
    return Episode(Kind(row.kind), row.subject, row.title, row.began_at, row.seen_at, row.told_at)


def _values(episode: Episode) -> dict[str, Any]:
    return {name: getattr(episode, name) for name in ("kind", "subject", "title", "began_at", "seen_at", "told_at")}
