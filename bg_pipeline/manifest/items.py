"""The manifest proper: one row an item."""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Executable, Row, and_, bindparam, func, not_, select, text, update
from sqlalchemy.dialects import postgresql, sqlite

from bg_pipeline.core.delta import WORK_REASONS, Goal
from bg_pipeline.core.keys import fold, key_bytes
from bg_pipeline.core.recipe import Recipe
from bg_pipeline.core.records import Change, Entry, Lease, Observation, Published, Reason, State
from bg_pipeline.manifest.control import check_fence
from bg_pipeline.manifest.database import Database
from bg_pipeline.manifest.schema import Key, items
from bg_pipeline.ports import Now

_CHUNK = 5_000
"""Rows fetched at once while streaming."""

_MAX_BOUND = 500
"""Values in one IN list: both databases take more, and gain nothing from it."""


class SqlManifest:
    """`ports.Manifest` in a database."""

    def __init__(self, database: Database, now: Now = time.time) -> None:
        self._db = database
        self._now = now

    def observations(self) -> Iterator[tuple[bytes, str, bytes]]:
        # By pages, not in one snapshot: a scan may hash for hours, and an open snapshot keeps both databases from
        # tidying up. In plain SQL, because a million rows a night pass here.
        page = text(
            "SELECT key, evidence, collection FROM items WHERE key > :after AND NOT absent ORDER BY key LIMIT :most"
        )
        after = b""
        while True:
            with self._db.read() as conn:
                # Straight from the driver: wrapping each row takes longer than reading it.
                cursor = conn.execute(page, {"after": after, "most": _CHUNK}).cursor
                rows: Sequence[Any] = cursor.fetchall() if cursor else []
            yield from rows
            if len(rows) < _CHUNK:
                return
            after = rows[-1][0]

    def landmarks(self, every: int) -> Sequence[str]:
        numbered = text(
            "SELECT key FROM (SELECT key, row_number() OVER (ORDER BY key) AS n FROM items WHERE NOT absent) AS listed "
            "WHERE n % :every = 0 ORDER BY key"
        )
        with self._db.read() as conn:
            return [bytes(key).decode("utf-8", "surrogateescape") for key in conn.scalars(numbered, {"every": every})]

    def observe(self, batch: Sequence[Observation]) -> None:
        if not batch:
            return
        seen = [
            {
                "key": o.key,
                "collection": o.collection,
                "evidence": o.evidence,
                "content_hash": o.content_hash,
                "size_bytes": o.size_bytes,
                "media_type": o.media_type,
                "absent": False,
                "state": State.PENDING,
                "changed_at": self._now(),
            }
            for o in batch
        ]
        insert = (postgresql if self._db.engine.dialect.name == "postgresql" else sqlite).insert(items)
        statement = insert.on_conflict_do_update(
            index_elements=["key"],
            set_={
                name: insert.excluded[name]
                for name in ("collection", "evidence", "content_hash", "size_bytes", "media_type", "absent")
            }
            | {"absent_since": None},
        )
        with self._db.write() as conn:
            conn.execute(statement, seen)

    def regroup(self, collections: Mapping[str, str]) -> None:
        if not collections:
            return
        with self._db.write() as conn:
            conn.execute(
                update(items).where(items.c.key == bindparam("k")).values(collection=bindparam("to", type_=Key())),
                [{"k": key, "to": collection} for key, collection in collections.items()],
            )

    def mark_absent(self, keys: Sequence[str]) -> None:
        if not keys:
            return
        with self._db.write() as conn:
            conn.execute(
                update(items).where(items.c.key == bindparam("k")).values(absent=True, absent_since=self._now()),
                [{"k": key} for key in keys],
            )

    def entries(self) -> Iterator[Entry]:
        yield from map(_entry, self._stream(select(items).order_by(items.c.key)))

    def settled(self, recipe: Recipe) -> int:
        with self._db.read() as conn:
            return conn.scalar(select(func.count()).select_from(items).where(_is_settled(recipe))) or 0

    def unsettled(self, recipe: Recipe) -> Iterator[Entry]:
        done_with = and_(items.c.absent, items.c.state == State.DELETED)
        query = select(items).where(not_(_is_settled(recipe)), not_(done_with))
        yield from map(_entry, self._stream(query.order_by(items.c.key)))

    def some(self, keys: Sequence[str]) -> list[Entry]:
        with self._db.read() as conn:
            return [
                _entry(row)
                for part in _parts(keys)
                for row in conn.execute(select(items).where(items.c.key.in_(part)).order_by(items.c.key))
            ]

    def entry(self, key: str) -> Entry | None:
        with self._db.read() as conn:
            row = conn.execute(select(items).where(items.c.key == key)).one_or_none()
        return None if row is None else _entry(row)

    def published_names(self) -> Iterator[tuple[str, str]]:
        # In plain SQL, because a million rows a night pass here.
        query = text(
            "SELECT output_name, key FROM items WHERE output_name IS NOT NULL AND NOT absent ORDER BY output_name"
        )
        for name, key in (tuple(row) for row in self._stream(query)):
            yield bytes(name).decode("utf-8", "surrogateescape"), bytes(key).decode("utf-8", "surrogateescape")

    def carriers(self, work_ids: Sequence[str]) -> dict[str, str]:
        c = items.c
        found: dict[str, str] = {}
        with self._db.read() as conn:
            for part in _parts(work_ids):
                # The state is looked at here: asked for it, SQLite goes through all that are published, part by part.
                query = select(c.published_work_id, c.key, c.state).where(c.published_work_id.in_(part), ~c.absent)
                for row in conn.execute(query.order_by(c.key)):
                    if row.state == State.PUBLISHED:
                        found.setdefault(row.published_work_id, row.key)
        return found

    def taken(self, folded_stems: Sequence[str]) -> set[str]:
        with self._db.read() as conn:
            return {
                row.stem_fold
                for part in _parts(folded_stems)
                for row in conn.execute(select(items.c.stem_fold).where(items.c.stem_fold.in_(part), ~items.c.absent))
            }

    def record_delta(self, changes: Sequence[Change]) -> None:
        now = self._now()
        rows = [
            {
                "k": change.key,
                "to_state": change.becomes,
                "why": change.reason,
                "because": change.because,
                "for_work": change.work_id,
                "new_stem": change.stem or None,
                "new_fold": fold(change.stem) if change.stem else None,
                "at": now,
            }
            for change in changes
            if change.becomes is not None
        ]
        gone = [
            {"k": change.renamed_from, "because": f"renamed to {change.key}", "at": now}
            for change in changes
            if change.renamed_from and change.becomes is not None
        ]
        folds = [fold(change.stem) for change in changes if change.stem and change.becomes is not None]
        c = items.c
        with self._db.write() as conn:
            for part in _parts(folds):
                # Who is gone gives its name away, and with it the output that has it.
                conn.execute(
                    update(items)
                    .where(c.stem_fold.in_(part), c.absent)
                    .values(stem=None, stem_fold=None, output_name=None)
                )
            if rows:
                conn.execute(
                    update(items)
                    .where(c.key == bindparam("k"))
                    .values(
                        state=bindparam("to_state"),
                        reason=bindparam("why"),
                        detail=bindparam("because"),
                        work_id=bindparam("for_work"),
                        stem=func.coalesce(bindparam("new_stem", type_=c.stem.type), c.stem),
                        stem_fold=func.coalesce(bindparam("new_fold", type_=c.stem.type), c.stem_fold),
                        changed_at=bindparam("at"),
                    ),
                    rows,
                )
            if gone:
                conn.execute(
                    update(items)
                    .where(c.key == bindparam("k"))
                    .values(
                        state=State.DELETED,
                        reason=Reason.DELETED,
                        detail=bindparam("because"),
                        changed_at=bindparam("at"),
                    ),
                    gone,
                )

    def pending(self, collection: str, reasons: frozenset[str] | None = None) -> list[Entry]:
        query = select(items).where(
            items.c.collection == collection,
            items.c.state == State.PENDING,
            items.c.reason.in_(reasons if reasons is not None else WORK_REASONS),
        )
        with self._db.read() as conn:
            return [_entry(row) for row in conn.execute(query.order_by(items.c.key))]

    def pending_collections(self, reasons: frozenset[str] | None = None) -> dict[str, int]:
        query = (
            select(items.c.collection, func.count().label("n"))
            .where(
                items.c.state == State.PENDING,
                items.c.reason.in_(reasons if reasons is not None else WORK_REASONS),
            )
            .group_by(items.c.collection)
            .order_by(items.c.collection)
        )
        with self._db.read() as conn:
            return {row.collection: row.n for row in conn.execute(query)}

    def collections(self) -> dict[str, int]:
        c = items.c
        query = select(c.collection, func.count().label("n")).where(~c.absent).group_by(c.collection)
        with self._db.read() as conn:
            return {row.collection: row.n for row in conn.execute(query.order_by(c.collection))}

    def publish(self, key: str, published: Published, lease: Lease) -> None:
        with self._db.write() as conn:
            check_fence(conn, lease)
            conn.execute(
                update(items)
                .where(items.c.key == key)
                .values(
                    state=State.PUBLISHED,
                    work_id=published.work_id,
                    published_work_id=published.work_id,
                    published_cut_hash=published.cut_hash,
                    published_rendition_hash=published.rendition_hash,
                    output_name=published.output_name,
                    output_digest=published.output_digest,
                    published_at=self._now(),
                    published_content_hash=published.content_hash,
                    changed_at=self._now(),
                )
            )

    def set_state(self, key: str, state: State, detail: str, work_id: str, lease: Lease) -> None:
        with self._db.write() as conn:
            check_fence(conn, lease)
            conn.execute(
                update(items)
                .where(items.c.key == key)
                .values(state=state, detail=detail, work_id=work_id, changed_at=self._now())
            )

    def forget_hash(self, key: str) -> None:
        with self._db.write() as conn:
            conn.execute(update(items).where(items.c.key == key).values(evidence=""))

    def retry(self, collection: str | None, keys: Sequence[str] = ()) -> list[str]:
        query = update(items).where(items.c.state == State.FAILED, ~items.c.absent)
        if collection is not None:
            query = query.where(items.c.collection == collection)
        if keys:
            query = query.where(items.c.key.in_(keys))
        again = query.values(
            state=State.PENDING, reason=Reason.UNFINISHED, detail="tried again", changed_at=self._now()
        )
        with self._db.write() as conn:
            return sorted(conn.scalars(again.returning(items.c.key)), key=key_bytes)

    def recent(self, collection: str, limit: int) -> list[Entry]:
        ended = (State.PUBLISHED, State.FAILED, State.QUARANTINED)
        query = select(items).where(items.c.collection == collection, items.c.state.in_(ended))
        with self._db.read() as conn:
            newest = conn.execute(query.order_by(items.c.changed_at.desc(), items.c.key).limit(limit))
            return [_entry(row) for row in newest]

    def gone(self, since: float) -> list[Entry]:
        c = items.c
        query = select(items).where(c.absent, c.absent_since <= since, c.output_name.is_not(None))
        with self._db.read() as conn:
            return [_entry(row) for row in conn.execute(query.order_by(c.key))]

    def on_show(self, output_name: str) -> bool:
        c = items.c
        query = select(c.key).where(c.output_name == output_name, ~c.absent).limit(1)
        with self._db.read() as conn:
            return conn.execute(query).one_or_none() is not None

    def begin_trash(self, key: str, trash_name: str) -> None:
        self._set(key, trash_name=trash_name, trashed_at=self._now())

    def take_off_show(self, key: str) -> None:
        self._set(key, output_name=None)

    def in_trash(self, before: float | None = None) -> list[Entry]:
        c = items.c
        query = select(items).where(c.trash_name.is_not(None))
        if before is not None:
            query = query.where(c.trashed_at <= before)
        with self._db.read() as conn:
            return [_entry(row) for row in conn.execute(query.order_by(c.key))]

    def end_trash(self, key: str, output_name: str | None = None) -> None:
        back = {} if output_name is None else {"output_name": output_name, "absent_since": None}
        self._set(key, trash_name=None, trashed_at=None, **back)

    def in_state(self, state: State) -> list[Entry]:
        with self._db.read() as conn:
            query = select(items).where(items.c.state == state).order_by(items.c.key)
            return [_entry(row) for row in conn.execute(query)]

    def states(self) -> dict[str, int]:
        query = select(items.c.state, func.count().label("n")).group_by(items.c.state)
        with self._db.read() as conn:
            found = {row.state: row.n for row in conn.execute(query)}
        return {state.value: found.get(state, 0) for state in State}

    def spoil(self, key: str, output_digest: str) -> bool:
        c = items.c
        still = (c.key == key) & (c.state == State.PUBLISHED) & (c.output_digest == output_digest)
        with self._db.write() as conn:
            found = conn.execute(
                update(items)
                .where(still)
                .values(
                    state=State.PENDING,
                    reason=Reason.OUTPUT_MISSING,
                    detail="its output is not what was published",
                    work_id=c.published_work_id,
                    changed_at=self._now(),
                )
            )
            return bool(found.rowcount)

    def end_quarantine(self, work_id: str, state: State, detail: str) -> list[str]:
        held = update(items).where(items.c.state == State.QUARANTINED, items.c.work_id == work_id)
        ended = held.values(state=state, reason=Reason.UNFINISHED, detail=detail, changed_at=self._now())
        with self._db.write() as conn:
            return sorted(conn.scalars(ended.returning(items.c.key)), key=key_bytes)

    def keep_stems(self, stems: Mapping[str, str]) -> None:
        if not stems:
            return
        with self._db.write() as conn:
            conn.execute(
                update(items)
                .where(items.c.key == bindparam("k"), items.c.stem.is_(None))
                .values(stem=bindparam("given"), stem_fold=bindparam("folded")),
                [{"k": key, "given": stem, "folded": fold(stem)} for key, stem in stems.items()],
            )

    def _set(self, key: str, **values: Any) -> None:
        with self._db.write() as conn:
            conn.execute(update(items).where(items.c.key == key).values(values))

    def _stream(self, query: Executable) -> Iterator[Row[Any]]:
        with self._db.read() as conn:
            yield from conn.execution_options(yield_per=_CHUNK).execute(query)


def _is_settled(recipe: Recipe) -> ColumnElement[bool]:
    """`core.delta.is_settled` in SQL: a property test holds them against each other."""
    c, goal = items.c, Goal.of(recipe)
    return and_(
        ~c.absent,
        c.state == State.PUBLISHED,
        c.published_work_id != "",
        c.content_hash != "",
        c.published_content_hash == c.content_hash,
        c.published_cut_hash.in_(goal.cuts),
        c.published_rendition_hash == goal.rendition,
    )


def _parts(values: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(values), _MAX_BOUND):
        yield values[start : start + _MAX_BOUND]


def _entry(row: Row[Any]) -> Entry:
    published = (
        Published(
            work_id=row.published_work_id,
            cut_hash=row.published_cut_hash,
            rendition_hash=row.published_rendition_hash,
            output_name=row.output_name or "",
            output_digest=row.output_digest,
            content_hash=row.published_content_hash,
        )
        if row.published_work_id
        else None
    )
    return Entry(
        key=row.key,
        collection=row.collection,
        content_hash=row.content_hash,
        media_type=row.media_type,
        state=State(row.state),
        size_bytes=row.size_bytes,
        reason=Reason(row.reason) if row.reason else None,
        detail=row.detail,
        work_id=row.work_id,
        stem=row.stem or "",
        absent=row.absent,
        published=published,
        published_at=row.published_at,
        absent_since=row.absent_since,
        trash_name=row.trash_name or "",
        trashed_at=row.trashed_at,
    )
