"""Databases as sources: any URL that SQLAlchemy knows."""

from importlib.metadata import entry_points
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import Field, PrivateAttr, field_validator
from sqlalchemy.engine import make_url

from bg_pipeline.net.settings import Connected
from bg_pipeline.ports.source import ImageSource
from bg_pipeline.ports.stores import StoreKind


class SqlSettings(Connected):
    """Settings of a database of pictures."""

    source_query: str = Field(
        "",
        description="for a database: a SELECT of `key` and `image` (bytes) or `url`, and preferably `version`; "
        "see docs/sources.md",
    )
    source_hosts: str = Field(
        "",
        description="hosts of your own that a `url` may name though they are not public or not https, separated by "
        "commas: `http://images.shop.lan:8080`",
    )
    _folder: Path | None = PrivateAttr(None)

    def model_post_init(self, context: Any, /) -> None:
        self._folder = context

    @property
    def query_folder(self) -> Path | None:
        """Start of relative paths in the query; None for the working directory."""
        return self._folder

    @field_validator("source_hosts")
    @classmethod
    def _are_origins(cls, value: str) -> str:
        if not all(map(_is_origin, _split(value))):
            raise ValueError(
                "must be scheme, host and, where it is not the usual one, port, separated by commas: "
                "http://images.shop.lan:8080, https://10.0.0.8"
            )
        return value


def has_dialect(scheme: str) -> bool:
    """Return True if an installed package adds this scheme to SQLAlchemy."""
    return any(entry.name.partition(".")[0] == scheme for entry in entry_points(group="sqlalchemy.dialects"))


def _split(hosts: str) -> tuple[str, ...]:
    return tuple(hosts.replace(",", " ").split())


def _is_origin(text: str) -> bool:
    try:
        url = urlsplit(text)
        named = url.scheme in {"http", "https"} and url.hostname and (url.port is None or url.port > 0)
    except ValueError:
        return False
    return bool(named) and url.username is None and not (url.path.strip("/") or url.query or url.fragment)


def _validate(location: str) -> None:
    try:
        make_url(location).get_dialect()
    except Exception as error:  # a dialect of another package may raise any exception
        raise ValueError("must be the URL of a database whose driver is installed") from error


def _open_source(location: str, settings: SqlSettings) -> ImageSource:
    from bg_pipeline.stores.sql.source import SqlSource  # noqa: PLC0415  requests is not needed for a folder

    hosts = _split(settings.source_hosts)
    return SqlSource(location, settings.source_query, hosts=hosts, egress=settings.egress, folder=settings.query_folder)


SQL = StoreKind(
    schemes=("sqlite", "postgresql", "mysql", "mariadb", "oracle", "mssql", "duckdb"),
    example="the URL of a database",
    validate=_validate,
    overlaps=str.__eq__,
    settings=SqlSettings,
    open_source=_open_source,
    show=lambda location: make_url(location).set(query={}).render_as_string(),
    needs_query=True,
)
