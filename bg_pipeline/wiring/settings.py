"""All settings: the parts that the packages define, read and combined."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from bg_pipeline.alerts.settings import AlertSettings
from bg_pipeline.core.credits import Rules
from bg_pipeline.core.params import refusal
from bg_pipeline.core.recipe import Cut, Recipe
from bg_pipeline.core.vendor import Vendor
from bg_pipeline.errors import ConfigurationError
from bg_pipeline.imaging.settings import RenditionSettings
from bg_pipeline.pipeline.settings import CatalogueSettings, ScheduleSettings
from bg_pipeline.purchasing.settings import PurchasingSettings
from bg_pipeline.settings.reader import RawSettings, read, sentence
from bg_pipeline.stores.locations import MastersLocation, require_separate
from bg_pipeline.vendors.plugin import Plugin, VendorSettings
from bg_pipeline.vendors.registry import OURS, installed, plugin, usable

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
    rendition: RenditionSettings
    accounts: tuple[Account, ...]
    """In the order in which they are tried."""
    masters: MastersLocation
    purchasing: PurchasingSettings
    schedule: ScheduleSettings
    alerts: AlertSettings
    found: RawSettings = field(repr=False)
    """What else is set: for stores, and for vendors that nothing is bought from."""

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
        return self.masters.spool_location(self.purchasing.state.get_secret_value())

    def offers(self) -> Iterator[Account]:
        """Return the accounts, then an account at every other usable vendor."""
        yield from self.accounts
        bought_from = {account.vendor.name for account in self.accounts}
        accounts = _Accounts(self.found, self.purchasing.max_pixels_sent)
        for each in usable():
            if each.vendor.name not in bought_from:
                yield accounts.named(each.vendor.name)


def load_settings() -> Settings:
    """
    Load the current settings.

    Raises:
        ConfigurationError: names what is wrong, and quotes no value: it may be a secret.
    """
    return compose(read())


def load_schedule() -> ScheduleSettings:
    """Load only the schedule: Dagster loads its definitions before any key or folder is set up."""
    return read().part(ScheduleSettings)


def compose(found: RawSettings) -> Settings:
    """
    Combine the parts.

    Raises:
        ConfigurationError: names what is wrong, and quotes no value: it may be a secret.
    """
    name = found.only("catalogue", CATALOGUE)
    catalogue = found.part(CatalogueSettings, "catalogue", name)
    masters, purchasing = found.part(MastersLocation), found.part(PurchasingSettings)
    require_separate(catalogue, masters, purchasing.state.get_secret_value())
    accounts = _Accounts(found, purchasing.max_pixels_sent)
    return Settings(
        catalogue_name=name,
        catalogue=catalogue,
        rendition=found.part(RenditionSettings, "rendition", found.only("rendition", RENDITION)),
        accounts=accounts.in_order(catalogue.accounts, found.shown(CatalogueSettings, "catalogue", name)["accounts"]),
        masters=masters,
        purchasing=purchasing,
        schedule=found.part(ScheduleSettings),
        alerts=found.part(AlertSettings),
        found=found,
    )


class _Accounts:
    """
    The configured accounts, from tables or from environment variables.

    Args:
        found: all set values.
        side_px: longest side to buy, px.
    """

    def __init__(self, found: RawSettings, side_px: int) -> None:
        tables = found.tables.get("account", {})
        self._vendor_of = {name: str(table.get("vendor", name)) for name, table in tables.items()}
        others = {name: {k: v for k, v in table.items() if k != "vendor"} for name, table in tables.items()}
        self._found = replace(found, tables={**found.tables, "account": others})
        self._side_px = side_px

    def in_order(self, names: tuple[str, ...], setting: str) -> tuple[Account, ...]:
        """
        Return the accounts of these names, each with its key; all that have a table if no name is given.

        Args:
            names: of accounts, or of vendors that have one account.
            setting: setting that names them.
        """
        chosen = [self._resolved(name, setting) for name in names] or list(self._vendor_of) or [ENGINE]
        if len(set(chosen)) < len(chosen):
            raise ConfigurationError(f"{setting}: each account can be named once")
        accounts = tuple(self.named(name, is_first=name == chosen[0]) for name in chosen)
        for account in accounts:
            if getattr(account.settings, "api_key", ...) is None:
                key = self._shown(account.name, account.plugin)["api_key"]
                raise ConfigurationError(
                    f"{setting}={account.name} needs {key}: make one in the dashboard of {account.vendor.title} (the"
                    " sandbox takes any)"
                )
        self._validate_others({account.vendor.name for account in accounts}, set(chosen))
        return accounts

    def named(self, name: str, *, is_first: bool = False) -> Account:
        """Return one account; only the first has the parameters that the variable sets."""
        found = plugin(self._vendor_of.get(name, name))
        shown = self._shown(name, found)
        settings = self._found.part(found.settings, "account", name, self._short_names(found, is_first=is_first))
        try:
            cut = found.cut(settings, self._side_px)
        except ValueError as error:
            raise ConfigurationError(sentence((), str(error), shown)) from None
        if why := refusal(found.vendor, cut.variant, settings.form):
            raise ConfigurationError(f"{shown['params']}: {why}")
        return Account(name, found, settings, cut)

    def _resolved(self, name: str, setting: str) -> str:
        if name in self._vendor_of:
            return name
        at_vendor = [account for account, vendor in self._vendor_of.items() if vendor == name]
        if len(at_vendor) > 1:
            raise ConfigurationError(f"{setting}: {name} has several accounts: name {' or '.join(at_vendor)}")
        if not at_vendor and name not in OURS and name not in (known := [each.name for each in installed()]):
            known = [*self._vendor_of, *known]
            raise ConfigurationError(
                f"{setting}: must be one of {', '.join(known)}, or several of them once each, with commas"
            )
        return at_vendor[0] if at_vendor else name

    def _short_names(self, found: Plugin[Any], *, is_first: bool = True) -> Mapping[str, str]:
        short = {k: v for k, v in found.settings.short_names().items() if k != "params" or is_first}
        alike = [other for other, vendor in self._vendor_of.items() if vendor == found.vendor.name]
        if len(alike) < 2:
            return short
        for each, variable in short.items():
            if each != "params" and variable in self._found.short:
                tables = " or ".join(f"[account.{other}]" for other in alike)
                raise ConfigurationError(
                    f"{variable.upper()}: {found.vendor.name} has several accounts: set {each} in {tables}"
                )
        return {each: variable for each, variable in short.items() if each == "params"}

    def _shown(self, name: str, found: Plugin[Any]) -> dict[str, str]:
        return self._found.shown(found.settings, "account", name, self._short_names(found))

    def _validate_others(self, vendors: set[str], accounts: set[str]) -> None:
        """Reject wrong values also for vendors where nothing is bought. A vendor without settings is not loaded."""
        for name in self._vendor_of.keys() - accounts:
            self.named(name)
        for name in OURS:
            if name not in vendors and any(variable.startswith(f"{name}_") for variable in self._found.short):
                self._found.part(plugin(name).settings, short_names=plugin(name).settings.short_names())
