"""Tell the failure of one item from the failure of its whole store or source."""

from collections.abc import Iterator
from contextlib import contextmanager

from bg_pipeline.errors import ItemBlocked, PaidResultLost, SourceUnreadable, StoreError
from bg_pipeline.ports.source import ImageSource
from bg_pipeline.ports.stores import PROBE_BYTES, BlobStore


@contextmanager
def one_blob(store: BlobStore, size_bytes: int = PROBE_BYTES) -> Iterator[None]:
    """
    Use a store for one item; after an error, probe it with so many bytes.

    Raises:
        ItemBlocked: the store passes the probe, so only this item is at fault.
        StoreError: the store fails the probe.
    """
    try:
        yield
    except PaidResultLost:
        raise
    except StoreError as error:
        store.probe(size_bytes)
        raise ItemBlocked(str(error)) from error


@contextmanager
def one_picture(source: ImageSource) -> Iterator[None]:
    """
    Use a source for one item; after an error, list its first item.

    Raises:
        ItemBlocked: the source can be listed, so only this item is at fault.
        SourceUnreadable: the source cannot be listed.
    """
    try:
        yield
    except SourceUnreadable as error:
        next(source.list(), None)
        raise ItemBlocked(str(error)) from error
