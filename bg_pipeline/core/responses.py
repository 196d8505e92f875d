"""Classify one answer of a vendor: its meaning for the image, the account and the money."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any

from bg_pipeline.core.media import sniff


class ResponseKind(StrEnum):
    """The action after an answer; each has its error in `errors`."""

    OK = "ok"
    TRANSIENT = "transient"
    RATE_LIMITED = "rate_limited"
    REJECTED = "rejected"
    ACCOUNT = "account"
    REFUSED = "refused"
    """Refused like an account, although the account is well: found out only after the answer."""
    NO_CREDITS = "no_credits"
    OUTCOME_UNKNOWN = "outcome_unknown"
    UNUSABLE = "unusable"


class Shape(StrEnum):
    """The kind of a body, by its first bytes: content types can be wrong."""

    PICTURE = "picture"
    ZIP = "zip"
    JSON = "json"
    REFUSAL = "refusal"
    """JSON that names an error, with any status."""
    OTHER = "other"
    """A page, text, or nothing."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of a vendor's table."""

    kind: ResponseKind
    statuses: Collection[int]
    because: str
    codes: Collection[str] = ()
    """The vendor's own error codes; empty: any."""
    shapes: Collection[Shape] = ()
    """Body shapes; empty: any."""
    free: bool = True
    """False if nothing says that such an answer is not charged; then the charge is in doubt."""

    def fits(self, status: int, code: str, shape: Shape) -> bool:
        return (
            status in self.statuses
            and (not self.codes or code in self.codes)
            and (not self.shapes or shape in self.shapes)
        )


ANY_STATUS = range(1000)

DEFAULT_RULES = (
    Rule(ResponseKind.OUTCOME_UNKNOWN, range(300), "an unexpected success: it may have been charged"),
    Rule(ResponseKind.ACCOUNT, range(300, 400), "a redirect, which no key follows: the base URL is wrong"),
    Rule(ResponseKind.ACCOUNT, (401, 403), "RFC 9110, 15.5.2 and 15.5.4: the key is refused"),
    Rule(ResponseKind.NO_CREDITS, (402,), "all three vendors send it for an empty account"),
    Rule(ResponseKind.TRANSIENT, (408, 425), "RFC 9110, 15.5.9; RFC 8470, 5.2: the request was not taken in"),
    Rule(ResponseKind.REJECTED, (413, 415, 422), "RFC 9110, 15.5.14 to 21: the picture is refused before any work"),
    Rule(ResponseKind.RATE_LIMITED, (429,), "RFC 6585, 4: refused before any work"),
    Rule(ResponseKind.ACCOUNT, range(400, 500), "path, method or settings are wrong, not the picture"),
    Rule(
        ResponseKind.TRANSIENT,
        (521, 523, 525, 526),
        "Cloudflare got no connection to the vendor (developers.cloudflare.com/support, '5xx errors', read 2026-11)",
    ),
    Rule(
        ResponseKind.OUTCOME_UNKNOWN,
        ANY_STATUS,
        "a gateway answers 502, 504, 520, 522 or 524 for a vendor that may have worked on it, and charged",
    ),
)
"""Rules for answers that a vendor's own table does not cover; the last rule always fits."""


def classify_response(rules: Sequence[Rule], status: int, code: str, shape: Shape) -> Rule:
    """Return the first rule of a vendor's table that fits, or else of `DEFAULT_RULES`."""
    return next(rule for rule in (*rules, *DEFAULT_RULES) if rule.fits(status, code, shape))


def read_json(body: bytes) -> dict[str, Any]:
    """Return the JSON object in a body; empty for anything else."""
    try:
        value = json.loads(body, parse_float=Decimal)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def shape_of(body: bytes) -> Shape:
    if sniff(body):
        return Shape.PICTURE
    if body.startswith(b"PK\x03\x04"):
        return Shape.ZIP
    fields = read_json(body)
    if fields.get("success") is False or fields.get("error") or fields.get("errors"):
        return Shape.REFUSAL
    return Shape.JSON if fields else Shape.OTHER


def vendor_error(body: dict[str, Any]) -> tuple[str, str]:
    """
    Return code and message of an error in any of the usual shapes; empty where there is none.

    The shapes: `errors[].code/title/detail`; `type/detail`; `error.message/detail`; `error`, alone or as a code.
    """
    errors = body.get("errors")
    entries = [e for e in errors if isinstance(e, dict)] if isinstance(errors, list) else []
    if entries:
        parts = [str(e[name]) for e in entries for name in ("title", "message", "detail") if e.get(name)]
        return str(entries[0].get("code") or ""), "; ".join(parts)
    for part in (body.get("error"), body):
        if isinstance(part, str):
            return part, ""
        if isinstance(part, dict):
            code, message = part.get("code") or part.get("type"), part.get("message") or part.get("detail")
            if code or message:
                return str(code or ""), str(message or "")
    return "", ""


def number(raw: Any, most: int, least: int = 0) -> Decimal | None:
    """Return a number from `least` to `most`; None for any other value."""
    if isinstance(raw, bool) or not isinstance(raw, int | float | str | Decimal):
        return None
    try:
        value = Decimal(str(raw).strip())
    except ArithmeticError:
        return None
    return value if value.is_finite() and least <= value <= most else None
