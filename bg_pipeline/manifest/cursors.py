"""The cursor of psycopg that SQLAlchemy is given. Loaded for PostgreSQL alone: psycopg takes 9 MB."""

import logging
from typing import Any

from greenlet import getcurrent
from psycopg import Cursor

from bg_pipeline.manifest.pipelining import Asking, flushed

# It warns of each error behind another one, which is the one that is raised.
logging.getLogger("psycopg").setLevel(logging.ERROR)


class PipelinedCursor(Cursor[Any]):
    """
    A cursor that, within a pipeline, waits for an answer when that has rows and SQLAlchemy looks at them.

    A statement without rows goes along with the next one that has some, or with the commit, which raise its error. Its
    `rowcount` is not known.
    """

    _has_rows = False

    def execute(self, query: Any, *args: Any, **options: Any) -> "PipelinedCursor":
        text = str(query)
        self._has_rows = " RETURNING " in text or not text.startswith(("UPDATE", "INSERT", "DELETE"))
        super().execute(query, *args, **options)
        return self

    @property
    def description(self) -> Any:
        if self._has_rows and self.pgresult is None:
            current = getcurrent()
            if isinstance(current, Asking) and current.parent is not None:
                current.parent.switch()
            with flushed(self.connection):
                self._fetch_pipeline()
        return super().description
