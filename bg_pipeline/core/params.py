"""The parameters that a vendor documents: which values it accepts, and what its answer then is."""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from enum import IntEnum

BY_CLIENT = "the client sets it"
NO_CUTOUT = "the answer would be no cutout"
A_FILE = "a file cannot be passed"


class Effect(IntEnum):
    """What a parameter makes of the answer, in ascending order: of several, the last one counts."""

    KEEPS = 0
    """Frame, colours and transparency are as without it."""
    COLOURS = 1
    """Other colours in the frame of the picture, such as a shadow."""
    FRAME = 2
    """A cutout in a frame of its own, such as a crop."""
    BACKDROP = 3
    """A background behind the subject, which stays where it is: there may be no transparency."""
    SCENE = 4
    """A picture of its own, such as a template: another frame, and maybe no transparency."""


@dataclass(frozen=True, slots=True)
class Values:
    """The values that a parameter accepts."""

    says: str
    """Them, for a person: `one of a, b`."""
    accepts: Callable[[str], bool]


def one_of(*values: str) -> Values:
    """Accept these values."""
    return Values(f"one of {', '.join(values)}" if len(values) > 1 else values[0], lambda value: value in values)


def transparent(*formats: str) -> Values:
    """Accept these formats of the answer."""
    return Values(f"one of {', '.join(formats)}, which carry transparency", lambda value: value in formats)


def matching(pattern: str, says: str) -> Values:
    """Accept what a regular expression matches as a whole."""
    return Values(says, lambda value: re.fullmatch(pattern, value) is not None)


def number(least: float, most: float, *words: str, whole: bool = False) -> Values:
    """Accept numbers in decimal notation from `least` to `most`, and these words."""
    pattern = r"\d+" if whole else r"\d+(\.\d+)?"
    says = f"a {'whole ' if whole else ''}number from {least:g} to {most:g}"
    return Values(
        f"{says}, or one of {', '.join(words)}" if len(words) > 1 else f"{says}, or {words[0]}" if words else says,
        lambda value: value in words or (re.fullmatch(pattern, value) is not None and least <= float(value) <= most),
    )


TEXT = Values("text", bool)
BOOLEAN = one_of("true", "false")
WEB_URL = matching(r"https?://\S+", "a URL")

OFF = frozenset({"", "false", "none", "off"})
"""Values that switch a parameter off, at every vendor."""


@dataclass(frozen=True, slots=True)
class Param:
    """One parameter."""

    values: Values
    effect: Effect = Effect.KEEPS
    off: Collection[str] = OFF
    """Values with which it has no effect."""
    refused: str = ""
    """Reason why it may not be passed; empty if it may."""
    needs: str = ""
    """Another parameter without which it does nothing."""
    excludes: Collection[str] = ()
    """Parameters that the vendor refuses beside it."""
    kinds: Collection[str] = ()
    """Kinds of subjects for which alone it can be set, in brackets: `shadow_type[car]`."""


def refused(names: Collection[str], why: str) -> dict[str, Param]:
    """Return parameters that may not be passed."""
    return {name: Param(TEXT, refused=why) for name in names}


def base_name(name: str) -> str:
    """Return a parameter's name without the kind of subject that it is for."""
    return name.partition("[")[0]


def refusal(title: str, known: Mapping[str, Param], passed: Mapping[str, str], *, others: bool = False) -> str:
    """
    Return the reason not to pass these parameters; empty if none.

    Args:
        title: the vendor's name for people.
        known: its parameters.
        passed: parameters by name, as they would be sent.
        others: True if the vendor may have further ones that are not documented.
    """
    if passed and not known and not others:
        return f"{title} takes no parameters"
    names = {base_name(name) for name in passed}
    for name, value in passed.items():
        param = known.get(base_name(name))
        if param is None:
            if others:
                continue
            similar = get_close_matches(name, known, n=1)
            meant = f"did you mean {similar[0]}? It has" if similar else "it has"
            return f"{title} has no parameter {name}; {meant} {', '.join(passable(known))}"
        if why := _refused(name, value, param, names):
            return why
    return ""


def effect(known: Mapping[str, Param], passed: Mapping[str, str]) -> tuple[Effect, str]:
    """Return what these parameters make of the answer, and the one that does it: `name=value`."""
    strongest = Effect.KEEPS, ""
    for name, value in sorted(passed.items()):
        param = known.get(base_name(name))
        each = Effect.COLOURS if param is None else param.effect
        is_off = value in (OFF if param is None else param.off)
        if each > strongest[0] and not is_off:
            strongest = each, f"{name}={value}"
    return strongest


def _refused(name: str, value: str, param: Param, passed: Collection[str]) -> str:
    kind = name.removeprefix(base_name(name)).strip("[]")
    if param.refused:
        return f"{name} cannot be passed: {param.refused}"
    if kind and kind not in param.kinds:
        return f"{name}: {base_name(name)} has no kinds" + (f" but {', '.join(param.kinds)}" if param.kinds else "")
    if not param.values.accepts(value):
        return f"{name}={value} is not accepted: it must be {param.values.says}"
    if param.needs and param.needs not in passed:
        return f"{name} does nothing without {param.needs}"
    if other := next((each for each in param.excludes if each in passed), ""):
        return f"{name} cannot be passed beside {other}"
    return ""


_MOST_NAMES = 20


def passable(known: Mapping[str, Param]) -> list[str]:
    """Return the names that may be passed; of many, groups in place of their members: `shadow.…`."""
    names = [name for name, param in known.items() if not param.refused]
    if len(names) <= _MOST_NAMES:
        return names
    return list(dict.fromkeys(f"{name.partition('.')[0]}.…" if "." in name else name for name in names))
