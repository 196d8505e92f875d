"""Item key to collection, partition key and output name."""

import hashlib
import re
import unicodedata
from collections.abc import Callable, Iterable
from urllib.parse import unquote

_MAX_SEGMENT_BYTES = 200
"""Most file systems end at 255 bytes a name; the extension and a temporary name need the rest."""

_ESCAPED = re.compile(r"[\x00-\x1f\x7f%,\[\]\ud800-\udfff]|^\s|\s$|(?<=\.)\.|^\.$")
"""Dagster refuses control characters and `...`; its UI reads `,` and `[a...b]` as selections; the rest is
what a storage or a browser would trim. `.` alone is the name of the root collection."""


def collection_of(key: str, depth: int) -> str:
    """The first `depth` folders of a key; `""` for an item that lies in no folder."""
    return "/".join(key.split("/")[:-1][:depth])


def encode_partition(collection: str) -> str:
    """A Dagster partition key; readable, and `decode_partition` gives the collection back."""
    if not collection:
        return "."
    return _ESCAPED.sub(lambda m: "".join(f"%{b:02X}" for b in key_bytes(m[0])), collection)


def decode_partition(partition_key: str) -> str:
    """The collection that a partition key stands for."""
    return "" if partition_key == "." else unquote(partition_key, errors="surrogateescape")


def key_bytes(key: str) -> bytes:
    """A key as its source spells it: UTF-8, with bytes that are none kept as they are."""
    return key.encode("utf-8", "surrogateescape")


def unsafe(key: str) -> str:
    """Why a key may not become a path; empty if it may."""
    if "\0" in key:
        return "its name contains a NUL character"
    if key.startswith("/") or re.match(r"^[A-Za-z]:[\\/]", key):
        return "its name is an absolute path"
    if any(part in {"", ".", ".."} for part in key.split("/")):
        return "its name has an empty, '.' or '..' part"
    return ""


def fold(stem: str) -> str:
    """What two output names must differ in: many file systems ignore case and Unicode form."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", stem).casefold())


def preferred_stem(key: str) -> str:
    """Folders kept, extension dropped, over-long parts cut and marked."""
    *folders, name = key.split("/")
    stem, dot, _ = name.rpartition(".")
    return "/".join(_fit(part) for part in [*folders, stem if dot and stem else name])


def marked_stem(key: str) -> str:
    """The stem of a key whose preferred one is taken; depends on nothing but the key."""
    stem = preferred_stem(key)
    return f"{stem}~{_mark(key)}"


def allocate_stems(keys: Iterable[str], taken: Callable[[str], bool]) -> dict[str, str]:
    """
    Give each key an output stem that no other has.

    Args:
        keys: keys without a stem, in key order, so that the outcome does not depend on the listing's.
        taken: whether a folded stem belongs to another item already; it keeps it.
    """
    given: dict[str, str] = {}
    folded: set[str] = set()
    for key in keys:
        stem = preferred_stem(key)
        if fold(stem) in folded or taken(fold(stem)):
            stem = marked_stem(key)
        folded.add(fold(stem))
        given[key] = stem
    return given


def master_name(work_id: str) -> str:
    """Where the master of a work is stored."""
    return f"{work_id[:2]}/{work_id}"


def gallery_page(collection: str) -> str:
    """File name of the before-and-after page of a collection."""
    return f"{encode_partition(collection).replace('/', '%2F')}.html"


def _fit(part: str) -> str:
    raw = key_bytes(part)
    if len(raw) <= _MAX_SEGMENT_BYTES:
        return part
    return f"{raw[:_MAX_SEGMENT_BYTES].decode('utf-8', 'ignore')}~{_mark(part)}"


def _mark(text: str) -> str:
    return hashlib.sha256(key_bytes(text)).hexdigest()[:10]
