"""Counters that the workers of a run share, by collection."""

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from bg_pipeline.core.keys import key_bytes
from bg_pipeline.core.records import Entry, Reason, State
from bg_pipeline.core.report import Cause, Failure, Summary

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CollectionResult:
    """The result of one collection, since it was last reported."""

    collection: str
    summary: Summary
    published: tuple[str, ...]
    """Published keys, in key order."""
    left: int = 0
    """Requested items that still have to be done after the whole run; known at its end."""


class Tally:
    """Counters of one run."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._left: dict[str, int] = {}
        self._summaries: dict[str, Summary] = {}
        self._published: dict[str, list[str]] = {}

    def expect(self, items: Mapping[str, int]) -> None:
        """Set the number of items to be done in each collection."""
        with self._lock:
            self._left = dict(items)

    def count(self, collection: str, change: Callable[[Summary], None]) -> None:
        """Change the counters of a collection, one worker at a time."""
        with self._lock:
            change(self._of(collection))

    def published(self, entry: Entry) -> None:
        reason = entry.reason or Reason.NEW
        with self._lock:
            summary = self._of(entry.collection)
            self._published.setdefault(entry.collection, []).append(entry.key)
            summary.published += 1
            summary.by_reason[reason] = summary.by_reason.get(reason, 0) + 1
            summary.duplicates += reason is Reason.DUPLICATE
            summary.renamed += reason is Reason.RENAMED
        _tell(entry, State.PUBLISHED, reason)

    def saved(self, collection: str, credits_: Decimal) -> None:
        """Count the credits that items would have cost without an existing master."""
        with self._lock:
            self._of(collection).saved += credits_

    def failed(self, entry: Entry, state: State, why: str, cause: Cause) -> None:
        """Count an item that was not published: put back to pending, failed or in quarantine."""
        with self._lock:
            summary = self._of(entry.collection)
            summary.failures.append(Failure(entry.key, state, why, cause))
            summary.pending += state is State.PENDING
            summary.failed += state is State.FAILED
            summary.quarantined += state is State.QUARANTINED
        _tell(entry, state, why)

    def done(self, entry: Entry) -> CollectionResult | None:
        """Count an item as done; return the result of its collection if it was the last one."""
        with self._lock:
            self._left[entry.collection] = left = self._left.get(entry.collection, 0) - 1
            return self._result(entry.collection) if left == 0 else None

    def rest(self, *, others_did_the_rest: bool = False) -> list[CollectionResult]:
        """Return the result of every collection that was started but not finished, or that others finished."""
        with self._lock:
            for collection, left in self._left.items():
                if left > 0 and collection in self._summaries and not others_did_the_rest:
                    self._summaries[collection].pending += left
            return [self._result(collection) for collection in sorted(self._summaries, key=key_bytes)]

    def _of(self, collection: str) -> Summary:
        return self._summaries.setdefault(collection, Summary())

    def _result(self, collection: str) -> CollectionResult:
        summary = self._summaries.pop(collection, Summary())
        published = sorted(self._published.pop(collection, []), key=key_bytes)
        return CollectionResult(collection, summary, tuple(published))


def _tell(entry: Entry, state: State, why: str) -> None:
    facts = {"event": "item", "item": entry.key, "collection": entry.collection, "state": state.value, "why": why}
    _LOG.info("%r is %s: %s", entry.key, state, why, extra={"facts": facts})
