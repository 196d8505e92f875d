"""Measure what is stored, by listing the stores."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from bg_pipeline.core.deletes import TRASH
from bg_pipeline.core.keys import DAMAGED, master_name
from bg_pipeline.core.revert import PREVIOUS
from bg_pipeline.ports.context import Accounts, Catalogue
from bg_pipeline.ports.stores import BlobStore, SizedStore


@dataclass(frozen=True, slots=True)
class Size:
    """Number and bytes of files."""

    files: int
    size_bytes: int


def measure(catalogue: Catalogue, accounts: Accounts) -> dict[str, Size | None]:
    """
    Return the size of each store and its parts; None where a store cannot tell.

    A bucket takes one request for each thousand objects.

    Raises:
        StoreError: a listing is incomplete.
    """
    quarantine = {master_name(each.purchase_id) for each in accounts.purchases.masters() if each.suspicion}
    unused = {master_name(each) for each in accounts.retention.unused()}
    masters = {
        "masters": lambda name: not name.startswith("."),
        "masters in quarantine": quarantine.__contains__,
        "masters that no item uses": unused.__contains__,
        "damaged masters": lambda name: name.startswith(f"{DAMAGED}/"),
    }
    outputs = {
        "outputs": lambda name: not name.startswith("."),
        "trash": lambda name: name.startswith(f"{TRASH}/"),
        "previous outputs": lambda name: name.startswith(f"{PREVIOUS}/"),
    }
    spool = {"spool": lambda name: not name.startswith(".")}
    return _parts(catalogue.outputs, outputs) | _parts(accounts.masters, masters) | _parts(accounts.spool, spool)


def measure_masters(accounts: Accounts, purchase_ids: list[str]) -> Size | None:
    """Return the size of these masters; None where the store cannot tell. See `measure`."""
    names = {master_name(each) for each in purchase_ids}
    return _parts(accounts.masters, {"": names.__contains__})[""]


def _parts(store: BlobStore, parts: dict[str, Callable[[str], bool]]) -> dict[str, Size | None]:
    if not isinstance(store, SizedStore):
        return dict.fromkeys(parts)
    files, size_bytes = Counter[str](), Counter[str]()
    for name, size in store.sizes():
        for part, holds in parts.items():
            if holds(name):
                files[part] += 1
                size_bytes[part] += size
    return {part: Size(files[part], size_bytes[part]) for part in parts}
