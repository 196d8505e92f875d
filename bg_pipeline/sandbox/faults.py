"""Faults of calls, scripted or random."""

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from email.utils import formatdate
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

from PIL import Image, ImageOps
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from bg_pipeline.errors import ConfigurationError
from bg_pipeline.sandbox.ledger import Vendor


class FaultKind(StrEnum):
    """
    A fault of a paid call.

    The first group is free: the vendor refuses, or a proxy answers instead. The second group (`CHARGED`) is charged
    like a good answer: the work was done, but its result is lost, late or wrong. The third group (`DELIVERY_FAULTS`) is
    charged too, and affects the response with the picture: where that is a separate download (bgeraser's tools), only
    the first download. Errors have each vendor's own form, so "401" is a 403 at remove.bg and Photoroom.
    """

    INTERNAL_ERROR = "500"
    BAD_GATEWAY_PAGE = "502_html"
    UNAVAILABLE = "503"
    TOO_MANY_REQUESTS = "429"
    NO_CREDITS = "402"
    BAD_KEY = "401"
    RESET_BEFORE = "reset_before"
    SUCCESS_PAGE = "200_html"
    SUCCESS_ERROR = "200_json_error"
    EMPTY_BODY = "empty_body"
    REDIRECT = "redirect"

    RESET_AFTER_CHARGE = "reset_after_charge"
    HANG = "hang"
    """No answer; it ends when the client gives up."""
    SLOW = "slow"
    WRONG_SIZE = "wrong_size"
    """One pixel, declared with the right size."""
    WRONG_IMAGE = "wrong_image"
    """A good cutout of another subject, as large as the right one."""
    OPAQUE = "opaque"
    TRUNCATED_IMAGE = "truncated_image"
    """Half of the file in a complete HTTP response."""
    EXPIRED_RESULT = "expired_result"
    """A result URL that answers 404; it does not affect vendors that answer with the picture itself."""

    TRUNCATED_LENGTH = "truncated_length"
    """Half of the body that Content-Length announces."""
    TRUNCATED_CLOSE = "truncated_close"
    """Half of a body that ends with the connection, without Content-Length."""
    SLOW_LORIS = "slow_loris"
    ENDLESS = "endless"


DELIVERY_FAULTS = frozenset(
    {FaultKind.TRUNCATED_LENGTH, FaultKind.TRUNCATED_CLOSE, FaultKind.SLOW_LORIS, FaultKind.ENDLESS}
)

CHARGED = DELIVERY_FAULTS | {
    FaultKind.RESET_AFTER_CHARGE,
    FaultKind.HANG,
    FaultKind.SLOW,
    FaultKind.WRONG_SIZE,
    FaultKind.WRONG_IMAGE,
    FaultKind.OPAQUE,
    FaultKind.TRUNCATED_IMAGE,
    FaultKind.EXPIRED_RESULT,
}

_KINDS_WITH_FIELD: Mapping[str, frozenset[FaultKind]] = {
    "retry_after": frozenset({FaultKind.TOO_MANY_REQUESTS}),
    "seconds": frozenset({FaultKind.SLOW, FaultKind.SLOW_LORIS}),
    "location": frozenset({FaultKind.REDIRECT}),
}


class Fault(BaseModel):
    """One line of the script: `after` calls succeed, the next `times` calls fail."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    kind: FaultKind = Field(strict=False)
    times: int = Field(default=1, ge=1)
    after: int = Field(default=0, ge=0)
    vendor: Vendor | None = None
    """Vendor whose calls are counted and fail; None for all vendors."""
    # Other text cannot be sent as a header, and would turn the 429 into a 500.
    retry_after: str | None = Field(default="1", pattern="^([!-~]+( +[!-~]+)*)?$")
    """Header value for a 429 only, sent unchanged; None leaves the header out."""
    seconds: float = Field(default=1.0, ge=0, allow_inf_nan=False)
    """Delay of a slow answer; for a slow loris, the pause before each byte."""
    location: str = Field(default="http://redirected.invalid/", pattern="^[!-~]+$")
    """Target of a redirect. The default does not exist."""

    @model_validator(mode="after")
    def _reject_unused_fields(self) -> Self:
        for name, kinds in _KINDS_WITH_FIELD.items():
            if name in self.model_fields_set and self.kind not in kinds:
                owners = " and ".join(f"'{kind}'" for kind in sorted(kinds))
                raise ValueError(f"'{name}' belongs to the kind {owners}, not to '{self.kind}'")
        return self

    def as_json(self) -> dict[str, Any]:
        """Return the fault as JSON, with its remaining calls."""
        return self.model_dump(mode="json", exclude_unset=True)


class Chance(BaseModel):
    """Random faults of the share `rate` of all calls; the seed and the number of the call determine each fault."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    rate: float = Field(default=0.0, ge=0, le=1)
    seed: int = 0

    def fault(self, call: int, now_s: float) -> Fault | None:
        dice = random.Random(f"{self.seed}:{call}")  # noqa: S311 - faults have to repeat, not to be secret
        return dice.choice(dice.choice(_random_faults(now_s))) if dice.random() < self.rate else None


NO_CHANCE = Chance()


def _random_faults(now_s: float) -> list[list[Fault]]:
    """List the faults of single calls by kind. A 402 or a bad key would affect the account, and end every run."""
    retry_afters: list[str | None] = [None, "2", formatdate(now_s + 1, usegmt=True), "86400"]
    excluded = {FaultKind.NO_CREDITS, FaultKind.BAD_KEY, FaultKind.TOO_MANY_REQUESTS}
    return [
        *([Fault(kind=kind)] for kind in FaultKind if kind not in excluded),
        [Fault(kind=FaultKind.TOO_MANY_REQUESTS, retry_after=value) for value in retry_afters],
    ]


class FaultPlan:
    """A script, then chance: each line counts calls from the end of the line before; other calls may fail at random."""

    def __init__(self, script: Iterable[Fault], chance: Chance, now: Callable[[], float]) -> None:
        self._lock = threading.Lock()
        self._script = list(script)
        self._now = now
        self._calls = 0
        self._done: Counter[FaultKind] = Counter()
        self.chance = chance

    def remaining(self) -> list[Fault]:
        """Return the rest of the script."""
        with self._lock:
            return list(self._script)

    def replace(self, script: Iterable[Fault]) -> None:
        with self._lock:
            self._script = list(script)

    def done(self) -> dict[str, int]:
        """Return the number of calls that had a fault, by kind."""
        with self._lock:
            return {kind.value: count for kind, count in sorted(self._done.items())}

    def next_call(self, vendor: Vendor) -> Fault | None:
        """Count one call; return its fault, if any."""
        with self._lock:
            fault = self._scripted(vendor) or self.chance.fault(self._calls, self._now())
            self._calls += 1
            if fault is not None:
                self._done[fault.kind] += 1
            return fault

    def _scripted(self, vendor: Vendor) -> Fault | None:
        for number, fault in enumerate(self._script):
            if fault.vendor not in {None, vendor}:
                continue
            if fault.after:
                self._script[number] = fault.model_copy(update={"after": fault.after - 1})
                return None
            if fault.times > 1:
                self._script[number] = fault.model_copy(update={"times": fault.times - 1})
            else:
                del self._script[number]
            return fault
        return None


def damage_image(result: Image.Image, kind: FaultKind | None) -> Image.Image:
    """Return the picture that is delivered instead of a result under a fault."""
    match kind:
        case FaultKind.WRONG_SIZE:
            return Image.new(result.mode, (1, 1))
        case FaultKind.WRONG_IMAGE:
            return _draw_other_subject(result.size).convert(result.mode)
        case FaultKind.OPAQUE if result.mode == "RGBA":
            return result.convert("RGB")
        case FaultKind.OPAQUE if result.mode == "L":
            return Image.new("L", result.size, 255)
        case _:
            return result


def _draw_other_subject(size: tuple[int, int]) -> Image.Image:
    """Draw a ball in a colour that few products have."""
    shade = Image.radial_gradient("L").resize(size)
    ball = ImageOps.colorize(shade, "white", "#7b1fa2").convert("RGBA")
    ball.putalpha(shade.point(lambda value: 255 if value < 100 else 0))
    return ball


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
        raise ConfigurationError(f"The faults file {path} cannot be used: {describe_errors(error)}") from error


def describe_errors(error: ValidationError) -> str:
    """Describe the wrong values and their positions, on one line."""
    problems = [(".".join(str(part) for part in entry["loc"]), entry["msg"]) for entry in error.errors()]
    return "; ".join(f"{where}: {what}" if where else what for where, what in problems) + "."
