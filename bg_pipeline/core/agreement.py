"""
Decide if a host may work with its settings, where several work for one catalogue.

With two recipes, each host would make the outputs of the other again, and with two caps neither would hold.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SettingsInUse:
    """The settings of a catalogue and its accounts, and the host that set them last."""

    host: str
    digests: Mapping[str, str]
    """Digest of the value of each setting, by name."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Whether a host may work, and whether its settings are recorded as those in use."""

    differing: tuple[str, ...] = ()
    """Settings for which it is refused: another host has set them last, to other values."""
    record: bool = False


def agree(own: SettingsInUse, known: SettingsInUse | None, *, declared: bool = False) -> Agreement:
    """
    Compare the settings of a host with those in use.

        in use               a person declared its own   result
        none                 any                         record them
        the same             any                         nothing to do
        others, set here     any                         record them: a person changed them here
        others, set elsewhere    yes                     record them
        others, set elsewhere    no                      refuse

    A setting that only one of two versions of this package has is not compared.
    """
    if known is None:
        return Agreement(record=True)
    both = own.digests.keys() & known.digests.keys()
    differing = tuple(sorted(name for name in both if own.digests[name] != known.digests[name]))
    if differing and own.host != known.host and not declared:
        return Agreement(differing)
    return Agreement(record=bool(differing) or declared)
