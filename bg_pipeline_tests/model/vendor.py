"""A vendor that keeps its own account of what it charged."""

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from bg_pipeline.errors import (
    AccountError,
    BgPipelineError,
    ItemRejected,
    NoCredits,
    OutcomeUnknown,
    RateLimited,
    TransientError,
)
from bg_pipeline.ports.purchasing import CutReply, CutRequest
from bg_pipeline_tests.fakes import FakeRemover
from bg_pipeline_tests.model.pictures import answer_to, other_answer


class Fault(StrEnum):
    """What the vendor does in place of cutting one picture."""

    BUSY = "busy"
    RATE = "rate"
    LOST_FREE = "lost, not charged"
    LOST_CHARGED = "lost, charged"
    GARBAGE = "no picture, charged"
    OTHERS = "another picture's answer, charged"
    REJECTED = "refused"
    KEY = "the key is refused"


_FREE: dict[Fault, type[BgPipelineError]] = {
    Fault.BUSY: TransientError,
    Fault.RATE: RateLimited,
    Fault.LOST_FREE: OutcomeUnknown,
    Fault.REJECTED: ItemRejected,
    Fault.KEY: AccountError,
}


@dataclass(frozen=True, slots=True)
class Post:
    """One request that reached the vendor."""

    purchase_id: str
    run: str
    at: float
    charged: bool
    fault: Fault | None
    readings: int
    """Readings of the balance before it."""
    read_at: float
    """Time of the last of them."""


@dataclass
class ModelVendor(FakeRemover):
    """`credits` is what is left; `faults` are those of the next requests."""

    now: Callable[[], float]
    credits: Decimal = Decimal(60)
    faults: list[Fault | None] = field(default_factory=list)
    posts: list[Post] = field(default_factory=list)
    read_at: float = -math.inf

    def __post_init__(self) -> None:
        super().__init__(credits_left=self.credits)

    def balance(self) -> Decimal | None:
        self.read_at = self.now()
        return super().balance()

    def cut(self, request: CutRequest) -> CutReply:
        fault = self.faults.pop(0) if self.faults else None
        assert self.credits_left is not None
        empty = self.credits_left < request.credits_expected
        charged = not empty and fault not in _FREE
        self.posts.append(
            Post(
                request.purchase_id,
                request.claim.ask.budget.run,
                self.now(),
                charged,
                fault,
                self.readings,
                self.read_at,
            )
        )
        if empty:
            raise NoCredits("402: no credits left")
        if charged:
            self.credits_left -= request.credits_expected
        if fault in _FREE:
            raise _FREE[fault](f"{fault.value}")
        if fault is Fault.LOST_CHARGED:
            raise OutcomeUnknown("the connection broke")
        if fault is Fault.GARBAGE:
            return CutReply(b"<html>busy</html>", request.credits_expected)
        answer = other_answer if fault is Fault.OTHERS else answer_to
        return CutReply(answer(request.image), request.credits_expected)

    @property
    def charges(self) -> Counter[str]:
        """By purchase."""
        return Counter(each.purchase_id for each in self.posts if each.charged)
