"""The formats that a cutout can be published in."""

from enum import StrEnum


class Format(StrEnum):
    """A file format, called as the setting spells it."""

    PNG = "png"
    WEBP = "webp"
    JPG = "jpg"

    @property
    def extension(self) -> str:
        """What a file name ends in, dot included."""
        return f".{self.value}"

    @property
    def media_type(self) -> str:
        """As HTTP writes it."""
        return "image/jpeg" if self is Format.JPG else f"image/{self.value}"

    @property
    def has_alpha(self) -> bool:
        """Whether it can be transparent, as a master has to be."""
        return self is not Format.JPG
