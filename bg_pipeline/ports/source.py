"""A catalogue's pictures."""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, runtime_checkable

from bg_pipeline.core.blocks import Block
from bg_pipeline.core.records import Listed

SplitPoints = Callable[[int], Sequence[str]]
"""Every Nth key of the last listing, in order."""


def no_split_points(_every: int) -> Sequence[str]:
    """Return no split points, for a listing of unknown keys."""
    return ()


class ImageSource(Protocol):
    """The pictures. Read only."""

    @property
    def listing_is_proof(self) -> bool:
        """Return True if an item whose fingerprint is the same has the same bytes, by any way of writing."""
        ...

    @property
    def reads_at_once(self) -> int:
        """Return how many calls of `read` at a time suit it, unless a person sets another number."""
        ...

    def list(self, split_points: SplitPoints = no_split_points) -> Iterator[Listed]:
        """
        Yield every item, in ascending order of `key_bytes`, each key once.

        A part that cannot be looked at, such as a locked folder, is one row with its `problem`, in the same order. A
        folder that the settings leave out may be one row, its key with a slash at the end.

        Args:
            split_points: keys at which a source may start parallel listings, if it can.

        Raises:
            SourceUnreadable: the whole listing is incomplete. The items before must not be treated as all.
        """
        ...

    def read(self, key: str) -> bytes:
        """
        Return the present bytes of one item.

        Raises:
            ItemChanged: it is not there any more.
            ItemUnreadable: it exists but cannot be read.
            HostUnavailable: the host that it is on does not serve now.
            SourceUnreadable: it cannot be read, and perhaps no other; `ports.single` tells which.
        """
        ...

    def exists(self, key: str) -> bool:
        """
        Return True if an item exists; query it directly, independent of the listing.

        Raises:
            SourceUnreadable: the answer is unknown. It must never be treated as False.
        """
        ...


@runtime_checkable
class ListsBlocks(Protocol):
    """A source that can tell by a digest that a block of its listing is as it was. Any other is read row by row."""

    def blocks(self, starts: Sequence[str]) -> Iterator[Block]:
        """
        Yield the rows of `ImageSource.list`, divided as by `core.blocks.divided`.

        Raises:
            SourceUnreadable: as for `list`.
        """
        ...
