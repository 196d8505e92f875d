"""
The slots of an account are shared evenly by the processes that have requests for it.

A process gives a slot that it frees to its own next request. So one that came first would keep all slots, and do all
the work of the others. One that waits and holds fewer therefore says so, and those that hold more leave it what they
free until each has its share.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping

WAITS_S = 1.0
"""Seconds for which the word of a process that it waits counts: if it died, its slots stay free for no longer."""

LEFT_S = 0.25
"""Seconds before a process asks again that leaves a slot to another."""


def process_of(token: str) -> str:
    """Return the process of a request named CLAIM:PROCESS-NUMBER."""
    return token.partition(":")[2].rpartition("-")[0]


def leaves_it(token: str, tokens: Iterable[str], waiting: Mapping[str, float], width: int) -> bool:
    """
    Return True if a process that asks for a slot has its share, and another waits that has not.

    Args:
        token: the request that asks.
        tokens: the requests that have a slot.
        waiting: the processes whose word that they wait counts.
        width: most slots.
    """
    held, mine = Counter(map(process_of, tokens)), process_of(token)
    share = width // len({mine, *held, *waiting})
    return held[mine] >= share and any(held[each] < share for each in waiting)


def says_it(process: str, tokens: Collection[str], waiting: Mapping[str, float], width: int, now: float) -> bool:
    """Return True if a process that waits is to say so: all slots are taken, and it holds less than its share."""
    held = Counter(map(process_of, tokens))
    has_said = abs(now - waiting.get(process, 0.0)) < WAITS_S / 2
    lacks = held[process] < width // len({process, *held, *within(waiting, now)})
    return len(tokens) >= width and lacks and not has_said


def within(waiting: Mapping[str, float], now: float) -> dict[str, float]:
    """Return those whose word counts, and when they gave it in epoch seconds."""
    return {process: at for process, at in waiting.items() if abs(now - at) < WAITS_S}
