"""Match files of other tools to items, by name only: the picture itself is checked afterwards."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from bg_pipeline.core.formats import Format
from bg_pipeline.core.keys import key_bytes, marked_stem, preferred_stem

_EXTENSIONS = frozenset(kind.extension for kind in Format if kind.has_alpha)
"""Extensions of files that can be a master."""

_SUFFIXES = ("-withoutbg",)
"""Suffixes of tools that belong to no vendor: withoutbg's command line (read 2026-11). `rembg p` writes bare names."""


@dataclass(frozen=True, slots=True)
class Matching:
    """The result of matching by name."""

    pairs: Mapping[str, str]
    """Key to the one file that may be its cutout; no file belongs to two keys."""
    unclear: Mapping[str, str]
    """Key to the reason why none of its possible cutouts was taken."""


def match(
    wanted: Collection[str], catalogue: Iterable[str], names: Iterable[str], suffixes: Sequence[str] = ()
) -> Matching:
    """
    Match each file to the item that it is named after, if no other item is possible.

        item             file, in the order in which names are tried
        shoes/a.jpg      shoes/a~<mark>.png       our own name for one of two items with the same stem
                         shoes/a.png              the same tree
                         shoes/a-withoutbg.png    the same tree, with what a tool appends
                         a.png                    folders dropped
                         a-withoutbg.png          folders dropped, with what a tool appends

    Args:
        wanted: keys that need a file.
        catalogue: every key, including `wanted`: a file that may be another item's cutout is matched to none.
        names: the files, as paths below their folder.
        suffixes: suffixes of the vendors' own tools.

    Returns:
        The matching; it does not depend on the order of keys and names.
    """
    files: dict[str, list[str]] = {}
    for name in names:
        stem, _, extension = name.rpartition(".")
        if f".{extension.lower()}" in _EXTENSIONS:
            files.setdefault(stem, []).append(name)

    pairs: dict[str, str] = {}
    unclear: dict[str, str] = {}
    rest = {
        key: stems
        for key in sorted(catalogue, key=key_bytes)
        if not files.keys().isdisjoint(stems := _stems(key, suffixes))
    }
    for rank in range(len(_stems("a", suffixes))):
        claims: dict[str, list[str]] = {}
        for key, stems in rest.items():
            if stems[rank] in files:
                claims.setdefault(stems[rank], []).append(key)
        for stem, claimants in claims.items():
            names_of_stem = sorted(files[stem], key=key_bytes)
            if len(claimants) > 1:
                unclear |= {
                    key: f"{names_of_stem[0]} may also be the cutout of {_another(key, claimants)}" for key in claimants
                }
            elif len(names_of_stem) > 1:
                unclear[claimants[0]] = f"both {names_of_stem[0]} and {names_of_stem[1]} may be its cutout"
            else:
                pairs[claimants[0]] = names_of_stem[0]
                del files[stem], rest[claimants[0]]

    wanted = set(wanted)
    return Matching(
        {key: name for key, name in pairs.items() if key in wanted},
        {key: why for key, why in unclear.items() if key in wanted and key not in pairs},
    )


def stems_from_before(keys: Iterable[str], names: Iterable[str]) -> dict[str, str]:
    """Return the marked stem of every key that has an output of that stem among these names."""
    marked = {name.rpartition(".")[0] for name in names if "~" in name}
    return {key: stem for key in keys if (stem := marked_stem(key)) in marked}


def _stems(key: str, suffixes: Sequence[str]) -> tuple[str, ...]:
    """Return every name that a cutout of this item may have, without extension, the most certain first."""
    plain = preferred_stem(key)
    flat = plain.rpartition("/")[2]
    suffixes = (*_SUFFIXES, *suffixes)
    return (
        marked_stem(key),
        plain,
        *(plain + suffix for suffix in suffixes),
        flat,
        *(flat + suffix for suffix in suffixes),
    )


def _another(key: str, claimants: list[str]) -> str:
    return next(other for other in claimants if other != key)
