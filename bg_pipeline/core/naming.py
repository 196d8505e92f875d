"""Names of outputs, made from the name of an item by a template."""

import re
from dataclasses import dataclass
from functools import lru_cache

PLAIN = "{stem}"
"""Template of the first rendition of a catalogue: the output is called like its item."""

BESIDE = "{stem}.{rendition}"
"""Template of each further rendition."""

_TEMPLATE = re.compile(r"(?P<before>[^{}]*)(?:\{folder\}/(?P<prefix>[^{}/]*))?\{stem\}(?P<suffix>[^{}]*)")
_NOT_IN_NAMES = re.compile(r"[\x00-\x1f\x7f\\]|(^|/)(?=[./]|$)")
"""What no store takes, and parts of a path that are empty or hidden."""

_LONGEST = 60


@dataclass(frozen=True, slots=True)
class NameTemplate:
    """A template as its literal parts, around the folder and the name of an item."""

    before: str
    """Before the item's folder."""
    prefix: str
    """Before the item's name, in the same part of the path."""
    suffix: str

    def name_of(self, stem: str) -> str:
        """Return the output name, without extension, of an item whose plain output name this is."""
        folder, slash, name = stem.rpartition("/")
        return f"{self.before}{folder}{slash}{self.prefix}{name}{self.suffix}"

    def stem_of(self, name: str) -> str | None:
        """Return the plain output name of the item that would get this name; None if no item would."""
        if not name.startswith(self.before) or not name.endswith(self.suffix):
            return None
        folder, slash, last = name[len(self.before) : len(name) - len(self.suffix)].rpartition("/")
        rest = last.removeprefix(self.prefix)
        return f"{folder}{slash}{rest}" if rest and last.startswith(self.prefix) else None


@lru_cache(64)
def name_template(template: str) -> NameTemplate:
    """
    Parse a template: `{stem}` stands for the item's name without extension, `{folder}` for its folder.

    Without a slash, the output is in the folder of its item.

    Raises:
        ValueError: the template would give two items one name, or a name that no store takes.
    """
    match = _TEMPLATE.fullmatch(template)
    if match is None:
        raise ValueError("must have {stem} once, and of other braces only {folder}/ before it and {rendition}")
    before, prefix, suffix = match["before"], match["prefix"], match["suffix"]
    if prefix is None:
        if "/" in before or "/" in suffix:
            raise ValueError("has a slash, so it must have {folder}/ too: items of two folders may have the same name")
        before, prefix = "", before
    made = NameTemplate(before, prefix, suffix)
    if _NOT_IN_NAMES.search(made.name_of("f/s")) or len(before + prefix + suffix) > _LONGEST:
        raise ValueError(
            f"must have at most {_LONGEST} letters of its own, and give a path whose parts are not empty and begin"
            " with no dot"
        )
    return made
