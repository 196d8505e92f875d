"""The outbox, and targets that take what they are sent or do not."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace

from bg_pipeline.core.alerts import Decision, Episode, Letter, Notice, Target
from bg_pipeline_tests.fakes.database import FakeLetter, Port


class MemoryOutbox(Port):
    """`ports.alerts.Outbox` in dictionaries."""

    def note(self, decide: Callable[[Sequence[Episode]], Decision], targets: Sequence[str]) -> Decision:
        decision = decide(self._db.episodes)
        self._db.episodes = decision.episodes
        for notice, target in itertools.product(decision.notices, targets):
            number, now = next(self._db.ids), self._db.now()
            self._db.letters[number] = FakeLetter(Letter(number, target, notice, now, 0), now)
        return decision

    def claim(self, target: str, for_s: float) -> Letter | None:
        waiting = (row for row in self._db.letters.values() if row.state == "waiting")
        row = next((row for row in waiting if row.letter.target == target), None)
        if row is None or row.due_at > self._db.now():
            return None
        row.letter = replace(row.letter, tries=row.letter.tries + 1)
        row.due_at = self._db.now() + for_s
        return row.letter

    def settle(self, letter: Letter, took_it: bool, wait_s: float, detail: str = "") -> None:
        row = self._db.letters[letter.id]
        if took_it:
            row.state = "sent"
        elif row.letter.tries == letter.tries:
            row.due_at = self._db.now() + wait_s

    def give_up(self, made_before: float) -> int:
        waiting = [row for row in self._db.letters.values() if row.state == "waiting"]
        old = [row for row in waiting if row.letter.made_at < made_before]
        for row in old:
            row.state = "given_up"
        return len(old)

    def backlog(self) -> dict[str, tuple[int, int]]:
        found: dict[str, list[str]] = {}
        for row in self._db.letters.values():
            if row.state != "sent":
                found.setdefault(row.letter.target, []).append(row.state)
        return {target: (states.count("waiting"), states.count("given_up")) for target, states in found.items()}


class FakeSink:
    """`ports.alerts.AlertSink` that keeps what it is sent; those in `dead` take nothing."""

    def __init__(self, names: Sequence[str] = ("a chat",)) -> None:
        self.targets = [Target(name, name) for name in names]
        self.dead: set[str] = set()
        self.got: list[tuple[str, Notice]] = []

    def send(self, target: Target, notice: Notice) -> bool:
        if target.name in self.dead:
            return False
        self.got.append((target.name, notice))
        return True
