"""The settings as a person wrote them: names that do not exist, and where each value comes from."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr

from bg_pipeline.alerts.settings import AlertSettings
from bg_pipeline.errors import ConfigurationError
from bg_pipeline.imaging.rendition_settings import RenditionSettings
from bg_pipeline.imaging.settings import CheckSettings, DecoderSettings
from bg_pipeline.net.settings import EgressSettings
from bg_pipeline.pipeline.settings import CatalogueSettings, ChoiceSettings, ExecutorSettings, ScheduleSettings
from bg_pipeline.purchasing.settings import AccountSettings, PurchasingSettings
from bg_pipeline.redaction import redacted, secrets_in
from bg_pipeline.settings.logs import LogSettings
from bg_pipeline.settings.names import UnknownName, unknown_names
from bg_pipeline.settings.part import Part, is_location
from bg_pipeline.settings.reader import FILE, RawSettings
from bg_pipeline.settings.sentences import is_secret
from bg_pipeline.stores.locations import MastersLocation
from bg_pipeline.stores.registry import usable as usable_stores
from bg_pipeline.vendors.plugin import Plugin
from bg_pipeline.vendors.registry import usable as usable_vendors

_TABLES: Mapping[str, tuple[type[Part], ...]] = {
    "catalogue": (CatalogueSettings, ScheduleSettings),
    "rendition": (RenditionSettings,),
}
"""Parts by the kind of the table that sets them."""

_OTHERS: tuple[type[Part], ...] = (
    DecoderSettings,
    CheckSettings,
    MastersLocation,
    PurchasingSettings,
    EgressSettings,
    AlertSettings,
    LogSettings,
    ExecutorSettings,
    ChoiceSettings,
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
    in_tables = (part for parts in _TABLES.values() for part in parts)
    parts = [*in_tables, *_OTHERS, *(kind.settings for kind in usable_stores())]
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
    for kind, parts in _TABLES.items():
        for name in raw.names(kind) or ("",):
            for part in parts:
                yield from _of_part(raw, part, kind, name, [each for each in parts if each is not part])
    for model in (*_OTHERS, *(each.settings for each in usable_stores())):
        if not issubclass(CatalogueSettings, model):
            yield from _of_part(raw, model)
    for plugin in usable_vendors():
        yield from _of_vendor(raw, plugin)


def _of_vendor(raw: RawSettings, plugin: Plugin[Any]) -> Iterator[Value]:
    """Yield what is written of a vendor, in variables and in the tables of its accounts."""
    model = plugin.settings
    is_valid = _valid(raw, model) is not None
    for each, variable in model.short_names().items():
        if variable in raw.short:
            text = _text(model, each, raw.short[variable]) if is_valid else _NOT_SHOWN
            yield Value(variable.upper(), text, raw.origins[variable])
    for name, table in raw.tables.get("account", {}).items():
        if table.get("vendor", name) == plugin.vendor.name:
            for part in (model, AccountSettings):
                for each in table.keys() & part.model_fields.keys():
                    yield Value(f"[account.{name}] {each}", _text(part, each, table[each]), _file(raw))


def _of_part(
    raw: RawSettings, model: type[Part], kind: str = "", name: str = "", beside: Collection[type[Part]] = ()
) -> Iterator[Value]:
    part = _valid(raw, model, kind, name, beside)
    table = raw.tables.get(kind, {}).get(name, {})
    shown, variables = raw.shown(model, kind, name), model.short_names()
    for each, setting in model.model_fields.items():
        variable = variables.get(each, "")
        written = table.get(each, raw.short.get(variable))
        origin = _file(raw) if each in table else raw.origins.get(variable, "") if written else DEFAULT
        if part is None and written is not None and not is_secret(setting):
            yield Value(shown[each], _NOT_SHOWN, origin)
            continue
        valid = written if part is None else getattr(part, each)
        yield Value(shown[each], _text(model, each, setting.default if valid is None else valid), origin)


def _valid(
    raw: RawSettings, model: type[Part], kind: str = "", name: str = "", beside: Collection[type[Part]] = ()
) -> Part | None:
    try:
        return raw.part(model, kind, name, beside=beside)
    except ConfigurationError:
        return None


def _text(model: type[Part], name: str, value: Any) -> str:
    setting = model.model_fields[name]
    plain = value.get_secret_value() if isinstance(value, SecretStr) else value
    if isinstance(plain, tuple):
        plain = ",".join(map(str, plain))
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
