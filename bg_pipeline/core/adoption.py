"""Which file that another tool made is the cutout of which item. By name only: the picture has the last word."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from bg_pipeline.core.formats import Format
from bg_pipeline.core.keys import key_bytes, marked_stem, preferred_stem

_EXTENSIONS = frozenset(kind.extension for kind in Format if kind.has_alpha)
"""Of files that can be a master."""

_SUFFIXES = ("-withoutbg",)
"""What tools of no vendor append: withoutbg's command line (read 2026-11). `rembg p` writes bare names."""


@dataclass(frozen=True, slots=True)
class Matching:
    """What the names tell."""

    pairs: Mapping[str, str]
    """Key to the one file that may be its cutout; no file belongs to two keys."""
    unclear: Mapping[str, str]
    """Key to the reason why none of the files that may be its cutout was taken."""


def match(
    wanted: Collection[str], catalogue: Iterable[str], names: Iterable[str], suffixes: Sequence[str] = ()
) -> Matching:
    """
    Give each file to the item that it is named after, if it can be no other.

        item             file, in the order in which names are tried
        shoes/a.jpg      shoes/a~<mark>.png       our own name for one of two twins
                         shoes/a.png              the same tree
                         shoes/a-withoutbg.png    the same tree, with what a tool appends
                         a.png                    folders dropped
                         a-withoutbg.png          folders dropped, with what a tool appends

    Args:
        wanted: keys that a file is looked for.
        catalogue: every key, those included: a file that may be another item's cutout is given to none.
        names: the files, as paths below their folder.
        suffixes: what the vendors' own tools append.

    Returns:
        The same for any order of keys and names.
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
            found = sorted(files[stem], key=key_bytes)
            if len(claimants) > 1:
                unclear |= {key: f"{found[0]} may be that of {_another(key, claimants)} too" for key in claimants}
            elif len(found) > 1:
                unclear[claimants[0]] = f"{found[0]} and {found[1]} may both be it"
            else:
                pairs[claimants[0]] = found[0]
                del files[stem], rest[claimants[0]]

    wanted = set(wanted)
    return Matching(
        {key: name for key, name in pairs.items() if key in wanted},
        {key: why for key, why in unclear.items() if key in wanted and key not in pairs},
    )


def stems_from_before(keys: Iterable[str], names: Iterable[str]) -> dict[str, str]:
    """The keys among these that had another output name than their plain one, as the outputs tell, and that name."""
    shown = {name.rpartition(".")[0] for name in names if "~" in name}
    return {key: stem for key in keys if (stem := marked_stem(key)) in shown}


def _stems(key: str, suffixes: Sequence[str]) -> tuple[str, ...]:
    """Every name that a cutout of this item may have, without extension, the surest first."""
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
