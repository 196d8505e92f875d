"""A source and a store in dictionaries."""

from collections.abc import Iterator

from bg_pipeline.core.keys import key_bytes
from bg_pipeline.core.records import NO_PRIORITY, Listed
from bg_pipeline.errors import ItemChanged, ItemError, ItemUnreadable, SourceUnreadable, StoreError
from bg_pipeline.ports.source import SplitPoints, no_split_points
from bg_pipeline.ports.stores import PROBE_BYTES


class MemorySource:
    """
    A catalogue in a dictionary.

    `unreadable` keys are listed and cannot be read, `hidden` ones the other way; `locked` folders cannot be listed.
    """

    def __init__(self, files: dict[str, bytes] | None = None) -> None:
        self.files = dict(files or {})
        self.unreadable: set[str] = set()
        self.unsettled: set[str] = set()
        self.modified_at: dict[str, float] = {}
        self.hidden: set[str] = set()
        self.locked: set[str] = set()
        self.fail_after: int | None = None
        self.reads: list[str] = []
        self.versions: dict[str, int] = {}
        self.priorities: dict[str, float] = {}
        self.listing_is_proof = False
        self.reads_at_once = 2

    def put(self, key: str, data: bytes) -> None:
        self.files[key] = data
        self.versions[key] = self.versions.get(key, 0) + 1

    def list(self, split_points: SplitPoints = no_split_points) -> Iterator[Listed]:
        locked = {key for key in self.files for folder in self.locked if key.startswith(folder)}
        for count, key in enumerate(sorted((set(self.files) - self.hidden - locked) | self.locked, key=key_bytes)):
            if count == self.fail_after:
                raise SourceUnreadable("the listing broke off")
            if key in self.locked:
                yield Listed(key, "", 0, problem="Permission denied")
                continue
            yield Listed(
                key,
                f"v{self.versions.get(key, 0)}",
                len(self.files[key]),
                settles_in_s=5.0 if key in self.unsettled else 0.0,
                modified_at=self.modified_at.get(key),
                priority=self.priorities.get(key, NO_PRIORITY),
            )

    def exists(self, key: str) -> bool:
        return key in self.files

    def read(self, key: str) -> bytes:
        self.reads.append(key)
        if key in self.unreadable:
            raise ItemUnreadable("cannot be read: Permission denied")
        if key not in self.files:
            raise ItemChanged(f"{key} is not there any more")
        return self.files[key]


class MemoryStore:
    """Blobs in a dictionary; `full` makes writing fail."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.full = False
        self.marked_by = ""
        self.free: int | None = None
        self.tells_free = True
        self.probed: list[int] = []
        self.utf8_only = False
        self.writes: list[str] = []

    def write(self, name: str, data: bytes) -> None:
        self.validate_name(name)
        if ".." in name.split("/"):
            raise StoreError(f"{name!r} would lie outside")
        if self.full:
            raise StoreError("No space left on device")
        self.writes.append(name)
        self.blobs[name] = data

    def validate_name(self, name: str) -> None:
        if self.utf8_only and key_bytes(name) != name.encode(errors="ignore"):
            raise ItemError("its name is not UTF-8")

    def read(self, name: str) -> bytes | None:
        return self.blobs.get(name)

    def list(self) -> Iterator[str]:
        hidden = (name for name in self.blobs if not any(part.startswith(".") for part in name.split("/")))
        yield from sorted(hidden, key=key_bytes)

    def sizes(self) -> Iterator[tuple[str, int]]:
        yield from ((name, len(data)) for name, data in self.blobs.items())

    def remove(self, name: str) -> None:
        self.blobs.pop(name, None)

    def probe(self, size_bytes: int = PROBE_BYTES) -> None:
        self.probed.append(size_bytes)
        if self.full:
            raise StoreError("No space left on device")

    def owner(self) -> str:
        return self.marked_by

    def set_owner(self, identity: str) -> None:
        if self.full:
            raise StoreError("No space left on device")
        self.marked_by = identity

    def free_bytes(self) -> int | None:
        return 0 if self.full and self.tells_free else self.free

    def sweep(self, older_than: float) -> int:
        return 0
