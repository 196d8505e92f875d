"""
Settings from the environment, from `.env`, and from `bg_pipeline.toml`, in this order.

The file may also hold tables, of accounts, catalogues and renditions: `[account.NAME]`. A variable is the short form
of a field in the only table of its kind, or a default for all: see `Part.variables_are_defaults`.

Both files are searched from the working directory upwards. The folder where one is found is where relative paths start,
so that a command finds the same manifest in each of its subfolders.

Dagster writes `.env` over the environment of its processes when it starts. `note_dotenv` tells these values from those
of the environment itself, so that a changed `.env` counts at the next reading.
"""

import codecs
import io
import os
import re
import stat
import tomllib
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from dotenv import dotenv_values
from dotenv.parser import parse_stream
from pydantic import ValidationError

from bg_pipeline.errors import ConfigurationError
from bg_pipeline.redaction import keep_secret, secrets_in
from bg_pipeline.settings.part import Part
from bg_pipeline.settings.sentences import explain

FILE = "bg_pipeline.toml"
DOTENV = ".env"
ENVIRONMENT = "environment"
"""Origin of a value that is in none of the files."""
_SECRET_NAME = re.compile(r"(SECRET|TOKEN|PASSWORD|PASSWD|_KEY(_ID)?)$", re.IGNORECASE)
"""Variables that hold a secret, of other programs too: AWS_SECRET_ACCESS_KEY, PGPASSWORD."""

KINDS = ("account", "catalogue", "rendition")
"""Kinds of tables."""

_FROM_DOTENV = "_BG_PIPELINE_FROM_DOTENV"
"""Variable with the names that `note_dotenv` found, for the processes that this one starts."""

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
    origins: Mapping[str, str] = field(default_factory=dict)
    """Origin of each value in `short`: `ENVIRONMENT` or the path of a file. Also of names that have no value."""

    def names(self, kind: str) -> tuple[str, ...]:
        """Return the names of the tables of this kind, in the order of the file."""
        return tuple(self.tables.get(kind, {}))

    def with_tables(
        self, tables: Mapping[str, Mapping[str, Mapping[str, Any]]], origin: str = "a component"
    ) -> "RawSettings":
        """
        Return these settings with further tables.

        Args:
            tables: tables by kind and name.
            origin: where they come from, for a message.

        Raises:
            ConfigurationError: a table of the same kind and name is in the file.
        """
        merged = {kind: dict(named) for kind, named in self.tables.items()}
        for kind, named in tables.items():
            for name, table in named.items():
                if name in merged.setdefault(kind, {}):
                    raise ConfigurationError(f"[{kind}.{name}] is set in {FILE} and in {origin}: keep one of them")
                merged[kind][name] = table
        return replace(self, tables=merged)

    def part(
        self,
        model: type[P],
        kind: str = "",
        name: str = "",
        short_names: Mapping[str, str] | None = None,
        beside: Collection[type[Part]] = (),
    ) -> P:
        """
        Return the settings of one package.

        Args:
            model: the part with its fields.
            kind, name: the table that may set it; empty where only variables can.
            short_names: variable by field, in lower case; None for the model's own.
            beside: the other parts that the same table sets.

        Raises:
            ConfigurationError: a setting is wrong; the text names all of these, and quotes no secret.
        """
        names = model.short_names() if short_names is None else short_names
        table = self.tables.get(kind, {}).get(name, {})
        shown = self.shown(model, kind, name, short_names)
        known = dict.fromkeys([*model.model_fields, *(each for part in beside for each in part.model_fields)])
        if unknown := sorted(table.keys() - known.keys()):
            raise ConfigurationError(f"[{kind}.{name}] {unknown[0]}: unknown setting; known are {', '.join(known)}")
        values = {each: value for each, value in table.items() if each in model.model_fields}
        for each, variable in names.items():
            if variable in self.short and not (each in table and model.variables_are_defaults):
                self._require_one_place(model, (kind, name), each, variable, is_own=short_names is None)
                values[each] = self.short[variable]
        try:
            return model.model_validate(values, context=self.folder)
        except ValidationError as error:
            raise ConfigurationError("; ".join(explain(each, model, shown) for each in error.errors())) from None

    def shown(
        self, model: type[Part], kind: str = "", name: str = "", short_names: Mapping[str, str] | None = None
    ) -> dict[str, str]:
        """Return every field of a part as the person wrote it, or would write it; arguments as in `part`."""
        names = model.short_names() if short_names is None else short_names
        table = self.tables.get(kind, {}).get(name, {})
        if short_names is None and not model.variables_are_defaults and len(self.names(kind)) > 1:
            names = {}
        return {
            each: f"[{kind}.{name}] {each}" if each in table or each not in names else names[each].upper()
            for each in model.model_fields
        }

    def _require_one_place(
        self, model: type[Part], table: tuple[str, str], name: str, variable: str, *, is_own: bool
    ) -> None:
        """
        Check that a field is not set in two places.

        Args:
            model: the part with the field.
            table: kind and name of the table that may set it.
            name: name of the field.
            variable: its variable, which is set.
            is_own: True if the variable is the model's own, and so belongs to all tables of the kind.

        Raises:
            ConfigurationError: a variable that is a short form is set beside its table, or beside several tables.
        """
        kind, named = table
        several = self.names(kind)
        if is_own and not model.variables_are_defaults and len(several) > 1:
            tables = " or ".join(f"[{kind}.{each}]" for each in several)
            raise ConfigurationError(f"{variable.upper()}: there are several {kind}s: set {name} in {tables}")
        if name in self.tables.get(kind, {}).get(named, {}):
            raise ConfigurationError(
                f"{variable.upper()} and [{kind}.{named}] {name} are the same setting: keep one of them"
            )


def read(folder: Path | None = None) -> RawSettings:
    """
    Read the settings of a process in this folder; None for the current folder. See `settings_folder`.

    Raises:
        ConfigurationError: the file cannot be read, or has an unknown table.
    """
    folder = settings_folder(folder or Path())
    short: dict[str, object] = {}
    tables: dict[str, dict[str, dict[str, Any]]] = {}
    origins: dict[str, str] = {}
    for name, value in _toml(folder / FILE).items():
        if not isinstance(value, dict):
            short[name.lower()], origins[name.lower()] = value, str(folder / FILE)
        elif name not in KINDS or not all(isinstance(table, dict) for table in value.values()):
            kinds = ", ".join(f"[{kind}.NAME]" for kind in KINDS)
            raise ConfigurationError(
                f"{FILE}: [{name}] is not a known table; known are {kinds}. Write all other settings above the first "
                "table, under the names of their variables"
            )
        else:
            tables[name] = value
    for origin, variables in ((str(folder / DOTENV), _dotenv(folder / DOTENV)), (ENVIRONMENT, _environment())):
        _keep_secrets(variables)
        for name, text in variables.items():
            if text or name.lower() not in short:
                origins[name.lower()] = origin
            if text:
                short[name.lower()] = text
    return RawSettings(short, tables, folder, origins)


def written_names(kind: str, folder: Path | None = None) -> tuple[str, ...]:
    """Return the names of the tables of one kind in the file, also where the file cannot be read as a whole."""
    file = settings_folder(folder or Path()) / FILE
    text = file.read_text("utf-8", "replace") if file.is_file() else ""
    return tuple(
        dict.fromkeys(re.findall(rf"""^\s*\[\s*{kind}\s*\.\s*["']?([^\]"'.]+?)["']?\s*\]""", text, re.MULTILINE))
    )


def note_dotenv(folder: Path | None = None) -> None:
    """
    Record the names in `.env`, so that this process and its children take their values from the file alone.

    For Dagster's processes: what has such a name in their environment is the file as it was when Dagster started.

    Args:
        folder: as for `read`.
    """
    names = _inherited()
    with suppress(ConfigurationError):  # what is wrong with the file is said where it is read
        names |= _dotenv(settings_folder(folder or Path()) / DOTENV).keys()
    if names:
        os.environ[_FROM_DOTENV] = " ".join(sorted(names))


def _inherited() -> set[str]:
    return set(os.environ.get(_FROM_DOTENV, "").split())


def _environment() -> dict[str, str]:
    inherited = _inherited()
    return {name: value for name, value in os.environ.items() if name not in inherited}


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
        return tomllib.loads(_text(file))
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{file} cannot be read: {error}") from None


def _dotenv(file: Path) -> dict[str, str | None]:
    text = _text(file)
    for line in parse_stream(io.StringIO(text)):
        if line.error:
            raise ConfigurationError(f"{file}, line {line.original.line}: write it as NAME=value, or as a # comment")
    return dotenv_values(stream=io.StringIO(text))


def _text(file: Path) -> str:
    """Return the content of a file of settings, without its byte order mark; empty if there is no file."""
    try:
        data = file.read_bytes() if file.exists() else b""
        if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise ConfigurationError(f"{file} cannot be read: it is UTF-16; save it as UTF-8")
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigurationError(f"{file} cannot be read: it is not UTF-8; save it as UTF-8") from None
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be read: {error.strerror}") from None


def dagster_home() -> str | None:
    """Return `DAGSTER_HOME` for messages; None if it is not set."""
    return os.environ.get("DAGSTER_HOME")
