"""
Settings from the environment, from `.env`, and from `bg_pipeline.toml`, in this order.

The file may also hold tables, of accounts, catalogues and renditions: `[account.NAME]`. A variable is the short form
of a field in the only table of its kind.

Both files are searched from the working directory upwards. The folder where one is found is where relative paths start,
so that a command finds the same manifest in each of its subfolders.
"""

import os
import re
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from dotenv import dotenv_values
from pydantic import ValidationError

from bg_pipeline.errors import ConfigurationError
from bg_pipeline.redaction import keep_secret, secrets_in
from bg_pipeline.settings.part import Part

FILE = "bg_pipeline.toml"
DOTENV = ".env"
_SECRET_NAME = re.compile(r"(SECRET|TOKEN|PASSWORD|PASSWD|_KEY(_ID)?)$", re.IGNORECASE)
"""Variables that hold a secret, of other programs too: AWS_SECRET_ACCESS_KEY, PGPASSWORD."""

KINDS = ("account", "catalogue", "rendition")
"""Kinds of tables."""

P = TypeVar("P", bound=Part)


@dataclass(frozen=True, slots=True)
class RawSettings:
    """All settings, as they were written."""

    short: Mapping[str, object] = field(default_factory=dict, repr=False)
    """Values by the name of the variable, in lower case."""
    tables: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict, repr=False)
    """Tables by kind and name, in the order of the file."""
    folder: Path | None = None
    """Start of relative paths, an absolute path; None leaves them relative."""

    def only(self, kind: str, default: str) -> str:
        """
        Return the name of the only table of this kind, or else the default.

        Raises:
            ConfigurationError: there are several.
        """
        names = list(self.tables.get(kind, {}))
        if len(names) > 1:
            raise ConfigurationError(
                f"[{kind}.{names[1]}]: only one {kind} can be set, and [{kind}.{names[0]}] is set already"
            )
        return names[0] if names else default

    def part(self, model: type[P], kind: str = "", name: str = "", short_names: Mapping[str, str] | None = None) -> P:
        """
        Return the settings of one package.

        Args:
            model: the part with its fields.
            kind, name: the table that may set it; empty where only variables can.
            short_names: variable by field, in lower case; None for the model's own.

        Raises:
            ConfigurationError: a setting is wrong; the text names all of these and quotes no value: it may be a secret.
        """
        names = model.short_names() if short_names is None else short_names
        table = self.tables.get(kind, {}).get(name, {})
        shown = self.shown(model, kind, name, names)
        if unknown := sorted(table.keys() - model.model_fields.keys()):
            known = ", ".join(model.model_fields)
            raise ConfigurationError(f"[{kind}.{name}] {unknown[0]}: unknown setting; known are {known}")
        values = dict(table)
        for each, variable in names.items():
            if variable not in self.short:
                continue
            if each in table:
                raise ConfigurationError(
                    f"{variable.upper()} and [{kind}.{name}] {each} are the same setting: keep one of them"
                )
            values[each] = self.short[variable]
        try:
            return model.model_validate(values, context=self.folder)
        except ValidationError as error:
            raise ConfigurationError(
                "; ".join(sentence(each["loc"], each["msg"], shown) for each in error.errors())
            ) from None

    def shown(
        self, model: type[Part], kind: str = "", name: str = "", short_names: Mapping[str, str] | None = None
    ) -> dict[str, str]:
        """Return every field of a part as the person wrote it, or would write it; arguments as in `part`."""
        names = model.short_names() if short_names is None else short_names
        table = self.tables.get(kind, {}).get(name, {})
        return {
            each: f"[{kind}.{name}] {each}" if each in table or each not in names else names[each].upper()
            for each in model.model_fields
        }


def read(folder: Path | None = None) -> RawSettings:
    """
    Read the settings of a process in this folder; None for the current folder. See `settings_folder`.

    Raises:
        ConfigurationError: the file cannot be read, or has an unknown table.
    """
    folder = settings_folder(folder or Path())
    short: dict[str, object] = {}
    tables: dict[str, dict[str, dict[str, Any]]] = {}
    for name, value in _toml(folder / FILE).items():
        if not isinstance(value, dict):
            short[name.lower()] = value
        elif name not in KINDS or not all(isinstance(table, dict) for table in value.values()):
            kinds = ", ".join(f"[{kind}.NAME]" for kind in KINDS)
            raise ConfigurationError(f"{FILE}: [{name}] is not a known table; known are {kinds}")
        else:
            tables[name] = value
    for variables in (dotenv_values(folder / DOTENV), os.environ):
        short.update({name.lower(): value for name, value in variables.items() if value})
        _keep_secrets(variables)
    return RawSettings(short, tables, folder)


def _keep_secrets(variables: Mapping[str, str | None]) -> None:
    """Keep what libraries take from the environment, and may quote: keys, and passwords of proxies and servers."""
    for name, value in variables.items():
        if value and _SECRET_NAME.search(name):
            keep_secret(value)
        elif value and "://" in value:
            keep_secret(*secrets_in(value))


def settings_folder(start: Path) -> Path:
    """Return the nearest folder from here upwards that has a file of settings, as an absolute path; else `start`."""
    start = start.absolute()
    for folder in (start, *start.parents):
        has_settings = any((folder / name).is_file() for name in (FILE, DOTENV))
        if has_settings and (folder == start or not _is_shared(folder)):
            return folder
    return start


def _is_shared(folder: Path) -> bool:
    """Return True for a folder such as /tmp: anybody could put settings there, and so be sent the keys of others."""
    return bool(folder.stat().st_mode & stat.S_ISVTX)


def _toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise ConfigurationError(f"{FILE} cannot be read: {error}") from None


def sentence(where: tuple[int | str, ...], message: str, shown: Mapping[str, str]) -> str:
    """
    Describe an error, with every field as the person wrote it.

    Args:
        where: the field, and the path inside it; empty for several fields together.
        message: pydantic's, or a validator's, with fields in braces.
        shown: see `RawSettings.shown`.
    """
    plain = message.removeprefix("Value error, ")
    for name, as_written in shown.items():
        plain = plain.replace(f"{{{name}}}", as_written)
    return f"{shown[str(where[0])]}: {plain}" if where else plain


def dagster_home() -> str | None:
    """Return `DAGSTER_HOME` for messages; None if it is not set."""
    return os.environ.get("DAGSTER_HOME")
