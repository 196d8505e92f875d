"""One partition per collection that has items. Never one per image."""

from collections.abc import Sequence

import dagster as dg

MOST_COLLECTIONS = 20_000
"""Most partitions. Dagster's pages stay quick up to about 25,000 per asset, and freeze above 40,000."""

_BATCH = 1_000
"""Partitions added at once. SQLite refused 36,000 in one statement."""


def register(instance: dg.DagsterInstance, name: str, present: Sequence[str]) -> int:
    """
    Give every collection a partition, up to `MOST_COLLECTIONS`.

    Partitions of collections without items are deleted only to make room.

    Args:
        instance: Dagster instance that gets the partitions.
        name: name of the set of partitions.
        present: partition keys of all collections that have items, the most important first.

    Returns:
        Number of collections that have no partition.
    """
    known = set(instance.get_dynamic_partitions(name))
    new = [key for key in present if key not in known]
    for key in sorted(known.difference(present))[: max(0, len(known) + len(new) - MOST_COLLECTIONS)]:
        instance.delete_dynamic_partition(name, key)
        known.remove(key)
    room = max(0, MOST_COLLECTIONS - len(known))
    for start in range(0, min(room, len(new)), _BATCH):
        instance.add_dynamic_partitions(name, new[start : min(start + _BATCH, room)])
    return max(0, len(new) - room)
