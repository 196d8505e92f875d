"""One partition per collection, added when the collection appears in the delta. Never one per image."""

from collections.abc import Collection, Sequence

import dagster as dg

collections = dg.DynamicPartitionsDefinition(name="collections")

MOST_COLLECTIONS = 20_000
"""Most partitions. Dagster's pages stay quick up to about 25,000 per asset, and freeze above 40,000."""

_BATCH = 1_000
"""Partitions added at once. SQLite refused 36,000 in one statement."""


def register(instance: dg.DagsterInstance, wanted: Sequence[str], present: Collection[str]) -> None:
    """
    Add partitions for collections that have none yet.

    Args:
        instance: Dagster instance that gets the partitions.
        wanted: partition keys that must exist.
        present: partition keys of all collections that have items; the others are deleted when the limit is reached.

    Raises:
        Failure: there would be more than `MOST_COLLECTIONS`.
    """
    name = str(collections.name)
    known = set(instance.get_dynamic_partitions(name))
    new = [key for key in wanted if key not in known]
    if len(known) + len(new) > MOST_COLLECTIONS:
        for key in known - set(present):
            instance.delete_dynamic_partition(name, key)
            known.remove(key)
    if len(known) + len(new) > MOST_COLLECTIONS:
        raise dg.Failure(
            f"{len(known) + len(new)} collections are more than the {MOST_COLLECTIONS} that Dagster can show: lower "
            "BG_COLLECTION_DEPTH, so that fewer folders name a collection. Nothing was bought; pending items are "
            "published all the same",
            allow_retries=False,
        )
    for start in range(0, len(new), _BATCH):
        instance.add_dynamic_partitions(name, new[start : start + _BATCH])
