"""A canary: a changed recipe is tried on a few pictures before it is bought for all."""

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import zip_longest

from bg_pipeline.core.filters import matcher
from bg_pipeline.core.keys import key_bytes
from bg_pipeline.core.records import Change

SAMPLE = 5
"""Pictures on which a recipe is tried; so many may be bought without a canary."""

CANARY_PAGE = "canary/index.html"
"""Name in the gallery of the page of the last canary."""


@dataclass(frozen=True, slots=True)
class Difference:
    """How a new cutout differs from the published one."""

    alpha: float
    """Mean absolute difference of the alpha, as a share of full opacity."""
    colour: float
    """Mean colour difference (CIE 1976, ΔE) where both are opaque."""
    changed: float
    """Share of the pixels that look different."""
    moved: float
    """Largest move of a side of the subject's box, as a share of the longest side."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One picture of a canary."""

    key: str
    cut_digest: str
    """The cut that was tried."""
    difference: Difference | None = None
    """None where there is no new cutout."""
    problem: str = ""
    """Why there is none, or why a person should look at it."""


@dataclass(frozen=True, slots=True)
class Extent:
    """The part of a changed recipe that a person requests."""

    collections: frozenset[str] | None = None
    sample: int | None = None
    """Most pictures of each collection; None for all."""
    without_canary: bool = False
    """True to buy it although no canary of the recipe is accepted."""

    def of(self, requested: Iterable[Change]) -> list[Change]:
        """Return the purchases that can be made of these."""
        taken: Counter[str] = Counter()
        chosen = []
        for each in requested:
            if self.collections is None or each.collection in self.collections:
                taken[each.collection] += 1
                if self.sample is None or taken[each.collection] <= self.sample:
                    chosen.append(each)
        return chosen


class Rating(StrEnum):
    """How far a new cutout is from the old one, in words."""

    AS_BEFORE = "as before"
    SLIGHT = "slightly different"
    CLEAR = "clearly different: look at it"
    SUSPICIOUS = "suspicious: look at it"
    NONE = "no cutout"


_LIMITS = (
    (Rating.AS_BEFORE, Difference(alpha=0.005, colour=1.0, changed=0.01, moved=0.005)),
    (Rating.SLIGHT, Difference(alpha=0.02, colour=3.0, changed=0.05, moved=0.02)),
)
"""Largest difference of each rating. A ΔE of 1 is just visible beside each other, one of 3 also apart."""


def rating_of(trial: Trial) -> Rating:
    """Return the rating about one picture."""
    if trial.difference is None:
        return Rating.NONE
    if trial.problem:
        return Rating.SUSPICIOUS
    each = trial.difference
    for rating, most in _LIMITS:
        if (
            each.alpha <= most.alpha
            and each.colour <= most.colour
            and each.changed <= most.changed
            and each.moved <= most.moved
        ):
            return rating
    return Rating.CLEAR


def in_words(difference: Difference | None) -> str:
    """Return the measures of a difference; empty without one."""
    if difference is None:
        return ""
    return (
        f"alpha {difference.alpha:.1%}, colour ΔE {difference.colour:.1f}, pixels changed {difference.changed:.1%}, "
        f"box moved {difference.moved:.1%}"
    )


def in_sum(trials: Sequence[Trial]) -> str:
    """Return the ratings about all pictures, with their numbers."""
    counts = Counter(map(rating_of, trials))
    return "; ".join(f"{counts[each]} {each}" for each in Rating if counts[each]) or "nothing was tried"


def choose(
    held: Sequence[Change], golden: Sequence[str], cut_of: Callable[[str], str], most: int | None
) -> list[Change]:
    """
    Choose the pictures on which a recipe is tried.

        golden pictures          `most`    chosen
        some of them are held    None      all of those
        some of them are held    N         the first N of those in key order
        none of them is held     None      SAMPLE of all that are held
        none of them is held     N         N of all that are held

    A sample takes pictures in turn from each cut and collection, in an order that depends on their keys alone.

    Args:
        held: what a changed recipe would buy again.
        golden: keys or gitignore patterns of pictures that a person chose.
        cut_of: returns the digest of the cut that a key would be bought with.
        most: most pictures.

    Raises:
        ValueError: a pattern is wrong.
    """
    matchers = [matcher(pattern, number) for number, pattern in enumerate(golden, 1)]
    if chosen := [each for each in held if any(matches(each.key) for matches in matchers)]:
        return chosen[:most]
    of_cuts: dict[str, list[Change]] = {}
    for each in held:
        of_cuts.setdefault(cut_of(each.key), []).append(each)
    in_turns = [list(_in_turns(group)) for _, group in sorted(of_cuts.items())]
    sample = [each for turn in zip_longest(*in_turns) for each in turn if each is not None]
    return sorted(sample[: SAMPLE if most is None else most], key=lambda each: key_bytes(each.key))


def _in_turns(changes: Iterable[Change]) -> Iterator[Change]:
    """Yield changes in turn from each collection, in an order that depends on their keys alone."""
    groups: dict[str, list[Change]] = {}
    for each in sorted(changes, key=lambda each: (_rank(each.collection), _rank(each.key))):
        groups.setdefault(each.collection, []).append(each)
    for turn in zip_longest(*groups.values()):
        yield from filter(None, turn)


def _rank(text: str) -> bytes:
    return hashlib.sha256(key_bytes(text)).digest()


def refusal(requested: Iterable[Change], cut_of: Callable[[str], str], accepted: Collection[str]) -> str:
    """
    Return why the purchases of a changed recipe may not be made yet; empty if they may.

    Args:
        requested: purchases that only the changed recipe needs.
        cut_of: returns the digest of the cut that a key is bought with.
        accepted: cuts whose canary a person accepted.
    """
    untried = Counter(cut for change in requested if change.purchase and (cut := cut_of(change.key)) not in accepted)
    count = untried.total()
    if count <= SAMPLE:
        return ""
    return (
        f"{count:,} purchases of a changed recipe were requested, and no canary of it is accepted. Nothing was bought. "
        "`bg-pipeline canary` tries it on a few pictures, then `bg-pipeline canary accept` allows the rest. Up to "
        f"{SAMPLE} need none: `sync --recipe-change-share {SAMPLE}`; `sync --without-canary` allows all"
    )
