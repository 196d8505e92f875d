"""Items that a person looks at, and the record of all decisions."""

from collections.abc import Mapping, Sequence

from sqlalchemy import insert, select, update

from bg_pipeline.core.claims import Claim
from bg_pipeline.core.records import Entry, State
from bg_pipeline.core.review import REVIEWED, DecisionPlan, DecisionRecord, ReviewDecision, Seen
from bg_pipeline.errors import ClaimLost
from bg_pipeline.manifest.rows import ENTRY, OfCatalogue, entry_of, of_any_output
from bg_pipeline.manifest.schema import decisions, items, publications


class SqlReviews(OfCatalogue):
    """`ports.review.Reviews` in a database."""

    def listed(self, collection: str | None, limit: int) -> list[Entry]:
        c = items.c
        here = ENTRY.where(self._mine(), ~c.absent)
        if collection is not None:
            here = here.where(c.collection == collection)
        entries: list[Entry] = []
        with self._db.read() as conn:
            for state in REVIEWED:
                order = (publications.c.output_digest, c.key) if state is State.PUBLISHED else (c.key,)
                rows = conn.execute(here.where(c.state == state).order_by(*order).limit(limit - len(entries)))
                entries += map(entry_of, rows)
        return entries

    def same_picture(self, content_hash: str) -> list[Entry]:
        c = items.c
        return self._entries(ENTRY.where(self._mine(), ~c.absent, c.content_hash == content_hash).order_by(c.key))

    def withdrawn_on_shop(self) -> list[Entry]:
        c = items.c
        still = of_any_output(lambda each: each.output_name.is_not(None))
        return self._entries(ENTRY.where(self._mine(), c.state == State.WITHDRAWN, still).order_by(c.key))

    def record(self, records: Sequence[DecisionRecord], changes: Mapping[str, DecisionPlan], claim: Claim) -> None:
        c, now = items.c, self._now()
        rows = [
            {
                "catalogue_id": self._catalogue,
                "key": each.key,
                "decision": each.decision,
                "decided_at": now,
                "decided_by": each.decided_by,
                "reason": each.reason,
                "content_hash": each.seen.content_hash,
                "result_digest": each.seen.result_digest,
            }
            for each in records
        ]
        with self._db.write() as conn:
            conn.execute(insert(decisions), rows)
            for key, plan in changes.items():
                mine = update(items).where(self._mine(), c.key == key, c.claim_id == claim.id)
                changed = mine.values(
                    state=plan.becomes,
                    reason=plan.reason,
                    detail=plan.detail,
                    purchase_id=plan.purchase_id,
                    changed_at=now,
                    revision=c.revision + 1,
                )
                if not conn.execute(changed).rowcount:
                    raise ClaimLost(f"another run took over {key!r}; decide again")

    def decisions(self, keys: Sequence[str]) -> dict[str, list[DecisionRecord]]:
        c = decisions.c
        by_key: dict[str, list[DecisionRecord]] = {}
        with self._db.read() as conn:
            for these in self._db.among(c.key, keys):
                query = select(decisions).where(self._mine(decisions), these).order_by(c.id)
                for row in conn.execute(query):
                    record = DecisionRecord(
                        row.key,
                        ReviewDecision(row.decision),
                        row.decided_by,
                        row.reason,
                        Seen(row.content_hash, row.result_digest),
                        row.decided_at,
                    )
                    by_key.setdefault(row.key, []).append(record)
        return by_key
