"""Which part of the catalogue is hashed again although nothing looks changed."""

from dataclasses import dataclass
from zlib import crc32


@dataclass(frozen=True, slots=True)
class Slice:
    """One of `of` parts of about the same size, numbered from 0."""

    number: int
    of: int

    def holds(self, key: bytes) -> bool:
        """Depends on the key alone, so that as many slices as there are hold every key once."""
        return crc32(key) % self.of == self.number
