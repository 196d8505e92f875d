"""Where bytes are kept."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from bg_pipeline.ports.catalogue import ImageSource
from bg_pipeline.settings.part import Part


class BlobStore(Protocol):
    """Named bytes that are there whole or not at all: outputs and masters."""

    def write(self, name: str, data: bytes) -> None:
        """
        Store durably; replaces what has this name. A reader sees the old bytes or the new, never a part.

        Raises:
            StoreError: nothing was changed.
        """
        ...

    def validate_name(self, name: str) -> None:
        """
        See that bytes can have this name, before they are paid for.

        Raises:
            ItemError: they cannot, here.
        """
        ...

    def read(self, name: str) -> bytes | None:
        """The bytes, or None if there are none."""
        ...

    def list(self) -> Iterator[str]:
        """
        All names, in ascending order of `key_bytes`; none with a part that begins with a dot, such as the trash.

        Raises:
            StoreError: the listing is not complete.
        """
        ...

    def remove(self, name: str) -> None:
        """
        Remove the bytes of this name, if there are any.

        Raises:
            StoreError: they are still there.
        """
        ...

    def probe(self) -> None:
        """
        See that it can be written, leaving nothing behind.

        Raises:
            StoreError: it cannot; says why.
        """
        ...

    def sweep(self, older_than: float) -> int:
        """Remove what killed runs left half written before this epoch second; returns how many."""
        ...


class NoSettings(Part):
    """For a kind of store that needs none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreKind:
    """
    One kind of place that pictures come from or go to, as the folder or package that brings it describes it.

    A place is what BG_SOURCE, BG_OUTPUT or BG_MASTERS says: `SCHEME://…`, or the path of a folder.
    """

    schemes: tuple[str, ...]
    """Without a driver: `postgresql`, for `postgresql+psycopg://…` too."""
    example: str
    """How such a place is written, for messages: `s3://BUCKET/PREFIX`."""
    validate: Callable[[str], None]
    """Raises ValueError if a place cannot be of this kind. Its text ends a sentence and does not quote the place."""
    overlaps: Callable[[str, str], bool]
    """Whether one of two valid places lies in the other, or both are the same."""
    settings: type[Part] = NoSettings
    """What can be set besides the place; give it a `prefix` of its own."""
    open_source: Callable[[str, Any], ImageSource] | None = None
    """Makes a source of a place and an instance of `settings`; None if pictures cannot come from such a place."""
    open_blobs: Callable[[str, Any, bool], BlobStore] | None = None
    """
    Makes a store of a place and an instance of `settings`; None if bytes cannot be kept in such a place.

    The flag is True for masters: other people must not read them, and equal names have equal bytes.
    """
    show: Callable[[str], str] = str
    """Returns the place without its secrets."""
    needs_query: bool = False
    """A source of this kind needs BG_SOURCE_QUERY; no other kind takes it."""
