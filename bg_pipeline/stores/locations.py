"""Settings for the locations of pictures, cutouts and masters."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path

from pydantic import Field, SecretStr, field_validator, model_validator

from bg_pipeline.errors import ConfigurationError
from bg_pipeline.net.settings import Connected, EgressSettings
from bg_pipeline.ports.source import ImageSource
from bg_pipeline.ports.stores import BlobStore, StoreKind
from bg_pipeline.settings.part import Location, Part, SecretLocation, absolute
from bg_pipeline.settings.reader import RawSettings
from bg_pipeline.stores.file.store import FolderSettings, folder_of
from bg_pipeline.stores.registry import examples, kind_of, scheme_of
from bg_pipeline.stores.s3.settings import S3Settings
from bg_pipeline.stores.sql.store import SqlSettings


class CatalogueLocations(FolderSettings, SqlSettings):
    """Locations of the pictures and cutouts of one catalogue, with the settings of folders and databases."""

    source: SecretLocation = Field(
        SecretStr("./images"),
        validate_default=True,
        description="the catalogue: folder, `s3://BUCKET/PREFIX`, or SQLAlchemy URL",
    )
    output: Location = Field(
        "./cutouts", validate_default=True, description="the cutouts: folder or `s3://BUCKET/PREFIX`"
    )

    source_profile: str = Field("", description="`BG_S3_PROFILE` for a source in a bucket")
    output_profile: str = Field("", description="`BG_S3_PROFILE` for an output and pages in buckets")
    gallery: Location = Field(
        ".bg_pipeline/gallery",
        validate_default=True,
        description="the before-and-after pages: folder or `s3://BUCKET/PREFIX`",
    )

    @field_validator("source")
    @classmethod
    def _can_be_read(cls, value: SecretStr) -> SecretStr:
        location = value.get_secret_value()
        kind = _find_kind(location)
        if kind is None or kind.open_source is None:
            raise ValueError(f"must be {examples(blobs=False)}")
        kind.validate(location)
        return value

    @field_validator("output", "gallery")
    @classmethod
    def _can_be_written(cls, value: str) -> str:
        return _validate_blobs(value)

    @model_validator(mode="after")
    def _has_its_query(self) -> "CatalogueLocations":
        if _kind_of(self.source.get_secret_value()).needs_query != bool(self.source_query):
            raise ValueError("{source_query} must be set if {source} is a database, and only then")
        return self

    @property
    def source_name(self) -> str:
        """The source as text that may be shown: without the password of a database."""
        location = self.source.get_secret_value()
        return _kind_of(location).show(location)

    def open_source(self, raw: RawSettings) -> ImageSource:
        """
        Open the source.

        Args:
            raw: all set values, for settings of a kind of store that are not in this class.

        Raises:
            ConfigurationError: one of those settings is wrong.
        """
        location = self.source.get_secret_value()
        kind = _kind_of(location)
        assert kind.open_source is not None  # the validator made sure of it
        settings = self if isinstance(self, kind.settings) else _settings_of(kind, raw, self.source_profile)
        if isinstance(settings, Connected):
            settings = settings.connected(raw.part(EgressSettings).egress)
        return kind.open_source(location, settings)

    def open_output(self, raw: RawSettings) -> BlobStore:
        """Open the store of the cutouts; see `open_source`."""
        return open_blobs(self.output, raw, profile=self.output_profile)

    def open_gallery(self, raw: RawSettings) -> BlobStore:
        """Open the store of the pages; see `open_source`. In a bucket they are as private as masters are."""
        return open_blobs(self.gallery, raw, masters=scheme_of(self.gallery) != "file", profile=self.output_profile)


class MastersLocation(Part):
    """Location of the masters of all catalogues."""

    masters: Location = Field(
        ".bg_pipeline/masters",
        validate_default=True,
        description="the paid results: folder or `s3://BUCKET/PREFIX`",
    )
    masters_profile: str = Field("", description="`BG_S3_PROFILE` for masters and a spool in buckets")
    spool: Location = Field(
        "",
        description="paid answers until they are masters: folder or `s3://BUCKET/PREFIX`; default: `spool` beside the "
        "manifest. On several machines: a volume that all of them share",
    )

    @field_validator("masters")
    @classmethod
    def _can_be_written(cls, value: str) -> str:
        return _validate_blobs(value)

    @field_validator("spool")
    @classmethod
    def _can_be_written_if_set(cls, value: str) -> str:
        return _validate_blobs(value) if value else value

    def spool_location(self, state: str, folder: Path | None = None) -> str:
        """Return the location of the spool, for this value of BG_STATE, and this start of relative paths."""
        if self.spool:
            return self.spool
        driver, _, file = state.partition(":///")
        beside = Path(file).parent if driver.startswith("sqlite") and file else Path(".bg_pipeline")
        return absolute(str(beside / "spool"), folder)

    def open_masters(self, raw: RawSettings) -> BlobStore:
        """Open the store of the masters; see `CatalogueLocations.open_source`."""
        return open_blobs(self.masters, raw, masters=True, profile=self.masters_profile)


def open_blobs(location: str, raw: RawSettings, *, masters: bool = False, profile: str = "") -> BlobStore:
    """Open the store of a valid location; see `CatalogueLocations.open_source`."""
    kind = _kind_of(location)
    assert kind.open_blobs is not None  # the validator made sure of it
    return kind.open_blobs(location, _settings_of(kind, raw, profile), masters)


def _settings_of(kind: StoreKind, raw: RawSettings, profile: str) -> Part:
    settings = raw.part(kind.settings)
    return settings.with_profile(profile) if profile and isinstance(settings, S3Settings) else settings


def location_of(store: str, name: str) -> str:
    """Return the path or URL of what has this name in the store at a valid location."""
    if scheme_of(store) == "file":
        return str(folder_of(store) / name)
    return f"{store.rstrip('/')}/{name}"


def missing_folder(location: str) -> Path | None:
    """Return the folder that the first write to a valid location would create; None if there is nothing to create."""
    folder = folder_of(location) if scheme_of(location) == "file" else None
    return folder if folder is not None and not folder.exists() else None


@dataclass(frozen=True, slots=True)
class NamedLocation:
    """A location, and the setting that has it, as the person wrote it."""

    setting: str
    location: str = field(repr=False)


def require_separate(sources: Sequence[NamedLocation], stores: Sequence[NamedLocation]) -> None:
    """
    Check that no store overlaps with a source or with another store. Sources may overlap.

    Raises:
        ConfigurationError: two do; files of one would be taken for files of the other.
    """
    for store in stores:
        for source in sources:
            if _overlap(store.location, source.location):
                raise ConfigurationError(
                    f"{store.setting} and {source.setting} must not overlap: results would be cut out again"
                )
    for one, other in combinations(reversed(stores), 2):
        if _overlap(one.location, other.location):
            raise ConfigurationError(f"{one.setting} and {other.setting} must not overlap")


def _overlap(one: str, other: str) -> bool:
    kind = _kind_of(one)
    return kind is _kind_of(other) and kind.overlaps(one, other)


def _validate_blobs(location: str) -> str:
    kind = _find_kind(location)
    if kind is None or kind.open_blobs is None:
        raise ValueError(f"must be {examples(blobs=True)}")
    kind.validate(location)
    return location


def _find_kind(location: str) -> StoreKind | None:
    """Call `kind_of` for a validator: pydantic reports only a ValueError as a wrong setting."""
    try:
        return kind_of(location)
    except ConfigurationError as error:
        raise ValueError(str(error)) from error


def _kind_of(location: str) -> StoreKind:
    kind = kind_of(location)
    assert kind is not None  # the validator made sure of it
    return kind
