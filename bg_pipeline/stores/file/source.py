"""A catalogue in a folder."""

import errno
import hashlib
import marshal
import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, groupby, islice
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

from bg_pipeline.core.blocks import ROWS, Block, divided_parts, rows_before
from bg_pipeline.core.keys import unsafe
from bg_pipeline.core.records import Listed
from bg_pipeline.core.sources import read_source, require_size
from bg_pipeline.errors import ItemChanged, ItemUnreadable, SourceUnreadable
from bg_pipeline.ports.running import Now
from bg_pipeline.ports.source import SplitPoints, no_split_points
from bg_pipeline.stores.file.mounts import is_proof
from bg_pipeline.stores.file.names import in_byte_order

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
"""Flags for opening a file: opening a named pipe must not wait for a writer."""

_SECOND_NS = 1e9

_OF_THE_DISK = frozenset(
    {
        *(errno.EIO, errno.ENODEV, errno.ESTALE, errno.ENOTCONN, errno.ETIMEDOUT, errno.EHOSTDOWN),
        *(errno.EMFILE, errno.ENFILE, errno.ENOMEM),
    }
)
"""Errors of a disk, a share or this process, perhaps not of this file alone."""


_STABLE = 2
"""The newest format of `marshal` in which equal values have equal bytes. Text would take twice as long."""


class _Files(NamedTuple):
    """Files of one folder, in the order of their names."""

    prefix: str
    names: Sequence[str]
    infos: list["_Info"]


_Info = tuple[int, int, int, int]
"""Size, mtime and ctime in nanoseconds, and inode: a restored or edited file can keep its old time and size."""

_info_of = attrgetter("st_size", "st_mtime_ns", "st_ctime_ns", "st_ino")

_Part = _Files | Listed
"""Some rows of a listing; not made until they are needed, because that takes as long as to walk."""


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
        for part in self._parts(1):
            yield from self._rows(part)

    def blocks(self, starts: Sequence[str]) -> Iterator[Block]:
        blocks = divided_parts(self._parts(ROWS), starts, first_of=_first, rows_of=_rows_of, cut=_cut)
        return map(self._block, blocks)

    def read(self, key: str) -> bytes:
        if why := unsafe(key):
            raise ItemUnreadable(f"cannot be read: {why}")
        try:
            with open(self._open(key), "rb") as file:  # noqa: PTH123  a descriptor is not a path
                info = os.fstat(file.fileno())
                if not stat.S_ISREG(info.st_mode):
                    raise ItemUnreadable("cannot be read: it is not a regular file")
                require_size(info.st_size)
                return read_source(file.read, info.st_size)
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

    def _parts(self, at_once: int) -> Iterator[_Part]:
        with self._errors(self._root):
            root = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY)
        return self._walk(root, "", self._root, (_identity(root),), at_once)

    def _block(self, parts: Sequence[_Part]) -> Block:
        digest = hashlib.sha256()
        # Where a part ends depends on what is before the block.
        for part in _joined(parts):
            if isinstance(part, Listed):
                digest.update(marshal.dumps((part.key, part.problem), _STABLE))
            else:  # no name has a NUL
                digest.update(marshal.dumps((part.prefix, "\0".join(part.names), part.infos), _STABLE))
        return Block(_first(parts[0]), digest.hexdigest(), lambda: chain.from_iterable(map(self._rows, parts)))

    def _walk(
        self, folder: int, prefix: str, path: Path, within: tuple[tuple[int, int], ...], at_once: int
    ) -> Iterator[_Part]:
        """
        Walk a folder and close its descriptor.

        Args:
            folder: its descriptor.
            prefix: of the keys below it.
            path: its path.
            within: the folders above it, by device and inode.
            at_once: files that one part has at most.
        """
        with _closing(folder):
            try:
                names, has_folders = self._names(folder, path)
            except OSError as error:
                yield self._not_looked(prefix, error)
                return
            for are_folders, group in groupby(names, _is_folder) if has_folders else [(False, names)]:
                if not are_folders:
                    yield from self._files(folder, prefix, path, group, at_once)
                    continue
                for name in group:
                    if self._leaves_out(prefix + name):
                        yield Listed(prefix + name, "", 0)
                        continue
                    try:
                        child = os.open(name[:-1], self._folder_flags, dir_fd=folder)
                    except OSError as error:
                        yield self._not_looked(prefix + name, error)
                        continue
                    identity = _identity(child)
                    if identity in within:
                        os.close(child)
                    else:
                        yield from self._walk(child, prefix + name, path / name, (*within, identity), at_once)

    def _files(self, folder: int, prefix: str, path: Path, names: Iterator[str], at_once: int) -> Iterator[_Part]:
        follow = self._follow_links
        while here := list(islice(names, at_once)):
            try:
                infos = [_info_of(os.stat(name, dir_fd=folder, follow_symlinks=follow)) for name in here]
            except OSError as error:
                if at_once > 1:
                    yield from self._files(folder, prefix, path, iter(here), 1)
                elif not isinstance(error, FileNotFoundError) or not path.exists():  # else removed since it was listed
                    yield self._not_looked(prefix + here[0], error)
            else:
                yield _Files(prefix, here, infos)

    def _rows(self, part: _Part) -> Iterable[Listed]:
        if isinstance(part, Listed):
            return (part,)
        now = self._now()
        return (self._row(now, part.prefix + name, info) for name, info in zip(part.names, part.infos, strict=True))

    def _row(self, now: float, key: str, info: _Info) -> Listed:
        size, *times_ns, _ = info
        written_at, changed_at = (each / _SECOND_NS for each in times_ns)
        # A copy may set the time of the original at its start, but each write moves ctime. A far future is settled too.
        age_s = min(abs(now - written_at), abs(now - changed_at))
        return Listed(key, "%d:%d:%d:%d" % info, size, max(0.0, self._stable_s - age_s), written_at)  # noqa: UP031

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

    def _names(self, folder: int, path: Path) -> tuple[Iterator[str], bool]:
        """
        Return names in byte order, and True if some may be of folders.

        Those have their slash, so that the keys of the whole tree are in order.
        """
        has_others = False

        def of(entries: Iterable["os.DirEntry[str]"]) -> Iterator[str]:
            nonlocal has_others
            for entry in entries:
                if entry.is_file(follow_symlinks=False):
                    yield entry.name
                else:
                    has_others = True
                    yield from self._other_names(entry, path)

        with os.scandir(folder) as entries:
            return in_byte_order(of(entries)), has_others

    def _other_names(self, entry: "os.DirEntry[str]", path: Path) -> Iterator[str]:
        """Yield the names of what is no plain file."""
        name, follow = entry.name, self._follow_links
        if entry.is_symlink() and not (follow and self._leads_inside(path / name)):
            return
        try:
            if entry.is_dir(follow_symlinks=follow):
                yield name + "/"
            elif entry.is_file(follow_symlinks=follow):
                yield name
        except OSError:  # it may be either; `_walk` meets the error again
            yield from (name, name + "/")

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


def _is_folder(name: str) -> bool:
    return name[-1] == "/"


def _first(part: _Part) -> str:
    return part.key if isinstance(part, Listed) else part.prefix + part.names[0]


def _cut(part: _Part, bound: bytes | None, room: int) -> tuple[_Part, _Part | None]:
    """Return what of a part belongs to a block with room for more rows, all before `bound`, and the rest."""
    if isinstance(part, Listed):
        return part, None
    prefix, names, infos = part
    end = rows_before(names, bound, room, prefix)
    if end == len(names):
        return part, None
    return _Files(prefix, names[:end], infos[:end]), _Files(prefix, names[end:], infos[end:])


def _joined(parts: Sequence[_Part]) -> list[_Part]:
    """Return the parts of a block with those together that are files of one folder."""
    joined = list(parts[:1])
    for part in parts[1:]:
        last = joined[-1]
        if isinstance(part, _Files) and isinstance(last, _Files) and part.prefix == last.prefix:
            joined[-1] = _Files(last.prefix, [*last.names, *part.names], last.infos + part.infos)
        else:
            joined.append(part)
    return joined


def _rows_of(part: _Part) -> int:
    return 1 if isinstance(part, Listed) else len(part.names)


@contextmanager
def _closing(descriptor: int) -> Iterator[None]:
    try:
        yield
    finally:
        os.close(descriptor)


def _identity(folder: int) -> tuple[int, int]:
    info = os.fstat(folder)
    return info.st_dev, info.st_ino
