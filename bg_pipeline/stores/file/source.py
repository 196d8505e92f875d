"""A catalogue in a folder."""

import errno
import os
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bg_pipeline.core.keys import key_bytes, unsafe
from bg_pipeline.core.records import Listed
from bg_pipeline.core.sources import read_source, require_size
from bg_pipeline.errors import ItemChanged, ItemUnreadable, SourceUnreadable
from bg_pipeline.ports.running import Now
from bg_pipeline.ports.source import SplitPoints, no_split_points
from bg_pipeline.stores.file.mounts import is_proof

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
"""Flags for opening a file: opening a named pipe must not wait for a writer."""

_OF_THE_DISK = frozenset(
    {
        *(errno.EIO, errno.ENODEV, errno.ESTALE, errno.ENOTCONN, errno.ETIMEDOUT, errno.EHOSTDOWN),
        *(errno.EMFILE, errno.ENFILE, errno.ENOMEM),
    }
)
"""Errors of a disk, a share or this process, perhaps not of this file alone."""


class FolderSource:
    """
    `ports.ImageSource` over a folder. A subfolder that cannot be listed, or is left out, is a row of its own.

    Args:
        root: must exist when it is listed; a missing folder does not count as empty.
        now: clock that file times are compared with.
        stable_s: a file that changed less than this many seconds ago is listed as not settled yet.
        follow_links: follow symbolic links whose target lies below the root and is not a folder above the link;
            skip all others. By default, skip all links.
        leaves_out: returns a text that is not empty for a folder, with its slash, that is not walked.
    """

    def __init__(
        self,
        root: Path,
        *,
        now: Now = time.time,
        stable_s: float = 0.0,
        follow_links: bool = False,
        leaves_out: Callable[[str], str] = lambda _folder: "",
    ) -> None:
        self._root = root
        self._now = now
        self._stable_s = stable_s
        self._follow_links = follow_links
        self._leaves_out = leaves_out
        self._folder_flags = _FOLDER & ~os.O_NOFOLLOW if follow_links else _FOLDER

    @property
    def listing_is_proof(self) -> bool:
        return is_proof(self._root)

    @property
    def reads_at_once(self) -> int:
        return 2  # keep the disk and one core busy: hashing releases the interpreter's lock

    def list(self, split_points: SplitPoints = no_split_points) -> Iterator[Listed]:  # noqa: ARG002  one disk
        with self._errors(self._root):
            root = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY)
        yield from self._walk(root, "", self._root, (_identity(root),))

    def read(self, key: str) -> bytes:
        if why := unsafe(key):
            raise ItemUnreadable(f"cannot be read: {why}")
        try:
            with open(self._open(key), "rb") as file:  # noqa: PTH123  a descriptor is not a path
                info = os.fstat(file.fileno())
                if not stat.S_ISREG(info.st_mode):
                    raise ItemUnreadable("cannot be read: it is not a regular file")
                require_size(info.st_size)
                return read_source(file.read)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise ItemChanged(f"{key} is not there any more") from error
        except OSError as error:
            if error.errno in _OF_THE_DISK:
                raise SourceUnreadable(f"{self._root / key} cannot be read: {error.strerror}") from error
            link = error.errno == errno.ELOOP
            reason = "a symbolic link has replaced it" if link else error.strerror
            raise ItemUnreadable(f"cannot be read: {reason}") from error

    def exists(self, key: str) -> bool:
        try:
            self._root.stat()
            (self._root / key).lstat()
        except (FileNotFoundError, NotADirectoryError) as error:
            if not self._root.is_dir():
                raise SourceUnreadable(f"{self._root} does not exist; check that BG_SOURCE is mounted") from error
            return False
        except OSError as error:
            raise SourceUnreadable(f"{key} cannot be checked: {error.strerror}") from error
        return True

    def _walk(self, folder: int, prefix: str, path: Path, within: tuple[tuple[int, int], ...]) -> Iterator[Listed]:
        """Walk a folder and close its descriptor. `within` holds the folders above it, by device and inode."""
        now = self._now()
        with _closing(folder):
            try:
                names = self._names(folder, path)
            except OSError as error:
                yield self._not_looked(prefix, error)
                return
            for name in names:
                if name.endswith("/") and self._leaves_out(prefix + name):
                    yield Listed(prefix + name, "", 0)
                    continue
                try:
                    if name.endswith("/"):
                        child = os.open(name[:-1], self._folder_flags, dir_fd=folder)
                    else:
                        info = os.stat(name, dir_fd=folder, follow_symlinks=self._follow_links)
                except OSError as error:
                    if isinstance(error, FileNotFoundError) and not name.endswith("/") and path.exists():
                        continue  # removed while the folder was listed
                    yield self._not_looked(prefix + name, error)
                    continue
                if name.endswith("/"):
                    identity = _identity(child)
                    if identity in within:
                        os.close(child)
                    else:
                        yield from self._walk(child, prefix + name, path / name, (*within, identity))
                    continue
                modified_at = info.st_mtime
                yield Listed(
                    prefix + name,
                    # A restored or edited file can keep its old time and size, but not its ctime and inode.
                    f"{info.st_size}:{info.st_mtime_ns}:{info.st_ctime_ns}:{info.st_ino}",
                    info.st_size,
                    self._settles_in_s(now, info),
                    modified_at,
                )

    def _settles_in_s(self, now: float, info: os.stat_result) -> float:
        # A copy may set the time of the original at its start, but each write moves ctime. A far future is settled too.
        age_s = min(abs(now - info.st_mtime), abs(now - info.st_ctime))
        return max(0.0, self._stable_s - age_s)

    def _not_looked(self, key: str, error: OSError) -> Listed:
        """
        Return the row of a part that cannot be looked at.

        Raises:
            SourceUnreadable: the root cannot be listed either.
        """
        with self._errors(self._root):
            if not key:
                raise error
            with os.scandir(self._root) as entries:
                next(entries, None)
        return Listed(key, "", 0, problem=error.strerror or type(error).__name__)

    def _names(self, folder: int, path: Path) -> Sequence[str]:
        """Return names in byte order, folders with their slash, so that the keys of the whole tree are in order."""
        names = []
        plain = True
        with os.scandir(folder) as entries:
            for entry in entries:
                name = entry.name
                plain = plain and name.isascii()
                if entry.is_symlink() and not (self._follow_links and self._leads_inside(path / name)):
                    continue
                try:
                    if entry.is_dir(follow_symlinks=self._follow_links):
                        names.append(name + "/")
                    elif entry.is_file(follow_symlinks=self._follow_links):
                        names.append(name)
                except OSError:  # it may be either; `_walk` meets the error again
                    names += [name, name + "/"]
        names.sort(key=None if plain else key_bytes)
        return names

    def _leads_inside(self, path: Path) -> bool:
        return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(self._root))

    def _open(self, key: str) -> int:
        """Open a file folder by folder, so that no link inserted on the path leads out of the root."""
        root = os.path.realpath(self._root)
        if self._follow_links:
            real = os.path.realpath(self._root / key)
            if not Path(real).is_relative_to(root):
                raise ItemUnreadable("cannot be read: it leads outside the source")
            key = os.path.relpath(real, root)
        *folders, name = key.split("/")
        at = os.open(root, _FOLDER)
        try:
            for part in folders:
                below = os.open(part, _FOLDER, dir_fd=at)
                os.close(at)
                at = below
            return os.open(name, _FILE, dir_fd=at)
        finally:
            os.close(at)

    @contextmanager
    def _errors(self, path: Path) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise SourceUnreadable(
                f"{path} cannot be listed: {error.strerror}. Nothing was changed or deleted; "
                "check that BG_SOURCE exists, is mounted and is readable"
            ) from error


@contextmanager
def _closing(descriptor: int) -> Iterator[None]:
    try:
        yield
    finally:
        os.close(descriptor)


def _identity(folder: int) -> tuple[int, int]:
    info = os.fstat(folder)
    return info.st_dev, info.st_ino
