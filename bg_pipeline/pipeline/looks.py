"""Look through the stores, where a folder has changed since the last detection found all in order."""

from collections.abc import Iterator, Mapping
from itertools import groupby
from operator import itemgetter

from bg_pipeline.core.blocks import in_runs
from bg_pipeline.core.keys import key_bytes
from bg_pipeline.core.merge import merge_join
from bg_pipeline.core.runlog import Look, LookRecord
from bg_pipeline.errors import StoreError
from bg_pipeline.ports.context import Catalogue, Run
from bg_pipeline.ports.stores import BlobStore, LookedThrough

OUTPUTS, MASTERS = "outputs", "masters"


def look_through(catalogue: Catalogue, masters: BlobStore, older_than: float) -> Mapping[str, Look]:
    """
    Remove what killed runs left half-written in outputs and masters; return what is known of each store afterwards.

    Args:
        catalogue: owner of the outputs.
        masters: the masters.
        older_than: epoch second before which such files were left.
    """
    looks = {}
    for name, store in ((OUTPUTS, catalogue.outputs), (MASTERS, masters)):
        if known := _unchanged(catalogue, name, store):
            looks[name] = known
        elif isinstance(store, LookedThrough):
            looks[name] = store.look_through(older_than)
        else:
            store.sweep(older_than)
    return looks


def missing_outputs(catalogue: Catalogue) -> dict[str, str]:
    """
    Return by key the name of a published output that is missing.

    Raises:
        StoreError: the outputs cannot be listed.
    """
    # Each output is written before it is published. So what is published can only go missing where a folder changes.
    if _unchanged(catalogue, OUTPUTS, catalogue.outputs):
        return {}
    try:
        return dict(_missing(catalogue))
    except ValueError as error:
        raise StoreError(f"the listing of the outputs is not in order: {error}") from error


def _missing(catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    deltas = catalogue.deltas
    for first, names, end in in_runs(catalogue.outputs.list()):
        # Almost always the store has all names that are on record, and no other.
        if names and deltas.joined_names(first, end) == key_bytes("\0".join(names)):
            continue
        # Should two items ever have one name on record, one of them stands for both.
        published = (next(same) for _, same in groupby(deltas.published_names(first, end), itemgetter(0)))
        for name, known in merge_join(names, published, key_bytes, lambda published: key_bytes(published[0])):
            if known is not None and name is None:
                yield known[1], known[0]


def record(catalogue: Catalogue, run: Run, looks: Mapping[str, Look], missing: Mapping[str, str]) -> None:
    """
    Record what the next detection need not look through.

    Args:
        catalogue: the catalogue.
        run: the run that looked.
        looks: of `look_through`, before `missing` was found.
        missing: published outputs that are missing: they are looked for until there are none.
    """
    known = {name: look for name, look in looks.items() if look.state and not (missing and name == OUTPUTS)}
    if known != _last(catalogue):
        catalogue.run_log.write(
            LookRecord(run_id=run.name.run_id, job=run.name.job, collections=None, started_at=run.now(), stores=known)
        )


def _unchanged(catalogue: Catalogue, name: str, store: BlobStore) -> Look | None:
    """Return the last look through a store, if nothing has come into or gone from its folders since."""
    known = _last(catalogue).get(name)
    if known and isinstance(store, LookedThrough) and store.state_of(known.folders) == known.state:
        return known
    return None


def _last(catalogue: Catalogue) -> Mapping[str, Look]:
    return next((each.stores for each in catalogue.run_log.read(LookRecord)), {})
