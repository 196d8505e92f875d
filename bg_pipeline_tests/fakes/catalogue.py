"""The catalogue's ports in dictionaries: observations, deltas, items, trash."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from bg_pipeline.core.blocks import KnownBlock
from bg_pipeline.core.deletes import OFF_THE_SHOP
from bg_pipeline.core.delta import Goal, is_up_to_date, was_skipped_at_work
from bg_pipeline.core.failures import StandingFailure, is_standing
from bg_pipeline.core.keys import fold, key_bytes
from bg_pipeline.core.moments import is_since
from bg_pipeline.core.records import MAIN, Change, Entry, Observation, Output, Reason, State
from bg_pipeline_tests.fakes.database import MemoryDatabase, Port


class MemoryObservations(Port):
    """`ports.catalogue.Observations` in dictionaries."""

    def listing(self, first: bytes = b"", end: bytes | None = None) -> Iterator[tuple[bytes, str, bytes, float]]:
        for e in self._db.where(_is_listed):
            if first <= key_bytes(e.key) and (end is None or key_bytes(e.key) < end):
                yield key_bytes(e.key), self._db.fingerprint[e.key], key_bytes(e.collection), e.priority

    def blocks(self) -> list[KnownBlock]:
        return list(self._db.blocks)

    def set_blocks(self, blocks: Sequence[KnownBlock]) -> None:
        self._db.blocks = list(blocks)

    def in_question(self) -> Iterator[bytes]:
        for e in self._db.where(lambda _: True):
            if e.state is State.FORGOTTEN or (_is_listed(e) and not self._db.fingerprint[e.key]):
                yield key_bytes(e.key)

    def split_points(self, every: int) -> Sequence[str]:
        return [e.key for e in self._db.where(_is_listed)][every - 1 :: every]

    def observe(self, batch: Sequence[Observation]) -> None:
        self._db.blocks = self._db.blocks if not batch else []
        for o in batch:
            new = Entry(o.key, o.collection, "", "", State.PENDING, changed_at=self._db.now())
            known = self._db.entries.get(o.key, new)
            last = known if o.problem else o
            was = known.absent, known.content_hash, known.media_type, known.size_bytes, known.problem
            differs = was != (False, last.content_hash, last.media_type, last.size_bytes, o.problem)
            self._db.entries[o.key] = replace(
                known,
                collection=o.collection,
                content_hash=last.content_hash,
                size_bytes=last.size_bytes,
                media_type=last.media_type,
                priority=o.priority,
                problem=o.problem,
                absent=False,
                absent_since=None,
                revision=known.revision + differs,
                changed_at=known.changed_at if known.collection == o.collection else new.changed_at,
            )
            self._db.fingerprint[o.key] = o.fingerprint
            for master in self._db.masters.values():
                if master.content_hash == o.content_hash:
                    self._db.unused_since.pop(master.purchase_id, None)

    def set_places(self, places: Mapping[str, tuple[str, float]]) -> None:
        self._db.blocks = self._db.blocks if not places else []
        for key, (collection, priority) in places.items():
            known = self._db.entries[key]
            changed_at = known.changed_at if known.collection == collection else self._db.now()
            self._db.entries[key] = replace(known, collection=collection, priority=priority, changed_at=changed_at)

    def mark_absent(self, keys: Sequence[str]) -> None:
        self._db.blocks = self._db.blocks if not keys else []
        for key in keys:
            self._db.update(key, absent=True, absent_since=self._db.now())

    def invalidate_hash(self, key: str) -> None:
        self._db.fingerprint[key] = ""


def _is_listed(entry: Entry) -> bool:
    return not entry.absent


def _is_done_with(entry: Entry) -> bool:
    return entry.absent and entry.state is State.DELETED


def _needs_nothing(entry: Entry, goal: Goal) -> bool:
    return is_up_to_date(entry, goal) or _is_done_with(entry)


def output_names_of(database: MemoryDatabase, entry: Entry) -> list[str]:
    """In all renditions."""
    return [each.published.output_name for each in database.outputs(entry) if each.published.output_name]


def output_name_of(entry: Entry) -> str:
    return entry.published.output_name if entry.published else ""


class MemoryDeltas(Port):
    """`ports.catalogue.Deltas` in dictionaries."""

    def __init__(self, database: MemoryDatabase) -> None:
        super().__init__(database)
        self.batch_size = 1000
        self.before_batch: Callable[[], object] = lambda: None

    def count(self) -> int:
        return len(self._db.where(lambda e: not _is_done_with(e)))

    def judged(self, settings: str) -> Mapping[State, tuple[int, str]]:
        judged = self._db.where(lambda e: self._is_judged(e, settings))
        aside = [e for e in judged if e.state not in {State.PUBLISHED, State.DELETED}]
        return {state: (len(same), same[0].key) for state in State if (same := [e for e in aside if e.state is state])}

    def out_of_date(self, goal: Goal, settings: str = "") -> Iterator[Entry]:
        yield from self._db.where(lambda e: not _needs_nothing(e, goal) and not self._is_judged(e, settings))

    def judge(self, goal: Goal, settings: str, judged: Sequence[tuple[str, int]]) -> None:
        known = {key: revision for key, revision in self._db.judged.items() if settings == self._db.judged_under}
        mine = {e.key: e.revision for e in self._db.where(lambda e: _needs_nothing(e, goal))}
        self._db.judged, self._db.judged_under = known | mine | dict(judged), settings

    def _is_judged(self, entry: Entry, settings: str) -> bool:
        return self._db.judged_under == settings and self._db.judged.get(entry.key) == entry.revision

    def get_many(self, keys: Sequence[str]) -> list[Entry]:
        wanted = set(keys)
        return self._db.where(lambda e: e.key in wanted)

    def published_names(self, first: bytes = b"", end: bytes | None = None) -> Iterator[tuple[str, str]]:
        yield from self._names_of(_is_listed, first, end)

    def joined_names(self, first: bytes, end: bytes | None) -> bytes:
        return b"\0".join(key_bytes(name) for name, _ in self._names_of(lambda _: True, first, end))

    def _names_of(self, chosen: Callable[[Entry], bool], first: bytes, end: bytes | None) -> list[tuple[str, str]]:
        names = [(each, e.key) for e in self._db.where(chosen) for each in output_names_of(self._db, e)]
        here = [name for name in names if first <= key_bytes(name[0]) and (end is None or key_bytes(name[0]) < end)]
        return sorted(here, key=lambda name: key_bytes(name[0]))

    def publishing_keys(self, purchase_ids: Sequence[str]) -> dict[str, str]:
        found: dict[str, str] = {}
        for e in self._db.where(lambda e: not e.absent and e.state is State.PUBLISHED):
            if e.published and e.published.purchase_id in purchase_ids:
                found.setdefault(e.published.purchase_id, e.key)
        return found

    def taken_stems(self, folded_stems: Sequence[str]) -> set[str]:
        return {fold(e.stem) for e in self._db.where(lambda e: not e.absent and e.stem)} & set(folded_stems)

    def record(
        self, changes: Sequence[Change], seen_at: float, before_batch: Callable[[], object] = lambda: None
    ) -> None:
        holders = {fold(e.stem): e for e in self._db.where(lambda e: bool(e.stem))}
        wanted = [
            c
            for c in changes
            if c.becomes is not None and self._is_as_it_was(c, seen_at) and self._gets_stem(c, holders)
        ]
        for start in range(0, len(wanted), self.batch_size):
            self.before_batch()
            before_batch()
            self._record(wanted[start : start + self.batch_size], self._db.delta + 1)
        self._db.delta += 1

    def _is_as_it_was(self, change: Change, seen_at: float) -> bool:
        known = self._db.entries.get(change.key)
        if known is None or is_since(known.published_at or 0.0, seen_at, self._db.now()):
            return False
        return known.revision == change.revision and self._db.is_free(change.key)

    def _gets_stem(self, change: Change, holders: Mapping[str, Entry]) -> bool:
        holder = holders.get(fold(change.stem)) if change.stem else None
        if holder is None or holder.key == change.key:
            return True
        return holder.absent and self._db.is_free(holder.key)

    def _record(self, batch: Sequence[Change], number: int) -> None:
        given = {fold(c.stem) for c in batch if c.stem}
        for e in self._db.where(lambda e: e.absent and e.stem and fold(e.stem) in given):
            self._db.update(e.key, stem="")
            self._db.rename_output(e.key, "")
            for rendition in self._db.others.get(e.key, {}):
                self._db.change_other(e.key, rendition, output_name="")
        for c in batch:
            stem = c.stem or self._db.entries[c.key].stem
            self._db.change_state(
                c.key,
                state=c.becomes,
                reason=c.reason,
                detail=c.because,
                purchase_id=c.purchase_id,
                stem=stem,
                step=c.step,
            )
            self._db.recorded_in[c.key] = number
            if c.renamed_from and self._db.is_free(c.renamed_from):
                gone = f"renamed to {c.key}"
                self._db.change_state(c.renamed_from, state=State.DELETED, reason=Reason.DELETED, detail=gone)


class MemoryItems(Port):
    """`ports.catalogue.Items` in dictionaries."""

    def entry(self, key: str) -> Entry | None:
        return self._db.entries.get(key)

    def entries(self) -> Iterator[Entry]:
        yield from self._db.where(lambda _entry: True)

    def outputs(self, keys: Sequence[str]) -> dict[str, list[Output]]:
        others = {key: self._db.others.get(key, {}) for key in keys}
        return {key: [each[name] for name in sorted(each)] for key, each in others.items() if each}

    def in_state(self, state: State) -> list[Entry]:
        return self._db.where(lambda e: e.state is state)

    def states(self) -> dict[str, int]:
        found = Counter(e.state for e in self._db.entries.values())
        return {state.value: found[state] for state in State}

    def collections(self, state: State | None = None) -> dict[str, int]:
        listed = self._db.where(_is_listed)
        found = Counter(e.collection for e in listed if state in {None, e.state})
        return dict(sorted(found.items(), key=lambda each: key_bytes(each[0])))

    def retry(self, collections: Sequence[str] | None = None, keys: Sequence[str] = ()) -> list[str]:
        failed = self._db.where(
            lambda e: (
                ((e.state is State.FAILED and e.purchase_id != "") or was_skipped_at_work(e))
                and not e.absent
                and (collections is None or e.collection in collections)
                and (not keys or e.key in keys)
            )
        )
        for e in failed:
            self._db.change_state(e.key, state=State.PENDING, reason=Reason.UNFINISHED, detail="tried again")
        return [e.key for e in failed]

    def end_quarantine(self, purchase_id: str, state: State, detail: str) -> list[str]:
        held = self._db.where(lambda e: e.state is State.QUARANTINED and e.purchase_id == purchase_id)
        for e in held:
            self._db.change_state(e.key, state=state, reason=Reason.UNFINISHED, detail=detail)
        return [e.key for e in held]

    def mark_stale(self, key: str, output_digest: str) -> bool:
        e = self._db.entries[key]
        digests = {each.published.output_digest for each in self._db.outputs(e)}
        if e.state is not State.PUBLISHED or e.published is None or output_digest not in digests:
            return False
        why, bought = "its output is not what was published", e.published.purchase_id
        self._db.change_state(key, state=State.PENDING, reason=Reason.OUTPUT_MISSING, detail=why, purchase_id=bought)
        return True

    def restore_stems(self, stems: Mapping[str, str]) -> None:
        for key, stem in stems.items():
            if not self._db.entries[key].stem:
                self._db.update(key, stem=stem)


class MemoryFailures(Port):
    """`ports.catalogue.Failures` in dictionaries."""

    def standing(self) -> list[StandingFailure]:
        return [self._described(e) for e in self._db.where(is_standing)]

    def accept(self, keys: Sequence[str], reason: str) -> list[str]:
        accepted = self._db.where(lambda e: e.key in set(keys) and is_standing(e))
        self._db.accepted |= {e.key: (e.revision, reason, self._db.now()) for e in accepted}
        return [e.key for e in accepted]

    def _described(self, entry: Entry) -> StandingFailure:
        revision, reason, at = self._db.accepted.get(entry.key, (None, "", None))
        return StandingFailure.of(entry, reason, at) if revision == entry.revision else StandingFailure.of(entry)


class MemoryTrash(Port):
    """`ports.catalogue.Trash` in dictionaries."""

    def gone_since(self, moment: float) -> list[Entry]:
        return self._db.where(
            lambda e: (
                e.absent and e.absent_since is not None and e.absent_since <= moment and output_names_of(self._db, e)
            )
        )

    def is_published(self, output_name: str, but: str = "") -> bool:
        listed = self._db.where(lambda e: not e.absent and e.key != but)
        return any(output_name in output_names_of(self._db, e) for e in listed)

    def copies(self, purchase_ids: Sequence[str]) -> dict[str, int]:
        listed = self._db.where(lambda e: not e.absent and bool(output_name_of(e)))
        bought = (e.published.purchase_id for e in listed if e.published)
        return dict(Counter(each for each in bought if each in set(purchase_ids)))

    def returned(self) -> list[Entry]:
        def is_back(e: Entry) -> bool:
            same = e.published is not None and e.published.content_hash == e.content_hash
            return e.state is State.DELETED and not e.absent and bool(e.trash_name) and same

        return self._db.where(is_back)

    def begin_trash(self, key: str, trash_name: str, rendition: str = MAIN) -> None:
        if rendition == MAIN:
            self._db.change_state(key, trash_name=trash_name, trashed_at=self._db.now())
        else:
            self._db.change_other(key, rendition, trash_name=trash_name)

    def unpublish(self, key: str, rendition: str = MAIN) -> None:
        if rendition == MAIN:
            self._db.rename_output(key, "")
            if self._db.entries[key].state is State.PUBLISHED:
                self._db.change_state(key, state=State.PENDING, detail=OFF_THE_SHOP, purchase_id="")
        else:
            self._db.change_other(key, rendition, output_name="")

    def give_back(self, output_name: str, output_digest: str) -> None:
        for entry in self._db.where(lambda e: e.absent):
            for each in self._db.outputs(entry):
                lost = not each.published.output_name and not each.trash_name
                if lost and each.published.output_digest == output_digest:
                    if each.rendition == MAIN:
                        self._db.rename_output(entry.key, output_name)
                    else:
                        self._db.change_other(entry.key, each.rendition, output_name=output_name)
                    return

    def in_trash(self, before: float | None = None) -> list[Entry]:
        def is_in_trash(e: Entry) -> bool:
            others = [each for each in self._db.outputs(e) if each.trash_name]
            at = e.trashed_at if e.trashed_at is not None else e.changed_at
            return bool(others) and (before is None or at <= before)

        return self._db.where(is_in_trash)

    def end_trash(self, key: str, output_name: str | None = None, rendition: str = MAIN) -> None:
        if rendition != MAIN:
            name = {} if output_name is None else {"output_name": output_name}
            self._db.change_other(key, rendition, trash_name="", **name)
            return
        self._db.update(key, trash_name="", trashed_at=None)
        if output_name is not None:
            self._db.rename_output(key, output_name)
            self._db.update(key, absent_since=None)
