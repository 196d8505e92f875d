"""The settings as a person wrote them: names that do not exist, and where each value comes from."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr

from bg_pipeline.alerts.settings import AlertSettings
from bg_pipeline.errors import ConfigurationError
from bg_pipeline.imaging.settings import CheckSettings, DecoderSettings, RenditionSettings
from bg_pipeline.pipeline.settings import CatalogueSettings, ScheduleSettings
from bg_pipeline.purchasing.settings import PurchasingSettings
from bg_pipeline.redaction import redacted, secrets_in
from bg_pipeline.settings.names import UnknownName, unknown_names
from bg_pipeline.settings.part import Part, is_location
from bg_pipeline.settings.reader import FILE, RawSettings
from bg_pipeline.settings.sentences import is_secret
from bg_pipeline.stores.locations import MastersLocation
from bg_pipeline.stores.registry import usable as usable_stores
from bg_pipeline.vendors.registry import usable as usable_vendors

_TABLES: Mapping[str, type[Part]] = {"catalogue": CatalogueSettings, "rendition": RenditionSettings}
_OTHERS: tuple[type[Part], ...] = (
    DecoderSettings,
    CheckSettings,
    MastersLocation,
    PurchasingSettings,
    ScheduleSettings,
    AlertSettings,
)

_NOT_SHOWN = "set"
"""What is shown of a value that was not validated: it may be a key in the wrong line."""

DEFAULT = "default"
"""Origin of a value that is not written anywhere."""


@dataclass(frozen=True, slots=True)
class Value:
    """One setting, for a person."""

    name: str
    text: str
    """Its value in full, such as the absolute path; of a secret, only that it is set."""
    origin: str
    """`RawSettings.origins`, or `DEFAULT`."""


def find_unknown(raw: RawSettings) -> list[UnknownName]:
    """Return the written names that are no setting of this package, of a vendor, or of a store."""
    # Descriptions only: no client and no engine is loaded.
    parts = [*_TABLES.values(), *_OTHERS, *(kind.settings for kind in usable_stores())]
    parts += [plugin.settings for plugin in usable_vendors()]
    known = {variable for part in parts for variable in part.short_names().values()}
    # An engine without settings of its own has no prefix: LOCAL_… may be anything.
    prefixes = {part.prefix for part in parts if any(name.startswith(f"{part.prefix}_") for name in known)}
    return list(unknown_names(raw.origins, known, prefixes, str(raw.folder / FILE) if raw.folder else ""))


def values(raw: RawSettings) -> Iterator[Value]:
    """
    Yield every setting with its value and origin, also where some are wrong.

    Of vendors and their accounts, only what is written.
    """
    for kind, model in _TABLES.items():
        (name,) = list(raw.tables.get(kind, {}))[:1] or [""]
        yield from _of_part(raw, model, kind, name)
    for model in (*_OTHERS, *(each.settings for each in usable_stores())):
        if not issubclass(CatalogueSettings, model):
            yield from _of_part(raw, model)
    for plugin in usable_vendors():
        model = plugin.settings
        part = _valid(raw, model)
        variables = {each: variable for each, variable in model.short_names().items() if variable in raw.short}
        for each, variable in variables.items():
            text = _text(model, each, raw.short[variable]) if part is not None else _NOT_SHOWN
            yield Value(variable.upper(), text, raw.origins[variable])
        for name, table in raw.tables.get("account", {}).items():
            if table.get("vendor", name) == plugin.vendor.name:
                for each in table.keys() & model.model_fields.keys():
                    yield Value(f"[account.{name}] {each}", _text(model, each, table[each]), _file(raw))


def _of_part(raw: RawSettings, model: type[Part], kind: str = "", name: str = "") -> Iterator[Value]:
    part = _valid(raw, model, kind, name)
    table = raw.tables.get(kind, {}).get(name, {})
    shown, variables = raw.shown(model, kind, name), model.short_names()
    for each, setting in model.model_fields.items():
        written = table.get(each, raw.short.get(variables[each]))
        origin = _file(raw) if each in table else raw.origins.get(variables[each], "") if written else DEFAULT
        if part is None and written is not None and not is_secret(setting):
            yield Value(shown[each], _NOT_SHOWN, origin)
            continue
        valid = written if part is None else getattr(part, each)
        yield Value(shown[each], _text(model, each, setting.default if valid is None else valid), origin)


def _valid(raw: RawSettings, model: type[Part], kind: str = "", name: str = "") -> Part | None:
    try:
        return raw.part(model, kind, name)
    except ConfigurationError:
        return None


def _text(model: type[Part], name: str, value: Any) -> str:
    setting = model.model_fields[name]
    plain = value.get_secret_value() if isinstance(value, SecretStr) else value
    if isinstance(plain, tuple):
        plain = ",".join(plain)
    text = "–" if plain in (None, "") else str(plain)
    if not is_secret(setting) or text == "–":
        return redacted(text, *secrets_in(text))
    if not is_location(setting):
        return "set (secret)"
    scheme, colon, _ = text.partition("://")
    is_open = not colon or scheme.startswith(("sqlite", "s3", "file"))
    return redacted(text, *secrets_in(text)) if is_open else f"{scheme}://… (secret)"


def _file(raw: RawSettings) -> str:
    return str(raw.folder / FILE) if raw.folder else FILE
