"""Settings of a catalogue and of the nightly sync."""

from typing import Any, Literal

from pydantic import Field, field_validator

from bg_pipeline.core.buying import BuyOrder
from bg_pipeline.core.deletes import DeletePolicy
from bg_pipeline.core.export import FOLDER, TableFormat
from bg_pipeline.core.filters import matcher
from bg_pipeline.core.media import Animated
from bg_pipeline.core.night_window import ends_at, parse_time
from bg_pipeline.errors import ConfigurationError
from bg_pipeline.purchasing.settings import Credits
from bg_pipeline.settings.part import Form, Location, Part, TimeZone
from bg_pipeline.stores.filters import split_patterns
from bg_pipeline.stores.locations import CatalogueLocations
from bg_pipeline.tables.parquet import require_duckdb


def _split(value: object) -> object:
    return [name.strip() for name in value.split(",")] if isinstance(value, str) else value


class CatalogueSettings(CatalogueLocations):
    """One catalogue: the locations of its pictures and cutouts, its accounts, and its nightly sync."""

    review_share: float = Field(
        0.02,
        ge=0,
        le=1,
        description="share of the published cutouts, chosen by chance, that the review asks a person to look at too",
    )
    accounts: tuple[str, ...] = Field(
        (),
        description="vendor or engine that removes the background, then its fallbacks in order, separated by commas."
        " In a table: a list of accounts. Default: all accounts that have a table, in the order of the file, or"
        " `local`",
    )
    renditions: tuple[str, ...] = Field(
        (),
        description="names of the tables of its renditions, separated by commas; in a table: a list. The first is the"
        " main one ([renditions.md](renditions.md)). Default: the one with the catalogue's own name, then `main`, then"
        " the only one",
    )
    recipe: tuple[dict[str, Any], ...] = Field(
        (), description="recipes for some of its pictures, each a table `[[catalogue.NAME.recipe]]`"
    )
    collection_depth: int = Field(
        1, ge=1, le=10, description="number of leading folders of a key that name its collection"
    )
    rehash_nights: int | None = Field(
        None,
        ge=0,
        le=365,
        description="rehash the whole catalogue once every N nights; 0 for never. Default: 7 for a folder on a share,"
        " on FAT or behind FUSE, which may hide a change; never where the listing shows every one",
    )
    reads_at_once: int | None = Field(
        None,
        ge=1,
        le=64,
        description="pictures that a scan reads at once. Default: 2 of a folder, 32 of a bucket, 8 of a database or of"
        " picture hosts",
    )
    delete_policy: Literal["keep", "trash"] = Field(
        "keep", description="`keep` or `trash` the cutout of a deleted picture"
    )
    sentinel: str = Field("", description="key that every listing must contain, or the sync stops; default: none")
    trash_days: int = Field(30, ge=1, le=3650, description="days until a cutout in the trash is deleted")
    golden: tuple[str, ...] = Field(
        (),
        description="keys or gitignore patterns of the pictures on which `bg-pipeline canary` tries a changed recipe,"
        " separated by commas; in a table: a list. Default: five, spread over the collections",
    )
    keep_previous_days: int = Field(
        7,
        ge=0,
        le=3650,
        description="days for which a cutout that a run replaced is kept beside the others, so that"
        " `bg-pipeline revert` can put it back; 0 keeps none",
    )
    suspicious: Literal["review", "next"] = Field(
        "review",
        description="what follows a suspicious result of an engine on this machine: `review` by a person, or the `next`"
        " account of `BG_PROVIDER`, which is paid. What was paid for is always reviewed",
    )
    already_cut: Literal["keep", "cut"] = Field(
        "keep",
        description="`keep` or `cut` pictures that are cutouts already: publish them as they are, or buy a cutout",
    )

    animated: Animated = Field(
        Animated.FAIL,
        description="animations, and TIFFs of several pages: `first_frame` takes the first picture, `skip` leaves the"
        " file out, `fail` lists it as a failure. After a change: `bg-pipeline retry`",
    )
    export: Literal["", "csv", "jsonl", "parquet"] = Field(
        "",
        description="`csv`, `jsonl` or `parquet` (`.[duckdb]`): write the table of all cutouts beside them after each"
        f" sync that changed it, as `{FOLDER}/cutouts.csv`; default: no table",
    )
    buy_first: tuple[str, ...] = Field(
        (),
        description="collections or gitignore patterns whose pictures are bought first, in this order, separated by"
        " commas: `shoes, bags`; in a table: a list. New pictures come before changed ones in any case. A change counts"
        " from the next sync on",
    )

    @classmethod
    def short_names(cls) -> dict[str, str]:
        names = {**super().short_names(), "accounts": "bg_provider", "renditions": "bg_rendition"}
        return {each: variable for each, variable in names.items() if each != "recipe"}

    @field_validator("export")
    @classmethod
    def _can_be_made(cls, value: str) -> str:
        if value == TableFormat.PARQUET:
            try:
                require_duckdb()
            except ConfigurationError as error:
                raise ValueError(f"cannot be {value}: {error}") from error
        return value

    @field_validator("accounts", mode="before")
    @classmethod
    def _split_at_commas(cls, value: object) -> object:
        return _split(value)

    @field_validator("renditions", mode="before")
    @classmethod
    def _split_names(cls, value: object) -> object:
        return _split(value or ())

    @field_validator("buy_first", "golden", mode="before")
    @classmethod
    def _split_patterns(cls, value: object) -> object:
        return split_patterns(value)

    @field_validator("buy_first")
    @classmethod
    def _are_patterns_of_an_order(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        BuyOrder(value)
        return value

    @field_validator("golden")
    @classmethod
    def _are_patterns_of_pictures(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for number, pattern in enumerate(value, 1):
            matcher(pattern, number)
        return value

    @property
    def order(self) -> BuyOrder:
        return BuyOrder(self.buy_first)

    @property
    def table_format(self) -> TableFormat | None:
        return TableFormat(self.export) if self.export else None

    @property
    def deletes(self) -> DeletePolicy:
        return DeletePolicy(self.delete_policy == "trash", self.sentinel, self.trash_days)


class RecipeSettings(Part):
    """A recipe for some pictures of a catalogue: what it changes in the catalogue's own."""

    match: tuple[str, ...] = Field(
        min_length=1,
        description="collections or gitignore patterns of the pictures; the first table that matches counts",
    )
    renditions: tuple[str, ...] = Field(
        (), description="names of the tables of their renditions, a list; default: the catalogue's"
    )
    params: Form | None = Field(
        None, description="parameters of the first account for them, in place of those of the account"
    )

    @classmethod
    def short_names(cls) -> dict[str, str]:
        return {}

    @field_validator("match", mode="before")
    @classmethod
    def _split_patterns(cls, value: object) -> object:
        return split_patterns(value)

    @field_validator("renditions", mode="before")
    @classmethod
    def _split_names(cls, value: object) -> object:
        return _split(value or ())

    @field_validator("match")
    @classmethod
    def _are_patterns(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for number, pattern in enumerate(value, 1):
            matcher(pattern, number)
        return value


class ScheduleSettings(Part):
    """
    The night of a catalogue: when it starts and ends, what it may spend, and how long Dagster keeps its runs.

    A variable is the default for all catalogues. Dagster needs this part outside of runs.
    """

    variables_are_defaults = True

    nightly_cron: str = Field("0 2 * * *", description="start of the nightly sync, as a cron expression")
    timezone: TimeZone = Field("UTC", description="time zone of the start, and of the end")
    night_until: str = Field(
        "",
        description="time of day, such as `06:00`, from which runs that Dagster starts by itself buy nothing until the"
        " next night; default: no end. `bg-pipeline sync` has `--until`",
    )
    max_credits_per_run: Credits | None = Field(
        None, description="a sync, or all runs of one night, stop before they spend more"
    )
    run_days: int = Field(
        180, ge=1, le=36_500, description="days that Dagster keeps a run; the newest of each collection stays"
    )

    @field_validator("night_until")
    @classmethod
    def _is_a_time(cls, value: str) -> str:
        if value:
            parse_time(value)
        return value

    def window_ends_at(self, began_at: float) -> float | None:
        """Return the end of the window of a night, both in epoch seconds; None if it has none."""
        return ends_at(began_at, parse_time(self.night_until), self.timezone) if self.night_until else None


class ExecutorSettings(Part):
    """Where Dagster executes the steps of a run. It counts from the next load of the code location on."""

    executor: str = Field(
        "dagster.in_process_executor",
        description="Dagster's executor for all jobs, by its Python name: `dagster.multiprocess_executor`,"
        " `dagster_celery.celery_executor`, `dagster_docker.docker_executor`, `dagster_k8s.k8s_job_executor`, or one of"
        " your own",
    )
    executor_config: Location = Field(
        "", description="YAML file with its config under `execution: config:`, as in Dagster's launchpad"
    )
    night_steps: int = Field(
        1,
        ge=1,
        le=64,
        description="steps that share the work of a night: as many as the executor has workers for. The pool `cutouts`"
        " needs as many slots, and has 3 by default",
    )


class ChoiceSettings(Part):
    """The catalogue that is meant where a command names none."""

    catalogue: str = Field(
        "", description="name of the catalogue that commands work on, as `--catalogue`; default: the only one"
    )
