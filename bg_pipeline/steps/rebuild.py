"""Bring a lost manifest back from masters and outputs."""

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice

from bg_pipeline.core.adopting import stems_from_before
from bg_pipeline.core.keys import master_name
from bg_pipeline.core.recipe import digest_of
from bg_pipeline.core.records import Master
from bg_pipeline.errors import ItemError, UnusableAnswer
from bg_pipeline.imaging.pictures import inspect
from bg_pipeline.ports import Progress
from bg_pipeline.steps.adopt import Adoption, take_over
from bg_pipeline.steps.detect import LEASE, scan
from bg_pipeline.steps.parts import Parts, leased

_BATCH = 256


@dataclass(slots=True)
class Rebuilt:
    """What was found."""

    known: int = 0
    """Masters that were on record already."""
    taken_in: int = 0
    damaged: dict[str, str] = field(default_factory=dict)
    """Name of a master to what is wrong with it."""
    adoption: Adoption = field(default_factory=Adoption)
    """Outputs that became masters, because theirs were not there."""


def rebuild(parts: Parts, owner: str, progress: Progress) -> Rebuilt:
    """
    Record every master in the store, and make one of each output that has none. After that a sync publishes what it
    finds, under the names that it had, and buys only what is in neither place. Can be repeated, and does no harm to a
    manifest that is not lost.

    What cannot come back: the ledger of purchases, what failed, and what a person approved.

    Raises:
        LeaseHeld: a detection runs.
        SourceUnreadable, StoreError: a listing is not complete.
    """
    found = Rebuilt()
    progress.start("reading masters", None)
    works = (name.rpartition("/")[2] for name in parts.masters.list() if _is_master(name))
    with ThreadPoolExecutor(parts.concurrency, thread_name_prefix="rebuild") as pool:
        while batch := list(islice(works, _BATCH)):
            known = parts.ledger.bought(batch)
            found.known += len(known)
            new = [work for work in batch if work not in known]
            for work, why in zip(new, pool.map(lambda work: _take_in(parts, work), new), strict=True):
                if why:
                    found.damaged[master_name(work)] = why
                else:
                    found.taken_in += 1
            progress.step(len(batch))
    progress.done()

    scan(parts, owner, progress)
    with leased(parts, LEASE, owner):
        nameless = (e.key for e in parts.manifest.entries() if not e.absent and not e.stem)
        parts.manifest.keep_stems(stems_from_before(nameless, parts.outputs.list()))
        found.adoption = take_over(parts, parts.outputs, progress)
    return found


def _is_master(name: str) -> bool:
    work = name.rpartition("/")[2]
    return re.fullmatch(r"[0-9a-f]{64}", work) is not None and name == master_name(work)


def _take_in(parts: Parts, work: str) -> str:
    """Why this master cannot be recorded; empty if it was."""
    data = parts.masters.read(master_name(work))
    if data is None:
        return "it is not there any more"
    try:
        checked = parts.call(inspect, data)
    except (UnusableAnswer, ItemError) as error:
        return str(error)
    parts.ledger.adopt_master(Master(work, digest_of(data), checked.width_px, checked.height_px, checked.suspicion))
    return ""
