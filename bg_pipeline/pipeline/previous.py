"""Keep the outputs that runs replace, for some days, so that a run can be reverted."""

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from bg_pipeline.core.recipe import digest_of
from bg_pipeline.core.records import MAIN, Entry, Output, Published, Reason
from bg_pipeline.core.revert import Previous, is_the_same, previous_name
from bg_pipeline.errors import ItemError
from bg_pipeline.ports.context import Catalogue, Policy, Run
from bg_pipeline.ports.single import one_blob

_DAY_S = 86_400.0

_MOST_CLEARED = 50_000
"""Files deleted in one night: a bucket takes minutes for so many, and the night waits for it."""

_REMOVERS = 8


@dataclass(slots=True)
class ClearedPrevious:
    """Replaced outputs whose time was over."""

    removed: list[str] = field(default_factory=list)
    """Names in the output store."""
    left: dict[str, str] = field(default_factory=dict)
    """The reason for leaving one, by name."""


def keep_previous(
    catalogue: Catalogue,
    policy: Policy,
    run: Run,
    entry: Entry,
    outputs: Iterable[Output],
    made: Mapping[str, Published],
) -> str:
    """
    Keep the outputs of an item before one of them is overwritten or taken away.

    Args:
        catalogue: owner of the outputs.
        policy: for how long they are kept.
        run: the run that replaces them.
        entry: the item.
        outputs: all of its outputs on record.
        made: all of its outputs by rendition, as they will be.

    Returns:
        The run by whose name the publication can be reverted; empty if it cannot be.

    Raises:
        ItemError, StoreError: the outputs cannot be kept; nothing was replaced.
    """
    former = {each.rendition: each.published for each in outputs if each.published.output_name}
    if MAIN not in former:
        former = {}  # they are in the trash, or their name is another item's
    elif is_the_same(former, made):
        return former[MAIN].run
    if not policy.keep_previous_days:
        return "" if former else run.name.run_id
    with one_blob(catalogue.outputs):
        if not former:
            return _keep_of_another(catalogue, run, entry, made)
        for rendition, published in former.items():
            stays = made.get(rendition)
            if stays and _file_of(stays) == _file_of(published):
                _record(catalogue, run, entry, rendition, published, *_file_of(published))
                continue
            data = catalogue.outputs.read(published.output_name)
            if data is None or digest_of(data) != published.output_digest:
                # A run that was killed after it had overwritten the output has kept it.
                name = previous_name(entry.key, published.output_digest, published.output_name)
                kept = catalogue.outputs.read(name)
                data = kept if kept is not None and digest_of(kept) == published.output_digest else data
            _keep(catalogue, run, entry, rendition, published, data)
    return run.name.run_id


def _keep_of_another(catalogue: Catalogue, run: Run, entry: Entry, made: Mapping[str, Published]) -> str:
    """Keep what is under the names of an item that has no outputs; return the run as `keep_previous` does."""
    there = catalogue.outputs.read(made[MAIN].output_name)
    if there is None:
        return run.name.run_id
    if digest_of(there) != made[MAIN].output_digest:
        for rendition, output in made.items():
            if (data := catalogue.outputs.read(output.output_name)) is not None:
                _keep(catalogue, run, entry, rendition, None, data, output.output_name)
        return run.name.run_id
    if entry.reason is not Reason.UNFINISHED:
        return ""  # it was there before, under a lost manifest or for another key
    # A killed run wrote it, and kept what was there.
    for kept in catalogue.previous.of_item(entry.key):
        if kept.published is None:
            catalogue.previous.begin(replace(kept, run=run.name.run_id))
    return run.name.run_id


def _keep(
    catalogue: Catalogue,
    run: Run,
    entry: Entry,
    rendition: str,
    former: Published | None,
    data: bytes | None,
    name: str = "",
) -> None:
    digest = "" if data is None else digest_of(data)
    kept_name = previous_name(entry.key, digest, former.output_name if former else name) if digest else ""
    # On record before it is written: no file is kept that nothing would ever remove.
    _record(catalogue, run, entry, rendition, former, kept_name, digest)
    if data is not None:
        catalogue.outputs.write(kept_name, data)


def _record(
    catalogue: Catalogue,
    run: Run,
    entry: Entry,
    rendition: str,
    former: Published | None,
    kept_name: str,
    digest: str,
) -> None:
    published_at = entry.published_at if former else None
    catalogue.previous.begin(
        Previous(entry.key, run.name.run_id, former, published_at, kept_name, digest, rendition=rendition)
    )


def _file_of(published: Published) -> tuple[str, str]:
    return published.output_name, published.output_digest


def clear_previous(catalogue: Catalogue, policy: Policy, run: Run) -> ClearedPrevious:
    """
    Delete replaced outputs that were kept long enough: only those on record, and so many that the night goes on soon.

    Raises:
        StoreError: the output store cannot be used at all.
    """
    result = ClearedPrevious()
    expired = catalogue.previous.expired(run.now() - policy.keep_previous_days * _DAY_S, _MOST_CLEARED)
    names = list(dict.fromkeys(each.kept_name for each in expired if each.is_copy))
    with ThreadPoolExecutor(_REMOVERS, thread_name_prefix="previous") as pool:
        for name, why in zip(names, pool.map(lambda name: _remove(catalogue, run, name), names), strict=True):
            if why:
                result.left[name] = why
            else:
                result.removed.append(name)
    catalogue.previous.drop([each for each in expired if each.kept_name not in result.left])
    return result


def _remove(catalogue: Catalogue, run: Run, name: str) -> str:
    """Remove one file; return why it stays, or nothing."""
    if run.stop.is_set():
        return "stopped on request"
    try:
        with one_blob(catalogue.outputs):
            catalogue.outputs.remove(name)
    except ItemError as error:
        return str(error)
    return ""
