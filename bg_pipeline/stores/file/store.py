"""Folders as sources and stores: a path, or `file:///PATH`."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from pydantic import Field

from bg_pipeline.ports.stores import StoreKind
from bg_pipeline.settings.part import Part
from bg_pipeline.stores.file.blobs import FolderStore
from bg_pipeline.stores.file.source import FolderSource


class FolderSettings(Part):
    """Settings of a folder of pictures."""

    follow_links: bool = Field(False, description="follow symbolic links in a source folder, never out of it")
    stable_s: float = Field(
        0.0,
        ge=0,
        le=86_400,
        description="skip a file that changed less than this many seconds ago; a later sync takes it",
    )


def folder_of(location: str) -> Path:
    """
    Return the folder that a location names.

    Raises:
        ValueError: a `file:` URL that names another machine, or no folder.
    """
    if not location.startswith("file://"):
        return Path(location)
    url = urlsplit(location)
    if url.netloc not in {"", "localhost"} or not url.path or url.query or url.fragment:
        raise ValueError("must be file:///FOLDER, with %23 for # and %3F for ?")
    return Path(unquote(url.path))


def _validate(location: str) -> None:
    folder_of(location)


def _overlaps(one: str, other: str) -> bool:
    folders = folder_of(one).resolve(), folder_of(other).resolve()
    return folders[0].is_relative_to(folders[1]) or folders[1].is_relative_to(folders[0])


def _open_source(location: str, settings: FolderSettings) -> FolderSource:
    return FolderSource(folder_of(location), stable_s=settings.stable_s, follow_links=settings.follow_links)


def _open_blobs(location: str, _settings: FolderSettings, masters: bool) -> FolderStore:
    # Paid results are private until they are published.
    return FolderStore(folder_of(location), mode=0o600 if masters else 0o644)


FILE = StoreKind(
    schemes=("file",),
    example="a folder",
    validate=_validate,
    overlaps=_overlaps,
    settings=FolderSettings,
    open_source=_open_source,
    open_blobs=_open_blobs,
)
