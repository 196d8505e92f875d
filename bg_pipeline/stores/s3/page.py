"""
Parser of one ListObjectsV2 response.

A listing is mostly rows that are as they were: they are told by their bytes, and parsed only where those differ.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import unquote_plus
from xml.etree import ElementTree as ET

_ROW, _ROW_END = b"<Contents>", b"</Contents>"
_KEY, _KEY_END = b"<Key>", b"</Key>"


class ListedObject(NamedTuple):
    """One line of a listing."""

    key: str
    size_bytes: int
    etag: str
    modified: str
    """Time of modification in the server's notation."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Some lines of a listing."""

    keys: Sequence[str]
    sent: Sequence[bytes]
    """The lines as the server sent them, as elements without a namespace."""

    def __len__(self) -> int:
        return len(self.keys)

    def part(self, start: int, end: int | None) -> "Rows":
        """Return some of them, by number."""
        return Rows(self.keys[start:end], self.sent[start:end])

    def below(self, prefix: str) -> "Rows":
        """Return those that stand for no folder, their keys without a prefix that all have."""
        kept = [n for n, key in enumerate(self.keys) if not key.endswith("/")]
        if len(kept) == len(self.keys) and not prefix:
            return self
        return Rows([self.keys[n][len(prefix) :] for n in kept], [self.sent[n] for n in kept])

    def objects(self) -> Iterator[ListedObject]:
        """
        Parse them.

        Raises:
            ValueError: a line is malformed.
        """
        try:
            root = _parsed(b"<Rows>%b</Rows>" % b"".join(self.sent))
        except ET.ParseError as error:
            raise ValueError(f"a line of it is malformed: {error}") from error
        for key, row in zip(self.keys, root, strict=True):
            size, etag, modified = (row.findtext(tag, "") for tag in ("Size", "ETag", "LastModified"))
            yield ListedObject(key, int(size), etag, modified)


def digest_of_rows(parts: Iterable[Rows]) -> str:
    """Return the digest of lines as they were sent."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(b"".join(part.sent))
    return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class Page:
    """One ListObjectsV2 response."""

    rows: Rows
    """Objects, their keys still with the prefix."""
    truncated: str
    token: str
    """`truncated` and `token` as sent by the server; empty where missing."""
    count: int
    """Number of rows that the server announces; -1 where it does not."""


def parse_page(body: bytes) -> Page | None:
    """
    Parse one page of ListObjectsV2 but for its rows; None for anything else, such as an error with status 200.

    Raises:
        ValueError: the page is malformed, or has a document type, which can hold an attack.
    """
    if b"<!DOCTYPE" in body or b"\0" in body:  # UTF-16 could hide a document type, but not its zero bytes
        raise ValueError("a listing with a document type is not read")
    try:
        sent, rest = _split(body)
        root = _parsed(rest)
        space, _, name = root.tag.rpartition("}")
        space += "}" if space else ""
        if (unusual := root.find(f"{space}Contents")) is not None:
            root = _parsed(body)
            sent = [_plain(row) for row in root.iterfind(unusual.tag)]
        is_encoded = root.findtext(f"{space}EncodingType") == "url"
        keys = [_key(row, is_encoded) for row in sent]
    except ET.ParseError:  # incomplete; botocore retries
        return None
    if name != "ListBucketResult":
        return None
    return Page(
        Rows(keys, sent),
        truncated=root.findtext(f"{space}IsTruncated", ""),
        token=root.findtext(f"{space}NextContinuationToken", ""),
        count=int(root.findtext(f"{space}KeyCount", "-1")),
    )


def _split(body: bytes) -> tuple[list[bytes], bytes]:
    """Return the rows as they were sent, and what is around them; no rows if they are not written as usual."""
    first, end = body.find(_ROW), body.rfind(_ROW_END)
    if not 0 <= first < end:
        return [], body
    rows = [row.lstrip() + _ROW_END for row in body[first:end].split(_ROW_END)]
    if all(row.startswith(_ROW) and row.count(_KEY) == row.count(_KEY_END) == 1 for row in rows):
        return rows, body[:first] + body[end + len(_ROW_END) :]
    return [], body


def _plain(row: ET.Element) -> bytes:
    for each in row.iter():
        each.tag = each.tag.rpartition("}")[2]
    return ET.tostring(row)


def _parsed(xml: bytes) -> ET.Element:
    # The response must not choose the encoding. defusedxml would do the same in Python, too slowly.
    parser = ET.XMLParser(encoding="utf-8")  # noqa: S314
    parser.feed(xml)
    return parser.close()


def _key(row: bytes, url_encoded: bool) -> str:
    raw = row[row.find(_KEY) + len(_KEY) : row.find(_KEY_END)]
    key = raw.decode() if b"&" not in raw else _parsed(b"<Key>%b</Key>" % raw).text or ""
    return unquote_plus(key, errors="surrogateescape") if url_encoded and ("%" in key or "+" in key) else key
