"""The configured accounts, from tables or from environment variables."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bg_pipeline.core.recipe import Cut
from bg_pipeline.core.vendor import Vendor
from bg_pipeline.errors import ConfigurationError
from bg_pipeline.net.settings import EgressSettings
from bg_pipeline.purchasing.settings import AccountSettings
from bg_pipeline.settings.part import form
from bg_pipeline.settings.reader import RawSettings
from bg_pipeline.settings.sentences import sentence
from bg_pipeline.vendors.plugin import KeyedSettings, Plugin, VendorSettings
from bg_pipeline.vendors.registry import OURS, installed, usable
from bg_pipeline.vendors.registry import plugin as load_plugin

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
    limits: AccountSettings
    """Its thresholds, its cap of a day, and its requests at once, over all catalogues."""
    vendor: Vendor
    """The description of its vendor that holds with its settings."""

    @property
    def missing(self) -> str:
        """Field that must be set before anything can be bought; empty if none."""
        return next((each for each in self.settings.required if not getattr(self.settings, each)), "")


class ConfiguredAccounts:
    """
    The configured accounts, from tables or from environment variables.

    Args:
        raw: the settings as written.
        side_px: longest side to buy, px; 0 if none is built.

    Raises:
        ConfigurationError: two tables have the same key.
    """

    def __init__(self, raw: RawSettings, side_px: int = 0) -> None:
        tables = raw.tables.get("account", {})
        self._vendor_of = {name: str(table.get("vendor", name)) for name, table in tables.items()}
        self._raw = raw
        self._side_px = side_px
        self._require_own_keys()

    def names(self, names: tuple[str, ...], setting: str) -> list[str]:
        """Return the names of the accounts that `select` would return."""
        return [self._resolve(name, setting) for name in names] or list(self._vendor_of) or [ENGINE]

    def select(
        self, names: tuple[str, ...], setting: str, elsewhere: frozenset[str] = frozenset()
    ) -> tuple[Account, ...]:
        """
        Return the accounts of these names, each with its key; without names, all accounts that have a table.

        Args:
            names: names of accounts, or of vendors that have one account.
            setting: the setting that names them.
            elsewhere: accounts of other catalogues, which are validated there.
        """
        chosen = self.names(names, setting)
        if len(set(chosen)) < len(chosen):
            raise ConfigurationError(f"{setting}: name each account only once")
        accounts = tuple(self.build(name, is_first=name == chosen[0]) for name in chosen)
        for account in accounts:
            self.require_complete(account, setting)
        self._validate_others({account.vendor.name for account in accounts}, {*chosen, *elsewhere})
        return accounts

    def others(self, but: Collection[str]) -> Iterator[Account]:
        """Yield every further account that has a table or a key."""
        for name in self._vendor_of:
            if name not in but:
                yield self.build(name)
        for each in usable():
            name = each.vendor.name
            if name not in but and name not in self._vendor_of.values():
                account = self.build(name)
                if isinstance(account.settings, KeyedSettings) and not account.missing:
                    yield account

    def require_complete(self, account: Account, setting: str) -> None:
        """
        Raises:
            ConfigurationError: a field is missing, such as its key; the text begins with the setting that names it.
        """
        if missing := account.missing:
            needed = f"{setting}={account.name} needs {self._shown(account.name, account.plugin)[missing]}"
            where = f"create a key in the dashboard of {account.vendor.title} (the sandbox accepts any)"
            raise ConfigurationError(f"{needed}: {where}" if missing == "api_key" else needed)

    def build(self, name: str, *, is_first: bool = False) -> Account:
        """Build one account; the variables for parameters belong to the first account only."""
        plugin = load_plugin(self._vendor_of.get(name, name))
        shown = self._shown(name, plugin)
        short = self._short_names(plugin, is_first=is_first)
        settings = self._raw.part(plugin.settings, "account", name, short, beside=(AccountSettings,))
        settings = settings.connected(self._raw.part(EgressSettings).egress)
        limits = self._raw.part(AccountSettings, "account", name, beside=(plugin.settings,))
        return Account(name, plugin, settings, self._cut(plugin, settings, shown), limits, plugin.vendor_of(settings))

    def cut_with(self, account: Account, params: str, setting: str) -> Cut:
        """
        Return the cut that is bought at an account with other parameters.

        Raises:
            ConfigurationError: the vendor does not take them; the text names the setting.
        """
        shown = {**self._shown(account.name, account.plugin), "params": setting}
        return self._cut(account.plugin, account.settings.model_copy(update={"params": params}), shown)

    def _cut(self, plugin: Plugin[Any], settings: VendorSettings, shown: Mapping[str, str]) -> Cut:
        try:
            cut = plugin.cut(settings, self._side_px)
        except ValueError as error:
            raise ConfigurationError(sentence((), str(error), shown)) from None
        if why := plugin.vendor_of(settings).refusal(cut.variant, form(settings.params)):
            raise ConfigurationError(f"{shown['params']}: {why}")
        return cut

    def _require_own_keys(self) -> None:
        """
        Check that no two accounts are one to the vendor: its limits and caps would then hold for each alone.

        Raises:
            ConfigurationError: two tables have the same key.
        """
        owners: dict[tuple[object, ...], str] = {}
        for name, table in self._raw.tables.get("account", {}).items():
            if isinstance(key := table.get("api_key"), str):
                account = (self._vendor_of[name], table.get("base_url"), key.strip())
                if (other := owners.setdefault(account, name)) != name:
                    raise ConfigurationError(
                        f"[account.{other}] and [account.{name}] have the same api_key: one key is one account, so keep"
                        " one table, and name it in each catalogue that uses it"
                    )

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
        of_first = plugin.settings.of_first_account
        short = {k: v for k, v in plugin.settings.short_names().items() if k not in of_first or is_first}
        same_vendor = [other for other, name in self._vendor_of.items() if name == plugin.vendor.name]
        if len(same_vendor) < 2:
            return short
        for each, variable in short.items():
            if each not in of_first and variable in self._raw.short:
                tables = " or ".join(f"[account.{other}]" for other in same_vendor)
                raise ConfigurationError(
                    f"{variable.upper()}: {plugin.vendor.name} has several accounts: set {each} in {tables}"
                )
        return {each: variable for each, variable in short.items() if each in of_first}

    def _shown(self, name: str, plugin: Plugin[Any]) -> dict[str, str]:
        return self._raw.shown(plugin.settings, "account", name, self._short_names(plugin))

    def _validate_others(self, vendors: set[str], accounts: set[str]) -> None:
        """Reject wrong values also for accounts where nothing is bought. A vendor without settings is not loaded."""
        for name in self._vendor_of.keys() - accounts:
            self.build(name)
        for name in OURS:
            if name not in vendors and any(
                variable.startswith((f"{name}_", f"bg_{name}_")) for variable in self._raw.short
            ):
                model = load_plugin(name).settings
                self._raw.part(model, short_names=model.short_names())
