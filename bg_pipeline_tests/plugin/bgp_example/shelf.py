"""Pictures, cutouts and masters in one SQLite file: `shelf:///FILE`."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from pydantic import Field

from bg_pipeline.core.keys import key_bytes, unsafe
from bg_pipeline.core.records import Listed
from bg_pipeline.errors import ItemChanged, ItemUnreadable, SourceUnreadable, StoreError
from bg_pipeline.ports.source import SplitPoints, no_split_points
from bg_pipeline.ports.stores import PROBE_BYTES, StoreKind
from bg_pipeline.settings.part import Part


class ShelfSettings(Part):
    """What can be set for a shelf."""

    prefix = "shelf"

    wait_s: float = Field(5.0, ge=0, description="how long to wait for another process that writes")


class Shelf:
    """`ports.BlobStore` over one table."""

    def __init__(self, file: Path, settings: ShelfSettings) -> None:
        self.file = file
        self._wait_s = settings.wait_s

    def write(self, name: str, data: bytes) -> None:
        self.validate_name(name)
        self.put(name, data)

    def put(self, name: str, data: bytes | None) -> None:
        """Store under any name; None for a row whose bytes are lost."""
        statement = (
            "INSERT INTO blobs VALUES (:name, :data, 1)"
            " ON CONFLICT (name) DO UPDATE SET data = :data, version = version + 1"
        )
        with self._open() as shelf, shelf:
            shelf.execute(statement, {"name": key_bytes(name), "data": data})

    def validate_name(self, name: str) -> None:
        if why := unsafe(name):
            raise StoreError(f"{name!r} would lie outside {self.file}: {why}")

    def read(self, name: str) -> bytes | None:
        row = self.row(name)
        return row[0] if row else None

    def row(self, name: str) -> tuple[bytes | None] | None:
        """The bytes of a row, if there is one."""
        with self._open() as shelf:
            return shelf.execute("SELECT data FROM blobs WHERE name = ?", [key_bytes(name)]).fetchone()

    def list(self) -> Iterator[str]:
        for key, _, _ in self.rows():
            if not any(part.startswith(".") for part in key.split("/")):
                yield key

    def rows(self) -> Iterator[tuple[str, int, int]]:
        """Name, size in bytes and version, in byte order."""
        with self._open() as shelf:
            for name, size_bytes, version in shelf.execute("SELECT name, length(data), version FROM blobs ORDER BY 1"):
                yield name.decode("utf-8", "surrogateescape"), size_bytes or 0, version

    def remove(self, name: str) -> None:
        with self._open() as shelf, shelf:
            shelf.execute("DELETE FROM blobs WHERE name = ?", [key_bytes(name)])

    def probe(self, size_bytes: int = PROBE_BYTES) -> None:
        self.write(".probe", bytes(size_bytes))
        self.remove(".probe")

    def owner(self) -> str:
        return (self.read(".owner") or b"").decode()

    def set_owner(self, identity: str) -> None:
        self.write(".owner", identity.encode())

    def free_bytes(self) -> int | None:
        return None

    def sweep(self, older_than: float) -> int:
        return 0

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(self.file, timeout=self._wait_s)) as shelf:
                shelf.execute("CREATE TABLE IF NOT EXISTS blobs (name BLOB PRIMARY KEY, data BLOB, version INTEGER)")
                yield shelf
        except sqlite3.Error as error:
            raise StoreError(f"{self.file}: {error}") from error


class ShelfSource:
    """`ports.ImageSource` over a shelf that is there."""

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf

    @property
    def listing_is_proof(self) -> bool:
        return True

    @property
    def reads_at_once(self) -> int:
        return 1

    def list(self, split_points: SplitPoints = no_split_points) -> Iterator[Listed]:
        with self._errors():
            for key, size_bytes, version in self.shelf.rows():
                yield Listed(key, str(version), size_bytes)

    def read(self, key: str) -> bytes:
        with self._errors():
            row = self.shelf.row(key)
        if row is None:
            raise ItemChanged(f"{key} is not there any more")
        if row[0] is None:
            raise ItemUnreadable("cannot be read: a row without bytes is not allowed")
        return row[0]

    def exists(self, key: str) -> bool:
        with self._errors():
            return self.shelf.row(key) is not None

    @contextmanager
    def _errors(self) -> Iterator[None]:
        if not self.shelf.file.exists():
            raise SourceUnreadable(f"{self.shelf.file} is not there")
        try:
            yield
        except StoreError as error:
            raise SourceUnreadable(str(error)) from error


def _file_of(location: str) -> Path:
    file = location.removeprefix("shelf://")
    if not file.startswith("/"):
        raise ValueError("must be shelf:///FILE")
    return Path(file)


def _validate(location: str) -> None:
    _file_of(location)


SHELF = StoreKind(
    schemes=("shelf",),
    example="shelf:///FILE",
    validate=_validate,
    overlaps=lambda one, other: _file_of(one) == _file_of(other),
    settings=ShelfSettings,
    open_source=lambda location, settings: ShelfSource(Shelf(_file_of(location), settings)),
    open_blobs=lambda location, settings, _masters: Shelf(_file_of(location), settings),
)
