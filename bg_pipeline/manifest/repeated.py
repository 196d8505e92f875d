"""Base of the classes whose methods are transactions: each is repeated if its connection is lost."""

import time
from collections.abc import Callable
from functools import wraps
from inspect import isgeneratorfunction
from typing import Any

from bg_pipeline.manifest.database import Database
from bg_pipeline.ports.running import Now


class Repeated:
    """
    A port in a database. Its public methods are repeated as a whole (`Database.repeat`): each is one transaction, or
    may be taken again from its start. One that yields is not, because its caller has used a part of it.
    """

    def __init__(self, database: Database, now: Now = time.time) -> None:
        self._db = database
        self._now = now

    def __init_subclass__(cls) -> None:
        for name, method in list(vars(cls).items()):
            if callable(method) and not name.startswith("_") and not isgeneratorfunction(method):
                setattr(cls, name, _repeated(method))


def _repeated(method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def repeated(self: Repeated, *args: Any, **options: Any) -> Any:
        return self._db.repeat(lambda: method(self, *args, **options))

    return repeated
