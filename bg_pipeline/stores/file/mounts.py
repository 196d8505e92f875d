"""Which file systems record every change of a file by themselves."""

import re
from pathlib import Path

MOUNTS = Path("/proc/self/mounts")
"""Only Linux has it: proc(5)."""

_KEEP_CTIME = frozenset(
    {
        *("ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "bcachefs", "f2fs", "jfs", "nilfs2", "reiserfs"),
        *("tmpfs", "overlay"),
    }
)
"""
File systems that set ctime at each change and whose inodes stay. Shares, FUSE and FAT are not among them: their times
are those of another machine, are kept in memory, or are set by the program that writes.
"""

_ESCAPED = re.compile(r"\\([0-7]{3})")
"""Space, tab, newline and backslash in a path: getmntent(3)."""


def keeps_change_times(folder: Path, mounts: str) -> bool:
    """
    Return True if no file below a folder can change without a change of ctime or inode.

    Args:
        folder: an absolute path without links.
        mounts: all mounts, as in `MOUNTS`. Of two at one place, the later one counts.
    """
    kinds: dict[Path, str] = {}
    for line in mounts.splitlines():
        _, place, kind, *_ = line.split(" ")
        kinds[Path(_ESCAPED.sub(lambda code: chr(int(code[1], 8)), place))] = kind
    above = [place for place in kinds if folder.is_relative_to(place)]
    below = [place for place in kinds if place.is_relative_to(folder)]
    return bool(above) and all(kinds[place] in _KEEP_CTIME for place in (max(above, key=_depth), *below))


def is_proof(folder: Path) -> bool:
    """Run `keeps_change_times` for the mounts of this machine; False if they are not known."""
    try:
        mounts = MOUNTS.read_text("utf-8", "surrogateescape")
    except OSError:
        return False
    return keeps_change_times(folder.resolve(), mounts)


def _depth(place: Path) -> int:
    return len(place.parts)
