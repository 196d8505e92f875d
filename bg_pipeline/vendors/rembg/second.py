"""A second engine as a check of the first: where they cut differently, a person or another account decides."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

from bg_pipeline.errors import ItemError
from bg_pipeline.imaging.alpha import overlap
from bg_pipeline.ports.purchasing import CutReply, CutRequest, Remover
from bg_pipeline.ports.running import Call

AGREE = 0.8
"""Overlap from which two engines cut the same subject: see `benchmarks.passed_on`."""


class SecondOpinion:
    """
    `ports.Remover` that gives the cutout of one engine, and doubts it where another engine cuts something else.

    Both take their time for each picture.

    Args:
        first: the engine whose cutouts are used.
        second: the other one.
        name: name of the other one, for people.
        least: overlap of both subjects, intersection by union, from which they agree.
        call: isolates decoders.
    """

    def __init__(self, first: Remover, second: Callable[[bytes], bytes], name: str, least: float, call: Call) -> None:
        self._first, self._second, self._name, self._least, self._call = first, second, name, least, call

    def cut(self, request: CutRequest) -> CutReply:
        reply = self._first.cut(request)
        try:
            shared = self._call(overlap, reply.answer, self._second(request.image))
        except ItemError as error:
            return replace(reply, suspicion=f"{self._name} could not cut it for comparison: {error}")
        if shared >= self._least:
            return reply
        return replace(reply, suspicion=f"{self._name} cuts something else: the two subjects overlap by {shared:.0%}")

    def open_answer(self, answer: bytes) -> bytes:
        return self._first.open_answer(answer)

    def balance(self) -> Decimal | None:
        return self._first.balance()
