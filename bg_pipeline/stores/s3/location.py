"""Bucket and prefix of an `s3://` location."""

import re
from dataclasses import dataclass

_SCHEME = "s3://"


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket, or the objects below a prefix in one."""

    name: str
    prefix: str
    """Empty, or ends in a slash: `s3://shop/img` never means `img-old/` too."""

    def __str__(self) -> str:
        return f"{_SCHEME}{self.name}/{self.prefix}"

    def overlaps(self, other: "Bucket") -> bool:
        """Return True if one is inside the other, or both are the same."""
        return self.name == other.name and (
            self.prefix.startswith(other.prefix) or other.prefix.startswith(self.prefix)
        )


def bucket_of(location: str) -> Bucket:
    """
    Return the bucket that a location names, `s3://BUCKET` or `s3://BUCKET/PREFIX`.

    Raises:
        ValueError: no bucket can have this name.
    """
    name, _, prefix = location.removeprefix(_SCHEME).partition("/")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{1,62}", name):
        raise ValueError("must be s3://BUCKET or s3://BUCKET/PREFIX, with a valid bucket name")
    prefix = prefix.rstrip("/")
    return Bucket(name, f"{prefix}/" if prefix else "")
