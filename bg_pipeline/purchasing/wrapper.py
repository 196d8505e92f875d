"""Base class of the wrappers in `compose`."""

from decimal import Decimal

from bg_pipeline.ports.purchasing import Remover


class Wrapper:
    """A remover that wraps another one."""

    def __init__(self, inner: Remover) -> None:
        self._inner = inner

    def open_answer(self, answer: bytes) -> bytes:
        return self._inner.open_answer(answer)

    def balance(self) -> Decimal | None:
        return self._inner.balance()
