"""Read the data that a delta is computed from, and record the delta."""

import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Integer,
    MetaData,
    String,
    Table,
    TextClause,
    and_,
    delete,
    exists,
    func,
    literal,
    not_,
    or_,
    select,
    text,
    update,
)

from bg_pipeline.core.delta import Goal
from bg_pipeline.core.keys import fold
from bg_pipeline.core.moments import is_since
from bg_pipeline.core.records import Change, Entry, Reason, State
from bg_pipeline.errors import ConnectionLost
from bg_pipeline.manifest.rows import (
    BATCH,
    ENTRY,
    PUBLICATION,
    SHOWN,
    OfCatalogue,
    entry_of,
    is_free,
    near_to,
    of_any_output,
)
from bg_pipeline.manifest.schema import catalogues, items, publications
from bg_pipeline.manifest.staging import analyze, staged
from bg_pipeline.manifest.types import Key, Prose
from bg_pipeline.net.prefetch import prefetch

_staged = Table(
    "staged_changes",
    MetaData(),
    Column("key", Key),
    Column("revision", BigInteger),
    Column("state", String),
    Column("reason", String),
    Column("detail", Prose),
    Column("purchase_id", String),
    Column("stem", Key),
    Column("stem_fold", Key),
    Column("renamed_from", Key),
    Column("old_detail", Prose),
    Column("step", Integer),
    prefixes=["TEMPORARY"],
)
"""Temporary table for changes that are recorded together."""


_judged = Table("staged_judged", MetaData(), Column("key", Key), Column("revision", BigInteger), prefixes=["TEMPORARY"])

_TO_JUDGE = text("(items.judged <> items.revision) IS TRUE")
"""Condition for items that are not judged, written out so that their partial index is used."""

_SET_ASIDE = text("items.judged = items.revision AND items.state <> 'published'")
"""Condition for judged items that are not published, written out for the same reason."""

_DONE_WITH = and_(items.c.absent, items.c.state == State.DELETED)

_JOINED = {
    "sqlite": "CAST(group_concat(CAST(output_name AS TEXT), char(0)) AS BLOB)",
    "postgresql": "string_agg(output_name, '\\x00'::bytea ORDER BY output_name)",
}
"""All names of a query with a NUL between each two: as rows, a million names take eight times as long."""


class SqlDeltas(OfCatalogue):
    """`ports.catalogue.Deltas` in a database."""

    def count(self) -> int:
        query = select(func.count()).select_from(items).where(self._mine())
        # Two counts, each by an index: one with the condition would read all rows.
        with self._db.read() as conn:
            return (conn.scalar(query) or 0) - (conn.scalar(query.where(_DONE_WITH)) or 0)

    def judged(self, settings: str) -> Mapping[State, tuple[int, str]]:
        c = items.c
        query = select(c.state, func.count().label("n"), func.min(c.key).label("first")).where(self._mine(), _SET_ASIDE)
        with self._db.read() as conn:
            if self._judged_under(conn) != settings:
                return {}
            rows = conn.execute(query.group_by(c.state)).all()
        return {State(row.state): (row.n, row.first) for row in rows if row.state != State.DELETED}

    def out_of_date(self, goal: Goal, settings: str = "") -> Iterator[Entry]:
        query = ENTRY.where(self._mine(), not_(_is_up_to_date(goal)), not_(_DONE_WITH))
        with self._db.read() as conn:
            if settings and self._judged_under(conn) == settings:
                query = query.where(_TO_JUDGE)
        yield from map(entry_of, self._stream(query.order_by(items.c.key)))

    def judge(self, goal: Goal, settings: str, judged: Sequence[tuple[str, int]]) -> None:
        c = items.c
        needs_nothing = or_(_is_up_to_date(goal), _DONE_WITH)
        rows = select(c.key, c.revision).select_from(SHOWN).where(self._mine()).order_by(c.key)
        with self._db.read() as conn:
            under = self._judged_under(conn)
        if under != settings:
            # Until the end, so that a killed one leaves nothing that counts.
            self._judge_under(under, under := f"-{secrets.token_hex(16)}")
            self._set_judged(under, self._stream(rows.where(c.judged == c.revision, not_(needs_nothing))), literal(-1))
        settled = self._stream(rows.where(_TO_JUDGE, needs_nothing))
        self._set_judged(under, chain(settled, judged), c.revision)
        if under != settings:
            self._judge_under(under, settings)

    def _judged_under(self, conn: Connection) -> str:
        query = select(catalogues.c.judged_under).where(catalogues.c.id == self._catalogue)
        return str(conn.execute(query).scalar_one())

    def _judge_under(self, before: str, settings: str) -> None:
        c = catalogues.c
        with self._db.write() as conn:
            mine = update(catalogues).where(c.id == self._catalogue, c.judged_under == before)
            conn.execute(mine.values(judged_under=settings))

    def _set_judged(self, under: str, rows: Iterable[Sequence[Any]], value: ColumnElement[int]) -> None:
        """Set the column of these keys, where their revision is still the same, unless other settings hold now."""
        c, these = items.c, iter(rows)
        while batch := [tuple(row) for row in islice(these, BATCH)]:
            # What a power cut takes is judged again.
            with self._db.write(durable=False) as conn, staged(conn, _judged, batch):
                analyze(conn, _judged)
                same = (c.key == _judged.c.key) & (c.revision == _judged.c.revision)
                holds = select(catalogues.c.judged_under).where(catalogues.c.id == self._catalogue).scalar_subquery()
                row = self._mine() & near_to([key for key, _ in batch]) & same & (holds == under)
                conn.execute(update(items).where(row).values(judged=value))

    def get_many(self, keys: Sequence[str]) -> list[Entry]:
        with self._db.read() as conn:
            return [
                entry_of(row)
                for these in self._db.among(items.c.key, keys)
                for row in conn.execute(ENTRY.where(self._mine(), these).order_by(items.c.key))
            ]

    def published_names(self, first: bytes = b"", end: bytes | None = None) -> Iterator[tuple[str, str]]:
        # In plain SQL, because this handles a million rows after outputs were lost.
        gone = "SELECT 1 FROM items WHERE catalogue_id = :catalogue AND items.key = publications.key AND absent"
        query = self._named("output_name, key", f"NOT EXISTS ({gone}) ORDER BY output_name", first, end)
        for name, key in (tuple(row) for row in self._stream(query)):
            yield bytes(name).decode("utf-8", "surrogateescape"), bytes(key).decode("utf-8", "surrogateescape")

    def joined_names(self, first: bytes, end: bytes | None) -> bytes:
        # SQLite joins in the order of the rows that it reads.
        in_order = self._named("output_name", "true ORDER BY output_name", first, end)
        joined = text(f"SELECT {_JOINED[self._db.engine.dialect.name]} FROM ({in_order}) AS named")  # noqa: S608
        with self._db.read() as conn:
            return bytes(conn.scalar(joined.bindparams(**in_order.compile().params)) or b"")

    def _named(self, columns: str, condition: str, first: bytes, end: bytes | None) -> TextClause:
        """Return a query of output names in a range, in plain SQL."""
        until = "" if end is None else " AND output_name < :end"
        query = text(
            f"SELECT {columns} FROM publications "  # noqa: S608  no value is in it
            f"WHERE catalogue_id = :catalogue AND output_name >= :first{until} AND {condition}"
        )
        return query.bindparams(catalogue=self._catalogue, first=first, **({} if end is None else {"end": end}))

    def publishing_keys(self, purchase_ids: Sequence[str]) -> dict[str, str]:
        shown = publications.c
        # The state is checked here: with it in the query, SQLite would read all published items, part by part.
        query = select(shown.purchase_id, shown.key, items.c.state).join_from(publications, items, PUBLICATION)
        wanted, keys = set(purchase_ids), dict[str, str]()
        with self._db.read() as conn:
            for these in self._db.at_least(conn, shown.purchase_id, purchase_ids):
                here = query.where(self._mine(publications), these, ~items.c.absent)
                for row in conn.execute(here.order_by(shown.key)):
                    if row.state == State.PUBLISHED and row.purchase_id in wanted:
                        keys.setdefault(row.purchase_id, row.key)
        return keys

    def taken_stems(self, folded_stems: Sequence[str]) -> set[str]:
        c = items.c
        with self._db.read() as conn:
            return {
                stem
                for these in self._db.at_least(conn, c.stem_fold, folded_stems)
                for stem in conn.scalars(select(c.stem_fold).where(self._mine(), these, ~c.absent))
            }.intersection(folded_stems)

    def record(
        self, changes: Sequence[Change], seen_at: float, before_batch: Callable[[], object] = lambda: None
    ) -> None:
        wanted = [change for change in changes if change.becomes is not None]
        row = catalogues.c.id == self._catalogue
        with self._db.read() as conn:
            number = 1 + conn.execute(select(catalogues.c.delta).where(row)).scalar_one()
        losses = self._db.losses
        # Vanished items come first: giving a stem away makes the row newer than its own change.
        for gone in (True, False):
            group = [change for change in wanted if (change.becomes is State.DELETED) is gone]
            for rows in prefetch(_rows, self._db.batches(group, BATCH), threads=1, waiting=2):
                before_batch()
                # The last write is durable, and makes all writes before it durable.
                with self._db.write(durable=False) as conn:
                    self._record(conn, number, rows, seen_at)
        with self._db.write() as conn:
            if self._db.losses != losses:
                raise ConnectionLost("a crash of the database may have taken batches of this delta")
            conn.execute(update(catalogues).where(row, catalogues.c.delta < number).values(delta=number))

    def _record(self, conn: Connection, number: int, rows: Sequence[tuple[Any, ...]], seen_at: float) -> None:
        now = self._now()
        c, new = items.c, _staged.c
        near = near_to([row[0] for row in rows])
        as_seen = self._mine() & near & (c.key == new.key) & (c.revision == new.revision) & is_free(now)
        as_seen &= ~of_any_output(lambda output: is_since(output.published_at, seen_at, now))
        with staged(conn, _staged, rows):
            analyze(conn, _staged)
            self._take_stems(conn, as_seen, now)
            conn.execute(
                update(items)
                .where(as_seen)
                .values(
                    state=new.state,
                    reason=new.reason,
                    detail=new.detail,
                    purchase_id=new.purchase_id,
                    step=new.step,
                    stem=func.coalesce(new.stem, c.stem),
                    stem_fold=func.coalesce(new.stem_fold, c.stem_fold),
                    changed_at=now,
                    delta=number,
                    revision=c.revision + 1,
                )
            )
            self._mark_renamed(conn, number, now)

    def _take_stems(self, conn: Connection, as_seen: ColumnElement[bool], now: float) -> None:
        """Take names, and the outputs with them, from vanished items; drop changes whose name is still in use."""
        c, new, holder = items.c, _staged.c, items.alias("holder").c
        same_stem = (
            (holder.catalogue_id == self._catalogue) & (holder.stem_fold == new.stem_fold) & (holder.key != new.key)
        )
        gone = holder.absent & is_free(now, holder)
        wanted = exists().where(as_seen)
        holders = conn.execute(
            select(holder.key, new.key.label("wanted_by"), gone.label("gone")).where(same_stem, wanted)
        ).all()
        for these in self._db.among(new.key, [row.wanted_by for row in holders if not row.gone]):
            conn.execute(delete(_staged).where(these))
        former_holders = [row.key for row in holders if row.gone]
        for these in self._db.among(publications.c.key, former_holders):
            conn.execute(update(publications).where(self._mine(publications), these).values(output_name=None))
        for these in self._db.among(c.key, former_holders):
            no_stem = {"stem": None, "stem_fold": None, "changed_at": now, "revision": c.revision + 1}
            conn.execute(update(items).where(self._mine(), these).values(no_stem))

    def _mark_renamed(self, conn: Connection, number: int, now: float) -> None:
        """Mark the old keys of items recorded under a new key as deleted."""
        c, new, now_called = items.c, _staged.c, items.alias("now_called").c
        old = self._mine() & (c.key == new.renamed_from)
        recorded = exists().where(
            now_called.catalogue_id == self._catalogue,
            now_called.key == new.key,
            now_called.revision == new.revision + 1,
            now_called.delta == number,
        )
        conn.execute(
            update(items)
            .where(old, new.renamed_from.is_not(None), is_free(now), recorded)
            .values(
                state=State.DELETED,
                reason=Reason.DELETED,
                detail=new.old_detail,
                changed_at=now,
                revision=c.revision + 1,
            )
        )


def _rows(batch: Sequence[Change]) -> list[tuple[Any, ...]]:
    """Return the values for `_staged`."""
    return [
        (
            *(change.key, change.revision, change.becomes, change.reason, change.because, change.purchase_id),
            *((change.stem, fold(change.stem)) if change.stem else (None, None)),
            *((change.renamed_from, f"renamed to {change.key}") if change.renamed_from else (None, None)),
            change.step,
        )
        for change in batch
    ]


def _is_up_to_date(goal: Goal) -> ColumnElement[bool]:
    """Return `core.delta.is_up_to_date` in SQL, over `SHOWN`; a property test compares the two."""
    c, shown = items.c, publications.c
    # Without a publication all its columns are null, and `not` of null would exclude the item from both sides.
    return and_(
        ~c.absent,
        c.problem == "",
        c.state == State.PUBLISHED,
        c.content_hash != "",
        func.coalesce(shown.purchase_id, "") != "",
        func.coalesce(shown.content_hash, "") == c.content_hash,
        func.coalesce(shown.cut_digest, "").in_(goal.cuts),
        func.coalesce(shown.rendition_digest, "").in_(goal.renditions),
    )
