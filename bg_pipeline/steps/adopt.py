"""Take over cutouts that another tool made, so that they need not be bought."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from bg_pipeline.core.adopting import match
from bg_pipeline.core.delta import WORK_REASONS
from bg_pipeline.core.keys import master_name
from bg_pipeline.core.recipe import digest_of
from bg_pipeline.core.records import AttemptState, Entry, Master
from bg_pipeline.errors import ItemChanged, ItemError, UnusableAnswer
from bg_pipeline.imaging.likeness import check_likeness
from bg_pipeline.ports import BlobStore, Progress
from bg_pipeline.steps.detect import LEASE, plan, scan
from bg_pipeline.steps.parts import Parts, leased


@dataclass(slots=True)
class Adoption:
    """What became of the items that would have to be bought."""

    adopted: dict[str, str] = field(default_factory=dict)
    """Key to the file that is its master now. Other items with the same picture share it."""
    refused: dict[str, str] = field(default_factory=dict)
    """Key to the reason why the files named after it were not taken."""
    nameless: int = 0
    """Items that no file is named after."""


def adopt(parts: Parts, owner: str, files: BlobStore, progress: Progress, *, dry_run: bool = False) -> Adoption:
    """
    Find, for each picture that was never published and has no master, a file that is its cutout, and keep a copy of
    it as the master. The next sync publishes it, and buys nothing for it. The files themselves are only read.

    Args:
        parts: where everything is.
        owner: who holds the lease of detection.
        files: what the other tool made.
        progress: the scan, then one step a file that is looked at.
        dry_run: look and tell; what was hashed is remembered, nothing else.

    Raises:
        LeaseHeld: a detection runs.
        SourceUnreadable, StoreError: a listing is not complete.
    """
    scan(parts, owner, progress)
    with leased(parts, LEASE, owner):
        return take_over(parts, files, progress, dry_run=dry_run)


def take_over(parts: Parts, files: BlobStore, progress: Progress, *, dry_run: bool = False) -> Adoption:
    """`adopt` after a scan, under the lease of detection."""
    works = {c.key: c.work_id for c in plan(parts).changes if c.reason in WORK_REASONS and not c.held}
    unbought = set(works.values()) - parts.ledger.bought(sorted(set(works.values())))
    catalogue: list[str] = []
    wanted: dict[str, Entry] = {}
    for entry in parts.manifest.entries():
        if not entry.absent:
            catalogue.append(entry.key)
            # What was published before has a master, or had one that a person should know of.
            if entry.published is None and works.get(entry.key) in unbought:
                wanted[entry.key] = entry
    matching = match(wanted, catalogue, files.list())

    by_work: dict[str, list[tuple[Entry, str]]] = {}
    for key, name in matching.pairs.items():
        by_work.setdefault(works[key], []).append((wanted[key], name))
    found = Adoption(refused=dict(matching.unclear), nameless=len(wanted) - len(matching.pairs) - len(matching.unclear))
    progress.start("comparing cutouts", len(by_work))
    with ThreadPoolExecutor(parts.concurrency, thread_name_prefix="adopt") as pool:
        for entry, name, why in pool.map(lambda item: _first(parts, files, item[0], item[1], dry_run), by_work.items()):
            if why:
                found.refused[entry.key] = why
            else:
                found.adopted[entry.key] = name
            progress.step()
    progress.done()
    return found


def _first(
    parts: Parts, files: BlobStore, work: str, candidates: Sequence[tuple[Entry, str]], dry_run: bool
) -> tuple[Entry, str, str]:
    """The first of these that can be the master of a work, or else the last with the reason why it cannot."""
    entry, name, why = *candidates[0], ""
    for entry, name in candidates:
        try:
            _take(parts, files, work, entry, name, dry_run)
        except (UnusableAnswer, ItemError) as error:
            why = f"{name}: {error}"
        else:
            return entry, name, ""
    return entry, name, why


def _take(parts: Parts, files: BlobStore, work: str, entry: Entry, name: str, dry_run: bool) -> None:
    data = files.read(name)
    if data is None:
        raise ItemChanged("it is not there any more")
    source = parts.source.read(entry.key)
    if digest_of(source) != entry.content_hash:
        raise ItemChanged("the picture was replaced since it was hashed")
    checked = parts.call(check_likeness, data, source)
    if dry_run:
        return
    if any(attempt.state is AttemptState.INTENT for attempt in parts.ledger.attempts(work)):
        raise ItemChanged("another run is buying this cutout at this moment, or was killed while it did")
    parts.masters.write(master_name(work), data)
    parts.ledger.adopt_master(Master(work, digest_of(data), checked.width_px, checked.height_px))
