"""What a file is, by its bytes: names can be wrong."""

from enum import StrEnum

from bg_pipeline.core.formats import Format
from bg_pipeline.core.keys import extension_of, is_named_like_a_picture

HEIC = "image/heic"
_TIFF = "image/tiff"

_MAGIC = (
    (b"\xff\xd8\xff", Format.JPG.media_type),
    (b"\x89PNG\r\n\x1a\n", Format.PNG.media_type),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"II*\0", _TIFF),
    (b"MM\0*", _TIFF),
    (b"II+\0", _TIFF),
    (b"MM\0+", _TIFF),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "image/jp2"),
    (b"\xff\x4f\xff\x51", "image/jp2"),
)

_BMP_HEADERS = frozenset({12, 40, 52, 56, 64, 108, 124})
"""Sizes of the second header of a BMP: two letters alone begin many texts."""

_BRANDS = {
    **dict.fromkeys((b"avif", b"avis"), "image/avif"),
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"), HEIC),
}
"""Brands of ISO/IEC 23008-12 and of AVIF; a file may state them behind a general one, such as mif1."""

_RAW = frozenset(
    {"3fr", "arw", "cr2", "cr3", "dng", "iiq", "nef", "nrw", "orf", "pef", "raf", "raw", "rw2", "srw", "x3f"}
)
"""Extensions of camera raw files. Many are a TIFF whose first picture is a thumbnail."""

_ENDS = {Format.JPG.media_type: b"\xff\xd9", Format.PNG.media_type: b"IEND\xaeB`\x82", "image/gif": b";"}
"""The last bytes of a whole picture; some cameras write zeros after them."""

_FEW = 64
"""Zeros at its end from which a picture may be unfinished: no coded picture has as many, a black corner has."""

_MANY = 4096
"""Zeros at its end from which a coded picture is unfinished; an eighth of a small one says so too."""

_MAY_END_IN_ZEROS = frozenset({"image/bmp", _TIFF})


class Animated(StrEnum):
    """What to do with a file of several pictures."""

    FIRST_FRAME = "first_frame"
    SKIP = "skip"
    FAIL = "fail"


def may_be_unfinished(data: bytes, media_type: str) -> bool:
    """
    Return True if a picture ends in zeros, and not after the mark of its end.

    A program that sets the full length of a file first leaves zeros where it has not written yet.
    """
    return _zeros(data, media_type) >= _FEW


def is_unfinished(data: bytes, media_type: str) -> bool:
    """Return True if that many zeros are no part of a whole picture: uncompressed, they may be black."""
    zeros = _zeros(data, media_type)
    return media_type not in _MAY_END_IN_ZEROS and zeros >= min(_MANY, max(_FEW, len(data) // 8))


def _zeros(data: bytes, media_type: str) -> int:
    if not data.endswith(bytes(_FEW)):
        return 0
    rest = data.rstrip(b"\0")
    end = _ENDS.get(media_type)
    return 0 if end and rest.endswith(end) else len(data) - len(rest)


def sniff(head: bytes) -> str:
    """Return the media type of a picture that this package can read; empty for any other file."""
    for magic, media_type in _MAGIC:
        if head.startswith(magic):
            return media_type
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADERS:
        return "image/bmp"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return Format.WEBP.media_type
    if head[4:8] == b"ftyp":
        brands = head[8 : min(int.from_bytes(head[:4], "big"), 256)]
        stated = (_BRANDS.get(brands[at : at + 4]) for at in (0, *range(8, len(brands), 4)))
        return next(filter(None, stated), "")
    return ""


def why_no_picture(key: str, media_type: str, size_bytes: int) -> str:
    """
    Return why a file that is named like a picture is none that can be read; empty for any other file.

    Args:
        key: its key.
        media_type: the type of its bytes; see `sniff`.
        size_bytes: their number.
    """
    if extension_of(key) in _RAW and media_type in {"", _TIFF}:
        return "it is a camera raw file: export it as JPEG or TIFF"
    if media_type or not is_named_like_a_picture(key):
        return ""
    if not size_bytes:
        return "it is named like a picture, and is empty: copy it again"
    return "it is named like a picture, and its first bytes are of none that can be read"
