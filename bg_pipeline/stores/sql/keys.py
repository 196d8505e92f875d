"""Keys as databases give them, and as text."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import UUID

KeyKind = Callable[[str], Any]
"""Makes the value of a key of its text: `str`, `int` or `UUID`."""

_KINDS: dict[type, KeyKind] = {str: str, int: int, Decimal: int, UUID: UUID}
"""Kinds of key by the class that a driver gives; many give a whole number of an exact type as a Decimal."""


def kind_of(key: Any) -> KeyKind | None:
    """Return the kind of a key; None if it has no canonical text, such as a fraction or a date."""
    if isinstance(key, Decimal) and key.as_tuple().exponent != 0:
        return None
    return _KINDS.get(type(key))


def value_of(key: str, kind: KeyKind) -> Any:
    """Return the value of this kind whose canonical text is `key`; None if there is none."""
    try:
        value = kind(key)
    except ValueError:
        return None
    return value if str(value) == key else None


def problem_of(key: Any, kind: KeyKind | None) -> str:
    """
    Return the reason why a row cannot be an item; empty if it can.

    Args:
        key: the key that the row has; not NULL and not empty.
        kind: the kind of the other keys; None if this is the first.
    """
    own = kind_of(key)
    if own is None:
        return (
            f"its key is of type {type(key).__name__}, not text, a whole number or a UUID: cast it to text in the query"
        )
    if kind is not None and own is not kind:
        return f"its key is of another type ({type(key).__name__}) than the others: cast all to text in the query"
    try:
        str(key).encode()
    except UnicodeEncodeError:
        return "its key is not UTF-8"
    return ""
