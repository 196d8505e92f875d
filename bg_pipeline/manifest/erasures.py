"""Items that a person erases."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, and_, delete, or_, select, update

from bg_pipeline.core.claims import Claim
from bg_pipeline.core.erasure import Traces, forgotten_id
from bg_pipeline.core.keys import key_bytes
from bg_pipeline.core.records import State
from bg_pipeline.errors import ClaimLost
from bg_pipeline.manifest.rows import OfCatalogue, is_free
from bg_pipeline.manifest.schema import attempts, items, previous_outputs, publications, purchases, reversions
from bg_pipeline.manifest.usage import USES_ITS_PICTURE, WITH_PUBLICATIONS


class SqlErasures(OfCatalogue):
    """`ports.retention.Erasures` in a database."""

    def traces(self, key: str, purchase_ids: Sequence[str]) -> Traces:
        item, shown = items.c, publications.c
        me = self._mine() & (item.key == key)
        columns = (item.content_hash, item.purchase_id, shown.content_hash, shown.purchase_id)
        rows = select(*columns).select_from(WITH_PUBLICATIONS)
        with self._db.read() as conn:
            mine = conn.execute(rows.where(me)).all()
            pictures = {each for row in mine for each in (row[0], row[2]) if each}
            present = mine[0][0] if mine else ""
            named = {each for row in mine for each in (row[1], row[3]) if each}
            # Picture by purchase; empty where it is not known.
            made_of = dict.fromkeys(named, "") | dict.fromkeys(purchase_ids, present)
            made_of |= self._purchases_of(conn, key, pictures, set(made_of))
            wanted = pictures.union(filter(None, made_of.values()))
            uses = or_(
                *(column.in_(sorted(wanted)) for column in (item.content_hash, shown.content_hash)),
                *(column.in_(sorted(made_of)) for column in (item.purchase_id, shown.purchase_id)),
            )
            used = {each for row in conn.execute(rows.where(~me, USES_ITS_PICTURE, uses)) for each in row if each}
            same = or_(item.content_hash.in_(sorted(pictures)), shown.content_hash.in_(sorted(pictures)))
            others = select(item.key).select_from(WITH_PUBLICATIONS)
            others = others.where(self._mine(), item.key != key, item.state != State.FORGOTTEN, same).distinct()
            same_picture = sorted(conn.scalars(others), key=key_bytes)
        shared = {name for name, picture in made_of.items() if name in used or picture in used}
        return Traces(tuple(sorted(made_of.keys() - shared)), tuple(sorted(shared)), tuple(same_picture))

    def _purchases_of(self, conn: Connection, key: str, pictures: set[str], known: set[str]) -> dict[str, str]:
        """Return picture by purchase: what was bought for the item, for its pictures, or with the very same bytes."""
        c, attempt = purchases.c, attempts.c
        tried = select(attempt.purchase_id, attempt.sent_digest)
        tries = conn.execute(tried.where(attempt.catalogue_id == self._catalogue, attempt.item_key == key)).all()
        named = known | {row.purchase_id for row in tries}
        of_pictures = or_(c.purchase_id.in_(sorted(named)), c.content_hash.in_(sorted(pictures)))
        sent = {row.sent_digest for row in tries}.union(conn.scalars(select(c.sent_digest).where(of_pictures))) - {""}
        rows = conn.execute(
            select(c.purchase_id, c.content_hash).where(or_(of_pictures, c.sent_digest.in_(sorted(sent))))
        )
        return dict.fromkeys(named - known, "") | {row.purchase_id: row.content_hash for row in rows}

    def begin(self, key: str, claim: Claim) -> None:
        with self._db.write() as conn:
            picture = conn.scalar(select(items.c.content_hash).where(self._mine(), items.c.key == key)) or ""
            self._set(conn, key, claim, state=State.FORGOTTEN, purchase_id=forgotten_id(picture), reason="", detail="")

    def finish(self, key: str, claim: Claim) -> None:
        with self._db.write() as conn:
            self._set(conn, key, claim, stem=None, stem_fold=None, claim_id=None)
            for table in (publications, previous_outputs, reversions):
                conn.execute(delete(table).where(self._mine(table), table.c.key == key))

    def lift(self, key: str) -> bool:
        c, shown = items.c, publications.c
        unfinished = select(shown.key).where(self._mine(publications), shown.key == key)
        forgotten = and_(self._mine(), c.key == key, c.state == State.FORGOTTEN, is_free(self._now()))
        with self._db.write() as conn:
            self._void_blocks(conn)
            return bool(conn.execute(delete(items).where(forgotten, ~unfinished.exists())).rowcount)

    def _set(self, conn: Connection, key: str, claim: Claim, **values: Any) -> None:
        c = items.c
        row = update(items).where(self._mine(), c.key == key, c.claim_id == claim.id)
        if not conn.execute(row.values(**values, changed_at=self._now(), revision=c.revision + 1)).rowcount:
            raise ClaimLost(f"another run took over {key!r}; forget it again")
