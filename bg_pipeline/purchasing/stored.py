"""Masters that are in the store and not on record: what recorded them was lost, and they are paid for."""

from bg_pipeline.core.keys import master_name
from bg_pipeline.core.recipe import digest_of
from bg_pipeline.core.records import Master
from bg_pipeline.errors import ItemError
from bg_pipeline.imaging.pictures import inspect_alone, unseen
from bg_pipeline.ports.context import Accounts, Run
from bg_pipeline.ports.purchasing import Finished


def record_stored(accounts: Accounts, run: Run, purchase_id: str, content_hash: str = "") -> Finished | None:
    """
    Record the master of a purchase if the store has it; return None if not.

    Args:
        accounts: the store, and the records.
        run: decodes the master.
        purchase_id: a purchase without a recorded master.
        content_hash: hash of the picture that it was cut from; empty if that is not known.

    Raises:
        UnusableAnswer: the master is damaged.
        StoreError: the store cannot be read.
    """
    data = accounts.masters.read(master_name(purchase_id))
    if data is None:
        return None
    try:
        answer = run.call(inspect_alone, data)
    except ItemError as error:  # its decoder died; as for an answer, a person has to look
        answer = unseen(error)
    size = (answer.width_px, answer.height_px)
    master = Master(purchase_id, digest_of(data), *size, answer.suspicion, content_hash=content_hash)
    accounts.purchases.adopt(master)
    return Finished(master, data)
