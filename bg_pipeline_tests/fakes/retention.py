"""What is used, pruned and erased, in dictionaries."""

from collections.abc import Callable, Iterator, Sequence

from bg_pipeline.core.claims import Claim
from bg_pipeline.core.erasure import Traces, forgotten_id
from bg_pipeline.core.records import AttemptState, Entry, State
from bg_pipeline_tests.fakes.database import MemoryDatabase, Port

_UNSETTLED = {AttemptState.INTENT, AttemptState.ANSWERED, AttemptState.IN_DOUBT}


def _uses_its_picture(database: MemoryDatabase, entry: Entry) -> bool:
    shown = any(each.published.output_name or each.trash_name for each in database.outputs(entry))
    return entry.state is not State.FORGOTTEN and (not entry.absent or shown)


def _pictures(database: MemoryDatabase, entry: Entry) -> set[str]:
    return {entry.content_hash, *(each.published.content_hash for each in database.outputs(entry))} - {""}


def _names(database: MemoryDatabase, entry: Entry) -> set[str]:
    return {entry.purchase_id, *(each.published.purchase_id for each in database.outputs(entry))} - {""}


def _used(database: MemoryDatabase) -> set[str]:
    return set().union(*(_pictures(database, e) for e in database.entries.values() if _uses_its_picture(database, e)))


class MemoryRetention(Port):
    """`ports.retention.Retention` in dictionaries."""

    def count(self) -> int:
        return len(self._db.masters)

    def unused(self, before: float | None = None) -> list[str]:
        return sorted(self._unused(before))

    def mark_unused(self) -> int:
        unused = set(self._unused(None))
        marked = {name: since for name, since in self._db.unused_since.items() if name in unused}
        self._db.unused_since = dict.fromkeys(unused, self._db.now()) | marked
        return len(unused)

    def retire(self, before: float) -> list[str]:
        retired = self.unused(before)
        for name in retired:
            self._db.pruned[name] = (self._db.masters.pop(name).content_hash, self._db.now(), False)
            del self._db.unused_since[name]
        return retired

    def leftovers(self) -> list[str]:
        used = _used(self._db)
        waiting = {name: picture for name, (picture, _, removed) in self._db.pruned.items() if not removed}
        for name, picture in waiting.items():
            if picture in used or name in self._db.masters:
                del self._db.pruned[name]
        return sorted(waiting.keys() & self._db.pruned.keys())

    def clear(self, purchase_ids: Sequence[str], remove: Callable[[str], bool]) -> list[str]:
        gone = [name for name in self.leftovers() if name in purchase_ids and remove(name)]
        for name in gone:
            self._db.pruned[name] = (*self._db.pruned[name][:2], True)
        return gone

    def pruned_at(self, purchase_ids: Sequence[str]) -> dict[str, float]:
        return {name: self._db.pruned[name][1] for name in purchase_ids if name in self._db.pruned}

    def _unused(self, before: float | None) -> Iterator[str]:
        used = _used(self._db)
        unsettled = {a.purchase_id for a in self._db.attempts.values() if a.state in _UNSETTLED}
        for name, master in self._db.masters.items():
            since = self._db.unused_since.get(name)
            is_due = before is None or (since is not None and since <= before)
            if is_due and master.content_hash and master.content_hash not in used and name not in unsettled:
                yield name


class MemoryErasures(Port):
    """`ports.retention.Erasures` in dictionaries."""

    def traces(self, key: str, purchase_ids: Sequence[str]) -> Traces:
        entry, masters = self._db.entries.get(key), self._db.masters
        pictures = _pictures(self._db, entry) if entry else set()
        tries = [a for a in self._db.attempts.values() if a.item_key == key]
        made_of = dict.fromkeys([*(_names(self._db, entry) if entry else ()), *(a.purchase_id for a in tries)], "")
        made_of |= dict.fromkeys(purchase_ids, entry.content_hash if entry else "")
        sent = {a.sent_digest for a in tries}
        sent |= {m.sent_digest for m in masters.values() if m.purchase_id in made_of or m.content_hash in pictures}
        made_of |= {
            name: m.content_hash
            for name, m in masters.items()
            if name in made_of or m.content_hash in pictures or m.sent_digest in sent - {""}
        }
        others = [e for e in self._db.entries.values() if e.key != key]
        used = set().union(
            *(_pictures(self._db, e) | _names(self._db, e) for e in others if _uses_its_picture(self._db, e))
        )
        shared = {name for name, picture in made_of.items() if name in used or picture in used}
        same = [
            e.key for e in self._db.where(lambda e: e.state is not State.FORGOTTEN) if _pictures(self._db, e) & pictures
        ]
        return Traces(tuple(sorted(made_of.keys() - shared)), tuple(sorted(shared)), tuple(k for k in same if k != key))

    def begin(self, key: str, claim: Claim) -> None:
        self._db.check_claim(key, claim)
        name = forgotten_id(self._db.entries[key].content_hash)
        self._db.change_state(key, state=State.FORGOTTEN, purchase_id=name, reason=None, detail="")

    def finish(self, key: str, claim: Claim) -> None:
        self._db.check_claim(key, claim)
        self._db.change_state(
            key, stem="", published=None, published_at=None, trash_name="", trashed_at=None, detail=""
        )
        for row in [row for row in self._db.previous if row[0] == key]:
            del self._db.previous[row]
        for row in [row for row in self._db.reversions if row[0] == key]:
            del self._db.reversions[row]
        self._db.others.pop(key, None)
        del self._db.claim_of[key]

    def lift(self, key: str) -> bool:
        entry = self._db.entries.get(key)
        if entry is None or entry.state is not State.FORGOTTEN or entry.published or not self._db.is_free(key):
            return False
        del self._db.entries[key]
        self._db.judged.pop(key, None)
        self._db.blocks = []
        return True
