"""Make before-and-after pairs of thumbnails."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from bg_pipeline.core.keys import master_name
from bg_pipeline.core.records import Entry, State
from bg_pipeline.errors import ItemError, SourceUnreadable, StoreError
from bg_pipeline.imaging.pictures import thumbnail
from bg_pipeline.imaging.sheet import Pair
from bg_pipeline.ports.context import Accounts, Catalogue, Policy, Run


def make_pairs(
    catalogue: Catalogue, accounts: Accounts, policy: Policy, run: Run, keys: Sequence[str], size_px: int
) -> list[Pair]:
    """Return source and cutout of each known item as thumbnails of at most `size_px` a side, or the error."""
    entries = [entry for key in keys if (entry := catalogue.items.entry(key)) is not None]
    with ThreadPoolExecutor(policy.concurrency, thread_name_prefix="gallery") as pool:
        return list(pool.map(lambda entry: _pair(catalogue, accounts, run, entry, size_px), entries))


def _pair(catalogue: Catalogue, accounts: Accounts, run: Run, entry: Entry, size_px: int) -> Pair:
    before = after = None
    try:
        before = run.call(thumbnail, catalogue.source.read(entry.key), size_px)
        name = entry.published.output_name if entry.published else ""
        cutout = catalogue.outputs.read(name) if name else None
        if entry.state is State.QUARANTINED:  # not published: a person reviews the master
            cutout = accounts.masters.read(master_name(entry.purchase_id))
        if cutout is not None:
            after = run.call(thumbnail, cutout, size_px)
    except (ItemError, SourceUnreadable, StoreError) as error:  # a page is never worth a night
        return Pair(entry.key, before, None, str(error))
    note = "" if entry.state is State.PUBLISHED else f"{entry.state}: {entry.detail}"
    return Pair(entry.key, before, after, note)
