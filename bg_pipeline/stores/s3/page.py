"""Parser of one ListObjectsV2 response."""

from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import unquote_plus
from xml.etree import ElementTree as ET


class ListedObject(NamedTuple):
    """One line of a listing."""

    key: str
    size_bytes: int
    etag: str
    modified: str
    """Time of modification in the server's notation."""


@dataclass(frozen=True, slots=True)
class Page:
    """One ListObjectsV2 response."""

    rows: tuple[ListedObject, ...]
    """Objects, their keys still with the prefix."""
    truncated: str
    token: str
    """`truncated` and `token` as sent by the server; empty where missing."""
    count: int
    """Number of rows that the server announces; -1 where it does not."""


def parse_page(body: bytes) -> Page | None:
    """
    Parse one page of ListObjectsV2; None for anything else, such as an error with status 200.

    Raises:
        ValueError: the page is malformed, or has a document type, which can hold an attack.
    """
    if b"<!DOCTYPE" in body or b"\0" in body:  # UTF-16 could hide a document type, but not its zero bytes
        raise ValueError("a listing with a document type is not read")
    # The response must not choose the encoding. defusedxml would do the same in Python, too slowly.
    parser = ET.XMLParser(encoding="utf-8")  # noqa: S314
    try:
        parser.feed(body)
        root = parser.close()
    except ET.ParseError:  # incomplete; botocore retries
        return None
    space, _, name = root.tag.rpartition("}")
    space += "}" if space else ""
    if name != "ListBucketResult":
        return None
    url_encoded = root.findtext(f"{space}EncodingType") == "url"
    key, size, etag, modified = (f"{space}{tag}" for tag in ("Key", "Size", "ETag", "LastModified"))
    return Page(
        tuple(
            ListedObject(
                _decoded(row.findtext(key, ""), url_encoded),
                int(row.findtext(size, "")),
                row.findtext(etag, ""),
                row.findtext(modified, ""),
            )
            for row in root.iterfind(f"{space}Contents")
        ),
        truncated=root.findtext(f"{space}IsTruncated", ""),
        token=root.findtext(f"{space}NextContinuationToken", ""),
        count=int(root.findtext(f"{space}KeyCount", "-1")),
    )


def _decoded(key: str, url_encoded: bool) -> str:
    return unquote_plus(key, errors="surrogateescape") if url_encoded and ("%" in key or "+" in key) else key
