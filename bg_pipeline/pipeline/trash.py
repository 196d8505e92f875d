"""Move the cutouts of vanished pictures to the trash, put them back, and empty it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import MappingProxyType

from bg_pipeline.core.claims import Claim
from bg_pipeline.core.deletes import (
    APART_S,
    Action,
    Listing,
    excess,
    is_due,
    output_name_of,
    plan_deletion,
    refusal,
    trash_name,
    without_copy,
)
from bg_pipeline.core.outputs import all_outputs, alone
from bg_pipeline.core.recipe import digest_of
from bg_pipeline.core.records import Entry, Output, State
from bg_pipeline.core.runlog import ClearOutRecord, ScanRecord
from bg_pipeline.errors import ClaimLost, ConfigurationError, GuardStopped, ItemError, LeaseHeld
from bg_pipeline.pipeline.claimed import ELSEWHERE, claimed_items
from bg_pipeline.ports.context import DETECTION, Catalogue, Policy, Run, leased
from bg_pipeline.ports.single import one_blob, one_picture
from bg_pipeline.ports.stores import BlobStore

_DAY_S = 86_400.0

_GROUP = 20
"""Items claimed together: few, so that other runs do not wait long for them."""


@dataclass(slots=True)
class TrashResult:
    """Cutouts of vanished pictures, by the action taken."""

    moved: list[str] = field(default_factory=list)
    purged: list[str] = field(default_factory=list)
    """Cutouts deleted for good after their time in the trash."""
    left: dict[str, str] = field(default_factory=dict)
    """The reason for leaving a cutout in place, by key."""
    stopped: str = ""
    """The guard's reason for moving nothing; empty if no guard stopped it."""


def clear_out(catalogue: Catalogue, policy: Policy, run: Run, *, allow: int = 0) -> TrashResult:
    """
    Move the cutouts of vanished pictures to the trash, and delete those that were there long enough.

    Call it after a scan and its detection. It does nothing unless the policy is `trash`.

    Args:
        catalogue: owner of the cutouts.
        policy: when cutouts may be deleted.
        run: the run that claims the items.
        allow: number of cutouts that may go this time, if above the normal limit.

    Raises:
        GuardStopped: the listing is incomplete or suspicious, or too many cutouts would go. Nothing was moved.
        LeaseHeld: a detection is running.
        SourceUnreadable, StoreError: the work broke off; moved cutouts can be restored.
    """
    result = TrashResult()
    if not policy.deletes.trash:
        return result
    started_at = run.now()
    with leased(catalogue.leases, DETECTION, run.name.owner):
        try:
            due = _find_due(catalogue, policy, allow)
        except GuardStopped as error:
            _log(catalogue, run, started_at, TrashResult(stopped=str(error)))
            raise
        _move(catalogue, run, due, result)
        _purge(catalogue, policy, run, result)
        _log(catalogue, run, started_at, result)
    return result


def restore(catalogue: Catalogue, run: Run, keys: Sequence[str]) -> list[str]:
    """
    Restore cutouts from the trash; they stay, although their pictures are gone. Return their output names.

    Raises:
        ConfigurationError: an item is not in the trash, or its name is in use again. Those before it are restored.
        LeaseHeld: a detection is running, or another run has claimed one of the items.
    """
    restored = []
    with leased(catalogue.leases, DETECTION, run.name.owner):
        for key in keys:
            entry = catalogue.items.entry(key)
            if entry is None or not entry.trash_name:
                raise ConfigurationError(f"{key} is not in the trash; `bg-pipeline trash list` shows what is")
            if entry.state is State.WITHDRAWN:
                raise ConfigurationError(
                    f"{key} was {entry.detail}: `bg-pipeline review approve` puts its cutout back on the shop"
                )
            with claimed_items(catalogue, run, [key]) as claimed:
                if claimed.claim is None:
                    raise LeaseHeld(f"{key}: {ELSEWHERE}")
                restored.append(put_back(catalogue, entry))
    return restored


def bring_back(catalogue: Catalogue, run: Run) -> list[str]:
    """
    Put back the cutouts of pictures that are back unchanged; return their keys.

    A cutout that cannot be put back stays in the trash, and detection decides as if there were none.

    Raises:
        LeaseHeld: a detection is running.
        StoreError: the outputs can be neither read nor written.
    """
    restored = []
    with leased(catalogue.leases, DETECTION, run.name.owner):
        for entry in catalogue.trash.returned():
            with (
                claimed_items(catalogue, run, [entry.key]) as claimed,
                suppress(ItemError, ConfigurationError),
            ):
                if claimed.claim is not None:
                    with one_blob(catalogue.outputs):
                        put_back(catalogue, entry)
                    restored.append(entry.key)
    return restored


def put_back(catalogue: Catalogue, entry: Entry) -> str:
    """
    Move all outputs of an item from the trash to their places; return the name of the main one. It must be claimed.

    Raises:
        ConfigurationError: one is not there any more, or its name is in use again; nothing was changed.
        ItemError, StoreError: one cannot be moved.
    """
    store, moves = catalogue.outputs, []
    kept = {each.kept_digest for each in catalogue.previous.of_item(entry.key) if each.is_copy}
    for output in _outputs(catalogue, entry):
        if not output.trash_name:
            continue
        name, data = output_name_of(output.trash_name), store.read(output.trash_name)
        if data is None:
            raise ConfigurationError(f"{output.trash_name} is no longer in the output store; nothing was changed")
        if digest_of(data) != output.published.output_digest:
            raise ConfigurationError(
                f"another program wrote {output.trash_name} since the cutout was moved there; nothing was changed"
            )
        existing = store.read(name)
        is_free = existing is None or existing == data or digest_of(existing) in kept
        if catalogue.trash.is_published(name) or not is_free:
            raise ConfigurationError(f"{name} is in use again; the cutout of {entry.key} stays at {output.trash_name}")
        moves.append((output, name, data))
    # The main one last: until then, the item counts as one in the trash.
    for output, name, data in reversed(moves):
        store.write(name, data)
        catalogue.trash.end_trash(entry.key, name, output.rendition)
        store.remove(output.trash_name)
    return output_name_of(entry.trash_name)


def is_kept(catalogue: Catalogue, entry: Entry) -> bool:
    """
    Return True if all outputs of an item that are on record as moved to the trash are there, to the byte.

    Raises:
        ItemError, StoreError: they cannot be read.
    """
    trashed = [each for each in _outputs(catalogue, entry) if each.trash_name]
    contents = [catalogue.outputs.read(each.trash_name) for each in trashed]
    return all(
        data is not None and digest_of(data) == each.published.output_digest
        for each, data in zip(trashed, contents, strict=True)
    )


def _outputs(catalogue: Catalogue, entry: Entry) -> list[Output]:
    """Return all outputs of an item, the main one first."""
    return list(all_outputs(entry, catalogue.items.outputs([entry.key]).get(entry.key, ())))


def _find_due(catalogue: Catalogue, policy: Policy, allow: int) -> list[str]:
    """Return the keys whose cutouts are due; raise GuardStopped if a guard stops it."""
    listing = last_listing(catalogue)
    if why := refusal(policy.deletes, listing):
        raise GuardStopped(f"no cutout was moved to the trash: {why}")
    assert listing is not None
    gone = catalogue.trash.gone_since(listing.ended_at - APART_S)
    due = [entry for entry in gone if is_due(entry.key, entry.absent_since, listing)]
    # What the listing leaves out is not gone.
    due = [entry for entry in due if not policy.filter.leaves_out(entry.key)]
    copies = catalogue.trash.copies([e.published.purchase_id for e in due if e.published])
    if why := excess(without_copy(due, copies), catalogue.items.states()[State.PUBLISHED] + len(due), allow):
        raise GuardStopped(why)
    return [entry.key for entry in due]


def last_listing(catalogue: Catalogue) -> Listing | None:
    """Return the last listing of the source; None before the first."""
    for scan in catalogue.run_log.read(ScanRecord):
        return Listing(scan.ended_at, scan.complete, scan.listed, scan.sentinel_seen, tuple(scan.not_looked))
    return None


def _move(catalogue: Catalogue, run: Run, keys: Sequence[str], result: TrashResult) -> None:
    for at in range(0, len(keys), _GROUP):
        group = keys[at : at + _GROUP]
        with claimed_items(catalogue, run, group) as claimed:
            claimed_keys = {entry.key for entry in claimed.entries}
            result.left |= {key: ELSEWHERE for key in group if key not in claimed_keys}
            for entry in claimed.entries:
                if run.stop.is_set():
                    return
                assert claimed.claim is not None
                try:
                    with one_blob(catalogue.outputs), one_picture(catalogue.source):
                        _clear(catalogue, run, entry, claimed.claim, result)
                except ItemError as error:
                    result.left[entry.key] = str(error)


def _clear(catalogue: Catalogue, run: Run, entry: Entry, claim: Claim, result: TrashResult) -> None:
    try:
        action, why = move_to_trash(catalogue, run, entry, claim, exists=catalogue.source.exists(entry.key))
    except ClaimLost:
        action, why = Action.LEAVE, ELSEWHERE
    if action is Action.LEAVE:
        result.left[entry.key] = why
    elif action is Action.MOVE:
        result.moved.append(entry.key)


def move_to_trash(
    catalogue: Catalogue,
    run: Run,
    entry: Entry,
    claim: Claim,
    *,
    exists: bool = False,
    returns: Mapping[str, bytes] = MappingProxyType({}),
) -> tuple[Action, str]:
    """
    Move all outputs of an item to the trash, if they are those that were published; return what was done, and why.

    Call it under the lease of detection.

    Args:
        catalogue: owner of the outputs.
        run: gives the time.
        entry: an item with a published output.
        claim: holds the item.
        exists: True if its outputs have to stay because its picture is still there.
        returns: what is under a name afterwards; nothing is under the other names.

    Raises:
        ClaimLost: a run that took over the item may be publishing it right now.
        ItemError, StoreError: the output store cannot be read or written.
    """
    plans = []
    for output in _outputs(catalogue, entry):
        if not (name := output.published.output_name):
            continue
        data = catalogue.outputs.read(name)
        action, why = plan_deletion(
            alone(entry, output),
            exists=exists,
            name_is_taken=entry.absent and catalogue.trash.is_published(name),
            digest=None if data is None or data == returns.get(name) else digest_of(data),
        )
        if action is Action.LEAVE:
            return action, why
        plans.append((output, data, action, why))
    for output, data, action, _ in plans:
        if action is Action.MOVE and data is not None:
            _move_one(catalogue, run, entry, output, data, claim, returns.get(output.published.output_name))
        catalogue.trash.unpublish(entry.key, output.rendition)
    done = [(action, why) for *_, action, why in plans]
    return next((each for each in done if each[0] is Action.MOVE), done[0] if done else (Action.FORGET, "no output"))


def _move_one(
    catalogue: Catalogue, run: Run, entry: Entry, output: Output, data: bytes, claim: Claim, returns: bytes | None
) -> None:
    name_in_trash = output.trash_name or trash_name(output.published.output_name, run.now())
    # This order keeps the bytes under a recorded name if the process is killed at any point.
    catalogue.trash.begin_trash(entry.key, name_in_trash, output.rendition)
    catalogue.outputs.write(name_in_trash, data)
    catalogue.queue.verify(claim, entry.key)
    if returns is None:
        catalogue.outputs.remove(output.published.output_name)
    else:
        catalogue.outputs.write(output.published.output_name, returns)


def _purge(catalogue: Catalogue, policy: Policy, run: Run, result: TrashResult) -> None:
    """Delete old cutouts. They need no claim: the trash changes only under the lease of detection."""
    owners: dict[str, tuple[str, str]] = {}
    for entry in catalogue.trash.in_trash(before=run.now() - policy.deletes.days * _DAY_S):
        trashed = (each for each in _outputs(catalogue, entry) if each.trash_name)
        owners |= {each.trash_name: (entry.key, each.rendition) for each in trashed}
    left: dict[str, str] = {}
    for name in remove_each(catalogue.outputs, run, {name: name for name in owners}, left):
        key, rendition = owners[name]
        catalogue.trash.end_trash(key, rendition=rendition)
        if key not in result.purged:
            result.purged.append(key)
    result.left |= {owners[name][0]: why for name, why in left.items()}


def remove_each(store: BlobStore, run: Run, names: Mapping[str, str], left: dict[str, str]) -> Iterator[str]:
    """
    Remove blobs until the run is asked to end; yield the key of each that was removed.

    Args:
        store: owner of the blobs.
        run: the run that removes them.
        names: of the blobs, by key.
        left: gets the reason for each that cannot be removed.

    Raises:
        StoreError: the store cannot be used at all.
    """
    for key, name in names.items():
        if run.stop.is_set():
            return
        try:
            with one_blob(store):
                store.remove(name)
        except ItemError as error:
            left[key] = str(error)
        else:
            yield key


def _log(catalogue: Catalogue, run: Run, started_at: float, result: TrashResult) -> None:
    catalogue.run_log.write(
        ClearOutRecord(
            run_id=run.name.run_id,
            job=run.name.job,
            collections=None,
            started_at=started_at,
            moved=len(result.moved),
            purged=len(result.purged),
            stopped=result.stopped,
        )
    )
