"""Where things lie: a folder, a bucket or a database, told apart by how the setting is written."""

import re
from dataclasses import dataclass

_S3 = "s3://"


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket, or what lies below a prefix in one."""

    name: str
    prefix: str
    """Empty, or ends in a slash: `s3://shop/img` never means `img-old/` too."""

    def __str__(self) -> str:
        return f"{_S3}{self.name}/{self.prefix}"

    def overlaps(self, other: "Bucket") -> bool:
        """Whether one lies in the other."""
        return self.name == other.name and (
            self.prefix.startswith(other.prefix) or other.prefix.startswith(self.prefix)
        )


def bucket_of(place: str) -> Bucket | None:
    """
    The bucket that a place names; None for a folder or a database.

    Raises:
        ValueError: it names none that can exist.
    """
    if not place.startswith(_S3):
        return None
    name, _, prefix = place.removeprefix(_S3).partition("/")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{1,62}", name):
        raise ValueError(f"must be s3://BUCKET or s3://BUCKET/PREFIX, and no bucket can be called {name!r}")
    prefix = prefix.rstrip("/")
    return Bucket(name, f"{prefix}/" if prefix else "")
