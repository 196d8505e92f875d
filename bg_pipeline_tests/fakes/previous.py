"""Replaced outputs, and what was taken back, in dictionaries."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from bg_pipeline.core.claims import Claim
from bg_pipeline.core.keys import key_bytes
from bg_pipeline.core.records import MAIN, Entry, Output, State
from bg_pipeline.core.revert import Previous, Reverted, RunPublications
from bg_pipeline_tests.fakes.database import Port


class MemoryPreviousOutputs(Port):
    """`ports.previous.PreviousOutputs` in dictionaries."""

    def begin(self, previous: Previous) -> None:
        self._db.previous[previous.key, previous.run, previous.rendition] = replace(
            previous, replaced_at=self._db.now()
        )

    def of_item(self, key: str) -> list[Previous]:
        return sorted(
            (e for e in self._db.previous.values() if e.key == key), key=lambda e: (e.replaced_at, e.rendition)
        )

    def of_run(self, run: str) -> dict[str, list[Previous]]:
        keys = {each.key for each in self._db.previous.values() if each.run == run}
        return {key: [each for each in self.of_item(key) if each.run == run] for key in keys}

    def published_by(self, run: str) -> list[Entry]:
        replaced = {e.key for e in self._db.previous.values() if e.published and e.published.run == run}
        return self._db.where(lambda e: (e.published and e.published.run == run) or e.key in replaced)

    def runs(self) -> list[RunPublications]:
        times: dict[str, list[float]] = {}
        for e in self._db.where(lambda e: e.published and e.published.run and e.published.output_name):
            assert e.published is not None
            times.setdefault(e.published.run, []).append(e.published_at or 0.0)
        rows = [RunPublications(run, len(each), min(each), max(each)) for run, each in times.items()]
        return sorted(rows, key=lambda each: -each.last_at)

    def expired(self, before: float, limit: int) -> list[Previous]:
        needed = {e.kept_name for e in self._db.previous.values() if e.replaced_at > before and e.kept_name}
        due = (e for e in self._db.previous.values() if e.replaced_at <= before and e.kept_name not in needed)
        return sorted(due, key=lambda e: (e.replaced_at, key_bytes(e.key)))[:limit]

    def drop(self, expired: Sequence[Previous]) -> None:
        for each in expired:
            self._db.previous.pop((each.key, each.run, each.rendition), None)
            entry = self._db.entries.get(each.key)
            if entry and entry.published and entry.published.run == each.run:
                self._db.entries[each.key] = replace(entry, published=replace(entry.published, run=""))


class MemoryReversions(Port):
    """`ports.previous.Reversions` in dictionaries."""

    def put_back(self, previous: Sequence[Previous], reverted: Reverted, claim: Claim) -> None:
        assert all(each.published for each in previous)
        key = reverted.key
        self._db.check_claim(key, claim)
        former = {each.rendition: each.published for each in previous if each.published}
        changed: dict[str, Any] = {"published": former[MAIN], "published_at": previous[0].published_at}
        if self._db.entries[key].state is State.PUBLISHED:
            changed["purchase_id"] = former[MAIN].purchase_id
        self._db.others[key] = {name: Output(name, each) for name, each in former.items() if name != MAIN}
        self._db.change_state(key, **changed)
        self.record(reverted)

    def record(self, reverted: Reverted) -> None:
        self._db.reversions[reverted.key, reverted.run] = replace(reverted, reverted_at=self._db.now())

    def all(self) -> list[Reverted]:
        return sorted(self._db.reversions.values(), key=lambda e: (key_bytes(e.key), e.reverted_at))

    def lift(self, run: str, keys: Sequence[str]) -> None:
        for key in keys:
            self._db.reversions.pop((key, run), None)
