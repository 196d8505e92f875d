"""A catalogue's pictures and its part of the manifest."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

from bg_pipeline.core.claims import EVERYTHING, Ask, Claim, Claimed, Selection
from bg_pipeline.core.delta import Goal
from bg_pipeline.core.records import Change, Entry, Lease, Listed, Observation, Published, State
from bg_pipeline.core.runlog import R, Record

SplitPoints = Callable[[int], Sequence[str]]
"""Every Nth key of the last listing, in order."""


def no_split_points(_every: int) -> Sequence[str]:
    """Nothing is known of the listing to come."""
    return ()


class ImageSource(Protocol):
    """The pictures. Read only."""

    def list(self, split_points: SplitPoints = no_split_points) -> Iterator[Listed]:
        """
        Every item, in ascending order of `key_bytes`, each key once.

        Args:
            split_points: where a source that can may begin to list in several places at once.

        Raises:
            SourceUnreadable: the listing is not complete. What came before must not be taken for all.
        """
        ...

    def read(self, key: str) -> bytes:
        """
        The bytes of one item as they are now.

        Raises:
            ItemChanged: it is not there any more.
            ItemUnreadable: it is there and cannot be read.
        """
        ...

    def exists(self, key: str) -> bool:
        """
        Whether an item is there, asked for by itself, whatever the listing says.

        Raises:
            SourceUnreadable: it is not known. That must never be taken for no.
        """
        ...


class Observations(Protocol):
    """What the last scans saw."""

    def listing(self) -> Iterator[tuple[bytes, str, bytes]]:
        """
        Key, fingerprint and collection of what the last complete scan left present, in ascending order of the key.

        Keys and collections as `key_bytes`: the merge compares bytes, and most rows need nothing else.
        """
        ...

    def split_points(self, every: int) -> Sequence[str]:
        """Every Nth of these keys."""
        ...

    def observe(self, batch: Sequence[Observation]) -> None:
        """Remember what was hashed; touches neither state nor what is published."""
        ...

    def set_collections(self, collections: Mapping[str, str]) -> None:
        """Give keys another collection; changes nothing else."""
        ...

    def mark_absent(self, keys: Sequence[str]) -> None:
        """The last complete listing is the first that did not have them."""
        ...

    def invalidate_hash(self, key: str) -> None:
        """Have the next scan hash it again."""
        ...


class Deltas(Protocol):
    """What a delta is computed from, and where it is recorded."""

    def up_to_date(self, goal: Goal) -> int:
        """How many items are as `core.delta.is_up_to_date` wants them."""
        ...

    def out_of_date(self, goal: Goal) -> Iterator[Entry]:
        """All others in ascending order of `key_bytes`, but for those that are gone and marked as deleted."""
        ...

    def get_many(self, keys: Sequence[str]) -> list[Entry]:
        """Those of these keys that are known, in key order if the keys are."""
        ...

    def published_names(self) -> Iterator[tuple[str, str]]:
        """(output name, key) of every published output of a listed item, in ascending order of the name's bytes."""
        ...

    def publishing_keys(self, purchase_ids: Sequence[str]) -> dict[str, str]:
        """Purchase id to the first listed key that is published from it."""
        ...

    def taken_stems(self, folded_stems: Sequence[str]) -> set[str]:
        """Which of these output stems belong to an item that is not gone."""
        ...

    def record(self, changes: Sequence[Change]) -> None:
        """
        Make work pending, mark what is gone or skipped; in batches, so that no other writer waits for long.

        Until the last batch is in, nothing of it can be claimed: what a killed process recorded half is completed by
        the next delta. A change whose row has another revision by now is left out, and so is one whose item is in the
        hands of a living claim. A stem that is given to an item is taken from the item that is gone and had it.
        """
        ...


class WorkQueue(Protocol):
    """Pending items, and the claims under which they are worked on, by any number of processes."""

    def pending(self, selection: Selection = EVERYTHING) -> dict[str, int]:
        """Collections with pending items in ascending order, and how many; what is claimed counts too."""
        ...

    def pending_keys(self, selection: Selection, each: int) -> list[str]:
        """Keys of pending items that no living claim holds, in key order, at most `each` of every collection."""
        ...

    def claim_pending(
        self,
        ask: Ask,
        owner: str,
        ttl_s: float,
        selection: Selection,
        *,
        limit: int,
        bought: bool,
        after: tuple[str, str] | None,
    ) -> Claimed:
        """
        Take pending items that no living claim holds, with all those of the selection that wait for the same purchase.

        Args:
            ask: who asked, and for how much.
            owner: for the message that others get.
            ttl_s: seconds without a heartbeat after which others may take the items.
            selection: which items.
            limit: purchases at once.
            bought: only items whose purchase has a master already.
            after: go on behind this (collection, key); None begins at the first.
        """
        ...

    def claim_items(self, ask: Ask, owner: str, ttl_s: float, wanted: Mapping[str, int | None]) -> Claimed:
        """Take those items that no living claim holds, whatever their state, at their revision where one is given."""
        ...

    def heartbeat(self, claim: Claim, ttl_s: float) -> None:
        """Keep a claim alive. One that is gone stays gone; the next write under it tells."""
        ...

    def release(self, claim: Claim) -> None:
        """Let others have what was not finished."""
        ...

    def verify(self, claim: Claim, key: str) -> None:
        """
        Raises:
            ClaimLost: another claim has this item. An expired one whose items were not taken is still good.
        """
        ...

    def publish(self, key: str, published: Published, claim: Claim) -> None:
        """
        Record what was published, and end the claim's hold on the item.

        Raises:
            ClaimLost: another claim has this item; nothing was written.
        """
        ...

    def set_state(self, key: str, state: State, detail: str, purchase_id: str, claim: Claim) -> None:
        """
        Record how it ended without a publication, and end the claim's hold on the item.

        Raises:
            ClaimLost: another claim has this item; nothing was written.
        """
        ...

    def claims(self) -> list[Claim]:
        """Those that are alive now."""
        ...


class Items(Protocol):
    """Items one by one and by state, for people and for maintenance."""

    def entry(self, key: str) -> Entry | None: ...

    def entries(self) -> Iterator[Entry]:
        """Every item ever seen, in ascending order of `key_bytes`."""
        ...

    def in_state(self, state: State) -> list[Entry]: ...

    def states(self) -> dict[str, int]:
        """How many items are in each state."""
        ...

    def collections(self) -> dict[str, int]:
        """Every collection that has listed items, and how many."""
        ...

    def recent(self, collection: str, limit: int) -> list[Entry]:
        """Items of a collection that were published, failed or quarantined last, newest first."""
        ...

    def retry(self, collections: Sequence[str] | None = None, keys: Sequence[str] = ()) -> list[str]:
        """Make failed items pending again, of all collections or these, of all keys or these; returns which."""
        ...

    def end_quarantine(self, purchase_id: str, state: State, detail: str) -> list[str]:
        """Give the quarantined items of one purchase another state; returns which, in key order."""
        ...

    def mark_stale(self, key: str, output_digest: str) -> bool:
        """
        Make an item pending whose output is not what was published: it is made again from its master.

        Returns:
            False if it was published again meanwhile, or waits already; nothing was changed then.
        """
        ...

    def restore_stems(self, stems: Mapping[str, str]) -> None:
        """Give items that have no output name yet the one that they had before the manifest was lost."""
        ...


class Trash(Protocol):
    """Cutouts of pictures that are gone."""

    def gone_since(self, moment: float) -> list[Entry]:
        """Items with a published cutout that no complete listing had since this epoch second, in key order."""
        ...

    def is_published(self, output_name: str) -> bool:
        """Whether a listed item has a cutout of this name."""
        ...

    def begin_trash(self, key: str, trash_name: str) -> None:
        """The cutout of an item is about to be moved there."""
        ...

    def unpublish(self, key: str) -> None:
        """There is no cutout of it under its name any more."""
        ...

    def in_trash(self, before: float | None = None) -> list[Entry]:
        """Items whose cutout was moved to the trash, before that epoch second if one is given, in key order."""
        ...

    def end_trash(self, key: str, output_name: str | None = None) -> None:
        """Its cutout is in the trash no more: thrown away, or put back to stay under this name."""
        ...


class Leases(Protocol):
    """What one process at a time may do: the detection of a catalogue. Also the sign of life of a run."""

    def acquire(self, name: str, owner: str, ttl_s: float) -> Lease:
        """
        Raises:
            LeaseHeld: says by whom and until when.
        """
        ...

    def heartbeat(self, lease: Lease, ttl_s: float) -> None:
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
        """Leases held now, each with the epoch second at which it ends."""
        ...


class RunLog(Protocol):
    """The records of `core.runlog`."""

    def write(self, record: Record) -> None:
        """Keep a record; its `ended_at` becomes this moment."""
        ...

    def read(self, kind: type[R], since: float = 0.0, limit: int = 1) -> list[R]:
        """Records of a kind that ended since this epoch second, newest first."""
        ...
