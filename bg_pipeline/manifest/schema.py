"""The tables as they are now; `migrations/versions` says how they came to be."""

from decimal import Decimal
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    text,
)

from bg_pipeline.core.keys import key_bytes

VERSION = "0004"
"""The newest of `migrations/versions`."""


class Key(TypeDecorator[str]):
    """
    A name as its source spells it, in bytes.

    Text columns cannot hold names that are no UTF-8, and sort by the server's locale; bytes sort alike
    everywhere, which the merge of listing and manifest relies on.
    """

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> bytes | None:  # noqa: ARG002
        return None if value is None else key_bytes(value)

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        return None if value is None else bytes(value).decode("utf-8", "surrogateescape")


class Credits(TypeDecorator[Decimal]):
    """Credits in thousandths, so that sums are exact in every database."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        return None if value is None else round(value * 1000)

    def process_result_value(self, value: int | None, dialect: Dialect) -> Decimal | None:  # noqa: ARG002
        return None if value is None else Decimal(value) / 1000


class Prose(TypeDecorator[str]):
    """Text for people, which may quote a name that is no UTF-8."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        if value is None:
            return None
        return value.replace("\0", "\\0").encode("utf-8", "backslashreplace").decode()


metadata = MetaData()


def _text(name: str, length: int, **more: Any) -> Column[str]:
    return Column(name, String(length), nullable=False, server_default="", **more)


items = Table(
    "items",
    metadata,
    Column("key", Key, primary_key=True),
    Column("collection", Key, nullable=False),
    # what the last look found
    Column("evidence", Prose, nullable=False, server_default=""),
    _text("content_hash", 64),
    Column("size_bytes", BigInteger, nullable=False, server_default="0"),
    _text("media_type", 40),
    Column("absent", Boolean, nullable=False, server_default=text("false")),
    Column("absent_since", Float),
    # where it stands
    Column("state", String(20), nullable=False),
    _text("reason", 20),
    Column("detail", Prose, nullable=False, server_default=""),
    _text("work_id", 64),
    Column("changed_at", Float, nullable=False),
    # its name in the output
    Column("stem", Key),
    Column("stem_fold", Key, unique=True),
    # what is on show
    _text("published_work_id", 64),
    _text("published_cut_hash", 64),
    _text("published_rendition_hash", 64),
    Column("output_name", Key),
    _text("output_digest", 64),
    Column("published_at", Float),
    _text("published_content_hash", 64),
    # its cutout in the trash
    Column("trash_name", Key),
    Column("trashed_at", Float),
    Index("items_by_state", "state", "collection"),
    Index("items_by_published_work", "published_work_id"),
    Index("items_by_output_name", "output_name", "absent", "key"),
    sqlite_with_rowid=False,
)

masters = Table(
    "masters",
    metadata,
    Column("work_id", String(64), primary_key=True),
    Column("digest", String(64), nullable=False),
    Column("width_px", Integer, nullable=False),
    Column("height_px", Integer, nullable=False),
    Column("suspicion", Prose, nullable=False, server_default=""),
    Column("stored_at", Float, nullable=False),
    _text("sent_digest", 64),
    _text("cut_hash", 64),
    Index("masters_by_sent", "sent_digest", "cut_hash"),
)

attempts = Table(
    "attempts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("work_id", String(64), nullable=False),
    Column("provider", String(40), nullable=False),
    Column("collection", Key, nullable=False),
    Column("state", String(20), nullable=False),
    Column("credits_expected", Credits, nullable=False),
    Column("credits_charged", Credits, nullable=False, server_default="0"),
    Column("started_at", Float, nullable=False),
    Column("ended_at", Float),
    Column("detail", Prose, nullable=False, server_default=""),
    Column("answer", Prose, nullable=False, server_default=""),
    _text("request_id", 200),
    Column("item_key", Key),
    _text("run", 200),
    _text("sent_digest", 64),
    _text("cut_hash", 64),
    Index("attempts_by_work", "work_id"),
    Index("attempts_by_start", "started_at"),
    Index("attempts_by_run", "run"),
    Index(
        "attempts_open_once",
        "work_id",
        unique=True,
        sqlite_where=text("state = 'intent'"),
        postgresql_where=text("state = 'intent'"),
    ),
)

leases = Table(
    "leases",
    metadata,
    Column("name", Key, primary_key=True),
    Column("owner", String(200), nullable=False),
    Column("token", BigInteger, nullable=False),
    Column("ends_at", Float, nullable=False),
)

gates = Table(
    "gates",
    metadata,
    Column("provider", String(40), primary_key=True),
    Column("state", String(20), nullable=False),
    Column("reason", String(40), nullable=False),
    Column("since", Float, nullable=False),
    Column("episode", Integer, nullable=False),
    Column("balance", Credits),
    Column("balance_at", Float, nullable=False, server_default="0"),
    Column("until", Float, nullable=False, server_default="0"),
    Column("trips", Integer, nullable=False, server_default="0"),
    Column("why", Prose, nullable=False, server_default=""),
    Column("held_open", Boolean, nullable=False, server_default=text("false")),
)

limits = Table(
    "limits",
    metadata,
    Column("provider", String(40), primary_key=True),
    Column("state", JSON, nullable=False),
)

syncs = Table(
    "syncs",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("kind", String(20), nullable=False),
    Column("started_at", Float, nullable=False),
    Column("ended_at", Float, nullable=False),
    Column("facts", JSON, nullable=False),
    Index("syncs_by_kind", "kind", "id"),
)

episodes = Table(
    "episodes",
    metadata,
    Column("kind", String(20), primary_key=True),
    Column("subject", Key, primary_key=True),
    Column("title", Prose, nullable=False),
    Column("began_at", Float, nullable=False),
    Column("seen_at", Float, nullable=False),
    Column("told_at", Float, nullable=False),
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("target", String(16), nullable=False),
    Column("event", String(10), nullable=False),
    Column("title", Prose, nullable=False),
    Column("body", Prose, nullable=False),
    Column("made_at", Float, nullable=False),
    Column("state", String(10), nullable=False),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("due_at", Float, nullable=False),
    Column("ended_at", Float),
    Column("detail", Prose, nullable=False, server_default=""),
    Index("outbox_by_target", "target", "state", "id"),
)
