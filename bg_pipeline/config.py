"""The only reader of the environment, `.env` and `bg_pipeline.toml`."""

import os
import re
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal, TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from PIL import ImageColor
from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from bg_pipeline.core.deletes import DeletePolicy
from bg_pipeline.core.gate import Thresholds
from bg_pipeline.core.recipe import Cut, Recipe, Rendition
from bg_pipeline.errors import ConfigurationError

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})

Credits = Annotated[Decimal, Field(ge=0)]


class Night(BaseSettings):
    """When the nightly sync starts: all that Dagster has to know before a run."""

    model_config = SettingsConfigDict(
        env_file=".env", extra="ignore", frozen=True, env_ignore_empty=True, hide_input_in_errors=True
    )

    bg_nightly_cron: str = Field("0 2 * * *", description="when the nightly sync starts")
    bg_timezone: str = Field("UTC", description="in which time zone")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        toml = TomlConfigSettingsSource(settings_cls, Path("bg_pipeline.toml"))
        return init_settings, env_settings, dotenv_settings, toml

    @field_validator("bg_timezone")
    @classmethod
    def _a_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (OSError, ValueError, KeyError) as error:
            raise ValueError("must be a time zone, such as Europe/Berlin") from error
        return value


class Settings(Night):
    """
    Every setting, with its default; the README's table is made of this class.

    The environment wins over `.env`, and that over `bg_pipeline.toml`, which writes the same names in lower case
    (`bg_source`, `bgeraser_api_key`).
    """

    bg_source: str = Field("./images", description="folder with the catalogue")
    bg_output: str = Field("./cutouts", description="folder for the cutouts")
    bg_state: SecretStr = Field(
        SecretStr("sqlite:///./.bg_pipeline/manifest.db"),
        description="manifest, ledger and gate: `sqlite:///FILE` or `postgresql+psycopg://…`",
    )
    bg_masters: str = Field(".bg_pipeline/masters", description="folder for the paid results")
    bg_gallery: str = Field(".bg_pipeline/gallery", description="folder for the before-and-after pages")
    bg_provider: Literal["local", "rembg", "bgeraser"] = Field(
        "local", description="`local`, `rembg` or `bgeraser`: who removes the background"
    )
    bg_collection_depth: int = Field(1, ge=1, le=10, description="folders of a key that name its collection")
    bg_rehash_nights: int = Field(
        7, ge=0, le=365, description="in how many nights all files are hashed once, unchanged or not; 0 for never"
    )
    bg_delete_policy: Literal["keep", "trash"] = Field(
        "keep", description="`keep` or `trash`: what becomes of the cutout of a deleted picture"
    )
    bg_sentinel: str = Field("", description="a key that every listing must have, or the sync stops; default: any key")
    bg_trash_days: int = Field(30, ge=1, le=3650, description="how long the trash is kept, days")
    bg_concurrency: int = Field(8, ge=1, le=64, description="requests in flight")
    bg_max_pixels_sent: int = Field(2500, ge=64, le=10_000, description="longest side that is sent, px")
    bg_low_credits: Credits = Field(Decimal(50), description="the gate closes below this balance, credits")
    bg_resume_credits: Credits | None = Field(
        None, description="and opens again at this one; default: threshold + the larger of 10 % and 50"
    )
    bg_max_credits_per_run: Credits | None = Field(
        None, description="a run stops before it spends more; in Dagster a run is one collection"
    )
    bg_format: Literal["png", "webp", "jpg"] = Field("png", description="`png`, `webp` or `jpg`")
    bg_background: str = Field("", description="`#rrggbb` or a colour name; default: transparent")
    bg_canvas: str = Field("", description="`WIDTHxHEIGHT`, px, to centre the subject on; default: the original frame")
    bg_padding: float = Field(0.0, ge=0, le=0.45, description="share of the canvas left free on each side")
    bgeraser_api_key: SecretStr | None = Field(None, description="key from the bgeraser dashboard")
    bgeraser_base_url: str = Field("https://bgeraser.ink", description="or the sandbox: `http://127.0.0.1:8787`")
    bgeraser_path: str = Field("/api/tools/bg-removal", description="path of the call")
    bgeraser_account_path: str = Field("/api/account", description="path of the balance")
    bgeraser_auth: Literal["bearer", "x-api-key"] = Field(
        "bearer", description="`bearer` or `x-api-key`: how the key is sent"
    )
    bgeraser_file_field: str = Field("image_file", description="form field of the picture")

    @field_validator("bg_source", "bg_output", "bg_masters")
    @classmethod
    def _a_folder(cls, value: str) -> str:
        if "://" in value:
            raise ValueError("must be a folder; this version reads and writes no other kind of place")
        return value

    @field_validator("bg_background")
    @classmethod
    def _a_colour(cls, value: str) -> str:
        if value:
            try:
                ImageColor.getrgb(value)
            except ValueError as error:
                raise ValueError("must be #rrggbb or the name of a colour, such as white") from error
        return value

    @field_validator("bg_canvas")
    @classmethod
    def _a_size(cls, value: str) -> str:
        if value and not re.fullmatch(r"[1-9]\d{0,4}x[1-9]\d{0,4}", value):
            raise ValueError("must be WIDTHxHEIGHT in pixels, such as 2000x2000")
        return value

    @field_validator("bgeraser_base_url")
    @classmethod
    def _a_safe_url(cls, value: str) -> str:
        url = urlsplit(value)
        if not url.hostname or url.scheme not in {"https", "http"}:
            raise ValueError("must be a URL, such as https://bgeraser.ink")
        if url.scheme == "http" and url.hostname not in LOOPBACK:
            raise ValueError("must start with https:// (http is for the sandbox on this machine): it carries a key")
        return value.rstrip("/")

    @model_validator(mode="after")
    def _fits_together(self) -> "Settings":
        if self.bg_format == "jpg" and not self.bg_background:
            raise ValueError("BG_FORMAT=jpg cannot be transparent: set BG_BACKGROUND, to white for one")
        if self.thresholds.resume < self.thresholds.low:
            raise ValueError("BG_RESUME_CREDITS must not be below BG_LOW_CREDITS: the gate would flap")
        if self.bg_provider == "bgeraser" and not self.bgeraser_api_key:
            raise ValueError(
                "BG_PROVIDER=bgeraser needs BGERASER_API_KEY: make one in the bgeraser dashboard "
                "(the sandbox takes any)"
            )
        source, output, masters = (Path(p).resolve() for p in (self.bg_source, self.bg_output, self.bg_masters))
        for name, folder in (("BG_OUTPUT", output), ("BG_MASTERS", masters)):
            if folder.is_relative_to(source) or source.is_relative_to(folder):
                raise ValueError(f"{name} and BG_SOURCE must not lie in each other: cutouts would be cut out again")
        if masters.is_relative_to(output) or output.is_relative_to(masters):
            raise ValueError("BG_MASTERS and BG_OUTPUT must not lie in each other")
        return self

    @property
    def recipe(self) -> Recipe:
        width, _, height = self.bg_canvas.partition("x")
        return Recipe(
            (Cut(provider=self.bg_provider, max_side_px=self.bg_max_pixels_sent, endpoint=self._endpoint),),
            Rendition(
                format=self.bg_format,
                background=self.bg_background,
                canvas=(int(width), int(height)) if self.bg_canvas else None,
                padding=self.bg_padding,
            ),
        )

    @property
    def deletes(self) -> DeletePolicy:
        return DeletePolicy(self.bg_delete_policy == "trash", self.bg_sentinel, self.bg_trash_days)

    @property
    def _endpoint(self) -> str:
        default = type(self).model_fields["bgeraser_base_url"].default
        if self.bg_provider != "bgeraser" or self.bgeraser_base_url == default:
            return ""
        return urlsplit(self.bgeraser_base_url).hostname or ""

    @property
    def thresholds(self) -> Thresholds:
        low = self.bg_low_credits
        resume = self.bg_resume_credits
        return Thresholds(low, low + max(low / 10, Decimal(50)) if resume is None else resume)


def load_settings() -> Settings:
    """
    Settings as they are found now.

    Raises:
        ConfigurationError: names every wrong setting, and quotes no value: it may be a secret.
    """
    return _load(Settings)


def load_night() -> Night:
    """The same, without those that need a key or a folder."""
    return _load(Night)


N = TypeVar("N", bound=Night)


def _load(kind: type[N]) -> N:
    try:
        return kind()
    except ValidationError as error:
        raise ConfigurationError("; ".join(_sentence(e["loc"], e["msg"]) for e in error.errors())) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"bg_pipeline.toml cannot be read: {error}") from None


def _sentence(where: tuple[object, ...], message: str) -> str:
    plain = message.removeprefix("Value error, ")
    return f"{str(where[0]).upper()}: {plain}" if where else plain


def dagster_home() -> str | None:
    """`DAGSTER_HOME`, for those who only want to say whether it is set."""
    return os.environ.get("DAGSTER_HOME")
