"""All settings: read, and combined from the parts that the packages define."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from bg_pipeline.alerts.settings import AlertSettings
from bg_pipeline.core.credits import Rules
from bg_pipeline.core.params import refusal
from bg_pipeline.core.recipe import Cut, Recipe
from bg_pipeline.core.vendor import Vendor
from bg_pipeline.errors import ConfigurationError
from bg_pipeline.imaging.settings import CheckSettings, DecoderSettings, RenditionSettings
from bg_pipeline.pipeline.settings import CatalogueSettings, ScheduleSettings
from bg_pipeline.purchasing.settings import PurchasingSettings
from bg_pipeline.settings.reader import RawSettings, read
from bg_pipeline.settings.sentences import sentence
from bg_pipeline.stores.locations import MastersLocation, require_separate
from bg_pipeline.vendors.plugin import Plugin, VendorSettings
from bg_pipeline.vendors.registry import OURS, installed, usable
from bg_pipeline.vendors.registry import plugin as load_plugin
from bg_pipeline.wiring.written import find_unknown

CATALOGUE = "default"
"""Name of the catalogue that environment variables describe."""

RENDITION = "main"
"""Name of the rendition that environment variables describe."""

ENGINE = "local"
"""Default engine: it needs no key."""


@dataclass(frozen=True, slots=True)
class Account:
    """One account at a vendor, and the cut that is bought there."""

    name: str
    """Name of the account in ledger, gate and limits."""
    plugin: Plugin[Any]
    settings: VendorSettings
    cut: Cut

    @property
    def vendor(self) -> Vendor:
        return self.plugin.vendor


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting."""

    catalogue_name: str
    catalogue: CatalogueSettings
    rendition_name: str
    rendition: RenditionSettings
    decoder: DecoderSettings
    checks: CheckSettings
    accounts: tuple[Account, ...]
    """In the order of trial."""
    masters: MastersLocation
    purchasing: PurchasingSettings
    schedule: ScheduleSettings
    alerts: AlertSettings
    raw: RawSettings = field(repr=False)
    """The settings as written: for stores, and for vendors that nothing is bought from."""

    @property
    def recipe(self) -> Recipe:
        return Recipe(
            tuple(account.cut for account in self.accounts),
            self.rendition.rendition,
            keep_cutouts=self.catalogue.already_cut == "keep",
        )

    @property
    def rules(self) -> Rules:
        return Rules(self.purchasing.thresholds, self.purchasing.max_credits_per_day, self.schedule.timezone)

    @property
    def spool(self) -> str:
        """Location of the spool."""
        return self.masters.spool_location(self.purchasing.state.get_secret_value(), self.raw.folder)

    def offers(self) -> Iterator[Account]:
        """Return the accounts, then an account at every other usable vendor."""
        yield from self.accounts
        bought_from = {account.vendor.name for account in self.accounts}
        accounts = _Accounts(self.raw, self.purchasing.max_pixels_sent)
        for each in usable():
            if each.vendor.name not in bought_from:
                yield accounts.build(each.vendor.name)


def load_settings() -> Settings:
    """Load the current settings; see `settings_of`."""
    return settings_of(read())


def settings_of(raw: RawSettings) -> Settings:
    """
    Return the settings. A name that is no setting is an error in a file, and a warning in the environment.

    Raises:
        ConfigurationError: a setting is wrong, or a name is none; the text quotes no secret.
    """
    unknown = find_unknown(raw)
    if errors := [str(each) for each in unknown if each.is_error]:
        raise ConfigurationError("; ".join(errors))
    for each in unknown:
        _warn(str(each))
    return compose(raw)


@cache
def _warn(text: str) -> None:
    """Log a warning, once in each process: sensors load the settings every half minute."""
    logging.getLogger(__name__).warning("%s", text)


def load_schedule() -> ScheduleSettings:
    """Load only the schedule: Dagster loads its definitions before any key or folder is set."""
    return read().part(ScheduleSettings)


def compose(raw: RawSettings) -> Settings:
    """
    Combine the parts.

    Raises:
        ConfigurationError: a setting is wrong; the text quotes no secret.
    """
    name, rendition = raw.only("catalogue", CATALOGUE), raw.only("rendition", RENDITION)
    catalogue = raw.part(CatalogueSettings, "catalogue", name)
    masters, purchasing = raw.part(MastersLocation), raw.part(PurchasingSettings)
    require_separate(catalogue, masters, masters.spool_location(purchasing.state.get_secret_value(), raw.folder))
    accounts = _Accounts(raw, purchasing.max_pixels_sent)
    return Settings(
        catalogue_name=name,
        catalogue=catalogue,
        decoder=raw.part(DecoderSettings),
        checks=raw.part(CheckSettings),
        rendition_name=rendition,
        rendition=raw.part(RenditionSettings, "rendition", rendition),
        accounts=accounts.select(catalogue.accounts, raw.shown(CatalogueSettings, "catalogue", name)["accounts"]),
        masters=masters,
        purchasing=purchasing,
        schedule=raw.part(ScheduleSettings),
        alerts=raw.part(AlertSettings),
        raw=raw,
    )


class _Accounts:
    """
    The configured accounts, from tables or from environment variables.

    Args:
        raw: the settings as written.
        side_px: longest side to buy, px.
    """

    def __init__(self, raw: RawSettings, side_px: int) -> None:
        tables = raw.tables.get("account", {})
        self._vendor_of = {name: str(table.get("vendor", name)) for name, table in tables.items()}
        others = {name: {k: v for k, v in table.items() if k != "vendor"} for name, table in tables.items()}
        self._raw = replace(raw, tables={**raw.tables, "account": others})
        self._side_px = side_px

    def select(self, names: tuple[str, ...], setting: str) -> tuple[Account, ...]:
        """
        Return the accounts of these names, each with its key; without names, all accounts that have a table.

        Args:
            names: names of accounts, or of vendors that have one account.
            setting: the setting that names them.
        """
        chosen = [self._resolve(name, setting) for name in names] or list(self._vendor_of) or [ENGINE]
        if len(set(chosen)) < len(chosen):
            raise ConfigurationError(f"{setting}: name each account only once")
        accounts = tuple(self.build(name, is_first=name == chosen[0]) for name in chosen)
        for account in accounts:
            if getattr(account.settings, "api_key", ...) is None:
                key = self._shown(account.name, account.plugin)["api_key"]
                raise ConfigurationError(
                    f"{setting}={account.name} needs {key}: create a key in the dashboard of"
                    f" {account.vendor.title} (the sandbox accepts any)"
                )
        self._validate_others({account.vendor.name for account in accounts}, set(chosen))
        return accounts

    def build(self, name: str, *, is_first: bool = False) -> Account:
        """Build one account; the variable for parameters belongs to the first account only."""
        plugin = load_plugin(self._vendor_of.get(name, name))
        shown = self._shown(name, plugin)
        settings = self._raw.part(plugin.settings, "account", name, self._short_names(plugin, is_first=is_first))
        try:
            cut = plugin.cut(settings, self._side_px)
        except ValueError as error:
            raise ConfigurationError(sentence((), str(error), shown)) from None
        if why := refusal(plugin.vendor, cut.variant, settings.form):
            raise ConfigurationError(f"{shown['params']}: {why}")
        return Account(name, plugin, settings, cut)

    def _resolve(self, name: str, setting: str) -> str:
        if name in self._vendor_of:
            return name
        at_vendor = [account for account, vendor in self._vendor_of.items() if vendor == name]
        if len(at_vendor) > 1:
            raise ConfigurationError(f"{setting}: {name} has several accounts: name {' or '.join(at_vendor)}")
        if not at_vendor and name not in OURS and name not in (known := [each.name for each in installed()]):
            known = [*self._vendor_of, *known]
            raise ConfigurationError(
                f"{setting}: must be one of {', '.join(known)}, or several of them separated by commas"
            )
        return at_vendor[0] if at_vendor else name

    def _short_names(self, plugin: Plugin[Any], *, is_first: bool = True) -> Mapping[str, str]:
        short = {k: v for k, v in plugin.settings.short_names().items() if k != "params" or is_first}
        same_vendor = [other for other, name in self._vendor_of.items() if name == plugin.vendor.name]
        if len(same_vendor) < 2:
            return short
        for each, variable in short.items():
            if each != "params" and variable in self._raw.short:
                tables = " or ".join(f"[account.{other}]" for other in same_vendor)
                raise ConfigurationError(
                    f"{variable.upper()}: {plugin.vendor.name} has several accounts: set {each} in {tables}"
                )
        return {each: variable for each, variable in short.items() if each == "params"}

    def _shown(self, name: str, plugin: Plugin[Any]) -> dict[str, str]:
        return self._raw.shown(plugin.settings, "account", name, self._short_names(plugin))

    def _validate_others(self, vendors: set[str], accounts: set[str]) -> None:
        """Reject wrong values also for accounts where nothing is bought. A vendor without settings is not loaded."""
        for name in self._vendor_of.keys() - accounts:
            self.build(name)
        for name in OURS:
            if name not in vendors and any(variable.startswith(f"{name}_") for variable in self._raw.short):
                model = load_plugin(name).settings
                self._raw.part(model, short_names=model.short_names())
