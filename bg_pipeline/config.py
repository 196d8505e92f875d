"""The only reader of the environment, `.env` and `bg_pipeline.toml`."""

import os
import re
import tomllib
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal, TypeVar
from urllib.parse import parse_qsl, urlsplit
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

from bg_pipeline.core.credits import Rules
from bg_pipeline.core.deletes import DeletePolicy
from bg_pipeline.core.gate import Thresholds
from bg_pipeline.core.params import refusal
from bg_pipeline.core.places import bucket_of
from bg_pipeline.core.prices import MAX_SIDE_PX, max_pixels
from bg_pipeline.core.recipe import Cut, Recipe, Rendition, Step
from bg_pipeline.errors import ConfigurationError

VENDORS = ("bgeraser", "removebg", "photoroom")
PROVIDERS = ("local", "rembg", *VENDORS)


@dataclass(frozen=True, slots=True)
class Surface:
    """Where one of bgeraser's public APIs is, and how the key is sent to it."""

    base_url: str
    path: str
    account_path: str
    auth: str


SURFACES = {
    "tools": Surface("https://bgeraser.ink", "/api/tools/bg-removal", "/api/account", "bearer"),
    "v1": Surface("https://api.bgeraser.ink", "/v1/removebg", "/v1/account", "x-api-key"),
}
"""bgeraser.ink/blog/bgeraser-api-quickstart and /api-docs, read 2026-11; v1's account as at remove.bg."""

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})

Credits = Annotated[Decimal, Field(ge=0)]


class Night(BaseSettings):
    """When the nightly sync starts: all that Dagster has to know before a run."""

    model_config = SettingsConfigDict(
        env_file=".env", extra="ignore", frozen=True, env_ignore_empty=True, hide_input_in_errors=True
    )

    bg_nightly_cron: str = Field("0 2 * * *", description="when the nightly sync starts")
    bg_timezone: str = Field("UTC", description="in which time zone")
    bg_run_days: int = Field(
        180, ge=1, description="how long Dagster keeps a run, days; the newest of each collection stays"
    )

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
    bg_provider: str = Field(
        "local",
        description="who removes the background: `local`, `rembg`, `bgeraser`, `removebg` or `photoroom`;"
        " `bgeraser,removebg`: the second where the first cannot",
    )
    bg_params: str = Field(
        "",
        description="further parameters of the first provider, as in a URL: `type=product&add_shadow=true`",
    )
    bg_steps: str = Field(
        "", description="tools of bgeraser that follow its cut, each a purchase: `upscale?factor=2,generative-expand`"
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
    bg_max_credits_per_run: Credits | None = Field(None, description="a sync, or a night, stops before it spends more")
    bg_max_credits_per_day: Credits | None = Field(
        None, description="nothing spends more in one day of `BG_TIMEZONE`, all runs together"
    )
    bg_in_doubt: Literal["retry", "hold"] = Field(
        "retry", description="`retry` or `hold` for a person: what may have been charged before its answer was lost"
    )
    bg_already_cut: Literal["keep", "cut"] = Field(
        "keep", description="`keep` or `cut`: pictures that are cut out already are published as they are, or bought"
    )
    bg_format: Literal["png", "webp", "jpg"] = Field("png", description="`png`, `webp` or `jpg`")
    bg_background: str = Field("", description="`#rrggbb` or a colour name; default: transparent")
    bg_canvas: str = Field("", description="`WIDTHxHEIGHT`, px, to centre the subject on; default: the original frame")
    bg_padding: float = Field(0.0, ge=0, le=0.45, description="share of the canvas left free on each side")
    bg_alert_urls: SecretStr = Field(
        SecretStr(""), description="who is told what is wrong: Apprise URLs, with commas or line ends between them"
    )
    bg_alert_failure_rate: float = Field(0.2, ge=0, le=1, description="share of failed items above which it is told")
    bg_dagster_url: str = Field("", description="address of Dagster's UI, for the links in alerts")
    bgeraser_api_key: SecretStr | None = Field(None, description="key from the bgeraser dashboard")
    bgeraser_surface: Literal["tools", "v1"] = Field(
        "tools", description="`tools` or `v1`: which of its two public APIs; the next four default to what it documents"
    )
    bgeraser_base_url: str = Field("", description="`https://bgeraser.ink`; or the sandbox: `http://127.0.0.1:8787`")
    bgeraser_path: str = Field("", description="path of the call")
    bgeraser_account_path: str = Field("", description="path of the balance")
    bgeraser_auth: Literal["", "bearer", "x-api-key"] = Field(
        "", description="`bearer` or `x-api-key`: how the key is sent"
    )
    bgeraser_file_field: str = Field("image_file", description="form field of the picture")
    removebg_api_key: SecretStr | None = Field(None, description="key from the remove.bg dashboard")
    removebg_base_url: str = Field("https://api.remove.bg", description="or the sandbox: `http://127.0.0.1:8787`")
    removebg_size: Literal["preview", "medium", "hd", "full", "50MP", "auto"] = Field(
        "full",
        description="`preview` (0.25 megapixels), `medium` (1.5), `hd` (4), `full` (25), `50MP`, or `auto`: what the"
        " balance allows",
    )
    photoroom_api_key: SecretStr | None = Field(
        None, description="key from the PhotoRoom dashboard; `sandbox_` before it: free and watermarked"
    )
    photoroom_base_url: str = Field(
        "", description="default: the vendor's two hosts; or the sandbox: `http://127.0.0.1:8787`"
    )
    photoroom_plan: Literal["basic", "plus"] = Field(
        "basic", description="`basic` (`/v1/segment`) or `plus` (`/v2/edit`, five times the price)"
    )
    photoroom_size: Literal["preview", "medium", "hd", "full"] = Field(
        "full", description="on `basic`: `preview` (0.25 megapixels), `medium` (1.5), `hd` (4) or `full` (36)"
    )

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

    @field_validator("bg_alert_urls")
    @classmethod
    def _urls(cls, value: SecretStr) -> SecretStr:
        for number, url in enumerate(_split_urls(value), start=1):
            if not re.fullmatch(r"[a-z][a-z0-9+.-]*://\S+", url, re.IGNORECASE):
                raise ValueError(f"entry {number} is no Apprise URL, such as slack://… or mailto://…")
        return value

    @field_validator("bg_dagster_url")
    @classmethod
    def _a_page(cls, value: str) -> str:
        if value and not re.fullmatch(r"https?://[^\s@?]+", value):
            raise ValueError("must be a URL without a password, such as http://127.0.0.1:3000")
        return value.rstrip("/")

    @field_validator("bg_provider")
    @classmethod
    def _known(cls, value: str) -> str:
        names = [name.strip() for name in value.split(",")]
        if not set(names) <= set(PROVIDERS) or len(set(names)) < len(names):
            raise ValueError(f"must be one of {', '.join(PROVIDERS)}, or several of them once each, with commas")
        return ",".join(names)

    @field_validator("bgeraser_api_key", "removebg_api_key", "photoroom_api_key")
    @classmethod
    def _a_key(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None:
            return None
        key = value.get_secret_value().strip()
        if not re.fullmatch(r"[!-~]+", key):
            raise ValueError("must be one word of plain characters, as in the dashboard: copy it again")
        return SecretStr(key)

    @field_validator("bgeraser_base_url", "removebg_base_url", "photoroom_base_url")
    @classmethod
    def _a_safe_url(cls, value: str) -> str:
        if not value:
            return value
        try:
            url = urlsplit(value)
            whole = url.scheme in {"https", "http"} and url.hostname and (url.port or True)
        except ValueError:
            whole = False
        if not whole or url.username is not None or url.query or url.fragment:
            raise ValueError("must be a URL of scheme, host and port, such as https://bgeraser.ink")
        if url.scheme == "http" and url.hostname not in LOOPBACK:
            raise ValueError("must start with https:// (http is for the sandbox on this machine): it carries a key")
        return value.rstrip("/")

    @model_validator(mode="after")
    def _fits_together(self) -> "Settings":
        if self.bg_format == "jpg" and not self.bg_background:
            raise ValueError("BG_FORMAT=jpg cannot be transparent: set BG_BACKGROUND, to white for one")
        if self.thresholds.resume < self.thresholds.low:
            raise ValueError("BG_RESUME_CREDITS must not be below BG_LOW_CREDITS: the gate would flap")
        for provider in self.providers:
            if provider in VENDORS and not getattr(self, f"{provider}_api_key"):
                raise ValueError(
                    f"BG_PROVIDER={provider} needs {provider.upper()}_API_KEY: make one in its dashboard"
                    " (the sandbox takes any)"
                )
        self._passes_through()
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
    def providers(self) -> tuple[str, ...]:
        """In the order in which they are tried."""
        return tuple(self.bg_provider.split(","))

    @property
    def alert_urls(self) -> list[str]:
        """In clear: for the part that sends, and nobody else."""
        return _split_urls(self.bg_alert_urls)

    @property
    def recipe(self) -> Recipe:
        width, _, height = self.bg_canvas.partition("x")
        return Recipe(
            tuple(self.cut(provider) for provider in self.providers),
            Rendition(
                format=self.bg_format,
                background=self.bg_background,
                canvas=(int(width), int(height)) if self.bg_canvas else None,
                padding=self.bg_padding,
            ),
            keep_cutouts=self.bg_already_cut == "keep",
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
    def deletes(self) -> DeletePolicy:
        return DeletePolicy(self.bg_delete_policy == "trash", self.bg_sentinel, self.bg_trash_days)

    @property
    def bgeraser(self) -> Surface:
        """What its surface documents, but for what is set."""
        usual = SURFACES[self.bgeraser_surface]
        return Surface(
            self.bgeraser_base_url or usual.base_url,
            self.bgeraser_path or usual.path,
            self.bgeraser_account_path or usual.account_path,
            self.bgeraser_auth or usual.auth,
        )

    def cut(self, provider: str) -> Cut:
        """What is, or would be, bought of this provider."""
        surface, base_url, usual, params = "", "", "", {}
        if provider == "bgeraser":
            surface, base_url, usual = (
                self.bgeraser_surface,
                self.bgeraser_base_url,
                SURFACES[self.bgeraser_surface].base_url,
            )
            # Otherwise remove.bg's API, which this one copies, makes a preview and leaves the format open.
            params = {"size": "full", "format": "png"} if surface == "v1" else {}
        elif provider == "removebg":
            base_url, usual = self.removebg_base_url, type(self).model_fields["removebg_base_url"].default
            params = {"size": self.removebg_size}
        elif provider == "photoroom":
            surface, base_url = self.photoroom_plan, self.photoroom_base_url
            params = {"size": self.photoroom_size} if surface == "basic" else {}
            key = self.photoroom_api_key
            if key and key.get_secret_value().startswith("sandbox_"):
                surface += " sandbox"  # a watermarked cutout must not pass for a bought one
        if provider == self.providers[0]:
            params = {**params, **self._params}
        cut = Cut(
            provider=provider,
            max_side_px=min(self.bg_max_pixels_sent, MAX_SIDE_PX.get(provider, self.bg_max_pixels_sent)),
            endpoint=(urlsplit(base_url).hostname or "") if base_url not in {"", usual} else "",
            surface=surface,
            params=params,
            steps=self._steps if provider == "bgeraser" else (),
        )
        return replace(cut, max_pixels=max_pixels(cut))

    @property
    def _params(self) -> dict[str, str]:
        return _form("BG_PARAMS", self.bg_params)

    @property
    def _steps(self) -> tuple[Step, ...]:
        steps = []
        for text in filter(None, (part.strip() for part in self.bg_steps.split(","))):
            tool, _, params = text.partition("?")
            if not re.fullmatch(r"[a-z][a-z0-9-]*", tool) or tool == "bg-removal":
                raise ValueError(
                    "BG_STEPS must be tools with commas between, such as upscale?factor=2,generative-expand"
                )
            steps.append(Step(tool, _form("BG_STEPS", params)))
        return tuple(steps)

    def _passes_through(self) -> None:
        """
        Raises:
            ValueError: BG_PARAMS or BG_STEPS cannot be passed through.
        """
        cut = self.cut(self.providers[0])
        why = refusal(cut.provider, cut.surface, self._params)
        if why:
            raise ValueError(f"BG_PARAMS: {why}")
        if self._steps and ("bgeraser" not in self.providers or self.bgeraser_surface != "tools"):
            raise ValueError("BG_STEPS are tools of bgeraser: they need it in BG_PROVIDER, and BGERASER_SURFACE=tools")
        for step in self._steps:
            why = refusal("bgeraser", "tools", step.params)
            if why or self.bgeraser_file_field in step.params:
                raise ValueError(f"BG_STEPS: {why or 'the picture is no parameter'}")

    @property
    def rules(self) -> Rules:
        return Rules(self.thresholds, self.bg_max_credits_per_day, self.bg_timezone)

    @property
    def thresholds(self) -> Thresholds:
        low = self.bg_low_credits
        resume = self.bg_resume_credits
        return Thresholds(low, low + max(low / 10, Decimal(50)) if resume is None else resume)


def _form(setting: str, text: str) -> dict[str, str]:
    try:
        pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=True) if text else []
    except ValueError:
        raise ValueError(f"{setting} must be written as in a URL: name=value&name=value") from None
    if len({name for name, _ in pairs}) < len(pairs):
        raise ValueError(f"{setting} names a parameter twice")
    return dict(pairs)


def _split_urls(value: SecretStr) -> list[str]:
    # A URL may hold commas: only one before the next URL is a separator.
    return [
        url for url in re.split(r"[\s,]+(?=[a-zA-Z][\w+.-]*://)|\s+", value.get_secret_value().strip(" ,\n")) if url
    ]


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
