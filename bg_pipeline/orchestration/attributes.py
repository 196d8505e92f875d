"""The attributes of components: the settings of the package, as the fields of a component."""

import re
import types
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import Field, SecretStr, ValidationError

from bg_pipeline.errors import ConfigurationError
from bg_pipeline.redaction import redacted, secrets_in
from bg_pipeline.settings.part import Part
from bg_pipeline.settings.sentences import explain

VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*")
"""Name of a variable. A key in its place would nearly always have a small letter or begin with a digit."""


def fields_of(*parts: type[Part], without: Iterable[str] = ()) -> dict[str, Any]:
    """
    Return the fields of a component for these settings, as `pydantic.create_model` takes them.

    Each is None unless it is set. Beside a setting that may be secret there is one for the name of a variable.
    """
    fields: dict[str, Any] = {}
    for part in parts:
        for name, setting in part.model_fields.items():
            if name in without:
                continue
            fields[name] = (_plain(setting.annotation) | None, Field(None, description=setting.description))
            if setting.annotation is SecretStr:
                described = f"name of the variable that holds `{name}`, for a location with a password"
                fields[f"{name}_env"] = (str | None, Field(None, description=described))
    return fields


def _plain(annotation: Any) -> Any:
    """Return the type in YAML of the type of a setting."""
    kind = get_origin(annotation)
    if kind in {Union, types.UnionType}:
        (annotation,) = (each for each in get_args(annotation) if each is not type(None))
        return _plain(annotation)
    if hasattr(annotation, "__metadata__"):
        return _plain(annotation.__origin__)
    if kind is Literal or annotation is SecretStr:
        return str
    if kind is tuple:
        return list[str] if get_args(annotation)[0] is str else list[Any]
    if annotation is Decimal:
        return float
    return annotation if annotation in {str, int, float, bool} else Any


def require_no_secret(attributes: Mapping[str, Any]) -> None:
    """
    Raises:
        ConfigurationError: an attribute holds a secret, or does not name a variable; the text quotes neither.
    """
    for name, value in attributes.items():
        if name.endswith("api_key"):
            raise ConfigurationError(f"{name}: must not be here; name its variable in key_env")
        if isinstance(value, Mapping):
            require_no_secret({f"{name}.{each}": inner for each, inner in value.items()})
        elif isinstance(value, list):
            require_no_secret({f"{name}.{number}": inner for number, inner in enumerate(value, 1)})
        elif name.endswith("_env") and not VARIABLE.fullmatch(str(value)):
            raise ConfigurationError(
                f"{name}: must be the name of a variable in capital letters, such as SHOP_KEY; write the secret into "
                ".env, and never here"
            )
        elif isinstance(value, str) and any(secrets_in(value)):
            raise ConfigurationError(
                f"{name}: must hold no password or key, which the pages of Dagster could show; name a variable in "
                f"{name}_env"
            )


def explain_load(error: Exception, parts: Iterable[type[Part]]) -> str:
    """Return in one line why a component cannot be loaded: a value of the wrong type, or a template that fails."""
    if not isinstance(error, ValidationError):
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        return redacted(lines[-1] if lines else type(error).__name__)
    return "; ".join(_explain(each, parts) for each in error.errors())


def _explain(error: Any, parts: Iterable[type[Part]]) -> str:
    name = str(error["loc"][0]) if error["loc"] else ""
    part = next((part for part in parts if name in part.model_fields), None)
    if part is None:
        return f"{name}: {error['msg']}"
    return explain(error, part, {each: each for each in part.model_fields})
