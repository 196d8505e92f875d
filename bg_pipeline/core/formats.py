"""The formats of published cutouts."""

from enum import StrEnum


class Format(StrEnum):
    """A file format; the value is spelled as in the setting."""

    PNG = "png"
    WEBP = "webp"
    JPG = "jpg"

    @property
    def extension(self) -> str:
        """Return the file name extension, with its dot."""
        return f".{self.value}"

    @property
    def max_side_px(self) -> int:
        """Return the longest side that a file of this format can have: by its header, or by libjpeg."""
        return {Format.PNG: 2**31 - 1, Format.WEBP: 16_383, Format.JPG: 65_500}[self]

    @property
    def media_type(self) -> str:
        """Return the media type as HTTP writes it."""
        return "image/jpeg" if self is Format.JPG else f"image/{self.value}"

    @property
    def has_alpha(self) -> bool:
        """True if the format can be transparent, as a master must be."""
        return self is not Format.JPG
