"""What a person decides about results that look suspicious."""

from bg_pipeline.core.recipe import work_id
from bg_pipeline.core.records import Entry, State
from bg_pipeline.errors import ConfigurationError
from bg_pipeline.steps.parts import Parts


def waiting(parts: Parts) -> list[Entry]:
    """Items in quarantine whose picture is still there, in key order."""
    return [entry for entry in parts.manifest.in_state(State.QUARANTINED) if not entry.absent]


def approve(parts: Parts, key: str) -> list[str]:
    """
    Have the next sync publish it from the master that was paid for; with it all items that have the same picture.

    Returns:
        The keys that are pending now.

    Raises:
        ConfigurationError: it is not in quarantine, or publishing it would cost something.
    """
    entry = _quarantined(parts, key)
    if entry.work_id not in {work_id(entry.content_hash, cut.hash) for cut in parts.recipe.cuts}:
        raise ConfigurationError(
            f"{key}: the picture or the recipe changed since it was cut out; `bg-pipeline plan` tells what comes of it"
        )
    stages = {work_id(entry.content_hash, stage.hash) for cut in parts.recipe.cuts for stage in cut.stages}
    odd = [master for work in stages if (master := parts.ledger.master(work)) and master.suspicion]
    if not odd:
        raise ConfigurationError(f"{key}: its master is not on record any more; try `bg-pipeline rebuild`")
    for master in odd:
        parts.ledger.approve_master(master.work_id)
    return parts.manifest.end_quarantine(entry.work_id, State.PENDING, "approved in a review")


def reject(parts: Parts, key: str) -> list[str]:
    """
    Leave it without a cutout until its picture or the recipe changes; with it all items that have the same picture.

    Returns:
        The keys that failed now.

    Raises:
        ConfigurationError: it is not in quarantine.
    """
    entry = _quarantined(parts, key)
    return parts.manifest.end_quarantine(entry.work_id, State.FAILED, f"rejected in a review: {entry.detail}")


def _quarantined(parts: Parts, key: str) -> Entry:
    entry = parts.manifest.entry(key)
    if entry is None or entry.state is not State.QUARANTINED:
        state = "not in the manifest" if entry is None else entry.state
        raise ConfigurationError(f"{key} is {state}, so there is nothing to decide; `bg-pipeline review` lists what is")
    return entry
