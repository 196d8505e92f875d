"""Scripted faults: which calls go wrong, and how."""

import threading
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from bg_pipeline.errors import ConfigurationError


class FaultKind(StrEnum):
    """What goes wrong; only the kinds in `CHARGED` cost what a good answer costs."""

    INTERNAL_ERROR = "500"
    BAD_GATEWAY_PAGE = "502_html"
    UNAVAILABLE = "503"
    TOO_MANY_REQUESTS = "429"
    NO_CREDITS = "402"
    BAD_KEY = "401"
    RESET_BEFORE = "reset_before"
    RESET_AFTER_CHARGE = "reset_after_charge"
    SUCCESS_PAGE = "200_html"
    SUCCESS_ERROR = "200_json_error"
    EMPTY_BODY = "empty_body"
    TRUNCATED_IMAGE = "truncated_image"
    WRONG_SIZE = "wrong_size"
    OPAQUE = "opaque"
    SLOW = "slow"


CHARGED = frozenset(
    {
        FaultKind.RESET_AFTER_CHARGE,
        FaultKind.TRUNCATED_IMAGE,
        FaultKind.WRONG_SIZE,
        FaultKind.OPAQUE,
        FaultKind.SLOW,
    }
)


class Fault(BaseModel):
    """One line of the script: let `after` calls pass, then spoil the next `times` calls."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    kind: FaultKind = Field(strict=False)
    times: int = Field(default=1, ge=1)
    after: int = Field(default=0, ge=0)
    # Other text cannot be sent as a header, and would turn the 429 into a 500.
    retry_after: str | None = Field(default="1", pattern="^([!-~]+( +[!-~]+)*)?$")
    """Of a 429 only: the header's value, sent as it is; None leaves the header out."""
    seconds: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    """Of a slow answer only: how long the answer is held back."""

    @model_validator(mode="after")
    def _refuse_what_has_no_effect(self) -> Self:
        for name, kind in (("retry_after", FaultKind.TOO_MANY_REQUESTS), ("seconds", FaultKind.SLOW)):
            if name in self.model_fields_set and self.kind is not kind:
                raise ValueError(f"'{name}' belongs to the kind '{kind}', not to '{self.kind}'")
        return self

    def as_json(self) -> dict[str, Any]:
        """As its author wrote it, with what is left of it."""
        return self.model_dump(mode="json", exclude_unset=True)


class FaultScript:
    """Faults in the order of the script, each counting calls from where the one before it ended."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self._lock = threading.Lock()
        self._faults = list(faults)

    def remaining(self) -> list[Fault]:
        with self._lock:
            return list(self._faults)

    def replace(self, faults: Iterable[Fault]) -> None:
        with self._lock:
            self._faults = list(faults)

    def next_call(self) -> Fault | None:
        """Move the script on by one call; gives the fault that spoils this call."""
        with self._lock:
            if not self._faults:
                return None
            fault = self._faults[0]
            if fault.after:
                self._faults[0] = fault.model_copy(update={"after": fault.after - 1})
                return None
            if fault.times > 1:
                self._faults[0] = fault.model_copy(update={"times": fault.times - 1})
            else:
                del self._faults[0]
            return fault


def damaged(result: Image.Image, kind: FaultKind | None) -> Image.Image:
    """What is delivered in place of a good RGBA result."""
    if kind is FaultKind.WRONG_SIZE:
        return Image.new("RGBA", (1, 1))
    if kind is FaultKind.OPAQUE:
        return result.convert("RGB")
    return result


def load_faults(path: Path) -> list[Fault]:
    """
    Read a script of faults, a JSON list of objects, from a file.

    Raises:
        ConfigurationError: the file cannot be read, or is not a list of faults.
    """
    try:
        return TypeAdapter(list[Fault]).validate_json(path.read_bytes())
    except OSError as error:
        raise ConfigurationError(f"The faults file {path} cannot be read: {error.strerror}.") from error
    except ValidationError as error:
        raise ConfigurationError(f"The faults file {path} cannot be used: {sentence(error)}") from error


def sentence(error: ValidationError) -> str:
    """Where the values are wrong and how, on one line."""
    problems = [(".".join(str(part) for part in entry["loc"]), entry["msg"]) for entry in error.errors()]
    return "; ".join(f"{where}: {what}" if where else what for where, what in problems) + "."
