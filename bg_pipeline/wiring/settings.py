"""All settings: read, and combined from the parts that the packages define."""

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import takewhile

from bg_pipeline.alerts.settings import AlertSettings
from bg_pipeline.core.credits import DayCap, Rules
from bg_pipeline.core.prices import credits_for
from bg_pipeline.core.recipe import Cut, Recipe, Rendition
from bg_pipeline.core.recipes import Recipes, SpecialRecipe
from bg_pipeline.errors import ConfigurationError
from bg_pipeline.imaging.settings import CheckSettings, DecoderSettings
from bg_pipeline.pipeline.settings import CatalogueSettings, ChoiceSettings, ScheduleSettings
from bg_pipeline.purchasing.settings import PurchasingSettings
from bg_pipeline.settings.logs import LogSettings
from bg_pipeline.settings.reader import RawSettings, read
from bg_pipeline.stores.locations import MastersLocation, NamedLocation, require_separate
from bg_pipeline.vendors.registry import usable
from bg_pipeline.wiring.accounts import Account, ConfiguredAccounts
from bg_pipeline.wiring.recipes import RENDITION, renditions_of, special_recipes
from bg_pipeline.wiring.written import find_unknown

CATALOGUE = "default"
"""Name of the catalogue that environment variables describe."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting."""

    catalogue_name: str
    catalogue: CatalogueSettings
    renditions: Mapping[str, Rendition]
    """Those of the default recipe, by the name of their table; the first is the main one."""
    decoder: DecoderSettings
    checks: CheckSettings
    accounts: tuple[Account, ...]
    """In the order of trial."""
    masters: MastersLocation
    purchasing: PurchasingSettings
    schedule: ScheduleSettings
    alerts: AlertSettings
    logs: LogSettings
    special: tuple[SpecialRecipe, ...]
    """Recipes for some of its pictures."""
    raw: RawSettings = field(repr=False)
    """The settings as written: for stores, and for vendors that nothing is bought from."""

    @property
    def recipe(self) -> Recipe:
        """The default recipe."""
        return _recipe(self.accounts, self.renditions, self.catalogue)

    @property
    def recipes(self) -> Recipes:
        return Recipes(self.recipe, self.special)

    def rules(self, account: Account) -> Rules:
        """Return the rules for purchases at one account: the same, whichever catalogue buys."""
        timezone = self.raw.part(ScheduleSettings).timezone
        caps = (
            (self.purchasing.max_credits_per_day, timezone, ""),
            (account.limits.max_credits_per_day, account.limits.timezone, account.name),
        )
        return Rules(account.limits.thresholds, tuple(DayCap(cap, *which) for cap, *which in caps if cap is not None))

    @property
    def spool(self) -> str:
        """Location of the spool."""
        return self.masters.spool_location(self.purchasing.state.get_secret_value(), self.raw.folder)

    def ends_of_service(self, now: float) -> list[str]:
        """Return the announced ends of the services that are bought from, in words."""
        ends = (account.vendor.end_of_service(account.cut, now) for account in self.accounts)
        return [end for end in ends if end]

    def offers(self) -> Iterator[Account]:
        """Return the accounts, then an account at every other usable vendor whose service is known."""
        yield from self.accounts
        bought_from = {account.vendor.name for account in self.accounts}
        accounts = ConfiguredAccounts(self.raw, self.purchasing.max_pixels_sent)
        for each in usable():
            if each.vendor.name not in bought_from:
                offer = accounts.build(each.vendor.name)
                if offer.missing in {"", "api_key"}:
                    yield offer

    def comparing(self, names: Sequence[str], setting: str) -> "Settings":
        """
        Return the same settings with other accounts. Each cut is what this catalogue buys there, or would buy.

        Args:
            names: names of accounts, or of vendors and engines; none for this catalogue's and all that have a table or
                a key.
            setting: what names them, for messages.

        Raises:
            ConfigurationError: there is no such account, or its key is missing.
        """
        configured = ConfiguredAccounts(self.raw, self.purchasing.max_pixels_sent)
        own = {account.name: account for account in self.accounts}
        if names:
            resolved = dict.fromkeys(configured.names(tuple(names), setting))
            accounts = tuple(own.get(name) or configured.build(name) for name in resolved)
        else:
            # Two accounts at one vendor sell the same: it is bought once, at the first.
            firsts: dict[str, Account] = {}
            for account in (*self.accounts, *configured.others(own)):
                firsts.setdefault(account.cut.digest, account)
            accounts = tuple(firsts.values())
        for account in accounts:
            configured.require_complete(account, setting)
        special = tuple(
            replace(each, recipe=replace(each.recipe, cuts=self._cuts_at(accounts, each.recipe)))
            for each in self.special
        )
        return replace(self, accounts=accounts, special=special)

    def _cuts_at(self, accounts: Sequence[Account], recipe: Recipe) -> tuple[Cut, ...]:
        own = {account.name: cut for account, cut in zip(self.accounts, recipe.cuts, strict=True)}
        return tuple(own.get(account.name, account.cut) for account in accounts)


def catalogue_names(raw: RawSettings) -> tuple[str, ...]:
    """Return the names of all catalogues, in the order of the file."""
    return raw.names("catalogue") or (CATALOGUE,)


def load_settings(catalogue: str | None = None) -> Settings:
    """Load the current settings of one catalogue; see `settings_of`."""
    return settings_of(read(), catalogue)


def settings_of(raw: RawSettings, catalogue: str | None = None) -> Settings:
    """
    Return the settings of one catalogue.

    A name that is no setting is an error in a file, and a warning in the environment. What is wrong in the tables of
    another catalogue, or of accounts that only others use, is not an error here.

    Args:
        raw: the settings as written.
        catalogue: name of the catalogue; None for the only one.

    Raises:
        ConfigurationError: a setting is wrong, or a name is none; the text quotes no secret.
    """
    unknown = find_unknown(raw)
    if errors := [str(each) for each in unknown if each.is_error]:
        raise ConfigurationError("; ".join(errors))
    for each in unknown:
        _warn(str(each))
    return compose(raw, catalogue)


@cache
def _warn(text: str) -> None:
    """Log a warning, once in each process: sensors load the settings every half minute."""
    logging.getLogger(__name__).warning("%s", text)


def load_schedule(catalogue: str | None = None) -> ScheduleSettings:
    """Load only the schedule: Dagster loads its definitions before any key or folder is set."""
    return schedule_of(read(), catalogue)


def schedule_of(raw: RawSettings, catalogue: str | None = None) -> ScheduleSettings:
    """Return only the schedule of one catalogue; arguments and errors as in `settings_of`."""
    return raw.part(ScheduleSettings, "catalogue", choose(raw, catalogue), beside=(CatalogueSettings,))


def account_names(raw: RawSettings, catalogue: str | None = None) -> tuple[str, ...]:
    """Return the names of a catalogue's accounts, in the order of trial; arguments and errors as in `settings_of`."""
    name = choose(raw, catalogue)
    setting = raw.shown(CatalogueSettings, "catalogue", name)["accounts"]
    accounts = ConfiguredAccounts(raw, raw.part(PurchasingSettings).max_pixels_sent)
    return tuple(accounts.names(catalogue_of(raw, name).accounts, setting))


def chosen_by_variable(raw: RawSettings) -> str | None:
    """Return the catalogue that BG_CATALOGUE names; None if it names none."""
    return raw.part(ChoiceSettings).catalogue or None


def choose(raw: RawSettings, catalogue: str | None = None) -> str:
    """
    Return the name of a catalogue.

    Args:
        raw: the settings as written.
        catalogue: the wanted name; None for that of BG_CATALOGUE, or the only one.

    Raises:
        ConfigurationError: there is no such catalogue, or there are several and none is named.
    """
    names = catalogue_names(raw)
    catalogue = catalogue or chosen_by_variable(raw)
    if catalogue is None and len(names) > 1:
        raise ConfigurationError(f"there are several catalogues; choose one: --catalogue {' or '.join(names)}")
    if catalogue is not None and catalogue not in names:
        raise ConfigurationError(f"there is no catalogue {catalogue!r}; there are: {', '.join(names)}")
    return names[0] if catalogue is None else catalogue


def compose(raw: RawSettings, catalogue: str | None = None) -> Settings:
    """
    Combine the parts.

    Raises:
        ConfigurationError: a setting is wrong; the text quotes no secret.
    """
    name = choose(raw, catalogue)
    chosen = catalogue_of(raw, name)
    masters, purchasing = raw.part(MastersLocation), raw.part(PurchasingSettings)
    _require_separate(raw, name, chosen, masters, purchasing)
    shown = raw.shown(CatalogueSettings, "catalogue", name)
    renditions = renditions_of(raw, _rendition_names(raw, name, chosen), shown["renditions"])
    configured = ConfiguredAccounts(raw, purchasing.max_pixels_sent)
    accounts = configured.select(chosen.accounts, shown["accounts"], _accounts_of_others(raw, name))
    recipe = _recipe(accounts, renditions, chosen)
    if chosen.suspicious == "next" and not recipe.passed_on:
        raise ConfigurationError(
            f"{shown['suspicious']}=next: begin {shown['accounts']} with an engine on this machine, such as rembg, and "
            "name an account after it"
        )
    return Settings(
        catalogue_name=name,
        catalogue=chosen,
        decoder=raw.part(DecoderSettings),
        checks=raw.part(CheckSettings),
        renditions=renditions,
        accounts=accounts,
        masters=masters,
        purchasing=purchasing,
        schedule=schedule_of(raw, name),
        alerts=raw.part(AlertSettings),
        logs=raw.part(LogSettings),
        special=special_recipes(raw, name, chosen, recipe, accounts, configured),
        raw=raw,
    )


def _recipe(accounts: Sequence[Account], renditions: Mapping[str, Rendition], catalogue: CatalogueSettings) -> Recipe:
    cuts = tuple(account.cut for account in accounts)
    main, *others = renditions
    further = {name: renditions[name] for name in others}
    free = sum(1 for _ in takewhile(lambda account: not credits_for(account.vendor, account.cut, None), accounts))
    passed_on = min(free, len(cuts) - 1) if catalogue.suspicious == "next" else 0
    return Recipe(cuts, renditions[main], catalogue.already_cut == "keep", further, passed_on)


def catalogue_of(raw: RawSettings, name: str) -> CatalogueSettings:
    """
    Return the settings of one catalogue. Of several, each has a gallery of its own by default.

    Raises:
        ConfigurationError: a setting is wrong, or the name cannot be one of several.
    """
    catalogue = raw.part(CatalogueSettings, "catalogue", name, beside=(ScheduleSettings,))
    names = catalogue_names(raw)
    if len(names) == 1:
        return catalogue
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,60}", name):
        raise ConfigurationError(
            f"[catalogue.{name}]: one of several catalogues has a name of at most 60 letters, digits, - and _"
        )
    if alike := next((each for each in names if each != name and _folded(each) == _folded(name)), None):
        raise ConfigurationError(f"[catalogue.{name}] and [catalogue.{alike}]: the names differ only in case, - or _")
    own = "gallery" in catalogue.model_fields_set
    return catalogue if own else catalogue.model_copy(update={"gallery": f"{catalogue.gallery}/{name}"})


def _folded(name: str) -> str:
    """Return a name without what folders and Dagster may not tell apart."""
    return name.lower().replace("-", "_")


def _others_of(raw: RawSettings, name: str) -> Iterator[tuple[str, CatalogueSettings]]:
    """Yield the other catalogues by name. One with a wrong setting is left out: it stops no other."""
    for other in catalogue_names(raw):
        if other != name:
            with suppress(ConfigurationError):
                yield other, catalogue_of(raw, other)


def _accounts_of_others(raw: RawSettings, name: str) -> frozenset[str]:
    """Return the names of accounts that the tables of other catalogues have."""
    return frozenset(account for _, other in _others_of(raw, name) for account in other.accounts)


def accounts_elsewhere(raw: RawSettings, catalogue: str) -> frozenset[str]:
    """
    Return the accounts that are not this catalogue's and may be another's; none if it is the only catalogue.

    Where the settings of this catalogue are wrong, all accounts may be another's.
    """
    if len(catalogue_names(raw)) == 1:
        return frozenset()
    known = _accounts_of_others(raw, catalogue).union(raw.names("account"))
    try:
        chosen = catalogue_of(raw, catalogue)
        resolved = ConfiguredAccounts(raw).names(chosen.accounts, "accounts")
    except ConfigurationError:
        return known
    return known.difference(resolved)


def _require_separate(
    raw: RawSettings, name: str, chosen: CatalogueSettings, masters: MastersLocation, purchasing: PurchasingSettings
) -> None:
    """
    Raises:
        ConfigurationError: a store of this catalogue overlaps with another location, of any catalogue.
    """
    spool = masters.spool_location(purchasing.state.get_secret_value(), raw.folder)
    catalogues = [(name, chosen), *_others_of(raw, name)]
    shown = {each: raw.shown(CatalogueSettings, "catalogue", each) for each, _ in catalogues}
    require_separate(
        [NamedLocation(shown[each]["source"], other.source.get_secret_value()) for each, other in catalogues],
        [
            *(NamedLocation(shown[each]["output"], other.output) for each, other in catalogues),
            NamedLocation("BG_MASTERS", masters.masters),
            NamedLocation("BG_SPOOL", spool),
            NamedLocation(shown[name]["gallery"], chosen.gallery),
        ],
    )
    galleries = {other.gallery: each for each, other in catalogues[1:]}
    if (twin := galleries.get(chosen.gallery)) is not None:
        raise ConfigurationError(f"{shown[name]['gallery']} and {shown[twin]['gallery']} must not be the same place")


def _rendition_names(raw: RawSettings, catalogue: str, chosen: CatalogueSettings) -> tuple[str, ...]:
    """
    Return the names of a catalogue's renditions: the wanted ones, else the catalogue's own, `main`, or the only one.

    Raises:
        ConfigurationError: there are several tables and none is chosen.
    """
    if chosen.renditions:
        return chosen.renditions
    names = raw.names("rendition") or (RENDITION,)
    default = next((each for each in (catalogue, RENDITION) if each in names), None)
    if default is None and len(names) > 1:
        setting = raw.shown(CatalogueSettings, "catalogue", catalogue)["renditions"]
        raise ConfigurationError(f"{setting}: there are several renditions: name {' or '.join(names)}")
    return (default or names[0],)
