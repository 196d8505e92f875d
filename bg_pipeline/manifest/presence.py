"""Tell if there is a manifest, without creating one."""

from pathlib import Path

from sqlalchemy import create_engine, inspect
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from bg_pipeline.manifest.schema import items


def is_missing(url: str) -> bool:
    """Return True if no manifest is at this URL yet; False also if that cannot be told: opening it tells why."""
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite":
            return parsed.database not in {None, "", ":memory:"} and not Path(str(parsed.database)).exists()
        engine = create_engine(parsed)
        try:
            return not inspect(engine).has_table(items.name)
        finally:
            engine.dispose()
    except (SQLAlchemyError, ImportError, ValueError):  # a wrong port is a ValueError
        return False
