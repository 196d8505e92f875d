"""Bytes in an S3 bucket; each object is written completely or not at all."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from types import MappingProxyType

from bg_pipeline.core.keys import unsafe
from bg_pipeline.core.ownership import MARK
from bg_pipeline.errors import ItemError, StoreError
from bg_pipeline.ports.stores import PROBE_BYTES
from bg_pipeline.stores.s3.buckets import MAX_KEY_BYTES, BucketError, NoObject, Objects
from bg_pipeline.stores.s3.location import Bucket

_PROBE = ".bgp-probe"
"""Name of the probe object: hidden, and always the same, so that without the right to delete only one stays."""


class S3Store:
    """
    `ports.BlobStore` over the objects below a prefix.

    Args:
        bucket: bucket and prefix of the objects.
        endpoint: URL of an S3-compatible server; empty for that of the profile, or AWS.
        profile: see `Objects`.
        write_once: do not rewrite an object that has the same bytes already; for masters, which rarely change.
        options: further parameters of PutObject.
        hidden_options: the same for what no listing shows: the trash, the table, the mark.
    """

    def __init__(
        self,
        bucket: Bucket,
        endpoint: str = "",
        profile: str = "",
        *,
        write_once: bool = False,
        options: Mapping[str, str] = MappingProxyType({}),
        hidden_options: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._bucket = bucket
        self._objects = Objects(bucket, endpoint, profile)
        self._options, self._hidden_options = options, hidden_options
        self._write_once = write_once

    def write(self, name: str, data: bytes) -> None:
        self.validate_name(name)
        options = self._hidden_options if _is_hidden(name) else self._options
        with _store_errors():
            self._objects.put(name, data, options, once=self._write_once)

    def read(self, name: str) -> bytes | None:
        with _store_errors():
            try:
                return self._objects.get(name)
            except NoObject:
                return None

    def list(self) -> Iterator[str]:
        with _store_errors():
            for rows in self._objects.list():
                yield from (key for key in rows.keys if not _is_hidden(key))

    def sizes(self) -> Iterator[tuple[str, int]]:
        with _store_errors():
            yield from ((row.key, row.size_bytes) for row in self._objects.objects(self._objects.list()))

    def probe(self, size_bytes: int = PROBE_BYTES) -> None:
        with _store_errors():
            self._objects.put(_PROBE, bytes(size_bytes), self._hidden_options)
            with suppress(BucketError):  # a store without the right to delete is allowed
                self._objects.delete(_PROBE)

    def owner(self) -> str:
        return (self.read(MARK) or b"").decode("ascii", "replace")

    def set_owner(self, identity: str) -> None:
        with _store_errors():
            self._objects.put(MARK, identity.encode(), self._hidden_options)

    def free_bytes(self) -> int | None:
        return None

    def sweep(self, older_than: float) -> int:  # noqa: ARG002  a PUT leaves nothing half written
        return 0

    def remove(self, name: str) -> None:
        with _store_errors():
            self._objects.delete(name)

    def validate_name(self, name: str) -> None:
        if why := unsafe(name):
            raise StoreError(f"{name!r} would lie outside {self._bucket}: {why}")
        try:
            size = len(f"{self._bucket.prefix}{name}".encode())
        except UnicodeEncodeError as error:
            raise ItemError(f"its name is not UTF-8, as {self._bucket} requires; rename it") from error
        if size > MAX_KEY_BYTES:
            raise ItemError(f"its name is too long for {self._bucket}: {size} bytes of {MAX_KEY_BYTES}; rename it")


def _is_hidden(name: str) -> bool:
    return any(part.startswith(".") for part in name.split("/"))


@contextmanager
def _store_errors() -> Iterator[None]:
    try:
        yield
    except BucketError as error:
        raise StoreError(str(error)) from error
