"""Settings for the keys of a source that are items."""

import re
from functools import cached_property

from pydantic import Field, field_validator

from bg_pipeline.core.filters import Filter
from bg_pipeline.settings.part import Part

_SYSTEM = (
    ".*",
    *("@eaDir/", "#recycle/", "#snapshot/", "@Recycle/", "@Recently-Snapshot/"),
    *("$RECYCLE.BIN/", "System Volume Information/", "__MACOSX/", "lost+found/"),
    *("Thumbs.db", "ehthumbs.db", "desktop.ini", "*.part", "*.filepart", "*.crdownload"),
)
"""Hidden names; folders of Synology, QNAP, Windows, macOS and ext4; thumbnails of Windows; unfinished downloads."""


def split_patterns(value: object) -> object:
    """Return the patterns of a text, separated by commas or lines; anything else as it is."""
    if not isinstance(value, str):
        return value
    return [each for part in re.split(r"[,\n]", value) if (each := part.strip())]


class FilterSettings(Part):
    """The keys of a source that are items, by gitignore patterns."""

    include: tuple[str, ...] = Field(
        (),
        description="only pictures that match one of these gitignore patterns, separated by commas; in a table: a list",
    )
    exclude: tuple[str, ...] = Field(
        (),
        description="leave out what matches one of these, such as `*-300x300.*, /raw/`; `!` before a pattern takes it"
        " in again. What is known of it stays as it is: nothing is bought, nothing is deleted",
    )
    exclude_system: tuple[str, ...] = Field(
        _SYSTEM, description="the same, for hidden names and files of other programs; `exclude` comes after it"
    )

    @field_validator("include", "exclude", "exclude_system", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return split_patterns(value)

    @field_validator("include", "exclude", "exclude_system")
    @classmethod
    def _are_patterns(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        Filter(exclude=value)
        return value

    @cached_property
    def filter(self) -> Filter:
        return Filter(self.include, (*self.exclude_system, *self.exclude))
