"""Move the cutouts of vanished pictures to the trash, put them back, and empty it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from bg_pipeline.core.deletes import (
    APART_S,
    Action,
    Listing,
    excess,
    is_due,
    judge,
    output_name_of,
    refusal,
    trash_name,
)
from bg_pipeline.core.recipe import digest_of
from bg_pipeline.core.records import Entry, State
from bg_pipeline.errors import ConfigurationError, GuardStopped, LeaseHeld, StoreError
from bg_pipeline.steps.detect import LEASE
from bg_pipeline.steps.parts import Parts, leased
from bg_pipeline.steps.process import lease_name

_DAY_S = 86_400.0


@dataclass(slots=True)
class Trashed:
    """What became of the cutouts whose pictures are gone."""

    moved: list[str] = field(default_factory=list)
    purged: list[str] = field(default_factory=list)
    """Thrown away: they were in the trash for long enough."""
    left: dict[str, str] = field(default_factory=dict)
    """Key to why its cutout stays."""
    stopped: str = ""
    """Why nothing was moved; empty if no guard objected."""


def clear_out(parts: Parts, owner: str, *, allow: int = 0) -> Trashed:
    """
    Move the cutouts of pictures that are gone to the trash, and throw away what lay there long enough.

    To be called after a scan and its detection. Does nothing unless the policy is `trash`.

    Args:
        parts: where everything is.
        owner: who holds the leases.
        allow: how many may go in this once, where that is more than go unasked.

    Raises:
        GuardStopped: the listing cannot be relied on, or too many would go. Nothing was moved.
        LeaseHeld: a detection runs.
        SourceUnreadable, StoreError: it broke off; what was moved can be restored.
    """
    done = Trashed()
    if not parts.deletes.trash:
        return done
    with leased(parts, LEASE, owner):
        listing = _last_listing(parts)
        if why := refusal(parts.deletes, listing):
            raise GuardStopped(f"no cutout was moved to the trash: {why}")
        assert listing is not None
        gone = [e for e in parts.manifest.gone(listing.ended_at - APART_S) if is_due(e.absent_since, listing)]
        if why := excess(len(gone), parts.manifest.states()[State.PUBLISHED] + len(gone), allow):
            raise GuardStopped(why)
        for collection, entries in groupby(sorted(gone, key=lambda e: e.collection), key=lambda e: e.collection):
            _clear_collection(parts, collection, entries, owner, done)
        for entry in parts.manifest.in_trash(before=parts.now() - parts.deletes.days * _DAY_S):
            parts.outputs.remove(entry.trash_name)
            parts.manifest.end_trash(entry.key)
            done.purged.append(entry.key)
    return done


def restore(parts: Parts, owner: str, keys: Sequence[str]) -> list[str]:
    """
    Put cutouts back from the trash, to stay although their pictures are gone; returns the names they have again.

    Raises:
        ConfigurationError: one is not in the trash, or its name is in use again. Those before it are back.
        LeaseHeld: a detection, or a run of its collection, is at work.
    """
    back = []
    with leased(parts, LEASE, owner):
        for key in keys:
            entry = parts.manifest.entry(key)
            if entry is None or not entry.trash_name:
                raise ConfigurationError(f"{key} is not in the trash; see: bg-pipeline trash list")
            with leased(parts, lease_name(entry.collection), owner):
                back.append(_put_back(parts, entry))
    return back


def _put_back(parts: Parts, entry: Entry) -> str:
    name = output_name_of(entry.trash_name)
    data = parts.outputs.read(entry.trash_name)
    if data is None:
        raise StoreError(f"{entry.trash_name} is not in the output store any more; nothing was changed")
    there = parts.outputs.read(name)
    if parts.manifest.on_show(name) or (there is not None and there != data):
        raise ConfigurationError(f"{name} is in use again; the cutout of {entry.key} stays at {entry.trash_name}")
    parts.outputs.write(name, data)
    parts.manifest.end_trash(entry.key, name)
    parts.outputs.remove(entry.trash_name)
    return name


def _last_listing(parts: Parts) -> Listing | None:
    logged = parts.control.syncs("scan")
    if not logged:
        return None
    ended_at, facts = logged[0]
    return Listing(ended_at, facts["complete"], facts["listed"], facts["sentinel_seen"])


def _clear_collection(parts: Parts, collection: str, entries: Iterable[Entry], owner: str, done: Trashed) -> None:
    """Under the lease of the collection, so that no run writes an output of it at the same time."""
    entries = list(entries)
    try:
        with leased(parts, lease_name(collection), owner):
            for entry in entries:
                if parts.stop.is_set():
                    return
                _clear(parts, entry, done)
    except LeaseHeld as error:
        done.left |= {entry.key: str(error) for entry in entries}


def _clear(parts: Parts, entry: Entry, done: Trashed) -> None:
    assert entry.published is not None
    name = entry.published.output_name
    data = parts.outputs.read(name)
    action, why = judge(
        entry,
        exists=parts.source.exists(entry.key),
        name_is_taken=parts.manifest.on_show(name),
        digest=None if data is None else digest_of(data),
    )
    if action is Action.LEAVE:
        done.left[entry.key] = why
        return
    if action is Action.MOVE:
        assert data is not None
        aside = entry.trash_name or trash_name(name, parts.now())
        # In this order a kill at any point leaves the bytes at one of two places that are on record.
        parts.manifest.begin_trash(entry.key, aside)
        parts.outputs.write(aside, data)
        parts.outputs.remove(name)
        done.moved.append(entry.key)
    parts.manifest.take_off_show(entry.key)
