"""A catalogue in a folder."""

import os
from collections.abc import Iterator
from pathlib import Path

from bg_pipeline.core.keys import key_bytes
from bg_pipeline.core.records import Listed
from bg_pipeline.errors import ItemChanged, ItemUnreadable, SourceUnreadable


class FolderSource:
    """
    `ports.ImageSource` over a folder. Hidden files and symbolic links are left out.

    Args:
        root: must exist when it is listed; a missing folder is never an empty one.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def list(self) -> Iterator[Listed]:
        yield from self._walk(self._root, "")

    def read(self, key: str) -> bytes:
        try:
            return (self._root / key).read_bytes()
        except FileNotFoundError as error:
            raise ItemChanged(f"{key} is not there any more") from error
        except OSError as error:
            raise ItemUnreadable(f"cannot be read: {error.strerror}") from error

    def exists(self, key: str) -> bool:
        try:
            self._root.stat()
            (self._root / key).lstat()
        except (FileNotFoundError, NotADirectoryError) as error:
            if not self._root.is_dir():
                raise SourceUnreadable(f"{self._root} is not there; see that BG_SOURCE is mounted") from error
            return False
        except OSError as error:
            raise SourceUnreadable(f"{key} cannot be looked at: {error.strerror}") from error
        return True

    def _walk(self, folder: Path, prefix: str) -> Iterator[Listed]:
        try:
            with os.scandir(folder) as found:
                entries = [
                    (key_bytes(entry.name + "/" if is_dir else entry.name), is_dir, entry)
                    for entry in found
                    if not entry.name.startswith(".")
                    and ((is_dir := entry.is_dir(follow_symlinks=False)) or entry.is_file(follow_symlinks=False))
                ]
            # Folders sort with their slash, so that the keys of the whole tree come in one ascending order.
            for _, is_dir, entry in sorted(entries, key=lambda e: e[0]):
                if is_dir:
                    yield from self._walk(Path(entry.path), f"{prefix}{entry.name}/")
                else:
                    try:
                        listed = self._listed(prefix + entry.name, entry)
                    except FileNotFoundError:
                        if not folder.exists():
                            raise
                        continue  # removed while the folder was listed
                    yield listed
        except OSError as error:
            raise SourceUnreadable(
                f"{error.filename or folder} cannot be listed: {error.strerror}. Nothing was changed or deleted; "
                "see that BG_SOURCE is there, mounted and readable"
            ) from error

    @staticmethod
    def _listed(key: str, entry: os.DirEntry[str]) -> Listed:
        stat = entry.stat(follow_symlinks=False)
        # A restored or edited file can have its old time and size; ctime and inode tell it apart.
        evidence = f"{stat.st_size}:{stat.st_mtime_ns}:{stat.st_ctime_ns}:{stat.st_ino}"
        return Listed(key, evidence, stat.st_size)
