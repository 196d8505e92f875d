"""The pool of the steps that buy. Its limit is 0 while the gate is closed, so that Dagster shows waiting runs."""

import dagster as dg

_DEFAULT = "default"


def pause_pool(instance: dg.DagsterInstance, pool: str) -> None:
    """Set the limit to 0, so that no further step starts to buy. The old limit is stored first: a kill may follow."""
    limit = _limit(instance, pool)
    if limit == 0:
        return
    default = instance.global_op_concurrency_default_limit
    before = _DEFAULT if limit in {None, default} else str(limit)
    instance.daemon_cursor_storage.set_cursor_values({_mark(pool): before})
    instance.event_log_storage.set_concurrency_slots(pool, 0)


def resume_pool(instance: dg.DagsterInstance, pool: str) -> None:
    """Restore the limit that `pause_pool` stored; a zero that a person chose stays."""
    mark = _mark(pool)
    before = instance.daemon_cursor_storage.get_cursor_values({mark}).get(mark)
    if not before:
        return
    if _limit(instance, pool) == 0:
        limit = instance.global_op_concurrency_default_limit if before == _DEFAULT else int(before)
        if limit is None:
            instance.event_log_storage.delete_concurrency_limit(pool)
        else:
            instance.event_log_storage.set_concurrency_slots(pool, limit)
    instance.daemon_cursor_storage.set_cursor_values({mark: ""})


def _limit(instance: dg.DagsterInstance, pool: str) -> int | None:
    return next((each.limit for each in instance.event_log_storage.get_pool_limits() if each.name == pool), None)


def _mark(pool: str) -> str:
    """Return the name under which the old limit is stored. That of the pool `cutouts` is in existing instances."""
    mark = "bg_pipeline/pool_limit_before_the_pause"
    return mark if pool == "cutouts" else f"{mark}/{pool}"
