"""Databases as sources: any URL that SQLAlchemy knows."""

from importlib.metadata import entry_points

from pydantic import Field
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from bg_pipeline.ports.catalogue import ImageSource
from bg_pipeline.ports.stores import StoreKind
from bg_pipeline.settings.part import Part


class SqlSettings(Part):
    """Settings of a database of pictures."""

    source_query: str = Field(
        "", description="for a database: a SELECT of `key` and `image` (bytes) or `url`, and preferably `version`"
    )


def has_dialect(scheme: str) -> bool:
    """Return True if an installed package adds this scheme to SQLAlchemy."""
    return any(entry.name.partition(".")[0] == scheme for entry in entry_points(group="sqlalchemy.dialects"))


def _validate(location: str) -> None:
    try:
        make_url(location).get_dialect()
    except (ArgumentError, ImportError, ValueError) as error:
        raise ValueError("must be the URL of a database whose driver is installed") from error


def _open_source(location: str, settings: SqlSettings) -> ImageSource:
    from bg_pipeline.stores.sql.source import SqlSource  # noqa: PLC0415  requests is not needed for a folder

    return SqlSource(location, settings.source_query)


SQL = StoreKind(
    schemes=("sqlite", "postgresql", "mysql", "mariadb", "oracle", "mssql"),
    example="the URL of a database",
    validate=_validate,
    overlaps=str.__eq__,
    settings=SqlSettings,
    open_source=_open_source,
    show=lambda location: make_url(location).set(query={}).render_as_string(),
    needs_query=True,
)
