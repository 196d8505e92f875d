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
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from bg_pipeline.core.gate import Thresholds
from bg_pipeline.core.places import bucket_of
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

    bg_source: SecretStr = Field(
        SecretStr("./images"), description="the catalogue: folder, `s3://BUCKET/PREFIX`, or SQLAlchemy URL"
    )
    bg_source_query: str = Field(
        "", description="for a database: a SELECT of `key` and `image` (bytes) or `url`, and best of all `version`"
    )
    bg_output: str = Field("./cutouts", description="the cutouts: folder or `s3://BUCKET/PREFIX`")
    bg_state: SecretStr = Field(
        SecretStr("sqlite:///./.bg_pipeline/manifest.db"),
        description="manifest, ledger and gate: `sqlite:///FILE` or `postgresql+psycopg://…`",
    )
    bg_masters: str = Field(".bg_pipeline/masters", description="the paid results: folder or `s3://BUCKET/PREFIX`")
    bg_gallery: str = Field(".bg_pipeline/gallery", description="folder for the before-and-after pages")
    bg_s3_endpoint: str = Field("", description="URL of an S3-compatible server; default: `AWS_ENDPOINT_URL`, or AWS")
    bg_follow_links: bool = Field(False, description="follow symbolic links in a source folder, never out of it")
    bg_settle_s: float = Field(
        0.0, ge=0, description="files changed within so many seconds may still be uploaded: the next sync takes them"
    )
    bg_provider: Literal["local", "rembg", "bgeraser"] = Field(
        "local", description="`local`, `rembg` or `bgeraser`: who removes the background"
    )
    bg_collection_depth: int = Field(1, ge=1, le=10, description="folders of a key that name its collection")
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

    @field_validator("bg_source")
    @classmethod
    def _a_source(cls, value: SecretStr) -> SecretStr:
        place = value.get_secret_value()
        if bucket_of(place) is None and "://" in place:
            try:
                make_url(place).get_dialect()
            except (ArgumentError, ImportError, ValueError) as error:
                raise ValueError("must be a folder, s3://BUCKET/PREFIX, or the URL of a database") from error
        return value

    @field_validator("bg_output", "bg_masters")
    @classmethod
    def _a_store(cls, value: str) -> str:
        if bucket_of(value) is None and "://" in value:
            raise ValueError("must be a folder or s3://BUCKET/PREFIX")
        return value

    @field_validator("bg_s3_endpoint")
    @classmethod
    def _an_endpoint(cls, value: str) -> str:
        url = urlsplit(value)
        if value and (url.scheme not in {"https", "http"} or not url.hostname or url.username or url.password):
            raise ValueError("must be a URL without credentials, such as https://s3.example.com")
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
        if self.is_database != bool(self.bg_source_query):
            raise ValueError("BG_SOURCE_QUERY goes with a database in BG_SOURCE, and a database needs it")
        source, output, masters = self.bg_source.get_secret_value(), self.bg_output, self.bg_masters
        for name, store in (("BG_OUTPUT", output), ("BG_MASTERS", masters)):
            if not self.is_database and _overlap(store, source):
                raise ValueError(f"{name} and BG_SOURCE must not lie in each other: cutouts would be cut out again")
        if _overlap(masters, output):
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
    def is_database(self) -> bool:
        """Whether the catalogue is one."""
        source = self.bg_source.get_secret_value()
        return "://" in source and bucket_of(source) is None

    @property
    def source_name(self) -> str:
        """The source as it may be shown: without the password of a database."""
        source = self.bg_source.get_secret_value()
        return make_url(source).set(query={}).render_as_string() if self.is_database else source

    @property
    def s3_endpoint(self) -> str:
        """The S3-compatible server; empty for AWS."""
        names = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
        return self.bg_s3_endpoint or next((os.environ[name] for name in names if os.environ.get(name)), "")

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


def _overlap(one: str, other: str) -> bool:
    buckets = bucket_of(one), bucket_of(other)
    if buckets[0] and buckets[1]:
        return buckets[0].overlaps(buckets[1])
    if buckets[0] or buckets[1]:
        return False
    folders = Path(one).resolve(), Path(other).resolve()
    return folders[0].is_relative_to(folders[1]) or folders[1].is_relative_to(folders[0])


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
