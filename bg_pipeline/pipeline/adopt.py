"""Adopt cutouts that another tool made, so that they need not be bought."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field

from bg_pipeline.core.adoption import match
from bg_pipeline.core.delta import WORK_REASONS
from bg_pipeline.core.keys import master_name
from bg_pipeline.core.recipe import Cut, digest_of
from bg_pipeline.core.records import AttemptState, Entry, Master, Use
from bg_pipeline.errors import ConfigurationError, ItemChanged, ItemError, UnusableAnswer
from bg_pipeline.imaging.similarity import check_similarity, refuse_preview
from bg_pipeline.pipeline.detect import plan, scan
from bg_pipeline.ports.context import DETECTION, Accounts, Catalogue, Policy, Run, leased
from bg_pipeline.ports.single import one_blob, one_picture
from bg_pipeline.ports.stores import BlobStore
from bg_pipeline.purchasing.stored import record_stored


@dataclass(slots=True)
class Adoption:
    """Items that would have to be bought, by the result of the search for their cutout."""

    adopted: dict[str, str] = field(default_factory=dict)
    """The file that is now the master, by key. Other items with the same picture share it."""
    refused: dict[str, str] = field(default_factory=dict)
    """The reason for refusing the files named after an item, by key."""
    nameless: int = 0
    """Number of items that no file is named after."""


def adopt(
    catalogue: Catalogue,
    accounts: Accounts,
    policy: Policy,
    run: Run,
    files: BlobStore,
    *,
    suffixes: Sequence[str] = (),
    pattern: str = "",
    allow_smaller: bool = False,
    dry_run: bool = False,
) -> Adoption:
    """
    Find a cutout file for each picture that was never published and has no master, and store a copy as the master.
    The next sync publishes it and buys nothing for it. The files themselves are only read.

    Args:
        catalogue: owner of the pictures.
        accounts: access to the stored masters.
        policy: the wanted results.
        run: its progress covers the scan, then advances by one per purchase that has a matching file.
        files: cutouts of the other tool.
        suffixes: endings that the vendors' own tools append to the name of a cutout.
        pattern: name of a cutout; see `core.adoption.match`.
        allow_smaller: adopt also cutouts that are smaller than a bought one would be.
        dry_run: only report; store the hashes and nothing else.

    Raises:
        ConfigurationError: the pattern is wrong.
        LeaseHeld: a detection is running.
        SourceUnreadable, StoreError: a listing is incomplete.
    """
    scan(catalogue, policy, run)
    with leased(catalogue.leases, DETECTION, run.name.owner):
        return take_over(
            *(catalogue, accounts, policy, run, files),
            suffixes=suffixes,
            pattern=pattern,
            allow_smaller=allow_smaller,
            dry_run=dry_run,
        )


def take_over(
    catalogue: Catalogue,
    accounts: Accounts,
    policy: Policy,
    run: Run,
    files: BlobStore,
    *,
    suffixes: Sequence[str] = (),
    pattern: str = "",
    allow_smaller: bool = True,
    dry_run: bool = False,
) -> Adoption:
    """Adopt files after a scan. The caller holds the lease of detection."""
    changes = plan(catalogue, accounts, policy).changes
    purchases = {c.key: c.purchase_id for c in changes if c.reason in WORK_REASONS and not c.held}
    unbought = set(purchases.values()) - accounts.purchases.bought(sorted(set(purchases.values())))
    listed: list[str] = []
    wanted: dict[str, Entry] = {}
    for entry in catalogue.items.entries():
        if not entry.absent:
            listed.append(entry.key)
            # A published picture has a master. If that is lost, an adopted file would hide the loss.
            if entry.published is None and purchases.get(entry.key) in unbought:
                wanted[entry.key] = entry
    try:
        matching = match(wanted, listed, files.list(), suffixes, pattern)
    except ValueError as error:
        raise ConfigurationError(f"the pattern {pattern!r}: {error}") from error

    candidates: dict[str, list[tuple[Entry, str]]] = {}
    for key, name in matching.pairs.items():
        candidates.setdefault(purchases[key], []).append((wanted[key], name))
    result = Adoption(
        refused=dict(matching.unclear), nameless=len(wanted) - len(matching.pairs) - len(matching.unclear)
    )

    def adopt_first(item: tuple[str, list[tuple[Entry, str]]]) -> tuple[Entry, str, str]:
        smallest = None if allow_smaller else policy.recipes.of(item[1][0][0].key).cut
        return _adopt_first(catalogue, accounts, run, files, *item, smallest=smallest, dry_run=dry_run)

    run.progress.start("comparing cutouts", len(candidates))
    with ThreadPoolExecutor(policy.concurrency, thread_name_prefix="adopt") as pool:
        for entry, name, reason in pool.map(adopt_first, candidates.items()):
            if reason:
                result.refused[entry.key] = reason
            else:
                result.adopted[entry.key] = name
            run.progress.advance()
    run.progress.done()
    return result


def _adopt_first(
    catalogue: Catalogue,
    accounts: Accounts,
    run: Run,
    files: BlobStore,
    purchase_id: str,
    candidates: Sequence[tuple[Entry, str]],
    *,
    smallest: Cut | None,
    dry_run: bool,
) -> tuple[Entry, str, str]:
    """Adopt the first file that can be the master of a purchase; return it, or the last file and why it cannot."""
    entry, name, reason = *candidates[0], ""
    for entry, name in candidates:
        try:
            master, data = _as_master(catalogue, run, files, purchase_id, entry, name, smallest)
            if not dry_run:
                _keep(accounts, run, master, data)
        except (UnusableAnswer, ItemError) as error:
            reason = f"{name}: {error}"
        else:
            return entry, name, ""
    return entry, name, reason


def _as_master(
    catalogue: Catalogue, run: Run, files: BlobStore, purchase_id: str, entry: Entry, name: str, smallest: Cut | None
) -> tuple[Master, bytes]:
    with one_blob(files):
        data = files.read(name)
    if data is None:
        raise ItemChanged("the file no longer exists")
    with one_picture(catalogue.source):
        source = catalogue.source.read(entry.key)
    if digest_of(source) != entry.content_hash:
        raise ItemChanged("the picture changed after it was hashed")
    answer = run.call(check_similarity, data, source)
    if smallest and (why := run.call(refuse_preview, answer, source, smallest.max_side_px, smallest.max_pixels)):
        raise UnusableAnswer(f"{why}; `--allow-smaller` adopts it all the same")
    size = (answer.width_px, answer.height_px)
    return Master(purchase_id, digest_of(data), *size, content_hash=entry.content_hash, use=Use.UNDECLARED), data


def _keep(accounts: Accounts, run: Run, master: Master, data: bytes) -> None:
    attempts = accounts.ledger.attempts([master.purchase_id])
    if any(attempt.state is AttemptState.INTENT for attempt in attempts):
        raise ItemChanged("another run is buying this cutout, or was killed while buying it; sync, then adopt again")
    with suppress(UnusableAnswer):  # a damaged one is replaced
        if record_stored(accounts, run, master.purchase_id):
            raise ItemChanged("it was bought, and its master is still in BG_MASTERS: the next sync publishes that")
    with one_blob(accounts.masters, len(data)):
        accounts.masters.write(master_name(master.purchase_id), data)
    accounts.purchases.adopt(master)
