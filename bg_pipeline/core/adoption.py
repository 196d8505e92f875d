"""Match files of other tools to items, by name only: the picture itself is checked afterwards."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from bg_pipeline.core.formats import Format
from bg_pipeline.core.keys import key_bytes, marked_stem, plain_stem, preferred_stem
from bg_pipeline.core.naming import NameTemplate

_EXTENSIONS = frozenset(kind.extension for kind in Format if kind.has_alpha)
"""Extensions of files that can be a master."""

_SUFFIXES = (
    *("-withoutbg", "_no_bg", "_nobg", "-no-bg", "-nobg", "-no-background", "_no_background", "_cutout", "-cutout"),
    *(".out", "_out", "_rembg", "-rembg", "_transparent", "-transparent", " (1)"),
)
"""Suffixes that tools and people append, beside those of the vendors' own tools (`Vendor.suffixes`)."""


@dataclass(frozen=True, slots=True)
class Matching:
    """The result of matching by name."""

    pairs: Mapping[str, str]
    """Key to the one file that may be its cutout; no file belongs to two keys."""
    unclear: Mapping[str, str]
    """Key to the reason why none of its possible cutouts was taken."""


def match(
    wanted: Collection[str],
    catalogue: Iterable[str],
    names: Iterable[str],
    suffixes: Sequence[str] = (),
    pattern: str = "",
) -> Matching:
    """
    Match each file to the item that it is named after, if no other item is possible.

        item             file, in the order in which names are tried
        shoes/a.jpg      shoes/a~<mark>.png       our own name for one of two items with the same stem
                         shoes/a_final.png        the pattern `{stem}_final`, if it was given, with either of both
                         shoes/a.png              the same tree
                         shoes/a.jpg.png          the same tree, with the extension of the picture
                         shoes/a-withoutbg.png    the same tree, with what a tool appends
                         a.png                    folders dropped
                         a-withoutbg.png          folders dropped, with what a tool appends

    Args:
        wanted: keys that need a file.
        catalogue: every key, including `wanted`: a file that may be another item's cutout is matched to none.
        names: the files, as paths below their folder.
        suffixes: suffixes of the vendors' own tools.
        pattern: name of a cutout without its extension; `{stem}` stands for the picture's, `{name}` for its whole file
            name, `{folder}` for its folder. With a slash it is a whole path, else a name in the same folder or in none.

    Returns:
        The matching; it does not depend on the order of keys and names.

    Raises:
        ValueError: the pattern names no picture, or has other placeholders.
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
        if not files.keys().isdisjoint(stems := _stems(key, suffixes, pattern))
    }
    for rank in range(len(_stems("a", suffixes, pattern))):
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


def stems_from_before(
    keys: Iterable[str], names: Iterable[str], template_of: Callable[[str], NameTemplate]
) -> dict[str, str]:
    """
    Return the marked stem of every key that has an output of that stem.

    Args:
        keys: the items.
        names: outputs.
        template_of: returns the template of the main output of a key.
    """
    marked = {name.rpartition(".")[0] for name in names if "~" in name}
    return {key: stem for key in keys if template_of(key).name_of(stem := marked_stem(key)) in marked}


def _stems(key: str, suffixes: Sequence[str], pattern: str) -> tuple[str, ...]:
    """Return every name that a cutout of this item may have, without extension, the most certain first."""
    suffixes = (*_SUFFIXES, *suffixes)
    plain = preferred_stem(key)
    names = (plain, key, *(plain + suffix for suffix in suffixes))
    return (
        marked_stem(key),
        *(_by_pattern(key, marked_stem(key).rpartition("/")[2], pattern) if pattern else ()),
        *(_by_pattern(key, plain_stem(key).rpartition("/")[2], pattern) if pattern else ()),
        *names,
        *(name.rpartition("/")[2] for name in names),
    )


def _by_pattern(key: str, stem: str, pattern: str) -> tuple[str, str]:
    folder, slash, name = key.rpartition("/")
    if "{stem}" not in pattern and "{name}" not in pattern:
        raise ValueError("it names no picture: it needs {stem} or {name}")
    try:
        made = pattern.format(stem=stem, name=name, folder=folder)
    except (KeyError, IndexError, ValueError) as error:
        raise ValueError("it may contain {stem}, {name} and {folder}, and no other braces") from error
    return (made.lstrip("/"), made.lstrip("/")) if "/" in pattern else (f"{folder}{slash}{made}", made)


def _another(key: str, claimants: list[str]) -> str:
    return next(other for other in claimants if other != key)
