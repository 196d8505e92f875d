"""Stores of bytes."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from bg_pipeline.core.runlog import Look
from bg_pipeline.ports.source import ImageSource
from bg_pipeline.settings.part import Part

PROBE_BYTES = 1 << 16
"""Bytes of a probe, if no larger ones are to follow: an empty file can be written to a full disk."""


class BlobStore(Protocol):
    """A store of named bytes, each complete or absent: outputs and masters."""

    def write(self, name: str, data: bytes) -> None:
        """
        Store durably; replace existing bytes of this name. A reader sees the old bytes or the new, never a part.

        Raises:
            ItemError: bytes cannot have this name. Nothing was changed.
            StoreError: nothing was changed.
        """
        ...

    def validate_name(self, name: str) -> None:
        """
        Check that bytes can have this name, before they are paid for.

        Raises:
            ItemError: they cannot in this store.
        """
        ...

    def read(self, name: str) -> bytes | None:
        """
        Return the bytes, or None if there are none.

        Raises:
            ItemError: what has this name is not bytes, such as a folder.
            StoreError: they cannot be read.
        """
        ...

    def list(self) -> Iterator[str]:
        """
        Yield all names, in ascending order of `key_bytes`; none with a part that begins with a dot, such as the trash.

        Raises:
            StoreError: the listing is incomplete.
        """
        ...

    def remove(self, name: str) -> None:
        """
        Remove the bytes of this name, if there are any.

        Raises:
            ItemError: what has this name is not bytes.
            StoreError: they are still there.
        """
        ...

    def probe(self, size_bytes: int = PROBE_BYTES) -> None:
        """
        Check that so many bytes can be written, and leave nothing behind.

        Raises:
            StoreError: they cannot; the text gives the reason.
        """
        ...

    def free_bytes(self) -> int | None:
        """
        Return the bytes that are free for this process; None where the store cannot tell.

        Raises:
            StoreError: it cannot be reached.
        """
        ...

    def owner(self) -> str:
        """
        Return the identity of the manifest that set its mark last; empty if none did.

        Raises:
            StoreError: it cannot be read.
        """
        ...

    def set_owner(self, identity: str) -> None:
        """
        Mark the store as that of the manifest with this identity; the mark is in no listing.

        Raises:
            StoreError: the mark cannot be written.
        """
        ...

    def sweep(self, older_than: float) -> int:
        """Remove half-written files that killed runs left before this epoch second; return their number."""
        ...


@runtime_checkable
class LookedThrough(Protocol):
    """A store whose folders tell by themselves that no name has come or gone. Stores of other packages need not."""

    def look_through(self, older_than: float) -> Look:
        """Do the same as `BlobStore.sweep`; return the folders, with a state if nothing half-written is left."""
        ...

    def state_of(self, folders: Sequence[str]) -> str:
        """Return the present state of these folders; empty if one is not there, or its times prove nothing."""
        ...


@runtime_checkable
class SizedStore(Protocol):
    """A store that can also tell the sizes of what it has. Stores of other packages need not."""

    def sizes(self) -> Iterator[tuple[str, int]]:
        """
        Yield name and size in bytes of everything, in any order, also of what `BlobStore.list` hides.

        Raises:
            StoreError: the listing is incomplete.
        """
        ...


class NoSettings(Part):
    """The settings of a kind of store that needs none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreKind:
    """
    One kind of location for pictures, described by the package that provides it.

    A location is the value of BG_SOURCE, BG_OUTPUT or BG_MASTERS: `SCHEME://…`, or the path of a folder.
    """

    schemes: tuple[str, ...]
    """Schemes without a driver: `postgresql`, for `postgresql+psycopg://…` too."""
    example: str
    """Example of such a location, for messages: `s3://BUCKET/PREFIX`."""
    validate: Callable[[str], None]
    """Raises ValueError if a location cannot be of this kind. Its text ends a sentence and does not quote it."""
    overlaps: Callable[[str, str], bool]
    """Returns True if one of two valid locations is inside the other, or both are the same."""
    settings: type[Part] = NoSettings
    """Further settings besides the location; give it a `prefix` of its own."""
    open_source: Callable[[str, Any], ImageSource] | None = None
    """Makes a source from a location and an instance of `settings`; None if pictures cannot come from there."""
    open_blobs: Callable[[str, Any, bool], BlobStore] | None = None
    """
    Makes a store from a location and an instance of `settings`; None if bytes cannot be kept there.

    The flag is True for masters: other people must not read them, and equal names have equal bytes.
    """
    show: Callable[[str], str] = str
    """Returns the location without its secrets."""
    needs_query: bool = False
    """True if a source of this kind needs BG_SOURCE_QUERY; no other kind accepts it."""
