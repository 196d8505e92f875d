"""Catalogues and accounts, by name."""

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import insert, select, update

from bg_pipeline.core.gate import on_new_key
from bg_pipeline.manifest.database import Database
from bg_pipeline.manifest.gates import delete_limits, read_gate, write_gate
from bg_pipeline.manifest.repeated import repeated
from bg_pipeline.manifest.schema import accounts, catalogues


@repeated
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


@dataclass(frozen=True, slots=True)
class KnownAccount:
    """An account as the settings name it."""

    vendor: str
    key: str = field(default="", repr=False)
    """Its API key; empty where none is needed."""


@repeated
def ensure_accounts(database: Database, known: Mapping[str, KnownAccount], now: float) -> None:
    """
    Record these accounts if they are missing. An account with a new key starts afresh: what was learned of its limits
    is forgotten, and a gate that its old key closed opens (`core.gate.on_new_key`).

    Args:
        database: the manifest.
        known: accounts by name.
        now: epoch seconds.
    """
    c = accounts.c
    query = select(c.name, c.key_digest)
    with database.read() as conn:
        digests = {row.name: row.key_digest for row in conn.execute(query)}
    if all(name in digests and _is_of(each.key, digests[name]) for name, each in known.items()):
        return
    with database.write() as conn:
        digests = {row.name: row.key_digest for row in conn.execute(query)}
        for name, each in known.items():
            if name not in digests:
                digest = _digest(each.key)
                conn.execute(insert(accounts).values(name=name, vendor=each.vendor, key_digest=digest))
            elif not _is_of(each.key, digests[name]):
                conn.execute(update(accounts).where(c.name == name).values(key_digest=_digest(each.key)))
                if digests[name]:
                    gate = read_gate(conn, name)
                    write_gate(database, conn, gate, on_new_key(gate, now))
                    delete_limits(conn, name)


def _digest(key: str, salt: str = "") -> str:
    salt = salt or secrets.token_hex(8)
    return f"{salt}:{hashlib.sha256((salt + key).encode()).hexdigest()}" if key else ""


def _is_of(key: str, digest: str) -> bool:
    """Return True if this is the digest of this key; also without a key, because then there is nothing to see."""
    return not key or (bool(digest) and secrets.compare_digest(_digest(key, digest.partition(":")[0]), digest))
