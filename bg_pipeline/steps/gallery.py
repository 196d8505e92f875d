"""Before and after, for people."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from bg_pipeline.core.keys import master_name
from bg_pipeline.core.records import Entry, State
from bg_pipeline.errors import ItemError
from bg_pipeline.imaging.pictures import thumbnail
from bg_pipeline.imaging.sheet import Pair
from bg_pipeline.steps.parts import Parts


def pairs(parts: Parts, keys: Sequence[str], size_px: int) -> list[Pair]:
    """Source and cutout of each item, as thumbnails; what failed says why."""
    found = [entry for key in keys if (entry := parts.manifest.entry(key)) is not None]
    with ThreadPoolExecutor(parts.concurrency, thread_name_prefix="gallery") as pool:
        return list(pool.map(lambda entry: _pair(parts, entry, size_px), found))


def _pair(parts: Parts, entry: Entry, size_px: int) -> Pair:
    before = after = None
    try:
        before = parts.call(thumbnail, parts.source.read(entry.key), size_px)
        name = entry.published.output_name if entry.published else ""
        shown = parts.outputs.read(name) if name else None
        if entry.state is State.QUARANTINED:  # it is not published, and somebody has to judge it
            shown = parts.masters.read(master_name(entry.work_id))
        if shown is not None:
            after = parts.call(thumbnail, shown, size_px)
    except ItemError as error:
        return Pair(entry.key, before, None, str(error))
    note = "" if entry.state is State.PUBLISHED else f"{entry.state}: {entry.detail}"
    return Pair(entry.key, before, after, note)
