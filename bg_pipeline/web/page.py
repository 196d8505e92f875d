"""The review page: one HTML text with its style and its program, which loads nothing from elsewhere."""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from importlib.resources import files
from typing import Any

from bg_pipeline.core.keys import encode_partition
from bg_pipeline.core.moments import iso
from bg_pipeline.core.review import DecisionRecord, reason_of, suspicion
from bg_pipeline.pipeline.review import MOST_SHOWN, ReviewItem

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Page:
    """The page, and the policy under which a browser shows it."""

    html: str
    content_security_policy: str


def served_page() -> Page:
    """Return the page that asks its server for the items."""
    return _page("Review", None, "img-src 'self'; connect-src 'self'; frame-ancestors 'none'")


def static_page(title: str, data: Mapping[str, Any]) -> Page:
    """
    Return the page as a file, without decisions.

    Args:
        title: heading and window title; any text.
        data: as `data_of` returns it.
    """
    return _page(title, data, "img-src 'self' file:; connect-src 'none'")


def data_of(
    items: Sequence[ReviewItem], thumbnails: frozenset[str] | None = None, *, price: float = 0.0, pictures: str = ""
) -> Row:
    """
    Return what the page shows, for JSON.

    Args:
        items: in the order of the page.
        thumbnails: digests of the pictures that have a thumbnail; None if each is made on request.
        price: most credits for one item that is bought again.
        pictures: path of the pictures that are made on request.
    """
    rows = [row_of(item, thumbnails) for item in items]
    return {"items": rows, "most": MOST_SHOWN, "price": price, "pictures": pictures}


def row_of(item: ReviewItem, thumbnails: frozenset[str] | None = None) -> Row:
    """Return one item for JSON; see `data_of`."""
    entry, seen = item.entry, item.seen

    def picture(digest: str) -> str:
        return digest if thumbnails is None or digest in thumbnails else ""

    return {
        "key": entry.key,
        "collection": encode_partition(entry.collection),
        "state": entry.state.value,
        "suspicion": suspicion(entry),
        "sample": item.in_sample,
        "reason": reason_of(entry),
        "why": entry.detail if reason_of(entry) else "",
        "before": picture(seen.content_hash),
        "after": picture(seen.result_digest),
        "seen": [seen.content_hash, seen.result_digest],
        "decisions": [_decision(each) for each in item.decisions],
    }


def _decision(record: DecisionRecord) -> Row:
    return {
        "decision": record.decision.value,
        "by": record.decided_by,
        "at": iso(record.decided_at),
        "reason": record.reason,
    }


def _page(title: str, data: Mapping[str, Any] | None, policy: str) -> Page:
    template, hashes = _template()
    policy = f"default-src 'none'; base-uri 'none'; form-action 'none'; {hashes}; {policy}"
    safe = title.encode("utf-8", "replace").decode()
    html = template.replace("@@TITLE@@", escape(safe)).replace("@@POLICY@@", escape(_for_meta(policy)))
    # Last, because it may hold any text.
    return Page(html.replace("@@DATA@@", _json_in_html(data)), policy)


def _for_meta(policy: str) -> str:
    """Return the policy without what browsers accept only in a header."""
    return policy.replace("; frame-ancestors 'none'", "")


def _json_in_html(data: Any) -> str:
    """Return JSON that ends no script element and starts no comment."""
    return json.dumps(data).replace("<", "\\u003c")


@cache
def _template() -> tuple[str, str]:
    """Return the page without title and data, and the hashes of its style and its program for the policy."""
    html, style, grid, viewer = (
        files("bg_pipeline.web").joinpath(name).read_text(encoding="utf-8")
        for name in ("page.html", "page.css", "page.js", "viewer.js")
    )
    program = f"{grid}\n{viewer}"
    whole = html.replace("@@STYLE@@", style).replace("@@PROGRAM@@", program)
    return whole, f"style-src {_hash(style)}; script-src {_hash(program)}"


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
