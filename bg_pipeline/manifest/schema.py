"""The present tables; `migrations/versions` has their history."""

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    text,
)

from bg_pipeline.manifest.types import Credits, Key, Prose

VERSION = "0018"
"""Number of the newest file in `migrations/versions`."""

metadata = MetaData()


def _text(name: str, length: int, **more: Any) -> Column[str]:
    return Column(name, String(length), nullable=False, server_default="", **more)


manifest = Table(
    "manifest",
    metadata,
    # always 1: there is one row
    Column("id", Integer, primary_key=True),
    Column("identity", String(32), nullable=False),
)

catalogues = Table(
    "catalogues",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(100), nullable=False, unique=True),
    # number of the last completely recorded delta; items recorded under a higher number are not claimed yet
    Column("delta", BigInteger, nullable=False, server_default="0"),
    # digest of the settings under which `items.judged` holds
    _text("judged_under", 64),
)

accounts = Table(
    "accounts",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("vendor", String(40), nullable=False),
    # salt and SHA-256 of its key, to see that a key is new; never the key
    _text("key_digest", 100),
)


def _partial(name: str, *columns: str, where: str, unique: bool = False) -> Index:
    """An index of the few rows that satisfy a condition. A query must spell out the condition."""
    return Index(name, *columns, unique=unique, sqlite_where=text(where), postgresql_where=text(where))


items = Table(
    "items",
    metadata,
    Column("catalogue_id", Integer, primary_key=True, doc="number of the catalogue"),
    Column("key", Key, primary_key=True, doc="path below the source, in bytes"),
    Column("collection", Key, nullable=False, doc="first folders of the key"),
    Column(
        "fingerprint",
        Prose,
        nullable=False,
        server_default="",
        doc="what the last listing said of its bytes; empty to hash them again",
    ),
    _text("content_hash", 64, doc="SHA-256 of its bytes, hexadecimal"),
    Column("size_bytes", BigInteger, nullable=False, server_default="0", doc="size of its bytes"),
    _text("media_type", 40, doc="kind of picture, such as image/png; empty if it is none"),
    Column(
        "problem",
        Prose,
        nullable=False,
        server_default="",
        doc="why it could not be read; the three before it are then those of an earlier scan",
    ),
    Column(
        "absent", Boolean, nullable=False, server_default=text("false"), doc="true if the last listing did not have it"
    ),
    Column("absent_since", Float, doc="epoch second of the first listing without it"),
    Column("state", String(20), nullable=False, doc="state of the work"),
    _text("reason", 20, doc="class that the last delta gave it"),
    Column("detail", Prose, nullable=False, server_default="", doc="reason for its state, in words"),
    _text("purchase_id", 64, doc="purchase that it waits for, or whose result it shows"),
    Column("changed_at", Float, nullable=False, doc="epoch second of the last change of the row"),
    Column("delta", BigInteger, nullable=False, server_default="0", doc="number of the delta that gave it work"),
    Column("revision", BigInteger, nullable=False, server_default="0", doc="number of changes of the row"),
    Column("judged", BigInteger, nullable=False, server_default="-1", doc="revision that a delta left as it was"),
    Column("claim_id", BigInteger, doc="claim that holds it, if there is one"),
    Column(
        "step", Integer, nullable=False, server_default="0", doc="step in the order of purchases; lower ones come first"
    ),
    Column(
        "priority",
        Float,
        nullable=False,
        server_default="1e300",
        doc="priority within its step; lower values come first",
    ),
    Column("stem", Key, doc="name of its output without the ending"),
    Column("stem_fold", Key, doc="that name as file systems compare it that ignore case"),
    # items get a stem only after the first listing
    _partial("items_by_stem", "catalogue_id", "stem_fold", unique=True, where="stem_fold IS NOT NULL"),
    Index("items_by_state", "catalogue_id", "state", "collection", "key"),
    # a query must spell out the condition
    _partial("items_to_hash", "catalogue_id", "key", where="fingerprint = '' AND NOT absent"),
    _partial("items_by_problem", "catalogue_id", "key", where="problem <> ''"),
    # pending items in the order of purchases, of all collections and of one; a query must spell out the condition
    *(
        _partial(name, "catalogue_id", *columns, "key", where="state = 'pending'")
        for name, columns in (
            ("items_to_buy", ("step", "priority")),
            ("items_to_buy_of_collection", ("collection", "step", "priority")),
        )
    ),
    # what the next delta has to judge, and what it need not although it is not published; as above. PostgreSQL
    # measures the first condition as it stands, IS TRUE included, by statistics of its own
    _partial("items_to_judge", "catalogue_id", "key", where="(judged <> revision) IS TRUE"),
    _partial("items_set_aside", "catalogue_id", "state", "key", where="judged = revision AND state <> 'published'"),
    # few items are absent: queries for the others exclude these keys
    _partial("items_by_absence", "catalogue_id", "key", where="absent"),
    # items that wait for the same purchase; a query must spell out the condition
    _partial("items_by_purchase", "catalogue_id", "purchase_id", where="state = 'pending' AND purchase_id <> ''"),
    _partial("items_by_claim", "claim_id", where="claim_id IS NOT NULL"),
    sqlite_with_rowid=False,
)

listings = Table(
    "listings",
    metadata,
    Column("catalogue_id", Integer, primary_key=True),
    # core.blocks.KnownBlock of the last complete scan, each as a list; no row once an item is observed after it
    Column("blocks", JSON, nullable=False),
)

acceptances = Table(
    "acceptances",
    metadata,
    Column("catalogue_id", Integer, primary_key=True),
    Column("key", Key, primary_key=True),
    # it holds while the item has this revision: every change of its bytes, its state or its problem ends it
    Column("revision", BigInteger, nullable=False),
    Column("reason", Prose, nullable=False),
    Column("accepted_at", Float, nullable=False),
    sqlite_with_rowid=False,
)


def _of_output() -> tuple[Column[Any], ...]:
    """Return the key of an output."""
    return (
        Column("catalogue_id", Integer, primary_key=True),
        Column("key", Key, primary_key=True),
        Column("rendition", String(60), primary_key=True),
    )


def _origin() -> tuple[Column[Any], ...]:
    """Return what an output was made from, its name, empty if it is in the trash or another item's, and its bytes."""
    return (
        *(_text(name, 64) for name in ("purchase_id", "cut_digest", "rendition_digest", "content_hash")),
        Column("output_name", Key),
        _text("output_digest", 64),
        Column("published_at", Float),
    )


publications = Table(
    "publications",
    metadata,
    *_of_output(),
    *_origin(),
    # the run that published it; empty if what it replaced is no longer kept
    _text("run", 200),
    # in the trash
    Column("trash_name", Key),
    Column("trashed_at", Float),
    Index("publications_by_purchase", "catalogue_id", "purchase_id"),
    Index("publications_by_output", "catalogue_id", "output_name"),
    sqlite_with_rowid=False,
)

previous_outputs = Table(
    "previous_outputs",
    metadata,
    *_of_output(),
    # the run that replaced it
    Column("run", String(200), primary_key=True),
    # the whole former row of `publications`; without a purchase, the bytes were no item's
    *_origin(),
    _text("published_by", 200),
    # its bytes: under their own name if the run left them there; without a name, they were missing
    Column("kept_name", Key),
    _text("kept_digest", 64),
    Column("replaced_at", Float, nullable=False),
    Index("previous_outputs_by_time", "catalogue_id", "replaced_at"),
)

reversions = Table(
    "reversions",
    metadata,
    *_of_output(),
    # the run whose publication was taken back
    Column("run", String(200), primary_key=True),
    _text("cut_digest", 64),
    _text("rendition_digest", 64),
    _text("content_hash", 64),
    Column("reverted_by", Prose, nullable=False),
    Column("reverted_at", Float, nullable=False),
)

purchases = Table(
    "purchases",
    metadata,
    Column("purchase_id", String(64), primary_key=True),
    Column("digest", String(64), nullable=False),
    Column("width_px", Integer, nullable=False),
    Column("height_px", Integer, nullable=False),
    Column("suspicion", Prose, nullable=False, server_default=""),
    Column("stored_at", Float, nullable=False),
    _text("sent_digest", 64),
    _text("cut_digest", 64),
    # the picture that it was cut from, and since when no item has that picture
    _text("content_hash", 64),
    Column("unused_since", Float),
    # the part of it that was bought, as in core.records.Use; null if not known
    Column("use", String(20)),
    Index("purchases_by_payload", "sent_digest", "cut_digest"),
    Index("purchases_by_content", "content_hash"),
    # a query must spell out the condition
    _partial("purchases_unused", "content_hash", where="unused_since IS NOT NULL"),
)

pruned = Table(
    "pruned",
    metadata,
    Column("purchase_id", String(64), primary_key=True),
    _text("content_hash", 64),
    Column("pruned_at", Float, nullable=False),
    # false while the bytes may still be in the store
    Column("removed", Boolean, nullable=False, server_default=text("false")),
)

attempts = Table(
    "attempts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("account", String(100), nullable=False),
    # the item of the attempt
    Column("catalogue_id", Integer, nullable=False),
    Column("item_key", Key),
    Column("collection", Key, nullable=False),
    Column("claim_id", BigInteger),
    _text("run", 200),
    # the purchase and its result
    Column("purchase_id", String(64), nullable=False),
    _text("sent_digest", 64),
    _text("cut_digest", 64),
    Column("state", String(20), nullable=False),
    Column("credits_expected", Credits, nullable=False),
    Column("credits_charged", Credits, nullable=False, server_default="0"),
    Column("started_at", Float, nullable=False),
    Column("ended_at", Float),
    Column("detail", Prose, nullable=False, server_default=""),
    Column("answer", Prose, nullable=False, server_default=""),
    _text("request_id", 200),
    # no longer counted towards the limit of charges
    Column("waived", Boolean, nullable=False, server_default=text("false")),
    # the part of its answer that is bought, as in core.records.Use; null if not known
    Column("use", String(20)),
    # how the vendor refused it, as in core.responses.ResponseKind
    _text("kind", 20),
    Index("attempts_by_purchase", "purchase_id"),
    Index("attempts_by_start", "started_at"),
    Index("attempts_by_run", "run"),
    _partial("attempts_open_once", "purchase_id", unique=True, where="state = 'intent'"),
    _partial("attempts_answered", "purchase_id", where="state = 'answered'"),
)

decisions = Table(
    "decisions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("catalogue_id", Integer, nullable=False),
    Column("key", Key, nullable=False),
    Column("decision", String(20), nullable=False),
    Column("decided_at", Float, nullable=False),
    Column("decided_by", Prose, nullable=False),
    Column("reason", Prose, nullable=False, server_default=""),
    # the pictures that the person looked at
    _text("content_hash", 64),
    _text("result_digest", 64),
    Index("decisions_by_key", "catalogue_id", "key", "id"),
)

claims = Table(
    "claims",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("catalogue_id", Integer, nullable=False),
    Column("owner", String(200), nullable=False),
    # the requester and the budget
    Column("asked_by", String(20), nullable=False),
    Column("run", String(200), nullable=False),
    Column("cap", Credits),
    Column("started_at", Float, nullable=False),
    Column("ends_at", Float, nullable=False),
    # a used id must never return: it fences the items taken under it
    sqlite_autoincrement=True,
)

leases = Table(
    "leases",
    metadata,
    Column("catalogue_id", Integer, primary_key=True),
    Column("name", Key, primary_key=True),
    Column("owner", String(200), nullable=False),
    Column("token", BigInteger, nullable=False),
    Column("ends_at", Float, nullable=False),
)

stops = Table(
    "stops",
    metadata,
    Column("run", String(200), primary_key=True),
    Column("asked_by", String(200), nullable=False),
    Column("asked_at", Float, nullable=False),
)

settings_in_use = Table(
    "settings_in_use",
    metadata,
    Column("catalogue_id", Integer, primary_key=True, autoincrement=False),
    # the host that set them last
    Column("host", String(200), nullable=False),
    # digests by setting
    Column("digests", JSON, nullable=False),
)

gates = Table(
    "gates",
    metadata,
    Column("account", String(100), primary_key=True),
    Column("state", String(20), nullable=False),
    Column("reason", String(40), nullable=False),
    Column("since", Float, nullable=False),
    Column("pause", Integer, nullable=False),
    Column("balance", Credits),
    Column("balance_at", Float, nullable=False, server_default="0"),
    Column("until", Float, nullable=False, server_default="0"),
    Column("trips", Integer, nullable=False, server_default="0"),
    Column("why", Prose, nullable=False, server_default=""),
    Column("forced_open", Boolean, nullable=False, server_default=text("false")),
    Column("reading", Credits),
    Column("expected", Credits),
    Column("cleared_at", Float, nullable=False, server_default="0"),
)

limits = Table(
    "limits",
    metadata,
    Column("account", String(100), primary_key=True),
    Column("state", JSON, nullable=False),
)

run_log = Table(
    "run_log",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("kind", String(20), nullable=False),
    # one of the two: a balance belongs to an account, all else to a catalogue
    Column("catalogue_id", Integer),
    Column("account", String(100)),
    _text("run_id", 200),
    _text("job", 100),
    Column("started_at", Float, nullable=False),
    Column("ended_at", Float, nullable=False),
    Column("record", JSON, nullable=False),
    Index("run_log_by_kind", "kind", "id"),
)

incidents = Table(
    "incidents",
    metadata,
    # 0 for an account's, which all catalogues share
    Column("catalogue_id", Integer, primary_key=True, autoincrement=False),
    Column("kind", String(20), primary_key=True),
    Column("subject", Key, primary_key=True),
    Column("title", Prose, nullable=False),
    Column("began_at", Float, nullable=False),
    Column("seen_at", Float, nullable=False),
    Column("notified_at", Float, nullable=False),
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

# Which transactions PostgreSQL has committed: rows that the last one of each connection left.
commits = Table(
    "commits",
    metadata,
    Column("mark", String(32), primary_key=True),
    # False for one that did not come in time, and must not be committed later
    Column("is_done", Boolean, nullable=False),
    Column("made_at", Float, nullable=False),
)
