"""The pool of the steps that buy. Its limit is 0 while the gate is closed, so that Dagster shows waiting runs."""

import dagster as dg

POOL = "cutouts"
_MARK = "bg_pipeline/pool_limit_before_the_pause"
_DEFAULT = "default"


def pause_pool(instance: dg.DagsterInstance) -> None:
    """Set the limit to 0, so that no further step starts to buy. The old limit is stored first: a kill may follow."""
    limit = _limit(instance)
    if limit == 0:
        return
    default = instance.global_op_concurrency_default_limit
    before = _DEFAULT if limit in {None, default} else str(limit)
    instance.daemon_cursor_storage.set_cursor_values({_MARK: before})
    instance.event_log_storage.set_concurrency_slots(POOL, 0)


def resume_pool(instance: dg.DagsterInstance) -> None:
    """Restore the limit that `pause_pool` stored; a zero that a person chose stays."""
    before = instance.daemon_cursor_storage.get_cursor_values({_MARK}).get(_MARK)
    if not before:
        return
    if _limit(instance) == 0:
        limit = instance.global_op_concurrency_default_limit if before == _DEFAULT else int(before)
        if limit is None:
            instance.event_log_storage.delete_concurrency_limit(POOL)
        else:
            instance.event_log_storage.set_concurrency_slots(POOL, limit)
    instance.daemon_cursor_storage.set_cursor_values({_MARK: ""})


def _limit(instance: dg.DagsterInstance) -> int | None:
    return next((pool.limit for pool in instance.event_log_storage.get_pool_limits() if pool.name == POOL), None)
