"""All installed vendors and engines, of this package and of others."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from bg_pipeline.errors import ConfigurationError
from bg_pipeline.vendors.plugin import Plugin

GROUP = "bg_pipeline.vendors"
"""Group of the entry points of other packages. Each has the name of its vendor and refers to a `Plugin`."""

OURS = ("local", "rembg", "bgeraser", "removebg", "removebg_protocol", "photoroom")
"""Built-in vendors: each has a folder beside this file, with a `PLUGIN` in its `vendor.py`."""


@dataclass(frozen=True, slots=True)
class Installed:
    """One vendor that settings can name."""

    name: str
    origin: str = "built in"
    """`built in`, or the package that brings it and its version."""
    entry: EntryPoint | None = None
    """None for built-in vendors."""
    rival: str = ""
    """Another package that brings a vendor of this name."""

    def load(self) -> Plugin[Any]:
        """
        Import its description.

        Raises:
            ConfigurationError: its package cannot be used.
        """
        if self.entry is None:
            return import_module(f"bg_pipeline.vendors.{self.name}.vendor").PLUGIN  # type: ignore[no-any-return]
        named = f"the vendor {self.name} of the package {self.origin}"
        if self.name in OURS:
            raise ConfigurationError(f"{named} is never used: {self.name} is built in")
        if self.rival:
            raise ConfigurationError(f"{named} is also brought by {self.rival}: uninstall one of the two")
        try:
            plugin = self.entry.load()
        except Exception as error:  # another package may raise any exception
            raise ConfigurationError(f"{named} cannot be loaded: {type(error).__name__}: {error}") from error
        if not isinstance(plugin, Plugin) or plugin.vendor.name != self.name:
            raise ConfigurationError(f"{named} cannot be loaded: {self.entry.value} is not a Plugin of this name")
        return plugin


def installed() -> list[Installed]:
    """Return all vendors, built-in ones first, then the others in alphabetical order. None is loaded."""
    vendors = [Installed(name) for name in OURS]
    entries = sorted(entry_points(group=GROUP), key=lambda entry: entry.name)
    for entry in entries:
        rivals = [other for other in entries if other.name == entry.name and other is not entry]
        vendors.append(Installed(entry.name, _package(entry), entry, _package(rivals[0]) if rivals else ""))
    return vendors


def plugin(name: str) -> Plugin[Any]:
    """
    Return the vendor of this name.

    Raises:
        ConfigurationError: there is none, or its package cannot be used.
    """
    if name in OURS:  # without searching other packages, which takes longer
        return Installed(name).load()
    known = installed()
    for each in known:
        if each.name == name:
            return each.load()
    raise ConfigurationError(f"there is no vendor {name}, only {', '.join(each.name for each in known)}")


def usable() -> Iterator[Plugin[Any]]:
    """
    Return every vendor that can be loaded.

    A broken package must not stop runs that do not buy from it; `doctor` names it.
    """
    for each in installed():
        with suppress(ConfigurationError):
            yield each.load()


def suffixes() -> tuple[str, ...]:
    """Return the suffixes that the tools of any vendor append to the name of a cutout."""
    return tuple(suffix for each in usable() for suffix in each.vendor.suffixes)


def _package(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else "(unknown)"
