"""What Pillow does not say about a JPEG: how much work it asks for, and whether its decoder calls it corrupt."""

import re

from simplejpeg import decode_jpeg, decode_jpeg_header

from bg_pipeline.errors import ItemUnreadable

MAX_SCANS = 100
"""Most scans of a JPEG: each costs the decoder a pass over the whole picture, and twenty bytes can ask for one.
Encoders make about ten."""

_MARKER = re.compile(rb"\xff([\x01-\xcf\xd8-\xfe])")
"""A marker of a JPEG, other than the ones inside its coded data: ITU-T T.81, B.1.1.3."""

_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9

_CORRUPT = re.compile(r"Corrupt JPEG data(?!.*ICC)|Premature end")
"""Warnings about lost parts of the picture, in libjpeg's words (jerror.h). A damaged profile harms no picture."""

_EXTRANEOUS = re.compile(r"(\d+) extraneous bytes before marker 0xd9")


def require_few_scans(jpeg: bytes) -> None:
    """
    Count the scans up to the end of the first picture: phones append films, which have any bytes.

    Raises:
        ItemUnreadable: there are more than `MAX_SCANS`.
    """
    scans, at = 0, 2
    while scans <= MAX_SCANS and (marker := _MARKER.search(jpeg, at)) and marker[1][0] != _END_OF_IMAGE:
        scans += marker[1][0] == _START_OF_SCAN
        at = marker.end() + int.from_bytes(jpeg[marker.end() : marker.end() + 2], "big")
    if scans > MAX_SCANS:
        raise ItemUnreadable(f"the JPEG has more than {MAX_SCANS} scans: save it again")


def require_sound(jpeg: bytes) -> None:
    """
    Decode an eighth of the size, to hear the decoder's warnings: Pillow drops them, and shows grey where data is lost.

    A JPEG that is sampled in an unusual way is not checked: simplejpeg does not open it.

    Raises:
        ItemUnreadable: the decoder calls the picture corrupt.
    """
    try:
        inks = decode_jpeg_header(jpeg)[2] in {"CMYK", "YCCK"}
        decode_jpeg(jpeg, colorspace="CMYK" if inks else "Gray", min_height=1, min_width=1, min_factor=8)
    except ValueError as error:
        if _CORRUPT.search(str(error)) and not _is_filled_up(jpeg, str(error)):
            raise ItemUnreadable(f"the JPEG is damaged: {error}. Copy it again") from error


def _is_filled_up(jpeg: bytes, warning: str) -> bool:
    """Return True if only filler is before the end, as some cameras write it: damage leaves coded data there."""
    count = _EXTRANEOUS.search(warning)
    return count is not None and re.search(rb"[\0\xff]{%d}\xff\xd9" % int(count[1]), jpeg) is not None
