"""Items, singly and by state, for people and for maintenance."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from sqlalchemy import Row, bindparam, exists, func, select, update

from bg_pipeline.core.delta import WORK_REASONS
from bg_pipeline.core.keys import fold, key_bytes
from bg_pipeline.core.records import MAIN, Entry, Output, Reason, State
from bg_pipeline.manifest.pipelining import Query
from bg_pipeline.manifest.rows import ANY_PUBLICATION, BATCH, ENTRY, PUBLICATION, OfCatalogue, entry_of, published_of
from bg_pipeline.manifest.schema import items, publications
from bg_pipeline.manifest.steps import Step


class SqlItems(OfCatalogue):
    """`ports.catalogue.Items` in a database."""

    def entry(self, key: str) -> Entry | None:
        return next(iter(self._entries(ENTRY.where(self._mine(), items.c.key == key))), None)

    def entries(self) -> Iterator[Entry]:
        yield from map(entry_of, self._stream(ENTRY.where(self._mine()).order_by(items.c.key)))

    @cached_property
    def _others(self) -> Step[Sequence[str], dict[str, list[Output]]]:
        """The outputs of other renditions than the main one, by item."""
        c = publications.c
        columns = (
            c.purchase_id,
            c.cut_digest,
            c.rendition_digest,
            c.output_name,
            c.output_digest,
            c.content_hash,
            c.run,
        )
        query = select(c.key, c.rendition, c.trash_name, *columns).where(self._mine(publications), c.rendition != MAIN)

        def asks(given: Sequence[Sequence[str]]) -> Iterable[Query]:
            keys = [key for keys in given for key in keys]
            return (query.where(these).order_by(c.rendition) for these in self._db.among(c.key, keys))

        def ends(_: Any, given: Sequence[Sequence[str]], rows: Sequence[Row[Any]]) -> list[dict[str, list[Output]]]:
            by_key = defaultdict[str, list[Output]](list)
            for key, rendition, trash_name, *values in map(tuple, rows):
                by_key[key].append(Output(rendition, published_of(*values), trash_name or ""))
            return [{key: by_key[key] for key in keys if key in by_key} for keys in given]

        return Step(asks, ends)

    def outputs(self, keys: Sequence[str]) -> dict[str, list[Output]]:
        return self._db.take(self._others, keys)

    def in_state(self, state: State) -> list[Entry]:
        return self._entries(ENTRY.where(self._mine(), items.c.state == state).order_by(items.c.key))

    def states(self) -> dict[str, int]:
        query = select(items.c.state, func.count().label("n")).where(self._mine()).group_by(items.c.state)
        with self._db.read() as conn:
            counts = {row.state: row.n for row in conn.execute(query)}
        return {state.value: counts.get(state, 0) for state in State}

    def collections(self, state: State | None = None) -> dict[str, int]:
        c = items.c
        query = select(c.collection, func.count().label("n")).where(self._mine(), ~c.absent).group_by(c.collection)
        if state is not None:
            query = query.where(c.state == state)
        with self._db.read() as conn:
            return {row.collection: row.n for row in conn.execute(query.order_by(c.collection))}

    def retry(self, collections: Sequence[str] | None = None, keys: Sequence[str] = ()) -> list[str]:
        c = items.c
        failed_at_work = (c.state == State.FAILED) & (c.purchase_id != "")
        skipped_at_work = (c.state == State.SKIPPED) & c.reason.in_(WORK_REASONS)
        failed = update(items).where(self._mine(), failed_at_work | skipped_at_work, ~c.absent)
        if collections is not None:
            failed = failed.where(c.collection.in_(collections))
        retry = failed.values(
            state=State.PENDING,
            reason=Reason.UNFINISHED,
            detail="tried again",
            changed_at=self._now(),
            revision=c.revision + 1,
        ).returning(c.key)
        updates = [retry.where(these) for these in self._db.among(c.key, keys)] if keys else [retry]
        with self._db.write() as conn:
            return sorted((key for each in updates for key in conn.scalars(each)), key=key_bytes)

    def end_quarantine(self, purchase_id: str, state: State, detail: str) -> list[str]:
        c = items.c
        held = update(items).where(self._mine(), c.state == State.QUARANTINED, c.purchase_id == purchase_id)
        ended = held.values(
            state=state,
            reason=Reason.UNFINISHED,
            detail=detail,
            changed_at=self._now(),
            revision=c.revision + 1,
        )
        with self._db.write() as conn:
            return sorted(conn.scalars(ended.returning(c.key)), key=key_bytes)

    def mark_stale(self, key: str, output_digest: str) -> bool:
        c, shown = items.c, publications.c
        still = (c.key == key) & (c.state == State.PUBLISHED)
        made_from = select(shown.purchase_id).where(PUBLICATION).scalar_subquery()
        stale = (
            update(items)
            .where(self._mine(), still, exists().where(ANY_PUBLICATION, shown.output_digest == output_digest))
            .values(
                state=State.PENDING,
                reason=Reason.OUTPUT_MISSING,
                detail="its output is not what was published",
                purchase_id=made_from,
                changed_at=self._now(),
                revision=c.revision + 1,
            )
        )
        with self._db.write() as conn:
            return bool(conn.execute(stale).rowcount)

    def restore_stems(self, stems: Mapping[str, str]) -> None:
        c = items.c
        restore = (
            update(items)
            .where(self._mine(), c.key == bindparam("k"), c.stem.is_(None))
            .values(stem=bindparam("given"), stem_fold=bindparam("folded"), revision=c.revision + 1)
        )
        rows = [{"k": key, "given": stem, "folded": fold(stem)} for key, stem in stems.items()]
        for batch in self._db.batches(rows, BATCH):
            with self._db.write() as conn:
                conn.execute(restore, batch)
