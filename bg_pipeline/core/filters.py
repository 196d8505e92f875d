"""Choose the keys of a source that are items, by gitignore patterns."""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache

from pathspec import GitIgnoreSpec

_NOT_INCLUDED = "BG_INCLUDE"
"""The answer of `Filter.leaves_out` for a key that no pattern of `include` matches."""

_GROUP = re.compile(r"\(\?P<\w+>")


class Filter:
    """
    A choice of keys, by the rules of gitignore: the last pattern that matches decides, and nothing below a folder that
    is left out can be chosen again.

    Args:
        include: patterns of which an item must match one, by itself or by a folder above it; empty for all keys.
        exclude: patterns of keys and folders that are left out; one that begins with `!` chooses again.

    Raises:
        ValueError: a pattern is wrong.
    """

    def __init__(self, include: Sequence[str] = (), exclude: Sequence[str] = ()) -> None:
        self.patterns = tuple(include), tuple(exclude)
        """The arguments: filters with the same ones leave out the same keys."""
        self._include = _compile(include) if include else None
        self._patterns = tuple(exclude)
        self._exclude = _compile(exclude)
        # One expression for all patterns rules out most keys in a third of the time.
        expressions = (p.regex.pattern for p in self._exclude.patterns if p.include and p.regex is not None)
        self._any = re.compile("|".join(_GROUP.sub("(?:", each) for each in expressions) or r"(?!)")
        self._of_folder = lru_cache(4096)(self._by_folder)

    def leaves_out(self, key: str) -> str:
        """Return the pattern, or the setting, that leaves out a key or a folder with its slash; empty if none does."""
        if pattern := self._of_folder(_parent(key)) or self._by_itself(key):
            return pattern
        if self._include is None or key.endswith("/") or self._include.match_file(key):
            return ""
        return _NOT_INCLUDED

    def _by_folder(self, folder: str) -> str:
        return folder and (self._of_folder(_parent(folder)) or self._by_itself(folder))

    def _by_itself(self, key: str) -> str:
        if self._any.match(key) is None:
            return ""
        result = self._exclude.check_file(key, separators=())
        return self._patterns[result.index] if result.include and result.index is not None else ""


def matcher(pattern: str, number: int) -> Callable[[str], bool]:
    """
    Return the test of keys by one gitignore pattern; a pattern of a folder matches everything below.

    Args:
        pattern: without `!`.
        number: its place among others, for messages.

    Raises:
        ValueError: the pattern is wrong.
    """
    if pattern.startswith("!"):
        raise ValueError(f"pattern {number} begins with !, which has no meaning here")
    return _compile([pattern], number).match_file


def _parent(key: str) -> str:
    """Return the folder of a key or of a folder, with its slash; empty at the top."""
    folder, slash, _ = key[:-1].rpartition("/")
    return folder + slash


def _compile(patterns: Sequence[str], first: int = 1) -> GitIgnoreSpec:
    for number, pattern in enumerate(patterns, first):
        if pattern.count("{") != pattern.count("}"):
            raise ValueError(f"pattern {number} has a brace without its partner; write *.jpg, *.png for *.{{jpg,png}}")
        try:
            (compiled,) = GitIgnoreSpec.from_lines([_literal(pattern)]).patterns
        except ValueError as error:
            raise ValueError(f"pattern {number} is not a gitignore pattern") from error
        if compiled.include is None:
            raise ValueError(f"pattern {number} matches no name: check its brackets and slashes")
    return GitIgnoreSpec.from_lines(map(_literal, patterns), backend="simple")


def _literal(pattern: str) -> str:
    """Escape a leading `#`: a list in a setting has no comments, and NAS folders have such names."""
    return rf"\{pattern}" if pattern.startswith("#") else pattern
