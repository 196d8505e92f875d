"""Everything that alters an output: the cut that is bought, and the rendition that is free."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any


def _digest(value: Any) -> str:
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Step:
    """One more tool of the same vendor, applied to what came before it."""

    tool: str
    params: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Cut:
    """What is bought. Changing any of it means buying again."""

    provider: str
    max_side_px: int
    """Longest side that is sent; larger pictures are shrunk first."""
    max_pixels: int = 0
    """Most pixels that are sent: what the size tier gives back; 0: no limit of its own."""
    endpoint: str = ""
    """Host, where it is not the provider's own: what a sandbox cut must not pass for bought."""
    surface: str = ""
    """Which of a vendor's public APIs, where it has several: they differ in price and in what comes back."""
    params: Mapping[str, str] = field(default_factory=dict)
    """Form fields passed to the provider as they are, the size tier among them."""
    steps: tuple[Step, ...] = ()
    """Tools that follow the cut, each a purchase of its own."""

    @property
    def hash(self) -> str:
        return _digest(asdict(self))

    @property
    def stages(self) -> tuple["Cut", ...]:
        """What has to be bought, in this order: the cut alone, then with each further step; the last is all of it."""
        return tuple(replace(self, steps=self.steps[:count]) for count in range(len(self.steps) + 1))


AS_IT_IS = Cut("none", 0)
"""No purchase: the source is a cutout already."""


@dataclass(frozen=True, slots=True)
class Rendition:
    """What is made of a master, locally and free."""

    format: str = "png"
    background: str = ""
    """`#rrggbb` or a CSS colour name; empty for transparent."""
    canvas: tuple[int, int] | None = None
    """Width and height in px that the subject is fitted into; None keeps the original frame."""
    padding: float = 0.0
    """Share of the canvas kept free on each side, 0 to 0.45."""

    @property
    def hash(self) -> str:
        return _digest(asdict(self))


@dataclass(frozen=True, slots=True)
class Recipe:
    """Cuts in the order in which they are tried, and a rendition of whichever was made."""

    cuts: tuple[Cut, ...]
    rendition: Rendition
    keep_cutouts: bool = True
    """A picture that is cut out already is published as it is, unpaid."""

    @property
    def cut(self) -> Cut:
        """The one that is wanted; the others are for when its provider cannot."""
        return self.cuts[0]

    @property
    def accepted(self) -> tuple[Cut, ...]:
        """What a cutout on show may come from and be as this recipe wants it."""
        return (*self.cuts, AS_IT_IS) if self.keep_cutouts else self.cuts


def digest_of(data: bytes) -> str:
    """Content hash: SHA-256 in hex digits."""
    return hashlib.sha256(data).hexdigest()


def work_id(content_hash: str, cut_hash: str) -> str:
    """Name of one purchase: 64 hex digits, the same for the same bytes cut the same way."""
    return _digest([content_hash, cut_hash])
