"""Pending work and claims."""

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from bg_pipeline.core.buying import Position, position_of, sort_key
from bg_pipeline.core.checks import NOT_COMPARED
from bg_pipeline.core.claims import EVERYTHING, LEASE_S, Ask, Claim, Claimed, Selection
from bg_pipeline.core.keys import key_bytes
from bg_pipeline.core.records import Entry, Output, Published, State
from bg_pipeline_tests.fakes.database import Port


class MemoryWorkQueue(Port):
    """`ports.catalogue.WorkQueue` in dictionaries."""

    def pending(self, selection: Selection = EVERYTHING) -> dict[str, int]:
        counts = Counter(e.collection for e in self._pending(selection))
        return dict(sorted(counts.items(), key=lambda each: key_bytes(each[0])))

    def pending_keys(self, selection: Selection, each: int) -> list[str]:
        free = [e for e in self._pending(selection) if self._db.is_free(e.key)]
        by_collection = sorted(free, key=lambda e: e.collection)
        some = (list(group)[:each] for _, group in itertools.groupby(by_collection, lambda e: e.collection))
        return sorted((e.key for group in some for e in group), key=key_bytes)

    def claim_pending(
        self,
        ask: Ask,
        owner: str,
        selection: Selection,
        *,
        limit: int,
        bought: bool,
        after: Position | None,
    ) -> Claimed:
        free = [e for e in self._pending(selection) if self._db.is_free(e.key)]
        if bought:
            sound = {name for name, each in self._db.masters.items() if each.suspicion in {"", NOT_COMPARED}}
            free = [e for e in free if e.purchase_id in sound]
        start = None if after is None else sort_key(after)
        next_up = (_purchase(e) for e in free if start is None or _place(e) > start)
        purchases = set(itertools.islice(dict.fromkeys(next_up), limit))
        return self._claim(ask, owner, [e for e in free if _purchase(e) in purchases])

    def claim_items(self, ask: Ask, owner: str, wanted: Mapping[str, int | None]) -> Claimed:
        def is_wanted(e: Entry) -> bool:
            return e.key in wanted and wanted[e.key] in {None, e.revision} and self._db.is_free(e.key)

        return self._claim(ask, owner, self._db.where(is_wanted))

    def heartbeat(self, claims: Sequence[Claim]) -> None:
        for claim in claims:
            if claim.id in self._db.claims:
                self._db.claims[claim.id] = replace(claim, ends_at=self._db.now() + LEASE_S)

    def release(self, claim: Claim) -> None:
        self._db.claims.pop(claim.id, None)
        for key in [key for key, held_by in self._db.claim_of.items() if held_by == claim.id]:
            del self._db.claim_of[key]

    def verify(self, claim: Claim, key: str) -> None:
        self._db.check_claim(key, claim)

    def publish(
        self, key: str, published: Published, claim: Claim, others: Mapping[str, Published] | None = None
    ) -> None:
        self._db.check_claim(key, claim)
        known = self._db.others.get(key, {})
        self._db.others[key] = {
            name: replace(known.get(name, Output(name, each)), published=each) for name, each in (others or {}).items()
        }
        self._db.change_state(
            key,
            state=State.PUBLISHED,
            purchase_id=published.purchase_id,
            published=published,
            published_at=self._db.now(),
        )
        master = self._db.masters.get(published.purchase_id)
        if master is not None and not master.content_hash:
            self._db.masters[master.purchase_id] = replace(master, content_hash=published.content_hash)
        del self._db.claim_of[key]

    def set_state(self, key: str, state: State, detail: str, purchase_id: str, claim: Claim) -> None:
        self._db.check_claim(key, claim)
        self._db.change_state(key, state=state, detail=detail, purchase_id=purchase_id)
        del self._db.claim_of[key]

    def claims(self, holding: Selection | None = None) -> list[Claim]:
        alive = [claim for claim in self._db.claims.values() if self._db.is_alive(claim.id)]
        if holding is None:
            return alive
        holders = {self._db.claim_of.get(entry.key) for entry in self._pending(holding)}
        return [claim for claim in alive if claim.id in holders]

    def _pending(self, selection: Selection) -> list[Entry]:
        """In the order in which it is worked on."""
        return sorted(
            self._db.where(
                lambda e: (
                    e.state is State.PENDING
                    and e.reason in selection.reasons
                    and (selection.collections is None or e.collection in selection.collections)
                    and self._db.recorded_in.get(e.key, 0) <= self._db.delta
                )
            ),
            key=_place,
        )

    def _claim(self, ask: Ask, owner: str, free: Sequence[Entry]) -> Claimed:
        self._db.claims = {claim.id: claim for claim in self.claims()}
        if not free:
            return Claimed(None)
        claim = Claim(next(self._db.ids), owner, ask, self._db.now() + LEASE_S)
        taken_over = any(e.key in self._db.claim_of for e in free)
        self._db.claims[claim.id] = claim
        self._db.claim_of |= dict.fromkeys((e.key for e in free), claim.id)
        return Claimed(claim, tuple(free), taken_over)


def _purchase(entry: Entry) -> tuple[str, str]:
    """Items that wait for no purchase yet have nothing in common."""
    return entry.purchase_id, "" if entry.purchase_id else entry.key


def _place(entry: Entry) -> tuple[int, float, bytes]:
    return sort_key(position_of(entry))
