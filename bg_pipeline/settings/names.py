"""Recognize names of settings that do not exist."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from bg_pipeline.settings.reader import ENVIRONMENT


@dataclass(frozen=True, slots=True)
class UnknownName:
    """A name that is no setting."""

    name: str
    origin: str
    similar: str
    """The setting that is probably meant; empty if none is similar."""

    @property
    def is_error(self) -> bool:
        """True in a file of settings; in the environment, other programs may have variables with the same prefix."""
        return self.origin != ENVIRONMENT

    def __str__(self) -> str:
        where = "in the environment" if self.origin == ENVIRONMENT else f"in {self.origin}"
        meant = f"did you mean {self.similar.upper()}?" if self.similar else "docs/settings.md lists all"
        return f"{self.name.upper()} {where} is no setting; {meant}"


def unknown_names(
    origins: Mapping[str, str], known: Collection[str], prefixes: Collection[str], own_file: str
) -> Iterator[UnknownName]:
    """
    Yield the names that are no setting.

    A name counts if it begins with a prefix of settings. In `own_file` every name counts: no other program reads it.

    Args:
        origins: origin of each written name, in lower case; see `RawSettings.origins`.
        known: names of all settings, in lower case.
        prefixes: with which their names begin, without the `_` that follows.
        own_file: path of `bg_pipeline.toml`.
    """
    for name, origin in sorted(origins.items()):
        ours = origin == own_file or any(name.startswith(f"{prefix}_") for prefix in prefixes)
        if ours and name not in known:
            similar = get_close_matches(name, known, n=1, cutoff=0.75) or get_close_matches(
                f"bg_{name}", known, n=1, cutoff=0.75
            )
            yield UnknownName(name, origin, similar[0] if similar else "")
