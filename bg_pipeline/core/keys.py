"""Derive the collection, partition key and output name from an item key."""

import hashlib
import itertools
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from urllib.parse import unquote

from bg_pipeline.core.formats import Format

_MAX_SEGMENT_BYTES = 200
"""Most file systems allow 255 bytes for a name; marks and the extension need the rest."""

_MAX_STEM_BYTES = 800
"""S3 allows 1,024 bytes for a key; a prefix, the folder of the trash, marks and the extension need the rest."""

_EXTENSIONS = tuple(each.extension for each in Format)
"""File name extensions of outputs."""

THUMBNAILS = "thumbnails"
"""Folder of the gallery with the small pictures of its pages."""

COMPARISON = "comparison/index.html"
"""Name in the gallery of the page of the last comparison; in a folder, because a collection may have any name."""

DAMAGED = ".damaged"
"""Hidden folder in the store of masters."""

_ESCAPED = re.compile(r"[\x00-\x1f\x7f%,\[\]\ud800-\udfff]|^\s|\s$|(?<=\.)\.|^\.$")
"""Dagster refuses control characters and `...`; its UI reads `,` and `[a...b]` as selections; a storage or a
browser would trim the rest. `.` alone is the name of the root collection."""

_OF_PICTURES = frozenset(
    {
        *("jpg", "jpeg", "jpe", "jfif", "pjpeg", "pjp", "png", "apng", "gif", "bmp", "dib", "tif", "tiff", "webp"),
        *("avif", "avifs", "heic", "heif", "hif", "jxl", "jp2", "j2k", "jpx", "mpo", "psd", "svg", "ico"),
        *("3fr", "arw", "cr2", "cr3", "dng", "iiq", "nef", "nrw", "orf", "pef", "raf", "raw", "rw2", "srw", "x3f"),
    }
)
"""Extensions of pictures, whether or not this package can read them."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")

_DRIVE = re.compile(r"[A-Za-z]:")

_NO_NAME = re.compile(r"(^|[/\\])\.{0,2}([/\\]|\Z)")
"""A path part that cannot name a folder or a file."""


def collection_of(key: str, depth: int) -> str:
    """Return the first `depth` folders of a key; `""` for an item in no folder."""
    return "/".join(key.split("/")[:-1][:depth])


def encode_partition(collection: str) -> str:
    """Return a readable Dagster partition key; `decode_partition` reverses it."""
    if not collection:
        return "."
    return _ESCAPED.sub(lambda m: "".join(f"%{b:02X}" for b in key_bytes(m[0])), collection)


def decode_partition(partition_key: str) -> str:
    """Return the collection of a partition key."""
    return "" if partition_key == "." else unquote(partition_key, errors="surrogateescape")


def key_bytes(key: str) -> bytes:
    """Return a key as bytes, as its source spells it: UTF-8, with invalid bytes unchanged."""
    return key.encode("utf-8", "surrogateescape")


def unsafe(key: str) -> str:
    """
    Return the reason why a key may not become a path; empty if it may.

    A backslash separates folders on Windows and its shares, so it does here.
    """
    if "\0" in key:
        return "its name contains a NUL character"
    if key.startswith(("/", "\\")):
        return "its name is an absolute path"
    if _DRIVE.match(key):
        return "its name begins with a drive letter"
    if _NO_NAME.search(key):
        return "its name has an empty, '.' or '..' part"
    return ""


def fold(stem: str) -> str:
    """
    Return the form of an output name that must be unique: many file systems ignore case and Unicode form, some also
    dots and spaces at the end of a folder's name.
    """
    # A first detection folds hundreds of thousands of stems; most need no normalization.
    folded = stem.lower() if stem.isascii() else _normalized(_normalized(stem).casefold())
    if "./" not in folded and " /" not in folded:
        return folded
    *folders, name = folded.split("/")
    return "/".join([*(folder.rstrip(". ") for folder in folders), name])


def _normalized(stem: str) -> str:
    return unicodedata.normalize("NFC", stem)


def plain_stem(key: str) -> str:
    """
    Return the key without its extension, with its folders, as a person expects.

    Only what a picture file ends with is an extension: `10.250.01` is an article number.
    """
    return key[: -len(extension_of(key)) - 1] if is_named_like_a_picture(key) else key


def extension_of(key: str) -> str:
    """Return what follows the last dot of a name, in lower case; empty if nothing is before that dot."""
    stem, _, extension = key.rpartition("/")[2].rpartition(".")
    return extension.lower() if stem else ""


def is_named_like_a_picture(key: str) -> bool:
    """Return True if a key has the extension of a picture, whether or not this package can read that format."""
    return extension_of(key) in _OF_PICTURES


def preferred_stem(key: str) -> str:
    """
    Return the plain stem, made valid for every store.

    Control characters are escaped as in a URL. Long parts are cut and marked. A leading dot would hide the output, so
    `_` comes before it; a folder that is named like an output (`a.png/`) could block that output, so `_` comes after.
    """
    *folders, name = plain_stem(key).split("/")
    stem = "/".join([*map(_folder, folders), _fit(name)])
    raw = key_bytes(stem)
    if len(raw) <= _MAX_STEM_BYTES:
        return stem
    return f"{raw[:_MAX_STEM_BYTES].decode('utf-8', 'ignore').rstrip('/')}~{_mark(plain_stem(key))}"


def marked_stem(key: str) -> str:
    """Return the stem of a key whose preferred stem is taken."""
    return f"{preferred_stem(key)}~{_mark(key)}"


def stems_for(key: str) -> Iterator[str]:
    """Yield stems for a key in the order of trial, without end; they depend on the key alone."""
    stem = preferred_stem(key)
    yield stem
    yield marked_stem(key)
    for count in itertools.count(2):
        yield f"{stem}~{_mark(f'{key}/{count}')}"


def allocate_stems(preferred: Mapping[str, str], taken: Callable[[str], bool]) -> dict[str, str]:
    """
    Give each key an output stem that no other has.

    Args:
        preferred: `preferred_stem` of each key, in key order: the result must not depend on the listing's order.
        taken: returns True if a folded stem already belongs to another item.
    """
    given: dict[str, str] = {}
    folded: set[str] = set()
    for key, first in preferred.items():
        stem, name = first, fold(first)
        if name in folded or taken(name):
            names = ((other, fold(other)) for other in stems_for(key))
            stem, name = next(pair for pair in names if pair[1] not in folded and not taken(pair[1]))
        given[key] = stem
        folded.add(name)
    return given


def master_name(purchase_id: str) -> str:
    """Return the name under which the master of a purchase is stored."""
    return f"{purchase_id[:2]}/{purchase_id}"


def damaged_name(purchase_id: str) -> str:
    """Return the hidden name under which bytes are stored that are not those of the recorded master."""
    return f"{DAMAGED}/{master_name(purchase_id)}"


def gallery_page(collection: str) -> str:
    """Return the file name of the before-and-after page of a collection; a long one is cut and marked."""
    name = encode_partition(collection).replace("/", "%2F")
    if len(name.encode()) > _MAX_SEGMENT_BYTES:
        name = f"{name.encode()[:_MAX_SEGMENT_BYTES].decode('utf-8', 'ignore')}~{_mark(collection)}"
    return f"{name}.html"


def thumbnail_name(digest: str) -> str:
    """Return the name in the gallery of a thumbnail of the picture with this SHA-256."""
    return f"{THUMBNAILS}/{digest[:2]}/{digest}.webp"


# Cached: many items are in one folder.
@lru_cache(1024)
def _folder(part: str) -> str:
    return _fit(f"{part}_" if part.lower().endswith(_EXTENSIONS) else part)


def _fit(part: str) -> str:
    part = _CONTROL.sub(lambda m: f"%{ord(m[0]):02X}", part)
    part = f"_{part}" if part.startswith(".") else part
    raw = key_bytes(part)
    if len(raw) <= _MAX_SEGMENT_BYTES:
        return part
    return f"{raw[:_MAX_SEGMENT_BYTES].decode('utf-8', 'ignore')}~{_mark(part)}"


def _mark(text: str) -> str:
    return hashlib.sha256(key_bytes(text)).hexdigest()[:10]
