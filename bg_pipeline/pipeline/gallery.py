"""The pictures of items, before and after, for display."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum, auto

from bg_pipeline.core.comparison import Result
from bg_pipeline.core.keys import master_name
from bg_pipeline.core.recipe import digest_of
from bg_pipeline.core.records import Entry, State
from bg_pipeline.errors import ItemChanged, ItemError, SourceUnreadable, StoreError
from bg_pipeline.imaging.comparison import Cell, Row
from bg_pipeline.imaging.pictures import display, thumbnail
from bg_pipeline.imaging.sheet import Pair
from bg_pipeline.pipeline.compare import Comparison, ComparisonPlan
from bg_pipeline.pipeline.review import ReviewItem
from bg_pipeline.ports.context import Accounts, Catalogue, Policy, Run

_COMPARED_PX = 480
"""Longest side of a picture on the page of a comparison; about 25 KB each."""


class Place(Enum):
    """Where the bytes of a picture are."""

    SOURCE = auto()
    OUTPUTS = auto()
    MASTERS = auto()


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture of an item."""

    digest: str
    """SHA-256 of its bytes: it is shown only if it still has these."""
    place: Place
    name: str
    """Its key or name there."""


def pictures_of(item: ReviewItem) -> Iterator[Picture]:
    """Yield the source picture and the cutout of an item, as far as there are any."""
    if item.entry.content_hash:
        yield Picture(item.entry.content_hash, Place.SOURCE, item.entry.key)
    result = item.result
    if result.output_name:
        yield Picture(result.digest, Place.OUTPUTS, result.output_name)
    elif result.master is not None:
        yield Picture(result.digest, Place.MASTERS, master_name(result.master.purchase_id))


def read_picture(catalogue: Catalogue, accounts: Accounts, picture: Picture) -> bytes:
    """
    Return the bytes of a picture.

    Raises:
        ItemChanged: it is not there any more, or has other bytes now.
        ItemError, SourceUnreadable, StoreError: it cannot be read.
    """
    if picture.place is Place.SOURCE:
        data: bytes | None = catalogue.source.read(picture.name)
    elif picture.place is Place.OUTPUTS:
        data = catalogue.outputs.read(picture.name)
    else:
        data = accounts.masters.read(picture.name)
    if data is None:
        raise ItemChanged(f"{picture.name} is not there any more: `bg-pipeline check` looks for damage")
    if digest_of(data) != picture.digest:
        raise ItemChanged(f"{picture.name} has changed since the last sync; the next one looks at it again")
    return data


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


def picture_rows(
    catalogue: Catalogue, accounts: Accounts, policy: Policy, run: Run, plan: ComparisonPlan, comparison: Comparison
) -> list[Row]:
    """Return the pictures and their results for the page, each small enough for it."""
    by_key = {name: {each.key: each for each in results} for name, results in comparison.results.items()}

    def row(entry: Entry) -> Row:
        cells = [_cell(accounts, run, by_key[name][entry.key]) for name in policy.accounts]
        return Row(entry.key, _shown(run, lambda: catalogue.source.read(entry.key)), tuple(cells))

    with ThreadPoolExecutor(policy.concurrency, thread_name_prefix="page") as pool:
        return list(pool.map(row, plan.entries))


def _cell(accounts: Accounts, run: Run, result: Result) -> Cell:
    master, took = result.master, result.cost.seconds
    if master is None:
        return Cell(None, result.failure, is_doubtful=True)
    picture = _shown(run, lambda: accounts.masters.read(master_name(master.purchase_id)))
    seconds = "" if took is None else f"{took:.1f} s"
    return Cell(picture, "; ".join(filter(None, (seconds, result.doubt))), is_doubtful=bool(result.doubt))


def _shown(run: Run, read: Callable[[], bytes | None]) -> bytes | None:
    """Return a small WebP; None if the picture cannot be read: the page is still of use."""
    try:
        data = read()
        return None if data is None else run.call(display, data, _COMPARED_PX)
    except (ItemError, SourceUnreadable, StoreError):
        return None
