"""
Decide if a host may work with its settings, where several work for one catalogue.

With two recipes, each host would make the outputs of the other again, and with two caps neither would hold.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum


class Purpose(Enum):
    """What a host compares its settings for."""

    LOOK = "look"
    """To tell a person; nothing is recorded."""
    WORK = "work"
    DECLARE = "declare"
    """A person says that they count from now on."""


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


def agree(own: SettingsInUse, known: SettingsInUse | None, purpose: Purpose) -> Agreement:
    """
    Compare the settings of a host with those in use.

        in use                   purpose    result
        any                      declare    record its own
        none                     work       record its own
        the same                 work       nothing to do
        others, set here         work       record its own: a person changed them here
        others, set elsewhere    work       refuse
        as for work              look       the same, and nothing is recorded

    A setting that only one of two versions of this package has is not compared.
    """
    if purpose is Purpose.DECLARE:
        return Agreement(record=True)
    may_record = purpose is Purpose.WORK
    if known is None:
        return Agreement(record=may_record)
    both = own.digests.keys() & known.digests.keys()
    differing = tuple(sorted(name for name in both if own.digests[name] != known.digests[name]))
    if differing and own.host != known.host:
        return Agreement(differing)
    return Agreement(record=bool(differing) and may_record)
