"""Choose the part of the catalogue to hash again although nothing looks changed."""

from dataclasses import dataclass
from zlib import crc32

_DAY_S = 86_400.0

_NIGHTS = 7
"""Each item once a week, where a listing can hide a change."""


@dataclass(frozen=True, slots=True)
class Slice:
    """One of `of` parts of about the same size, numbered from 0."""

    number: int
    of: int

    def holds(self, key: bytes) -> bool:
        """Return True if the key is in this slice. Only the key decides, so that each is in exactly one slice."""
        return crc32(key) % self.of == self.number


def day_of(now: float) -> int:
    """Return the days since the epoch, UTC."""
    return int(now // _DAY_S)


def nights_of_a_round(wanted: int | None, *, listing_is_proof: bool) -> int:
    """
    Return the number of nights in which the whole catalogue is hashed once; 0 for never.

    Args:
        wanted: the number that a person set; None for none.
        listing_is_proof: no item of the source can change and look the same in a listing.
    """
    if wanted is not None:
        return wanted
    return 0 if listing_is_proof else _NIGHTS


def due_slice(nights: int, now: float, last: tuple[int, int] | None) -> Slice | None:
    """
    Return the slice to hash now.

    Args:
        nights: number of nights in which the whole catalogue is hashed once; 0 for never.
        now: epoch second.
        last: day and number of the last one that was finished; None before the first.

    Returns:
        The slice after the last one, independent of the date: by the calendar, a schedule without Sundays would
        never reach Sunday's slice. None if one was finished today.
    """
    if not nights or (last is not None and last[0] == day_of(now)):
        return None
    return Slice(0 if last is None else (last[1] + 1) % nights, nights)
