"""Pending items, and the claims on them."""

import heapq
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Delete,
    Row,
    Select,
    Update,
    and_,
    bindparam,
    delete,
    exists,
    func,
    insert,
    select,
    text,
    true,
    tuple_,
    update,
)

from bg_pipeline.core.buying import Position, position_of, sort_key
from bg_pipeline.core.checks import NOT_COMPARED
from bg_pipeline.core.claims import EVERYTHING, LEASE_S, Ask, AskedBy, Claim, Claimed, Selection
from bg_pipeline.core.credits import Budget
from bg_pipeline.core.records import MAIN, Entry, Published, State
from bg_pipeline.errors import ClaimLost
from bg_pipeline.manifest.pipelining import Query, ask
from bg_pipeline.manifest.rows import ENTRY, OfCatalogue, are_live, entry_of, is_free
from bg_pipeline.manifest.schema import catalogues, items, publications, purchases
from bg_pipeline.manifest.schema import claims as claim_rows
from bg_pipeline.manifest.steps import Step

_PAGE = 500
"""Number of candidates read together."""

_SHORT_PAGE = 50
"""The same for each of several collections: most of them have none of the first."""

_POSITION = (items.c.step, items.c.priority, items.c.key)
"""Columns of `core.buying.Position`."""

_PENDING = text("items.state = 'pending'")
"""Condition for pending items, written out so that their partial indexes are used."""

_WAITS = text("items.state = 'pending' AND items.purchase_id <> ''")
"""Condition for items that wait for a purchase, written out so that their partial index is used."""

_LEARNED = (
    update(purchases)
    .where((purchases.c.purchase_id == bindparam("of")) & (purchases.c.content_hash == ""))
    .values(content_hash=bindparam("picture"))
)
"""A master that was taken in says nothing about the picture that it was cut from: this records it."""


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What became of an item under its claim."""

    key: str
    claim: Claim
    purchase_id: str = ""
    outputs: Mapping[str, Published] = field(default_factory=dict)
    """By rendition; none if it was not published."""


class SqlWorkQueue(OfCatalogue):
    """`ports.catalogue.WorkQueue` in a database."""

    def pending(self, selection: Selection = EVERYTHING) -> dict[str, int]:
        c = items.c
        query = select(c.collection, func.count().label("n")).where(self._waiting(selection)).group_by(c.collection)
        with self._db.read() as conn:
            return {row.collection: row.n for row in conn.execute(query.order_by(c.collection))}

    def pending_keys(self, selection: Selection, each: int) -> list[str]:
        c = items.c
        position = func.row_number().over(partition_by=c.collection, order_by=_POSITION).label("position")
        ranked = select(c.key, position).where(self._waiting(selection), is_free(self._now())).subquery()
        with self._db.read() as conn:
            return list(conn.scalars(select(ranked.c.key).where(ranked.c.position <= each).order_by(ranked.c.key)))

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
        while True:
            # Searched in a snapshot, so that no writer waits for a long search. Items changed meanwhile are not
            # claimed; if that leaves none, there may be more behind them.
            with self._db.read() as conn:
                revisions = self._find(conn, selection, limit=limit, bought=bought, after=after)
            if not revisions:
                return Claimed(None)
            claimed = self.claim_items(ask, owner, revisions)
            if claimed.claim is not None:
                return claimed

    def claim_items(self, ask: Ask, owner: str, wanted: Mapping[str, int | None]) -> Claimed:
        c, now = items.c, self._now()
        locked = select(c.key).where(self._mine()).with_for_update()
        dead = select(claim_rows.c.id).where(~are_live(now)).with_for_update(skip_locked=True)
        free = select(c.key, c.revision, c.claim_id).where(self._mine(), is_free(now))
        # One claim at a time, so that items of one purchase stay together. Runs end their items at the same time.
        with self._db.write(locks=[f"claims of {self._catalogue}"]) as conn:
            conn.execute(delete(claim_rows).where(claim_rows.c.id.in_(dead)))
            # Locked first, and looked at by a statement of its own: it sees what others have just committed.
            keys = [key for these in self._db.among(c.key, list(wanted)) for key in conn.scalars(locked.where(these))]
            rows = [
                row
                for these in self._db.among(c.key, keys)
                for row in conn.execute(free.where(these))
                if wanted[row.key] in {None, row.revision}
            ]
            if not rows:
                return Claimed(None)
            claim = self._open(conn, ask, owner, now)
            entries: list[Entry] = []
            for these in self._db.among(c.key, [row.key for row in rows]):
                conn.execute(update(items).where(self._mine(), these).values(claim_id=claim.id))
                entries += map(entry_of, conn.execute(ENTRY.where(self._mine(), these)))
        entries.sort(key=lambda entry: sort_key(position_of(entry)))
        return Claimed(claim, tuple(entries), taken_over=any(row.claim_id is not None for row in rows))

    def heartbeat(self, claims: Sequence[Claim]) -> None:
        ids = [claim.id for claim in claims]
        with self._db.write(durable=False, alone=True) as conn:
            for these in self._db.among(claim_rows.c.id, ids):
                conn.execute(update(claim_rows).where(these).values(ends_at=self._now() + LEASE_S))

    def release(self, claim: Claim) -> None:
        with self._db.write(locks=()) as conn:
            conn.execute(update(items).where(items.c.claim_id == claim.id).values(claim_id=None))
            conn.execute(delete(claim_rows).where(claim_rows.c.id == claim.id))

    @cached_property
    def _holding(self) -> Select[Any]:
        """The claims that hold items."""
        c = items.c
        return select(c.key, c.claim_id).where(self._mine(), self._db.given(c.key, "keys")).order_by(c.key)

    @cached_property
    def _locking(self) -> Select[Any]:
        return self._holding.with_for_update()

    @cached_property
    def _ending(self) -> Update:
        """Ends the hold of claims on items."""
        c = items.c
        mine = update(items).where(self._mine(), c.key == bindparam("ended"))
        known: dict[str, Any] = {"claim_id": None, "revision": c.revision + 1}
        return mine.values({name: bindparam(f"new_{name}") for name in ("purchase_id", "state", "changed_at")} | known)

    @cached_property
    def _clearing(self) -> Delete:
        """Takes outputs of other renditions from the record."""
        c = publications.c
        others = c.rendition.not_in(bindparam("renditions", expanding=True))
        return delete(publications).where(self._mine(publications), self._db.given(c.key, "keys"), others)

    @cached_property
    def _verify(self) -> Step[_Outcome, None]:
        return Step(self._holders, lambda _, given, rows: _losses(given, rows))

    @cached_property
    def _publish(self) -> Step[_Outcome, None]:
        return Step(lambda given: self._holders(given, lock=True), self._published, writes=True)

    def verify(self, claim: Claim, key: str) -> None:
        self._db.take(self._verify, _Outcome(key, claim))

    def publish(
        self, key: str, published: Published, claim: Claim, others: Mapping[str, Published] | None = None
    ) -> None:
        outcome = _Outcome(key, claim, published.purchase_id, {MAIN: published, **(others or {})})
        self._db.take(self._publish, outcome)

    def set_state(self, key: str, state: State, detail: str, purchase_id: str, claim: Claim) -> None:
        outcomes = [_Outcome(key, claim, purchase_id)]
        with self._db.write(locks=()) as conn:
            (rows,) = ask(conn, self._holders(outcomes, lock=True))
            (lost,) = self._end(conn, outcomes, rows, state, detail)
        if lost is not None:
            raise lost

    def claims(self, holding: Selection | None = None) -> list[Claim]:
        query = select(claim_rows).where(self._mine(claim_rows), are_live(self._now())).order_by(claim_rows.c.id)
        if holding is not None:
            query = query.where(exists().where(items.c.claim_id == claim_rows.c.id, self._waiting(holding)))
        with self._db.read() as conn:
            return [_claim(row) for row in conn.execute(query)]

    def _waiting(self, selection: Selection) -> ColumnElement[bool]:
        """Return the condition for selected items that a completely recorded delta made pending."""
        c = items.c
        last_complete = select(catalogues.c.delta).where(catalogues.c.id == self._catalogue).scalar_subquery()
        chosen = true() if selection.collections is None else c.collection.in_(selection.collections)
        return and_(self._mine(), _PENDING, chosen, c.reason.in_(selection.reasons), c.delta <= last_complete)

    def _find(
        self, conn: Connection, selection: Selection, *, limit: int, bought: bool, after: Position | None
    ) -> dict[str, int | None]:
        """Return the revisions, by key, of all items that wait for the first `limit` purchases after `after`."""
        c = items.c
        p = purchases.c
        # A suspicious master may be passed on to the next account, which is paid.
        is_bought = exists().where(p.purchase_id == c.purchase_id, p.suspicion.in_(("", NOT_COMPARED)))
        has_master = is_bought if bought else true()
        wanted = and_(self._waiting(selection), has_master, is_free(self._now()))
        revisions: dict[str, int | None] = {}
        shared: set[str] = set()
        unshared = 0
        for row in _in_order(conn, wanted, selection.collections, after):
            if row.purchase_id not in shared:
                if len(shared) + unshared == limit:
                    break
                if row.purchase_id:
                    shared.add(row.purchase_id)
                else:
                    unshared += 1
            revisions[row.key] = row.revision
        # Without the collections: SQLite would then read all that is pending in them.
        anywhere = and_(self._waiting(replace(selection, collections=None)), has_master, is_free(self._now()))
        query = select(c.key, c.revision, c.collection, c.reason).where(anywhere, _WAITS)
        for these in self._db.among(c.purchase_id, list(shared)):
            rows = conn.execute(query.where(these))
            revisions |= {row.key: row.revision for row in rows if selection.holds(row.collection, row.reason)}
        return revisions

    def _open(self, conn: Connection, ask: Ask, owner: str, now: float) -> Claim:
        row = {
            "catalogue_id": self._catalogue,
            "owner": owner,
            "asked_by": ask.asked_by,
            "run": ask.budget.run,
            "cap": ask.budget.cap,
            "started_at": now,
            "ends_at": now + LEASE_S,
        }
        number = conn.execute(insert(claim_rows).values(row).returning(claim_rows.c.id)).scalar_one()
        return Claim(number, owner, ask, now + LEASE_S)

    def _holders(self, outcomes: Sequence[_Outcome], *, lock: bool = False) -> Iterator[Query]:
        """Find the claims that hold these items; lock the items."""
        query = self._locking if lock else self._holding
        return ((query, {"keys": keys}) for keys in self._db.portions(sorted({each.key for each in outcomes})))

    def _end(
        self,
        conn: Connection,
        outcomes: Sequence[_Outcome],
        holders: Sequence[Row[Any]],
        state: State,
        detail: str | None = None,
    ) -> list[ClaimLost | None]:
        """Write items under their claims, and end the claims' hold on them; return the error of each that is lost."""
        losses, now = _losses(outcomes, holders), self._now()
        rows = [
            {"ended": each.key, "new_purchase_id": each.purchase_id, "new_state": state, "new_changed_at": now}
            for each, lost in zip(outcomes, losses, strict=True)
            if lost is None
        ]
        if rows:
            conn.execute(self._ending if detail is None else self._ending.values(detail=detail), rows)
        return losses

    def _published(
        self, conn: Connection, outcomes: Sequence[_Outcome], holders: Sequence[Row[Any]]
    ) -> list[ClaimLost | None]:
        now = self._now()
        losses = self._end(conn, outcomes, holders, State.PUBLISHED)
        held = [each for each, lost in zip(outcomes, losses, strict=True) if lost is None]
        by_renditions = defaultdict[frozenset[str], list[str]](list)
        rows = []
        for each in held:
            by_renditions[frozenset(each.outputs)].append(each.key)
            rows += [
                {"catalogue_id": self._catalogue, "key": each.key, "rendition": rendition}
                | asdict(output)
                | {"published_at": now}
                for rendition, output in each.outputs.items()
            ]
        for renditions, keys in by_renditions.items():
            for these in self._db.portions(keys):
                conn.execute(self._clearing, {"keys": these, "renditions": sorted(renditions)})
        if rows:
            self._db.put(conn, publications, ("catalogue_id", "key", "rendition"), rows)
            main = [each.outputs[MAIN] for each in held]
            conn.execute(_LEARNED, [{"of": each.purchase_id, "picture": each.content_hash} for each in main])
        return losses


def _in_order(
    conn: Connection, wanted: ColumnElement[bool], collections: frozenset[str] | None, after: Position | None
) -> Iterator[Row[Any, Any, Any, Any, Any]]:
    """Yield the candidates after `after`, in the order of purchases."""
    if collections is None:
        return _pages(conn, wanted, after, _PAGE)
    # One query for each collection: both databases would read and sort several completely before the first row.
    size = _PAGE if len(collections) == 1 else _SHORT_PAGE
    each = (_pages(conn, and_(wanted, items.c.collection == name), after, size) for name in collections)
    return heapq.merge(*each, key=lambda row: sort_key((row.step, row.priority, row.key)))


def _pages(
    conn: Connection, wanted: ColumnElement[bool], after: Position | None, size: int
) -> Iterator[Row[Any, Any, Any, Any, Any]]:
    query = select(*_POSITION, items.c.purchase_id, items.c.revision).where(wanted).order_by(*_POSITION).limit(size)
    while True:
        rest = tuple_(*_POSITION) > tuple_(*after, types=[each.type for each in _POSITION]) if after else true()
        rows = conn.execute(query.where(rest)).all()
        yield from rows
        if len(rows) < size:
            return
        after = rows[-1].step, rows[-1].priority, rows[-1].key


def _losses(outcomes: Sequence[_Outcome], holders: Sequence[Row[Any]]) -> list[ClaimLost | None]:
    """Return the error of each item that its claim does not hold."""
    claim_of = {row.key: row.claim_id for row in holders}
    return [None if claim_of.get(each.key) == each.claim.id else _lost(each.key) for each in outcomes]


def _lost(key: str) -> ClaimLost:
    return ClaimLost(f"another run took over {key!r}; this one writes nothing more for it")


def _claim(row: Row[Any]) -> Claim:
    return Claim(row.id, row.owner, Ask(AskedBy(row.asked_by), Budget(row.run, row.cap)), row.ends_at)
