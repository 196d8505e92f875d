"""Reviews in dictionaries."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from bg_pipeline.core.claims import Claim
from bg_pipeline.core.keys import key_bytes
from bg_pipeline.core.records import Entry, State
from bg_pipeline.core.review import REVIEWED, DecisionPlan, DecisionRecord
from bg_pipeline_tests.fakes.catalogue import output_names_of
from bg_pipeline_tests.fakes.database import Port


def _in_order(entry: Entry) -> tuple[int, str, bytes]:
    digest = entry.published.output_digest if entry.published and entry.state is State.PUBLISHED else ""
    return REVIEWED.index(entry.state), digest, key_bytes(entry.key)


class MemoryReviews(Port):
    """`ports.review.Reviews` in dictionaries."""

    def listed(self, collection: str | None, limit: int) -> list[Entry]:
        here = self._db.where(
            lambda e: e.state in REVIEWED and not e.absent and collection in {None, e.collection},
        )
        return sorted(here, key=_in_order)[:limit]

    def same_picture(self, content_hash: str) -> list[Entry]:
        return self._db.where(lambda e: not e.absent and e.content_hash == content_hash)

    def withdrawn_on_shop(self) -> list[Entry]:
        return self._db.where(lambda e: e.state is State.WITHDRAWN and output_names_of(self._db, e))

    def record(self, records: Sequence[DecisionRecord], changes: Mapping[str, DecisionPlan], claim: Claim) -> None:
        for key in changes:
            self._db.check_claim(key, claim)
        now = self._db.now()
        self._db.decisions += [replace(each, decided_at=now) for each in records]
        for key, plan in changes.items():
            self._db.change_state(
                key, state=plan.becomes, reason=plan.reason, detail=plan.detail, purchase_id=plan.purchase_id
            )

    def decisions(self, keys: Sequence[str]) -> dict[str, list[DecisionRecord]]:
        by_key: dict[str, list[DecisionRecord]] = {}
        for each in self._db.decisions:
            if each.key in keys:
                by_key.setdefault(each.key, []).append(each)
        return by_key
