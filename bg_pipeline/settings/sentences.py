"""What is said about a wrong setting: its name as it was written, its value unless it is secret, what is allowed."""

from collections.abc import Mapping
from decimal import Decimal
from enum import Enum
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

_LONGEST_VALUE = 10
"""Most characters of a value that a message quotes: a longer one may be a key that was pasted into the wrong line."""

_KINDS: Mapping[type, str] = {
    bool: "`true` or `false`",
    int: "a whole number",
    float: "a number",
    Decimal: "a number",
    str: "text in quotes",
    SecretStr: "text in quotes",
}


def explain(error: ErrorDetails, model: type[BaseModel], shown: Mapping[str, str]) -> str:
    """
    Describe one error of pydantic.

    Args:
        error: names its field in `loc`, which is empty for several fields together.
        model: the model that was validated.
        shown: every field as the person wrote it; see `RawSettings.shown`.
    """
    where = error["loc"]
    if not where:
        return sentence(where, error["msg"], shown)
    setting = model.model_fields[str(where[0])]
    by_validator = error["type"] == "value_error"
    message = error["msg"] if by_validator else f"must be {allowed(setting)}"
    value = str(error["input"])
    quoted = f" (it is {error['input']!r})" if len(value) <= _LONGEST_VALUE and not is_secret(setting) else ""
    return sentence(where, message, shown) + quoted


def sentence(where: tuple[int | str, ...], message: str, shown: Mapping[str, str]) -> str:
    """
    Describe an error, with every field as the person wrote it.

    Args:
        where: the field, and the path inside it; empty for several fields together.
        message: of a validator, with fields in braces.
        shown: see `RawSettings.shown`.
    """
    plain = message.removeprefix("Value error, ")
    for name, as_written in shown.items():
        plain = plain.replace(f"{{{name}}}", as_written)
    return f"{shown[str(where[0])]}: {plain}" if where else plain


def allowed(setting: FieldInfo) -> str:
    """Describe the values that a field accepts: `a whole number from 1 to 64`."""
    types = _plain_types(setting.annotation)
    values = [value for each in types for value in _values(each)]
    if values:
        return f"one of {', '.join(values)}"
    if tuple in {get_origin(each) for each in types}:
        return "a list of names in quotes"
    kinds = [_KINDS[each] for each in types if each in _KINDS]
    return (kinds[0] if kinds else "of another type") + _bounds(_metadata(setting))


def is_secret(setting: FieldInfo) -> bool:
    """Return True if the value of a field must not be shown."""
    return SecretStr in _plain_types(setting.annotation)


def _plain_types(annotation: Any) -> list[Any]:
    """Return the types of a union, without `None` and without what `Annotated` adds."""
    if get_origin(annotation) in {Union, UnionType}:
        return [each for member in get_args(annotation) for each in _plain_types(member)]
    if hasattr(annotation, "__metadata__"):
        return _plain_types(annotation.__origin__)
    return [] if annotation is type(None) else [annotation]


def _values(annotation: Any) -> list[str]:
    if get_origin(annotation) is Literal:
        return [str(value) for value in get_args(annotation) if value]
    return (
        [str(each.value) for each in annotation]
        if isinstance(annotation, type) and issubclass(annotation, Enum)
        else []
    )


def _metadata(setting: FieldInfo) -> list[Any]:
    inside = [part for member in get_args(setting.annotation) for part in getattr(member, "__metadata__", ())]
    nested = [each for part in inside if isinstance(part, FieldInfo) for each in part.metadata]
    return [*setting.metadata, *inside, *nested]


def _bounds(metadata: list[Any]) -> str:
    low = next((each.ge for each in metadata if hasattr(each, "ge")), None)
    high = next((each.le for each in metadata if hasattr(each, "le")), None)
    if low is None or high is None:
        return "" if low is None else f" of at least {low}"
    return f" from {low:,} to {high:,}"
