"""The attributes of components: the settings of the package, as the fields of a component."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import Field, SecretStr, ValidationError

from bg_pipeline.errors import ConfigurationError
from bg_pipeline.redaction import redacted, secrets_in
from bg_pipeline.settings.part import Part

VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*")
"""Name of a variable. A key in its place would nearly always have a small letter or begin with a digit."""


def fields_of(*parts: type[Part], without: Iterable[str] = ()) -> dict[str, Any]:
    """
    Return the fields of a component for these settings, as `pydantic.create_model` takes them.

    Each is None unless it is set. None has a type: Dagster's schema would refuse a wrong one for the whole code
    location, and the settings refuse it for its catalogue alone. Beside a setting that may be secret there is one for
    the name of a variable.
    """
    fields: dict[str, Any] = {}
    for part in parts:
        for name, setting in part.model_fields.items():
            if name in without:
                continue
            fields[name] = (Any, Field(None, description=setting.description))
            if setting.annotation is SecretStr:
                described = f"name of the variable that holds `{name}`, where it has a password or a key"
                fields[f"{name}_env"] = (str | None, Field(None, description=described))
    return fields


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


def explain_load(error: Exception) -> str:
    """Return in one line why a component cannot be loaded: a value of the wrong type, or a template that fails."""
    if isinstance(error, ValidationError):
        wrong = dict.fromkeys(str(each["loc"][0]) for each in error.errors() if each["loc"])
        return "; ".join(f"{name}: has a value of the wrong type" for name in wrong)
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return redacted(lines[-1] if lines else type(error).__name__)
