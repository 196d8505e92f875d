"""Decide about paid answers: the room that they need, and how long a result is asked for."""

MAX_ANSWER_BYTES = 128 * 2**20
"""Largest answer that is read."""

BYTES_PER_PIXEL = 4
OVERHEAD_BYTES = 1 << 16
"""A cutout is at most RGBA without compression, with its headers."""

ENLARGED = 16
"""Most pixels that a further tool makes of one: the vendors enlarge by four at most."""

WAITS_S = (1.0, 2.0, 4.0, 8.0)
"""Seconds between two requests for a result that is not ready yet; after the last, a later run asks again."""

RESULT_URL_S = 3600.0
"""Seconds after which a result URL that answers 4xx has expired. No vendor documents the time; the guide of one says
that files are removed within an hour (docs/vendors.md)."""

RESULT_HOST_S = 86_400.0
"""Seconds for which a result is asked for while its host does not answer, or answers 5xx."""


def answer_bytes(width_px: int, height_px: int, *, enlarged: bool = False) -> int:
    """
    Return an upper bound of the answer to a picture of this size, in bytes, rounded up to a power of two.

    Args:
        width_px, height_px: of the picture that is sent.
        enlarged: True if a further tool may enlarge it.
    """
    pixels = width_px * height_px * (ENLARGED if enlarged else 1)
    return min(MAX_ANSWER_BYTES, 1 << (pixels * BYTES_PER_PIXEL + OVERHEAD_BYTES - 1).bit_length())


def is_expired(age_s: float, *, refused: bool) -> bool:
    """
    Return True if a result that could not be fetched will not come any more.

    Args:
        age_s: seconds since the request that was paid for.
        refused: True if its host answered 4xx.
    """
    return age_s > (RESULT_URL_S if refused else RESULT_HOST_S)
