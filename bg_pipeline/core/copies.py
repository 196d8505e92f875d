"""Recognize pictures that a shop made of others, by name only."""

import re
from collections.abc import Iterable

from bg_pipeline.core.keys import plain_stem

_MARKS = {
    "*-[0-9]*x[0-9]*.*": re.compile(r"-\d+x\d+$"),
    "*-scaled.*": re.compile(r"-scaled$"),
    "*[_-]small.*": re.compile(r"[_-]small$", re.IGNORECASE),
    "*[_-]medium.*": re.compile(r"[_-]medium$", re.IGNORECASE),
    "*[_-]large.*": re.compile(r"[_-]large$", re.IGNORECASE),
    "*[_-]thumb.*": re.compile(r"[_-]thumb(nail)?$", re.IGNORECASE),
    "*@[0-9]x.*": re.compile(r"@\dx$"),
}
"""
What ends the name of a copy, by the gitignore pattern that leaves it out. The first two are WordPress's
(developer.wordpress.org: `wp_get_registered_image_subsizes`, `big_image_size_threshold`), the last is Apple's.
"""


def marked_copies(keys: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Return (name of the original without extension, pattern) of each key that is named like a copy."""
    marked = {}
    for key in keys:
        stem = plain_stem(key)
        for pattern, mark in _MARKS.items():
            original = mark.sub("", stem)
            if original != stem and not original.endswith("/"):
                marked[key] = (original, pattern)
                break
    return marked


def count_copies(marked: dict[str, tuple[str, str]], listed: Iterable[str]) -> dict[str, int]:
    """
    Count the copies whose original is beside them, or that are one of several sizes of one picture.

    Args:
        marked: see `marked_copies`.
        listed: all keys of the catalogue.

    Returns:
        Gitignore pattern to the number of copies that it leaves out. Of several sizes without their original, one is
        not counted.
    """
    originals = {original for original, _ in marked.values()}
    beside = originals.intersection(plain_stem(key) for key in listed)
    counts: dict[str, int] = {}
    for original, pattern in marked.values():
        if original in beside:
            counts[pattern] = counts.get(pattern, 0) + 1
        beside.add(original)
    return counts
