"""Settings of a catalogue and of the nightly sync."""

from typing import Literal
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator

from bg_pipeline.core.deletes import DeletePolicy
from bg_pipeline.settings.part import Part
from bg_pipeline.stores.locations import CatalogueLocations


class CatalogueSettings(CatalogueLocations):
    """One catalogue: the places of its pictures and cutouts, its accounts, and its nightly work."""

    gallery: str = Field(".bg_pipeline/gallery", description="folder for the before-and-after pages")
    accounts: tuple[str, ...] = Field(
        (),
        description="who removes the background: a vendor or an engine; after a comma, who is asked where the one"
        " before cannot. In a table: a list of accounts. Default: all accounts that have a table, in the order of the"
        " file, or `local`",
    )
    collection_depth: int = Field(1, ge=1, le=10, description="folders of a key that name its collection")
    rehash_nights: int = Field(
        7, ge=0, le=365, description="rehash the whole catalogue once every so many nights; 0 for never"
    )
    delete_policy: Literal["keep", "trash"] = Field(
        "keep", description="`keep` or `trash`: what becomes of the cutout of a deleted picture"
    )
    sentinel: str = Field("", description="a key that every listing must have, or the sync stops; default: any key")
    trash_days: int = Field(30, ge=1, le=3650, description="how long the trash is kept, days")
    already_cut: Literal["keep", "cut"] = Field(
        "keep", description="`keep` or `cut`: pictures that are cut out already are published as they are, or bought"
    )

    @classmethod
    def short_names(cls) -> dict[str, str]:
        return {**super().short_names(), "accounts": "bg_provider"}

    @field_validator("accounts", mode="before")
    @classmethod
    def _with_commas(cls, value: object) -> object:
        return [name.strip() for name in value.split(",")] if isinstance(value, str) else value

    @property
    def deletes(self) -> DeletePolicy:
        return DeletePolicy(self.delete_policy == "trash", self.sentinel, self.trash_days)


class ScheduleSettings(Part):
    """Start time of the nightly sync: all that Dagster needs before a run."""

    nightly_cron: str = Field("0 2 * * *", description="when the nightly sync starts")
    timezone: str = Field("UTC", description="in which time zone")
    run_days: int = Field(
        180, ge=1, description="how long Dagster keeps a run, days; the newest of each collection stays"
    )

    @field_validator("timezone")
    @classmethod
    def _a_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (OSError, ValueError, KeyError) as error:
            raise ValueError("must be a time zone, such as Europe/Berlin") from error
        return value
