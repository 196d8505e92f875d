"""Steps on a picture's way, of several workers and of all kinds: they go to the database together."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection, Row

from bg_pipeline.manifest.pipelining import Query, ask
from bg_pipeline.ports.together import Together

A = TypeVar("A")
R = TypeVar("R")


@dataclass(frozen=True, slots=True, eq=False)
class Step(Generic[A, R]):
    """
    A kind of step.

    Args:
        asks: returns its queries for what each worker gives. Those of all kinds are sent before the first is answered.
        ends: takes that and the rows of its queries, and returns the result of each worker. A result that is an error
            is raised for this worker alone.
        writes: `ends` writes; it shares a transaction with the others, which holds no lock but that of its rows.
    """

    asks: Callable[[Sequence[A]], Iterable[Query]]
    ends: Callable[[Connection, Sequence[A], Sequence[Row[Any]]], Sequence[R | Exception]]
    writes: bool = False


class Steps:
    """Takes the steps of all workers of this process at once."""

    def __init__(
        self,
        write: Callable[[], AbstractContextManager[Connection]],
        read: Callable[[bool], AbstractContextManager[Connection]],
    ) -> None:
        self._write = write
        self._read = read
        self._together: Together[tuple[Step[Any, Any], Any], Any] = Together(self._take)

    def take(self, step: Step[A, R], given: A) -> R:
        """Take a step, together with what other workers take meanwhile."""
        result: R = self._together((step, given))
        return result

    def _take(self, calls: Sequence[tuple[Step[Any, Any], Any]]) -> list[Any]:
        given = defaultdict[Step[Any, Any], dict[int, Any]](dict)
        for number, (step, each) in enumerate(calls):
            given[step][number] = each
        results = dict[int, Any]()
        # To leave a pipeline is a journey too: one query is sent without.
        with self._write() if any(step.writes for step in given) else self._read(len(given) > 1) as conn:
            answers = ask(conn, *(step.asks(list(each.values())) for step, each in given.items()))
            for (step, each), rows in zip(given.items(), answers, strict=True):
                results |= zip(each, step.ends(conn, list(each.values()), rows), strict=True)
        return [results[number] for number in range(len(calls))]
