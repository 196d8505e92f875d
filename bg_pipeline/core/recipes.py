"""The recipes of a catalogue, and which one an item has."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from bg_pipeline.core.delta import Goal
from bg_pipeline.core.filters import matcher
from bg_pipeline.core.naming import PLAIN
from bg_pipeline.core.recipe import Recipe, Rendition

_CACHED = 4096
"""Keys whose recipe is remembered: each is asked for several times in a row."""


@dataclass(frozen=True, slots=True)
class SpecialRecipe:
    """A recipe for some keys of a catalogue."""

    patterns: tuple[str, ...]
    """Gitignore patterns of keys, such as collections."""
    recipe: Recipe

    @property
    def name(self) -> str:
        """The patterns, for people."""
        return ", ".join(self.patterns)


class Recipes:
    """
    All recipes of a catalogue: an item has the first whose pattern matches its key, else the default.

    Args:
        default: the recipe of the catalogue.
        special: recipes for some keys, in the order of trial.

    Raises:
        ValueError: a pattern is wrong.
    """

    def __init__(self, default: Recipe, special: Sequence[SpecialRecipe] = ()) -> None:
        self.default = default
        self.special = tuple(special)
        self._matchers = [
            (number, matcher(pattern, count))
            for number, each in enumerate(self.special)
            for count, pattern in enumerate(each.patterns, 1)
        ]
        self._number_of = lru_cache(_CACHED)(self._first_match)

    def of(self, key: str) -> Recipe:
        """Return the recipe of an item."""
        number = self._number_of(key)
        return self.default if number is None else self.special[number].recipe

    def name_of(self, key: str) -> str:
        """Return the patterns of an item's recipe; empty for the default."""
        number = self._number_of(key)
        return "" if number is None else self.special[number].name

    @property
    def passed_on_digests(self) -> frozenset[str]:
        """Digests of the cuts after whose suspicious result a recipe asks the next account."""
        return frozenset().union(*(each.passed_on_digests for each in self._all))

    @property
    def renditions(self) -> tuple[Rendition, ...]:
        """Those of all recipes."""
        return tuple(rendition for each in self._all for rendition in each.renditions.values())

    @property
    def have_templates(self) -> bool:
        """Return True if an output may be called otherwise than its item, and so like that of another."""
        return any(each.output_name != PLAIN for each in self.renditions)

    def goals(self, *, rerender: bool = False) -> Callable[[str], Goal]:
        """Return the goal of each key; arguments as in `Goal.of`."""
        default, *others = self._goals(rerender)

        def goal_of(key: str) -> Goal:
            number = self._number_of(key)
            return default if number is None else others[number]

        return goal_of

    def common_goal(self, *, rerender: bool = False) -> Goal:
        """Return the names that every recipe accepts: an item that is published by them is up to date in any case."""
        first, *others = self._goals(rerender)
        return Goal(
            tuple(name for name in first.cuts if all(name in other.cuts for other in others)),
            tuple(name for name in first.renditions if all(name in other.renditions for other in others)),
            first.first,
        )

    @property
    def accepted(self) -> Sequence[tuple[Sequence[str], Goal]]:
        """The names that each recipe accepts, with its patterns: all that decides what is up to date."""
        return [*zip(((), *(each.patterns for each in self.special)), self._goals(rerender=False), strict=True)]

    def _goals(self, rerender: bool) -> list[Goal]:
        return [Goal.of(each, rerender=rerender) for each in self._all]

    @property
    def _all(self) -> list[Recipe]:
        return [self.default, *(each.recipe for each in self.special)]

    def _first_match(self, key: str) -> int | None:
        return next((number for number, matches in self._matchers if matches(key)), None)
