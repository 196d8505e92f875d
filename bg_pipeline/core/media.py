"""Detect a file's media type from its first bytes: names can be wrong."""

from bg_pipeline.core.formats import Format

MAX_PIXELS = 50_000_000
"""Most pixels of a picture. 50 MP is remove.bg's input limit, the highest of the vendors (remove.bg/api, read
2026-11)."""

_MAGIC = (
    (b"\xff\xd8\xff", Format.JPG.media_type),
    (b"\x89PNG\r\n\x1a\n", Format.PNG.media_type),
    (b"GIF8", "image/gif"),
    (b"BM", "image/bmp"),
    (b"II*\0", "image/tiff"),
    (b"MM\0*", "image/tiff"),
)

_ENDS = {Format.JPG.media_type: b"\xff\xd9", Format.PNG.media_type: b"IEND\xaeB`\x82", "image/gif": b";"}
"""The last bytes of a whole picture; some cameras write zeros after them."""

_TAIL = bytes(4096)

_MAY_END_IN_ZEROS = frozenset({"image/bmp", "image/tiff"})


def ends_in_zeros(data: bytes, media_type: str) -> bool:
    """
    Return True if a picture ends in 4 KiB of zeros or more, and not after the mark of its end.

    A program that sets the full length of a file first leaves zeros where it has not written yet.
    """
    if not data.endswith(_TAIL):
        return False
    end = _ENDS.get(media_type)
    return end is None or not data.rstrip(b"\0").endswith(end)


def may_end_in_zeros(media_type: str) -> bool:
    """Return True if a whole picture of this type can end in zeros: uncompressed, they are black."""
    return media_type in _MAY_END_IN_ZEROS


def sniff(head: bytes) -> str:
    """Return the media type of a picture that this package can read; empty for any other file."""
    for magic, media_type in _MAGIC:
        if head.startswith(magic):
            return media_type
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return Format.WEBP.media_type
    if head[4:8] == b"ftyp" and head[8:12] in {b"avif", b"avis"}:
        return "image/avif"
    return ""
