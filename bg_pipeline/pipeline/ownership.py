"""Guard against a lost or wrong manifest: it would buy again all that the stores already have."""

from collections.abc import Iterable

from bg_pipeline.core.agreement import Purpose
from bg_pipeline.core.ownership import Ownership, decide_ownership
from bg_pipeline.errors import ForeignStore, StoreError
from bg_pipeline.ports.context import MarkedStore, Pipeline


def guard(pipeline: Pipeline) -> None:
    """
    Check that all stores belong to this manifest, and mark new ones. Must come before anything that detects or buys.

    Raises:
        ForeignStore: a store belongs to another manifest, or this one is empty and the store is not.
        StoreError: a mark cannot be read or written.
        ConfigurationError: another host works for this catalogue with other settings.
    """
    _mark(pipeline, check(pipeline))
    pipeline.agree(Purpose.WORK)


def check(pipeline: Pipeline) -> list[MarkedStore]:
    """Do the check of `guard`, and change nothing; return the stores that have no mark yet."""
    return [each for each in pipeline.identity.stores if _is_new(pipeline, each)]


def take_possession(pipeline: Pipeline) -> None:
    """Mark all stores as those of this manifest, after it has taken in what they have."""
    _mark(pipeline, pipeline.identity.stores)


def find_foreign_store(pipeline: Pipeline) -> ForeignStore | None:
    """Return what `guard` would raise about a foreign store; None also while a store cannot be read."""
    try:
        check(pipeline)
    except ForeignStore as error:
        return error
    except StoreError:
        return None
    return None


def _is_new(pipeline: Pipeline, marked: MarkedStore) -> bool:
    identity, mark = pipeline.identity, marked.store.owner()
    decision = decide_ownership(
        identity.id,
        mark,
        # With a mark, nothing else counts.
        is_full=not mark and next(marked.store.list(), None) is not None,
        knows_purchases=not mark and next(pipeline.accounts.purchases.masters(), None) is not None,
    )
    if decision.ownership is Ownership.FOREIGN:
        raise ForeignStore(
            f"{marked.setting} ({marked.location}) {decision.because} (BG_STATE is {identity.location})",
            "Nothing was bought. If settings or folder are wrong, correct them. If the right manifest is lost or was "
            "replaced, `bg-pipeline rebuild` takes in what is paid for; `bg-pipeline adopt` takes in cutouts that "
            "another tool made",
        )
    return decision.ownership is Ownership.NEW


def _mark(pipeline: Pipeline, stores: Iterable[MarkedStore]) -> None:
    for each in stores:
        each.store.set_owner(pipeline.identity.id)
