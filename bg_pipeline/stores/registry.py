"""Registry of the kinds of store, by scheme: the folders beside this file, and installed packages."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points

from bg_pipeline.errors import ConfigurationError
from bg_pipeline.ports.stores import StoreKind
from bg_pipeline.stores.file.store import FILE
from bg_pipeline.stores.s3.store import S3
from bg_pipeline.stores.sql.store import SQL, has_dialect

GROUP = "bg_pipeline.stores"
"""Group of the entry points of other packages. Each has the name of its scheme and refers to a `StoreKind`."""

BUILT_IN = (FILE, S3, SQL)


@dataclass(frozen=True, slots=True)
class Installed:
    """A kind of store that locations can name."""

    schemes: tuple[str, ...]
    example: str
    origin: str
    """`built in`, or the package that brings it and its version."""
    problem: str = ""
    """Reason why it cannot be used; empty if it can."""


def kind_of(location: str) -> StoreKind | None:
    """
    Return the kind of store for a location; None if there is none.

    Raises:
        ConfigurationError: the package that brings it cannot be loaded.
    """
    scheme = scheme_of(location)
    for kind in BUILT_IN:
        if scheme in kind.schemes:
            return kind
    entries = [entry for entry in _entries() if entry.name == scheme]
    if entries:
        return _load(entries)
    return SQL if has_dialect(scheme) else None


def scheme_of(location: str) -> str:
    """Return `file` for a path, and for a URL its scheme without a driver: `postgresql` for `postgresql+psycopg://…`."""
    scheme, colon, _ = location.partition("://")
    return scheme.partition("+")[0] if colon else "file"


def installed() -> Iterator[Installed]:
    """Return all kinds of store, built-in ones first. Each package is loaded, to check that it works."""
    for kind in BUILT_IN:
        yield Installed(kind.schemes, kind.example, "built in")
    for scheme in sorted({entry.name for entry in _entries()}):
        entries = [entry for entry in _entries() if entry.name == scheme]
        origin = " and ".join(_package(entry) for entry in entries)
        try:
            yield Installed((scheme,), _load(entries).example, origin)
        except ConfigurationError as error:
            yield Installed((scheme,), "", origin, str(error))


def usable() -> Iterator[StoreKind]:
    """Return every kind of store that can be loaded; `installed` names the others."""
    yield from BUILT_IN
    for scheme in sorted({entry.name for entry in _entries()}):
        with suppress(ConfigurationError):
            yield _load([entry for entry in _entries() if entry.name == scheme])


def examples(*, blobs: bool) -> str:
    """Return example locations for a message: of blob stores, or of sources."""
    known = [kind.example for kind in BUILT_IN if (kind.open_blobs if blobs else kind.open_source)]
    # Packages are named without loading them: a broken one must not hide the error in a setting.
    known += sorted(f"{entry.name}://…" for entry in _entries())
    *others, last = known
    return f"{', '.join(others)}{',' if len(others) > 1 else ''} or {last}"


def _entries() -> list[EntryPoint]:
    return list(entry_points(group=GROUP))


def _load(entries: list[EntryPoint]) -> StoreKind:
    entry = entries[0]
    named = f"the store for {entry.name}:// of the package {_package(entry)}"
    if any(entry.name in kind.schemes for kind in BUILT_IN):
        raise ConfigurationError(f"{named} is never used: {entry.name}:// is built in")
    if len(entries) > 1:
        raise ConfigurationError(f"{named} is also brought by {_package(entries[1])}: uninstall one of the two")
    try:
        kind = entry.load()
    except Exception as error:  # another package may raise any exception
        raise ConfigurationError(f"{named} cannot be loaded: {type(error).__name__}: {error}") from error
    if not isinstance(kind, StoreKind) or entry.name not in kind.schemes:
        raise ConfigurationError(f"{named} cannot be loaded: {entry.value} is not a StoreKind with this scheme")
    return kind


def _package(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else "(unknown)"
