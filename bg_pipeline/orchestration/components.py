"""
The components `Catalogue` and `Account`, for `defs.yaml`.

No attribute is a secret: what a template of `defs.yaml` reads is stored with each job, and shown in the UI. Attributes
name variables, which a run reads.

A wrong value fails the runs of its catalogue, which keeps all names: Dagster forgets the switch of a schedule that is
gone from a location that loads.
"""

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar, Self, cast

import dagster as dg
from pydantic import BaseModel, Field, PrivateAttr, create_model, field_validator

from bg_pipeline.errors import ConfigurationError
from bg_pipeline.orchestration.attributes import explain_load, fields_of, require_no_secret
from bg_pipeline.orchestration.balance import AccountOpener, build_account
from bg_pipeline.orchestration.build import build_catalogue
from bg_pipeline.orchestration.names import AccountNames, Names
from bg_pipeline.orchestration.opener import Opener
from bg_pipeline.pipeline.settings import CatalogueSettings, ScheduleSettings
from bg_pipeline.purchasing.settings import AccountSettings
from bg_pipeline.settings.reader import RawSettings, read
from bg_pipeline.wiring.settings import account_names

_Tables = Mapping[str, Mapping[str, Mapping[str, Any]]]

_NAME = r"^[A-Za-z0-9_]+$"
"""Dagster allows only these characters in the names of sensors and schedules."""


class _Component(dg.Component, dg.Model, dg.Resolvable):
    """What both components have: a name, settings as attributes, and what is wrong with them."""

    kind: ClassVar[str]
    own: ClassVar[frozenset[str]]
    """Attributes that are no settings."""

    name: str = Field(pattern=_NAME, description="its name: letters, digits and _; another name is another one")
    _problem: str = PrivateAttr("")

    @classmethod
    def load(cls, attributes: BaseModel | None, context: dg.ComponentLoadContext) -> Self:
        """Load a component; one with a wrong value has its name, and fails when it is used."""
        try:
            loaded = super().load(attributes, context)
            require_no_secret(loaded.model_dump(exclude_none=True))
        except ConfigurationError as error:
            return cls._broken(attributes, str(error))
        except Exception as error:  # noqa: BLE001  one wrong catalogue would unload all others
            return cls._broken(attributes, explain_load(error))
        return loaded

    @classmethod
    def _broken(cls, attributes: BaseModel | None, why: str) -> Self:
        """Return a component that keeps its names, whatever else is wrong."""
        written = attributes.model_dump() if attributes else {}
        kept: dict[str, Any] = {each: str(written.get(each, "")) for each in ("name", "account")}
        kept |= {"start": written.get("start") is True, "group": "", "fallbacks": [], "options": {}}
        broken = cast("Self", cls.model_construct(None, **kept))
        broken.fail(f"the {cls.kind} {broken.name}: {why}")
        return broken

    def fail(self, why: str) -> None:
        """Note what is wrong."""
        self._problem = why

    @property
    def problem(self) -> str:
        """What is wrong with the attributes; empty if nothing is."""
        return self._problem

    @property
    def table(self) -> dict[str, Any]:
        """The attributes that are settings, as a table of `bg_pipeline.toml`."""
        dumped = {} if self._problem else self.model_dump(exclude_none=True, exclude=set(self.own))
        return {name: value for name, value in dumped.items() if not name.endswith("_env")}

    @property
    def variables(self) -> dict[str, str]:
        """The variable of each setting that is read at run time, by the name of the setting."""
        dumped = {} if self._problem else self.model_dump(exclude_none=True)
        return {name.removesuffix("_env"): value for name, value in dumped.items() if name.endswith("_env")}


class _ScaffoldCatalogue(BaseModel):
    name: str = Field("shop", pattern=_NAME, description="name of the catalogue, the prefix of its names in Dagster")
    account: str = Field("main", pattern=_NAME, description="name of the account that it buys at")


class _CatalogueScaffolder(dg.Scaffolder[_ScaffoldCatalogue]):
    @classmethod
    def get_scaffold_params(cls) -> type[_ScaffoldCatalogue]:
        return _ScaffoldCatalogue

    def scaffold(self, request: dg.ScaffoldRequest[_ScaffoldCatalogue]) -> None:
        name = request.params.name
        attributes = {
            "name": name,
            "account": request.params.account,
            "source": f"images/{name}",
            "output": f"cutouts/{name}",
            "nightly_cron": "0 2 * * *",
            "timezone": "UTC",
            "start": False,
        }
        dg.scaffold_component(request, attributes)


class _ScaffoldAccount(BaseModel):
    name: str = Field("main", pattern=_NAME, description="name of the account")
    vendor: str = Field(description="name of the vendor")
    key_env: str = Field("", description="name of the variable that holds the key")


class _AccountScaffolder(dg.Scaffolder[_ScaffoldAccount]):
    @classmethod
    def get_scaffold_params(cls) -> type[_ScaffoldAccount]:
        return _ScaffoldAccount

    def scaffold(self, request: dg.ScaffoldRequest[_ScaffoldAccount]) -> None:
        params = request.params
        key_env = params.key_env or f"{params.vendor.upper()}_API_KEY"
        dg.scaffold_component(request, {"name": params.name, "vendor": params.vendor, "key_env": key_env})


@dg.scaffold_with(_AccountScaffolder)
class _Account(_Component):
    kind = "account"
    own = frozenset({"name", "fallbacks", "options"})

    key_env: str | None = Field(
        None, description="name of the variable that holds the key; the key itself is never here"
    )
    fallbacks: list[str] = Field([], description="names of accounts that are used when this one cannot, in order")
    options: dict[str, Any] = Field(
        {}, description="settings of the vendor, as in its table `[account.NAME]`: `base_url`, `params`"
    )

    @property
    def table(self) -> dict[str, Any]:
        return {**super().table, **({} if self.problem else self.options)}

    @property
    def variables(self) -> dict[str, str]:
        return {{"key": "api_key"}.get(name, name): variable for name, variable in super().variables.items()}

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        project = _Project.of(context)
        catalogues = [each for each in project.catalogues if each.account == self.name]
        return build_account(AccountOpener(AccountNames(self.name), [project.opener(each) for each in catalogues]))


@dg.scaffold_with(_CatalogueScaffolder)
class _Catalogue(_Component):
    kind = "catalogue"
    own = frozenset({"name", "account", "group", "start"})

    account: str = Field(description="name of the component `Account` that it buys at")
    group: str = Field("", description="group of its assets; default: `NAME_catalogue`")
    start: bool = Field(
        False,
        description="whether the schedule and the sensor that starts purchases are on until a person switches them off;"
        " otherwise they are off until a person switches them on",
    )

    @field_validator("group")
    @classmethod
    def _is_a_group(cls, value: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9_/]*", value):
            raise ValueError("must have only letters, digits, _ and /")
        return value

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        opener = _Project.of(context).opener(self)
        try:
            opener.schedule()
            opener.settings()
        except ConfigurationError as error:
            logging.getLogger(__name__).warning("every run of the catalogue %s will fail: %s", self.name, error)
        return build_catalogue(opener, start=self.start)


Account = create_model(
    "Account",
    __base__=_Account,
    __module__="bg_pipeline.components",
    __doc__="An account at a vendor: its balance, its gate, and the pool that all catalogues share that buy there.",
    **fields_of(AccountSettings),
)

Catalogue = create_model(
    "Catalogue",
    __base__=_Catalogue,
    __module__="bg_pipeline.components",
    __doc__="A catalogue of pictures and its cutouts, with its assets, jobs, schedule and sensors.",
    **fields_of(CatalogueSettings, ScheduleSettings, without=["accounts"]),
)


class _Project:
    """All catalogues and accounts of a project: they share accounts, and their folders may not overlap."""

    def __init__(self, catalogues: Sequence[_Catalogue], accounts: Sequence[_Account], load: Callable[[], RawSettings]):
        self.catalogues = catalogues
        self._accounts = {account.name: account for account in accounts}
        self._load = load
        for components in (catalogues, accounts):
            names = [component.name for component in components]
            if twins := sorted({name for name in names if names.count(name) > 1}):
                raise ConfigurationError(f"two components {type(components[0]).__name__} have the name {twins[0]}")

    @classmethod
    def of(cls, context: dg.ComponentLoadContext) -> "_Project":
        tree = context.component_tree
        load = partial(read, context.project_root)
        return cls(tree.get_all_components(_Catalogue), tree.get_all_components(_Account), load)

    def opener(self, catalogue: _Catalogue) -> Opener:
        account = self._accounts.get(catalogue.account)
        names = Names(catalogue.name, AccountNames(catalogue.account), catalogue.group)
        accounts = [account, *map(self._accounts.get, account.fallbacks)] if account else [None]
        problems = [catalogue.problem, *(each.problem for each in accounts if each)]
        if None in accounts:
            known = ", ".join(self._accounts) or "none"
            problems.append(f"the catalogue {catalogue.name}: account: there is no such component; there are: {known}")
        return Opener(
            names,
            lambda: self._read(catalogue),
            next(filter(None, problems), ""),
            lambda: self._wrong_now(catalogue, [account for account in accounts if account]),
        )

    def _read(self, catalogue: _Catalogue) -> RawSettings:
        """Return the settings with a table for each component, as they are now."""
        raw = self._load()
        components = [each for each in (*self.catalogues, *self._accounts.values()) if not each.problem]
        tables: dict[str, dict[str, dict[str, Any]]] = {"account": {}, "catalogue": {}}
        for each in components:
            secrets = {name: raw.short.get(variable.lower()) for name, variable in each.variables.items()}
            own = {**each.table, **{name: value for name, value in secrets.items() if value}}
            if own or each.name not in raw.names(each.kind):
                tables[each.kind][each.name] = {**own, **self._accounts_of(each)}
        if catalogue.name not in raw.names("catalogue"):
            tables["catalogue"].setdefault(catalogue.name, {})
        used = {variable.lower() for each in components for variable in each.variables.values()}
        return _without(raw, used).with_tables(tables, "a component")

    def _accounts_of(self, component: _Component) -> dict[str, Any]:
        account = self._accounts.get(component.account) if isinstance(component, _Catalogue) else None
        return {"accounts": [account.name, *account.fallbacks]} if account else {}

    def _wrong_now(self, catalogue: _Catalogue, accounts: Sequence[_Account]) -> str:
        """Return which variable is not set that a component names, or that the file names other accounts."""
        short = self._load().short
        for each in (catalogue, *accounts):
            for name, variable in each.variables.items():
                if variable.lower() not in short:
                    return f"the variable {variable} is not set, which the {each.kind} {each.name} names for {name}"
        names = tuple(account.name for account in accounts)
        if (written := account_names(self._read(catalogue), catalogue.name)) != names:
            return (
                f"the catalogue {catalogue.name} buys at {', '.join(written)}, and its component has {', '.join(names)}"
            )
        return ""


def _without(raw: RawSettings, variables: set[str]) -> RawSettings:
    """Return the settings without variables that a component names: they are no settings of the same name."""
    return replace(
        raw,
        short={name: value for name, value in raw.short.items() if name not in variables},
        origins={name: origin for name, origin in raw.origins.items() if name not in variables},
    )
