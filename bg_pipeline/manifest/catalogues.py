"""Catalogues and accounts, by name."""

from collections.abc import Mapping

from sqlalchemy import insert, select

from bg_pipeline.manifest.database import Database
from bg_pipeline.manifest.schema import accounts, catalogues


def catalogue_id(database: Database, name: str = "default") -> int:
    """Return the number of a catalogue; a new catalogue gets the next number."""
    query = select(catalogues.c.id).where(catalogues.c.name == name)
    with database.read() as conn:
        number = conn.scalar(query)
    if number is None:
        with database.write() as conn:
            number = conn.scalar(query)
            if number is None:
                number = conn.execute(insert(catalogues).values(name=name).returning(catalogues.c.id)).scalar_one()
    return int(number)


def ensure_accounts(database: Database, vendors: Mapping[str, str]) -> None:
    """Record these accounts if they are missing; `vendors` maps account to vendor."""
    query = select(accounts.c.name)
    with database.read() as conn:
        known = set(conn.scalars(query))
    if vendors.keys() <= known:
        return
    with database.write() as conn:
        known = set(conn.scalars(query))
        rows = [{"name": name, "vendor": vendor} for name, vendor in vendors.items() if name not in known]
        if rows:
            conn.execute(insert(accounts), rows)
