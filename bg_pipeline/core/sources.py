"""Limit of a source picture, for everything that reads one."""

from collections.abc import Callable

from bg_pipeline.errors import ItemTooLarge

MAX_SOURCE_BYTES = 256 * 2**20
"""Largest source: a file is held in memory whole. No vendor accepts a quarter of this size."""

_CHUNK_BYTES = 1 << 20


def require_size(size_bytes: int) -> None:
    """
    Check a size before anything is read.

    Raises:
        ItemTooLarge: it is larger than `MAX_SOURCE_BYTES`.
    """
    if size_bytes > MAX_SOURCE_BYTES:
        raise ItemTooLarge(f"larger than {MAX_SOURCE_BYTES >> 20} MiB")


def read_source(read: Callable[[int], bytes], stated_bytes: int = 0) -> bytes:
    """
    Read to the end, and no further than the limit: a size that was stated before can be wrong.

    Args:
        read: returns at most so many bytes; none at the end.
        stated_bytes: the size that was stated; a reader that gives so much at once is not copied.

    Raises:
        ItemTooLarge: there are more than `MAX_SOURCE_BYTES`.
    """
    parts, size_bytes = list[bytes](), 0
    while chunk := read(max(stated_bytes - size_bytes, _CHUNK_BYTES)):
        parts.append(chunk)
        size_bytes += len(chunk)
        require_size(size_bytes)
    return b"".join(parts)
