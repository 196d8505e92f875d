"""The part of the settings that one package provides, and types of values that several parts need."""

import os
import re
from pathlib import Path
from typing import Annotated, ClassVar
from urllib.parse import parse_qsl, urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, SecretStr, ValidationInfo
from pydantic.fields import FieldInfo

from bg_pipeline.redaction import keep_secret, secrets_in

_VARIABLE = re.compile(r"\$(\w+|\{[^}]*\})", re.ASCII)
"""A variable as `os.path.expandvars` replaces it."""

_FILE_DATABASE = re.compile(r"(sqlite|duckdb)(\+\w+)?:///(?=.)")

_HAS_USER = re.compile(r"://[^/@:]*(?::[^@]*)?@")
_SERVER = re.compile(r"https?://(?:[\w.-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?(?:/[\w.~%/-]*)?")

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class Part(BaseModel):
    """
    Settings of one package, each with its default and its meaning.

    A field is written under its own name in a table of `bg_pipeline.toml`, and with the prefix before it as a variable
    (`format`, `BG_FORMAT`). A validator's message may name fields in braces, `{format}`: the reader replaces them
    with the person's spelling.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    prefix: ClassVar[str] = "bg"

    variables_are_defaults: ClassVar[bool] = False
    """
    False where a variable is the short form of a field in the only table of its kind; True where it is the default for
    every table, which may have another value.
    """

    @classmethod
    def short_names(cls) -> dict[str, str]:
        """Return the variable of each field, in lower case."""
        return {name: f"{cls.prefix}_{name}" for name in cls.model_fields}


def form(text: str) -> dict[str, str]:
    """
    Parse parameters as written in a URL, `name=value&name=value`.

    Raises:
        ValueError: the form is wrong, or a name comes twice.
    """
    try:
        pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=True) if text else []
    except ValueError:
        raise ValueError("must be written as in a URL: name=value&name=value") from None
    if len({name for name, _ in pairs}) < len(pairs):
        raise ValueError("names a parameter twice")
    return dict(pairs)


def absolute(location: str, folder: Path | None) -> str:
    """
    Return a location that is the same in every working directory.

    `~` and variables such as `$HOME` are replaced, in paths and in those of SQLite and DuckDB; relative ones start at
    `folder`, or stay relative if it is None. Other URLs stay as they are.

    Raises:
        ValueError: there is no such user or variable: the path would be a folder with the name `~…` or `$…`.
    """
    if not location:
        return location
    if "://" not in location:
        return _under(folder, location)
    database, path = _FILE_DATABASE.match(location), location.partition(":///")[2]
    if database is None or path.startswith((":memory:", "file:", "md:")):
        return location
    return f"{database[0]}{_under(folder, path)}"


def _under(folder: Path | None, path: str) -> str:
    whole = os.path.expanduser(os.path.expandvars(path))  # noqa: PTH111  pathlib raises where there is no such user
    if whole.startswith("~"):
        raise ValueError(f"there is no user {whole.partition('/')[0]}; a folder of this name is written ./~…")
    if unset := _VARIABLE.search(whole):
        raise ValueError(f"the variable {unset[0]} is not set; write the path in full")
    return str(folder / whole) if folder else whole


def _absolute(value: str, info: ValidationInfo) -> str:
    keep_secret(*secrets_in(value))
    return absolute(value, info.context)


def _absolute_secret(value: SecretStr, info: ValidationInfo) -> SecretStr:
    location = value.get_secret_value()
    if _HAS_USER.search(location) and location.count("@") > 1:
        # SQLAlchemy would take the rest of the password for the host, and every driver quotes that.
        raise ValueError("must have one @, before the host: in a user or password, write %40 for @")
    return SecretStr(_absolute(location, info))


def _a_form(value: str) -> str:
    form(value)
    return value


def _a_key(value: SecretStr) -> SecretStr:
    key = value.get_secret_value().strip()
    keep_secret(key)
    if not re.fullmatch(r"[!-~]+", key):
        raise ValueError("must be one word of plain characters, as in the dashboard: copy it again")
    return SecretStr(key)


def _a_server(value: str) -> str:
    try:
        whole = not value or (_SERVER.fullmatch(value) and urlsplit(value).port != 0)
    except ValueError:
        whole = False
    if not whole:
        raise ValueError("must be a URL of scheme, host and port, such as https://api.example.com")
    return value.rstrip("/")


def _a_service(value: str) -> str:
    url = urlsplit(value)
    if url.scheme == "http" and url.hostname not in LOOPBACK:
        raise ValueError("must start with https:// (http is for the sandbox on this machine): it carries a key")
    return value


def _a_path(value: str) -> str:
    if value and not re.fullmatch(r"/[A-Za-z0-9._~%/-]*", value):
        raise ValueError("must be a path that begins with a slash, such as /api/tools/bg-removal")
    return value


def _a_field(value: str) -> str:
    if not re.fullmatch(r"[\w.\[\]-]+", value):
        raise ValueError("must be the name of a form field, such as image_file")
    return value


def _a_time_zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (OSError, ValueError, KeyError) as error:
        raise ValueError("must be a time zone, such as Europe/Berlin") from error
    return value


TimeZone = Annotated[str, AfterValidator(_a_time_zone)]
"""Name of a time zone of the IANA database."""

FieldName = Annotated[str, AfterValidator(_a_field)]
"""Name of a field of a form."""

Form = Annotated[str, AfterValidator(_a_form)]
"""Parameters as in a URL; see `form`."""

ApiKey = Annotated[SecretStr, AfterValidator(_a_key)]
"""One word of printable ASCII, without surrounding white space."""

ServerUrl = Annotated[str, AfterValidator(_a_server)]
"""Base URL of a server, or empty: without credentials, query and fragment, and no slash at its end."""

ServiceUrl = Annotated[ServerUrl, AfterValidator(_a_service)]
"""`ServerUrl` that receives a key: https, or http on this machine."""

UrlPath = Annotated[str, AfterValidator(_a_path)]
"""Path that is appended to a `ServiceUrl`: it can lead to no other host. Empty for the vendor's own."""

Location = Annotated[str, AfterValidator(_absolute)]
"""Path or URL, made `absolute`. A field needs `validate_default=True` if its default is relative."""

SecretLocation = Annotated[SecretStr, AfterValidator(_absolute_secret)]
"""The same for a URL that may hold a password."""


def is_location(setting: FieldInfo) -> bool:
    """Return True for a field of the type `SecretLocation`: only a part of its value may be secret."""
    return any(getattr(each, "func", None) is _absolute_secret for each in setting.metadata)
