"""Types of columns."""

from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, Dialect, LargeBinary, Text, TypeDecorator

from bg_pipeline.core.keys import key_bytes


class Key(LargeBinary):
    """
    A name as its source spells it, in bytes.

    Text columns cannot hold names that are not UTF-8, and sort by the server's locale; bytes sort the same way
    everywhere, which the merge of listing and manifest relies on.
    """

    def coerce_compared_value(self, op: Any, value: object) -> "Key":  # noqa: ARG002
        return self

    def bind_processor(self, dialect: Dialect) -> Any:  # noqa: ARG002
        return lambda value: None if value is None else key_bytes(value)

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:  # noqa: ARG002
        return lambda value: None if value is None else value.decode("utf-8", "surrogateescape")


class Credits(TypeDecorator[Decimal]):
    """Credits in thousandths, so that sums are exact in every database."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        return None if value is None else round(value * 1000)

    def process_result_value(self, value: int | None, dialect: Dialect) -> Decimal | None:  # noqa: ARG002
        return None if value is None else Decimal(value) / 1000


class Prose(TypeDecorator[str]):
    """Text for people, which may quote a name that is not UTF-8."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        if value is None or (value.isascii() and "\0" not in value):
            return value
        return value.replace("\0", "\\0").encode("utf-8", "backslashreplace").decode()
