"""The log of version 0004 as records of version 0005. Nothing here may change with the code."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

_CHUNK = 5_000

_OLD_LOG = sa.table(
    "old_syncs",
    sa.column("id", sa.Integer),
    sa.column("kind", sa.String),
    sa.column("started_at", sa.Float),
    sa.column("ended_at", sa.Float),
    sa.column("facts", sa.JSON),
)
_LOG = sa.table(
    "run_log",
    *(sa.column(name) for name in ("id", "kind", "catalogue_id", "account", "run_id", "job", "started_at", "ended_at")),
    sa.column("record", sa.JSON),
)


def copy_log(conn: sa.Connection) -> None:
    """Write every row of `old_syncs` as a typed record into `run_log`."""
    after = 0
    page = sa.select(_OLD_LOG).order_by(_OLD_LOG.c.id).limit(_CHUNK)
    while rows := conn.execute(page.where(_OLD_LOG.c.id > after)).all():
        after = rows[-1].id
        conn.execute(sa.insert(_LOG), [_logged(row) for row in rows])


def _logged(row: sa.Row[Any]) -> dict[str, Any]:
    facts = row.facts
    run_id = str(facts.get("run_id") or "")
    collection = facts.get("collection")
    written = _CONVERTERS.get(row.kind, lambda facts, _kind: facts)(facts, row.kind)
    return {
        "id": row.id,
        "kind": "process" if row.kind == "sync" else row.kind,
        "catalogue_id": None if row.kind == "balance" else 1,
        "account": facts.get("provider", "") if row.kind == "balance" else None,
        "run_id": run_id,
        "job": "",
        "started_at": row.started_at,
        "ended_at": row.ended_at,
        "record": {
            "run_id": run_id,
            "job": "",
            "collections": None if collection is None else [_partition(collection)],
            "started_at": row.started_at,
            "ended_at": row.ended_at,
        }
        | written,
    }


def _scan(facts: Mapping[str, Any], _kind: str) -> dict[str, Any]:
    return {
        "complete": bool(facts.get("complete")),
        "listed": facts.get("listed", 0),
        "sentinel_seen": bool(facts.get("sentinel_seen")),
    }


def _rehash(facts: Mapping[str, Any], _kind: str) -> dict[str, Any]:
    return {"day": facts.get("day", 0), "slice": facts.get("slice", 0)}


def _detect(facts: Mapping[str, Any], _kind: str) -> dict[str, Any]:
    return {
        "counts": facts.get("counts", {}),
        "rows": facts.get("rows", []),
        "work": facts.get("work", 0),
        "purchases": facts.get("purchases", 0),
        "credits": _money(facts.get("credits", 0)),
    }


def _process(facts: Mapping[str, Any], kind: str) -> dict[str, Any]:
    whole = kind == "sync" or bool(facts.get("everything"))
    counted = ("published", "purchases", "in_doubt", "wasted", "duplicates", "renamed", "failed", "quarantined")
    return {
        "asked_by": "sync" if kind == "sync" else "night" if whole else "backfill",
        "everything": whole,
        "summary": {
            **{name: facts.get(name, 0) for name in (*counted, "pending", "seconds")},
            **{name: _money(facts.get(name, 0)) for name in ("credits", "saved", "credits_in_doubt")},
            **{name: facts.get(name) or {} for name in ("bought_from", "by_reason")},
            **{name: facts.get(name) or "" for name in ("paused", "busy")},
            "budget_reached": bool(facts.get("budget_reached")),
            "failures": [_failed_item(each) for each in facts.get("failures") or ()],
        },
    }


def _failed_item(failure: Mapping[str, Any]) -> dict[str, Any]:
    """Old sentences are all that tells why; the same words told the old code."""
    detail = failure.get("detail", "")
    by_state = {"failed": "picture", "quarantined": "suspicious"}
    cause = "elsewhere" if detail.startswith("another run") else by_state.get(failure["state"], "service")
    return {"key": failure["key"], "state": failure["state"], "detail": detail, "cause": cause}


def _retry(facts: Mapping[str, Any], _kind: str) -> dict[str, Any]:
    return {"items": facts.get("items", 0)}


def _failure(facts: Mapping[str, Any], _kind: str) -> dict[str, Any]:
    return {
        "stage": "detection" if facts.get("collection") is None else "processing",
        "failure": "guard" if facts.get("guard") else "error",
        "cause": facts.get("cause", ""),
    }


def _balance(facts: Mapping[str, Any], _kind: str) -> dict[str, Any]:
    return {
        "account": facts.get("provider", ""),
        "balance": _money(facts.get("balance", 0)),
        "drift": None if facts.get("drift") is None else _money(facts["drift"]),
        "sound": bool(facts.get("sound", True)),
        "because": facts.get("because", ""),
    }


_CONVERTERS = {
    "scan": _scan,
    "rehash": _rehash,
    "detect": _detect,
    "process": _process,
    "sync": _process,
    "retry": _retry,
    "failure": _failure,
    "balance": _balance,
}
"""What is of no kind that is known stays as it is, and is read by nothing."""


def _money(amount: float) -> str:
    return str(Decimal(str(amount)))


def _partition(collection: str) -> str:
    """As it was when this was written: a migration must not change with the code."""
    escaped = re.compile(r"[\x00-\x1f\x7f%,\[\]\ud800-\udfff]|^\s|\s$|(?<=\.)\.|^\.$")
    raw = escaped.sub(
        lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode("utf-8", "surrogateescape")), collection
    )
    return raw or "."
