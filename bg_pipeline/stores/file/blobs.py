"""Bytes in a folder; each file is written completely or not at all."""

import contextlib
import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from bg_pipeline.core.keys import key_bytes
from bg_pipeline.errors import StoreError
from bg_pipeline.ports.stores import PROBE_BYTES

_TEMPORARY = ".bgp-"
"""Prefix of temporary files: hidden, so that no reader takes one for a cutout, and ours, so that `sweep` is safe."""


class FolderStore:
    """
    `ports.BlobStore` over a folder.

    Args:
        root: created when the first blob is written.
        mode: permissions of new files; folders get the matching search permission.
    """

    def __init__(self, root: Path, mode: int = 0o644) -> None:
        self._root = root
        self._mode = mode

    def write(self, name: str, data: bytes) -> None:
        target = self._path(name)
        temporary = target.parent / f"{_TEMPORARY}{_short(name)}-{secrets.token_hex(4)}"
        try:
            target.parent.mkdir(parents=True, exist_ok=True, mode=self._mode | (self._mode & 0o444) >> 2)
            if target.is_symlink():
                raise StoreError(f"{target} is a symbolic link; remove it, or choose another output folder")
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, self._mode)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                temporary.replace(target)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
            # The new name itself must survive a power cut before anything refers to it.
            _sync_folder(target.parent)
        except OSError as error:
            raise StoreError(f"{target} cannot be written: {error.strerror}") from error

    def validate_name(self, name: str) -> None:
        self._path(name)

    def read(self, name: str) -> bytes | None:
        try:
            return self._path(name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(f"{self._path(name)} cannot be read: {error.strerror}") from error

    def remove(self, name: str) -> None:
        path = self._path(name)
        try:
            path.unlink(missing_ok=True)
            if path.parent.exists():
                _sync_folder(path.parent)
        except OSError as error:
            raise StoreError(f"{path} cannot be removed: {error.strerror}") from error

    def list(self) -> Iterator[str]:
        if self._root.exists():
            yield from self._walk(self._root, "")

    def probe(self, size_bytes: int = PROBE_BYTES) -> None:
        name = f"{_TEMPORARY}probe-{secrets.token_hex(4)}"
        # Not zeros: some file systems store them without taking room.
        self.write(name, secrets.token_bytes(size_bytes))
        self._path(name).unlink()

    def free_bytes(self) -> int | None:
        folder = self._root
        while not folder.exists() and folder != folder.parent:
            folder = folder.parent
        try:
            return shutil.disk_usage(folder).free
        except OSError as error:
            raise StoreError(f"{folder} cannot be reached: {error.strerror}") from error

    def sweep(self, older_than: float) -> int:
        """Remove temporary files that killed runs left before this epoch second; return their number."""
        swept = 0
        for folder, _, names in os.walk(self._root):
            for path in (Path(folder, name) for name in names if name.startswith(_TEMPORARY)):
                # Another run may rename its file at this moment.
                with contextlib.suppress(FileNotFoundError):
                    if path.stat().st_mtime < older_than:
                        path.unlink()
                        swept += 1
        return swept

    def _walk(self, folder: Path, prefix: str) -> Iterator[str]:
        try:
            with os.scandir(folder) as entries:
                names = [
                    entry.name + "/" if entry.is_dir(follow_symlinks=False) else entry.name
                    for entry in entries
                    if not entry.name.startswith(".")
                ]
            for name in sorted(names, key=key_bytes):
                if name.endswith("/"):
                    yield from self._walk(folder / name, prefix + name)
                else:
                    yield prefix + name
        except OSError as error:
            raise StoreError(f"{folder} cannot be listed: {error.strerror}") from error

    def _path(self, name: str) -> Path:
        path = self._root / name
        if not Path(os.path.normpath(path)).is_relative_to(os.path.normpath(self._root)):
            raise StoreError(f"{name!r} would lie outside {self._root}")
        return path


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _short(name: str) -> str:
    return hashlib.sha256(key_bytes(name)).hexdigest()[:12]
