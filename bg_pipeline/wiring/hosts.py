"""The settings of this host, compared with those that another host of the same catalogue set last."""

import hashlib
import socket
from collections.abc import Iterator
from decimal import Decimal
from pathlib import PurePath
from typing import Any

from pydantic import SecretStr

from bg_pipeline.core.agreement import Purpose, SettingsInUse, agree
from bg_pipeline.core.recipe import Recipe, rendition_digests
from bg_pipeline.errors import ConfigurationError
from bg_pipeline.ports.catalogue import Hosts
from bg_pipeline.wiring.settings import Settings

_OF_A_HOST = {"state", "gallery", "spool"}
"""Settings that may differ: a password is a person's, and a folder may be mounted elsewhere."""

_ANY_RENDERER = 1
"""Two hosts may have two versions of this package for a while."""


def require_agreement(settings: Settings, hosts: Hosts, identity: str, purpose: Purpose) -> None:
    """
    Find that the settings of this host are those in use, or, unless it only looks, record them as these.

    Args:
        settings: of this host.
        hosts: of its catalogue.
        identity: of the manifest, so that digests of two manifests cannot be compared.
        purpose: see `agree`.

    Raises:
        ConfigurationError: another host set others last.
    """
    digests = {name: _digest(identity, name, value) for name, value in _named(settings)}
    own = SettingsInUse(socket.gethostname(), digests)
    known = hosts.settings()
    agreement = agree(own, known, purpose)
    if agreement.differing:
        assert known is not None  # else nothing differs
        raise ConfigurationError(
            f"the host {known.host} works for this catalogue with other values of {', '.join(agreement.differing)}: "
            "make them the same on every host. If the change is meant, run `bg-pipeline declare` on this host, and "
            "change the others"
        )
    if agreement.record:
        hosts.set(own)


def _named(settings: Settings) -> Iterator[tuple[str, Any]]:
    """Yield each setting that all hosts need alike, as a variable or as in a table of an account or a rendition."""
    for part in (settings.catalogue, settings.schedule, settings.purchasing, settings.checks):
        for name, variable in type(part).short_names().items():
            if name not in _OF_A_HOST:
                yield variable.upper(), getattr(part, name)
    yield "BG_MASTERS", settings.masters.masters
    for account in settings.accounts:
        for each in (account.settings, account.limits):
            for name in type(each).model_fields:
                yield f"[account.{account.name}] {name}", getattr(each, name)
    for name, rendition in settings.renditions.items():
        yield f"[rendition.{name}]", rendition_digests(rendition, _ANY_RENDERER)
    for special in settings.special:
        yield f"the recipe for {special.name}", _digests_of(special.recipe)


def _digests_of(recipe: Recipe) -> list[object]:
    renditions = (rendition_digests(each, _ANY_RENDERER) for each in recipe.renditions.values())
    return [*(cut.digest for cut in recipe.cuts), *renditions]


def _digest(identity: str, name: str, value: Any) -> str:
    return hashlib.sha256(f"{identity}\0{name}\0{_text(value)}".encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _text(value: Any) -> str:
    plain = value.get_secret_value() if isinstance(value, SecretStr) else value
    if isinstance(plain, Decimal):
        plain = plain.normalize()
    # The same folder may be mounted elsewhere; stores have a mark that tells them apart.
    return "a folder" if isinstance(plain, str) and PurePath(plain).is_absolute() else repr(plain)
