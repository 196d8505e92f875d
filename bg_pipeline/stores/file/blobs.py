"""Bytes in a folder; each file is written completely or not at all."""

import contextlib
import errno
import hashlib
import math
import os
import secrets
import shutil
import stat
import time
from collections.abc import Iterable, Iterator, MutableSequence, Sequence
from itertools import chain, groupby, islice
from pathlib import Path

from bg_pipeline.core.keys import key_bytes
from bg_pipeline.core.ownership import MARK
from bg_pipeline.core.runlog import Look
from bg_pipeline.errors import ItemBlocked, ItemError, StoreError
from bg_pipeline.ports.running import Now
from bg_pipeline.ports.stores import PROBE_BYTES
from bg_pipeline.stores.file.mounts import is_proof
from bg_pipeline.stores.file.names import in_byte_order

_TEMPORARY = ".bgp-"
"""Prefix of temporary files: hidden, so that no reader takes one for a cutout, and ours, so that `sweep` is safe."""

_OF_THE_NAME = frozenset(
    {
        *(errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ, errno.ELOOP),
        errno.ENOTEMPTY,
    }
)
"""Errors of one name: it is taken, too long, or has a character that this file system refuses."""

_OF_THE_FILE_SYSTEM = "lost+found"
"""Folder that ext4 keeps at the top of a disk; only root can list it."""

_AT_ONCE = 10_000
"""Names of one folder that are listed at once."""

_TICK_S = 2.0
"""Longest step of a file system's clock."""

_MOST_FOLDERS = 20_000
"""Most folders that are remembered: more take longer to compare and to record than to look through."""

_ADVICE = "remove what is in its way, or rename the picture"


class FolderStore:
    """
    `ports.BlobStore` over a folder. No symbolic link below it is followed or listed.

    Args:
        root: created when the first blob is written. It may be a symbolic link itself.
        mode: permissions of new files; folders get the matching search permission.
        now: clock that file times are compared with.
    """

    def __init__(self, root: Path, mode: int = 0o644, now: Now = time.time) -> None:
        self._now = now
        self._root = root
        self._mode = mode

    def write(self, name: str, data: bytes) -> None:
        target = self._path(name)
        self._refuse_what_is_no_file(target)
        temporary = target.parent / f"{_TEMPORARY}{_short(name)}-{secrets.token_hex(4)}"
        with _errors(target, "written"):
            target.parent.mkdir(parents=True, exist_ok=True, mode=self._mode | (self._mode & 0o444) >> 2)
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

    def validate_name(self, name: str) -> None:
        target = self._path(name)
        if self._refuse_what_is_no_file(target) or not self._root.is_dir():
            return
        # Only creating it tells: a file system may look up a name that it refuses to store.
        trial = self._root / f"{_TEMPORARY}name-{secrets.token_hex(4)}"
        path = trial / target.relative_to(self._root)
        try:
            with _errors(target, "written"):
                path.parent.mkdir(parents=True, mode=0o700)
                path.touch(mode=0o600)
        finally:
            shutil.rmtree(trial, ignore_errors=True)

    def _refuse_what_is_no_file(self, target: Path) -> bool:
        """Return True if a file has this name, False if nothing has; raise ItemBlocked for anything else."""
        with _errors(target, "written"):
            self._refuse_links(target)
            try:
                mode = target.lstat().st_mode
            except FileNotFoundError:
                return False
        if not stat.S_ISREG(mode):
            kind = "folder" if stat.S_ISDIR(mode) else "symbolic link" if stat.S_ISLNK(mode) else "special file"
            raise ItemBlocked(f"{target} cannot be written: a {kind} has this name; {_ADVICE}")
        return True

    def read(self, name: str) -> bytes | None:
        path = self._path(name)
        with _errors(path, "read"):
            self._refuse_links(path)
            try:
                with open(path, "rb", opener=_open_no_link) as file:
                    return file.read()
            except FileNotFoundError:
                return None

    def remove(self, name: str) -> None:
        path = self._path(name)
        with _errors(path, "removed"):
            self._refuse_links(path)
            path.unlink(missing_ok=True)
            if path.parent.exists():
                _sync_folder(path.parent)

    def list(self) -> Iterator[str]:
        return chain.from_iterable(self._walk(self._root, "")) if self._root.exists() else iter(())

    def sizes(self) -> Iterator[tuple[str, int]]:
        try:
            for folder, _, names in os.walk(self._root, onerror=_raise):
                for path in (Path(folder, name) for name in names if not name.startswith(_TEMPORARY)):
                    with contextlib.suppress(FileNotFoundError):  # another run may have removed it meanwhile
                        yield path.relative_to(self._root).as_posix(), path.lstat().st_size
        except OSError as error:
            raise StoreError(f"{error.filename or self._root} cannot be listed: {error.strerror}") from error

    def probe(self, size_bytes: int = PROBE_BYTES) -> None:
        name = f"{_TEMPORARY}probe-{secrets.token_hex(4)}"
        # Not zeros: some file systems store them without taking room.
        data = secrets.token_bytes(size_bytes)
        try:
            self.write(name, data)
            self.remove(name)
        except ItemError as error:  # this name is never at fault
            raise StoreError(str(error)) from error

    def owner(self) -> str:
        folder = self._root / MARK
        try:
            return " ".join(sorted(each.name for each in folder.iterdir()))
        except FileNotFoundError:
            return ""
        except OSError as error:
            raise StoreError(f"{folder} cannot be read: {error.strerror}") from error

    def set_owner(self, identity: str) -> None:
        # A folder named after the identity: who counts, copies or uploads the files here meets only pictures.
        folder = self._root / MARK
        try:
            (folder / identity).mkdir(parents=True, exist_ok=True)
            for other in folder.iterdir():
                if other.name != identity:
                    other.rmdir()
            _sync_folder(folder)
        except OSError as error:
            raise StoreError(f"{folder} cannot be written: {error.strerror}") from error

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
        return self._sweep(older_than)[0]

    def look_through(self, older_than: float) -> Look:
        settled_at = self._now() - _TICK_S
        swept, left, folders = self._sweep(older_than)
        if swept or left or len(folders) > _MOST_FOLDERS:
            return Look()
        return Look(tuple(folders), self._state_of(folders, settled_at))

    def state_of(self, folders: Sequence[str]) -> str:
        return self._state_of(folders, math.inf)

    def _state_of(self, folders: Sequence[str], settled_at: float) -> str:
        """Return the state of folders; empty if one has changed since `settled_at`: it could change in that tick."""
        if not folders or not is_proof(self._root):
            return ""
        digest = hashlib.sha256()
        try:
            for folder in folders:
                info = os.lstat(self._root / folder)
                if not stat.S_ISDIR(info.st_mode) or info.st_ctime >= settled_at:
                    return ""
                told = folder, info.st_dev, info.st_ino, info.st_mtime_ns, info.st_ctime_ns
                digest.update(repr(told).encode("utf-8", "surrogateescape"))
        except OSError:
            return ""
        return digest.hexdigest()

    def _sweep(self, older_than: float) -> tuple[int, int, Sequence[str]]:
        """Return the number of temporary files that were removed, and of those that were left; and all folders."""
        swept, left = 0, 0
        folders: MutableSequence[str] = []
        for folder, below, names in os.walk(self._root):
            folders.append(os.path.relpath(folder, self._root))
            for group, remove in ((below, _remove_folder), (names, os.unlink)):
                for path in (Path(folder, name) for name in group if name.startswith(_TEMPORARY)):
                    # Another run may rename its file at this moment.
                    with contextlib.suppress(FileNotFoundError):
                        if path.stat().st_mtime < older_than:
                            remove(path)
                            swept += 1
                        else:
                            left += 1
        return swept, left, folders

    def _walk(self, folder: Path, prefix: str) -> Iterator[Sequence[str]]:
        """Yield names in order, as many at once as possible: a million of them go through no generator each."""
        folders: set[str] = set()
        try:
            with os.scandir(folder) as entries:
                names = in_byte_order(_names(entries, folders))
            for are_folders, group in groupby(names, folders.__contains__) if folders else [(False, names)]:
                if not are_folders:
                    while here := [prefix + name for name in islice(group, _AT_ONCE)]:
                        yield here
                    continue
                for name in group:
                    yield from self._walk(folder / name, prefix + name)
        except OSError as error:
            raise StoreError(f"{folder} cannot be listed: {error.strerror}") from error

    def _refuse_links(self, path: Path) -> None:
        for folder in reversed(path.relative_to(self._root).parents[:-1]):
            if (self._root / folder).is_symlink():
                raise ItemBlocked(
                    f"{self._root / folder} is a symbolic link, and none is followed in a store: mount its folder there"
                    " instead (mount --bind), or set the location to another disk"
                )

    def _path(self, name: str) -> Path:
        path = self._root / name
        if not Path(os.path.normpath(path)).is_relative_to(os.path.normpath(self._root)):
            raise StoreError(f"{name!r} would lie outside {self._root}")
        return path


def _names(entries: Iterable["os.DirEntry[str]"], folders: set[str]) -> Iterator[str]:
    """Yield the names that may be blobs or folders; these have their slash, and are added to `folders`."""
    for entry in entries:
        name = entry.name
        if name[0] == "." or name == _OF_THE_FILE_SYSTEM:
            continue
        if not entry.is_file(follow_symlinks=False):
            if entry.is_symlink():
                continue
            if entry.is_dir(follow_symlinks=False):
                name += "/"
                folders.add(name)
        yield name


@contextlib.contextmanager
def _errors(path: Path, done: str) -> Iterator[None]:
    """Raise ItemBlocked where the name is at fault, else StoreError."""
    try:
        yield
    except OSError as error:
        if error.errno in _OF_THE_NAME:
            raise ItemBlocked(f"{path} cannot be {done}: {error.strerror}; {_ADVICE}") from error
        raise StoreError(f"{path} cannot be {done}: {error.strerror}") from error


def _remove_folder(path: Path) -> None:
    shutil.rmtree(path, ignore_errors=True)


def _raise(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error


def _open_no_link(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)  # a named pipe must not wait for a writer


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _short(name: str) -> str:
    return hashlib.sha256(key_bytes(name)).hexdigest()[:12]
