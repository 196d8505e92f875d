"""The formats of published cutouts, and words for how they are made."""

from enum import StrEnum


class Format(StrEnum):
    """A file format; the value is spelled as in the setting."""

    PNG = "png"
    WEBP = "webp"
    JPG = "jpg"
    AVIF = "avif"

    @property
    def extension(self) -> str:
        """Return the file name extension, with its dot."""
        return f".{self.value}"

    @property
    def max_side_px(self) -> int:
        """Return the longest side that a file of this format can have: by its header, or by libjpeg and libavif."""
        return {Format.PNG: 2**31 - 1, Format.WEBP: 16_383, Format.JPG: 65_500, Format.AVIF: 32_768}[self]

    @property
    def media_type(self) -> str:
        """Return the media type as HTTP writes it."""
        return "image/jpeg" if self is Format.JPG else f"image/{self.value}"

    @property
    def has_alpha(self) -> bool:
        """True if the format can be transparent, as a master must be."""
        return self is not Format.JPG

    @property
    def has_quality(self) -> bool:
        """True if it has a scale of quality; a PNG loses nothing."""
        return self is not Format.PNG


class Alignment(StrEnum):
    """The place of the subject on its canvas; from left to right it is always in the middle."""

    CENTER = "center"
    BOTTOM = "bottom"


class Metadata(StrEnum):
    """What an output keeps of the metadata of its source."""

    NONE = "none"
    COPYRIGHT = "copyright"
    NO_GPS = "all_but_gps"
