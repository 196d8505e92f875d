"""The identity of a manifest: a random id, for the marks in its stores."""

import secrets

from sqlalchemy import insert, select

from bg_pipeline.manifest.database import Database
from bg_pipeline.manifest.repeated import repeated
from bg_pipeline.manifest.schema import manifest


@repeated
def identity_of(database: Database) -> str:
    """Return the identity of a manifest, 32 hexadecimal digits; a manifest without one gets it now."""
    query = select(manifest.c.identity)
    with database.read() as conn:
        identity = conn.scalar(query)
    if identity is None:
        with database.write() as conn:
            identity = conn.scalar(query)
            if identity is None:
                identity = secrets.token_hex(16)
                conn.execute(insert(manifest).values(id=1, identity=identity))
    return str(identity)
