"""A catalogue's part of the manifest."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

from bg_pipeline.core.agreement import SettingsInUse
from bg_pipeline.core.blocks import KnownBlock
from bg_pipeline.core.buying import Position
from bg_pipeline.core.claims import EVERYTHING, Ask, Claim, Claimed, Selection
from bg_pipeline.core.delta import Goal
from bg_pipeline.core.failures import StandingFailure
from bg_pipeline.core.records import MAIN, Change, Entry, Lease, Observation, Output, Published, State
from bg_pipeline.core.runlog import ProcessRecord, R, Record


class Observations(Protocol):
    """The results of the last scans."""

    def listing(self, first: bytes = b"", end: bytes | None = None) -> Iterator[tuple[bytes, str, bytes, float]]:
        """
        Yield key, fingerprint, collection and priority of each item in the last complete scan, in ascending key order.

        Keys and collections as `key_bytes`: the merge compares bytes, and most rows need nothing else.

        Args:
            first: the first key.
            end: the first key that is left out; None for none.
        """
        ...

    def blocks(self) -> list[KnownBlock]:
        """Return the blocks of the last complete scan in key order; none if any item was observed after it."""
        ...

    def set_blocks(self, blocks: Sequence[KnownBlock]) -> None:
        """Record these blocks in place of all others."""
        ...

    def in_question(self) -> Iterator[bytes]:
        """Yield the listed keys that a scan must look at, whatever a listing says, in ascending order."""
        ...

    def split_points(self, every: int) -> Sequence[str]:
        """Return every Nth of these keys."""
        ...

    def observe(self, batch: Sequence[Observation]) -> None:
        """
        Store results of hashing; change neither state nor publication.

        A problem leaves content hash, size and media type as they were known.
        """
        ...

    def set_places(self, places: Mapping[str, tuple[str, float]]) -> None:
        """Give keys this collection and priority; change nothing else."""
        ...

    def mark_absent(self, keys: Sequence[str]) -> None:
        """Record that the last complete listing is the first without these keys."""
        ...

    def invalidate_hash(self, key: str) -> None:
        """Make the next scan hash the item again."""
        ...


class Deltas(Protocol):
    """The input of a delta, and the stored delta."""

    def count(self) -> int:
        """Count the items, except those that are gone and marked as deleted."""
        ...

    def judged(self, settings: str) -> Mapping[State, tuple[int, str]]:
        """
        Count the items that were judged under these settings and are neither published nor deleted.

        Returns:
            By state, their number and the first key.
        """
        ...

    def out_of_date(self, goal: Goal, settings: str = "") -> Iterator[Entry]:
        """
        Yield those that `core.delta.is_up_to_date` is not true of, in ascending order of `key_bytes`.

        Args:
            goal: what is accepted.
            settings: leave out what was judged under these.
        """
        ...

    def judge(self, goal: Goal, settings: str, judged: Sequence[tuple[str, int]]) -> None:
        """
        Record that items need nothing, until their revision or the settings change.

        These are all that `core.delta.is_up_to_date` is true of, those that are done with, and the given ones.

        Args:
            goal: what is accepted of every item.
            settings: digest of all settings that such a judgement depends on.
            judged: keys of further items, each with the revision of its row.
        """
        ...

    def get_many(self, keys: Sequence[str]) -> list[Entry]:
        """Return the entries of the known keys among these, in key order if the keys are."""
        ...

    def published_names(self, first: bytes = b"", end: bytes | None = None) -> Iterator[tuple[str, str]]:
        """
        Yield (output name, key) of every published output of a listed item, in ascending byte order of names.

        Args:
            first: the first name.
            end: the first name that is left out; None for none.
        """
        ...

    def joined_names(self, first: bytes, end: bytes | None) -> bytes:
        """Return these names in this order, and those of items that are gone, with a NUL between each two."""
        ...

    def publishing_keys(self, purchase_ids: Sequence[str]) -> dict[str, str]:
        """Return purchase id to the first listed key that is published from it."""
        ...

    def taken_stems(self, folded_stems: Sequence[str]) -> set[str]:
        """Return the output stems among these that belong to an item that is not gone."""
        ...

    def record(
        self, changes: Sequence[Change], seen_at: float, before_batch: Callable[[], object] = lambda: None
    ) -> None:
        """
        Make work pending, mark gone or skipped items; in batches, so that no other writer waits for long.

        Until the last batch is stored, none of it can be claimed: the next delta completes a half-recorded one of a
        process that was killed, or of a run that `before_batch` ended by an error. A change is left out if its row has
        another revision now, if a live claim holds its item, or if its item was published after `seen_at`, when the
        listings that the delta was made from had not begun: what they miss may have come since. A time of publication
        that is ahead of the clock does not count.
        A stem that is given to an item is taken from the gone item that had it.
        """
        ...


class WorkQueue(Protocol):
    """Pending items, and their claims by any number of processes."""

    def pending(self, selection: Selection = EVERYTHING) -> dict[str, int]:
        """Count pending items by collection, in ascending order; claimed items count too."""
        ...

    def pending_keys(self, selection: Selection, each: int) -> list[str]:
        """Return keys of pending items that no live claim holds, in key order: the first `each` of every collection."""
        ...

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
        """
        Claim pending items that no live claim holds, with all items of the selection that wait for the same purchase.

        The first purchases are those whose first item comes first in the order of `core.buying`.

        Args:
            ask: origin and amount of the request.
            owner: name in messages to other runs.
            selection: items to choose from.
            limit: most purchases at once.
            bought: only items whose purchase has a master already.
            after: continue after this position; None begins at the first.
        """
        ...

    def claim_items(self, ask: Ask, owner: str, wanted: Mapping[str, int | None]) -> Claimed:
        """Claim the wanted items that no live claim holds, in any state, at their revision where one is given."""
        ...

    def heartbeat(self, claims: Sequence[Claim]) -> None:
        """Keep claims alive. A lost one stays lost; the next write under it raises the error."""
        ...

    def release(self, claim: Claim) -> None:
        """Free the unfinished items for others."""
        ...

    def verify(self, claim: Claim, key: str) -> None:
        """
        Raises:
            ClaimLost: another claim has this item. An expired claim whose items were not taken is still valid.
        """
        ...

    def publish(
        self, key: str, published: Published, claim: Claim, others: Mapping[str, Published] | None = None
    ) -> None:
        """
        Record what was published, in one transaction, and end the claim's hold on the item.

        Args:
            key: the item.
            published: its main output.
            claim: holds the item.
            others: all further outputs by rendition; those of other renditions go off record.

        Raises:
            ClaimLost: another claim has this item; nothing was written.
        """
        ...

    def set_state(self, key: str, state: State, detail: str, purchase_id: str, claim: Claim) -> None:
        """
        Record an outcome without a publication, and end the claim's hold on the item.

        Raises:
            ClaimLost: another claim has this item; nothing was written.
        """
        ...

    def claims(self, holding: Selection | None = None) -> list[Claim]:
        """Return the claims that are alive now: all, or those that hold pending items of a selection."""
        ...


class Items(Protocol):
    """Single items and items by state, for people and for maintenance."""

    def entry(self, key: str) -> Entry | None: ...

    def entries(self) -> Iterator[Entry]:
        """Yield every item ever seen, in ascending order of `key_bytes`."""
        ...

    def outputs(self, keys: Sequence[str]) -> dict[str, list[Output]]:
        """Return the outputs beside the main one by key, in ascending order of their rendition's name."""
        ...

    def in_state(self, state: State) -> list[Entry]: ...

    def states(self) -> dict[str, int]:
        """Count the items in each state."""
        ...

    def collections(self, state: State | None = None) -> dict[str, int]:
        """Count the listed items of every collection that has any, all or those in one state."""
        ...

    def retry(self, collections: Sequence[str] | None = None, keys: Sequence[str] = ()) -> list[str]:
        """
        Make failed items of all or these collections, and all or these keys, pending again; return their keys.

        What could not be read is left to the next scan.
        """
        ...

    def end_quarantine(self, purchase_id: str, state: State, detail: str) -> list[str]:
        """Give the quarantined items of one purchase another state; return their keys in order."""
        ...

    def mark_stale(self, key: str, output_digest: str) -> bool:
        """
        Make an item pending if one of its outputs differs from the published bytes: it is made again from its master.

        Returns:
            False if it was published again meanwhile, or is pending already; then nothing was changed.
        """
        ...

    def restore_stems(self, stems: Mapping[str, str]) -> None:
        """Give items without an output name the name that they had before the manifest was lost."""
        ...


class Failures(Protocol):
    """Failures that stand, by `core.failures.is_standing`."""

    def standing(self) -> list[StandingFailure]:
        """Return all of them in key order, also those that are accepted."""
        ...

    def accept(self, keys: Sequence[str], reason: str) -> list[str]:
        """
        Record a person's reason to accept these failures; return the keys among them that have one, in order.

        It holds until the item's bytes, its state or its problem change.
        """
        ...


class Trash(Protocol):
    """Cutouts of pictures that are gone."""

    def gone_since(self, moment: float) -> list[Entry]:
        """Return items with a published output that no complete listing had since this epoch second, in key order."""
        ...

    def copies(self, purchase_ids: Sequence[str]) -> dict[str, int]:
        """Count the listed items that are published from each of these purchases."""
        ...

    def returned(self) -> list[Entry]:
        """Return deleted items that are listed again with the bytes of their cutout in the trash, in key order."""
        ...

    def is_published(self, output_name: str, but: str = "") -> bool:
        """Return True if a listed item, other than `but`, has an output of this name."""
        ...

    def begin_trash(self, key: str, trash_name: str, rendition: str = MAIN) -> None:
        """Record that an output of an item is about to be moved to this name in the trash."""
        ...

    def unpublish(self, key: str, rendition: str = MAIN) -> None:
        """
        Record that there is no longer an output of the item in this rendition under its name.

        A published item without its main output is pending: the next delta decides what becomes of it.
        """
        ...

    def give_back(self, output_name: str, output_digest: str) -> None:
        """Record that the gone item which had lost this name has it again: the one whose output had these bytes."""
        ...

    def in_trash(self, before: float | None = None) -> list[Entry]:
        """Return items of which an output was moved to the trash, before this epoch second if given, in key order."""
        ...

    def end_trash(self, key: str, output_name: str | None = None, rendition: str = MAIN) -> None:
        """Record that an output left the trash: it was deleted, or put back to stay under this name."""
        ...


class Hosts(Protocol):
    """The settings on which the hosts of a catalogue agree."""

    def settings(self) -> SettingsInUse | None:
        """Return the settings in use; None before the first host worked."""
        ...

    def set(self, settings: SettingsInUse) -> None:
        """Record these as those in use."""
        ...


class Leases(Protocol):
    """Rights that one process at a time may hold: the detection of a catalogue. They also show that a run is alive."""

    def acquire(self, name: str, owner: str) -> Lease:
        """
        Raises:
            LeaseHeld: its text names the holder and the end.
        """
        ...

    def heartbeat(self, lease: Lease) -> None:
        """
        Raises:
            LeaseLost: it expired and another run has it.
        """
        ...

    def release(self, lease: Lease) -> None:
        """
        Raises:
            LeaseLost: it expired and another run has it.
        """
        ...

    def leases(self) -> list[tuple[Lease, float]]:
        """Return the leases held now, each with the epoch second at which it ends."""
        ...


class RunLog(Protocol):
    """The records of `core.runlog`."""

    def write(self, record: Record) -> None:
        """Store a record; its `ended_at` becomes the present time."""
        ...

    def add(self, share: ProcessRecord) -> None:
        """Store the record of a step; if others of its run have one, one record of all takes its place."""
        ...

    def read(self, kind: type[R], since: float = 0.0, limit: int = 1) -> list[R]:
        """Return records of a kind that ended since this epoch second, newest first."""
        ...
