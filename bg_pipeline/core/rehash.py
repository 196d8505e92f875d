"""Which part of the catalogue is hashed again although nothing looks changed."""

from dataclasses import dataclass
from zlib import crc32

_DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Slice:
    """One of `of` parts of about the same size, numbered from 0."""

    number: int
    of: int

    def holds(self, key: bytes) -> bool:
        """Depends on the key alone, so that as many slices as there are hold every key once."""
        return crc32(key) % self.of == self.number


def day_of(now: float) -> int:
    """Days since the epoch, UTC."""
    return int(now // _DAY_S)


def due_slice(nights: int, now: float, last: tuple[int, int] | None) -> Slice | None:
    """
    The slice that is to be hashed at this moment.

    Args:
        nights: in how many nights the whole catalogue is to be hashed once; 0 for never.
        now: epoch second.
        last: day and number of the last one that was finished; None before the first.

    Returns:
        The one after the last, whatever the date: counted by the calendar, a schedule that leaves out Sundays would
        never get to Sunday's. None if one was finished today.
    """
    if not nights or (last is not None and last[0] == day_of(now)):
        return None
    return Slice(0 if last is None else (last[1] + 1) % nights, nights)
