"""Everything that alters an output: the cut that is bought, and the rendition that is free."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from bg_pipeline.core import identity
from bg_pipeline.core.formats import Format

RENDERER = 1
"""
Version of what makes a rendition of a master.

Raise it when the same master and the same rendition yield other bytes. What is rendered next is made by the new one;
what is published stays until a person asks for it, because each output is a write.
"""


@dataclass(frozen=True, slots=True)
class Tool:
    """One more tool of the same vendor, applied to what came before it."""

    name: str
    params: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Cut:
    """One kind of purchase. Whatever alters its bytes is part of its digest."""

    provider: str
    side_px: int
    """Longest side as it was asked for; larger pictures are shrunk before they are sent."""
    endpoint: str = ""
    """Host, where it is not the vendor's own: what a sandbox cut must not pass for bought."""
    variant: str = ""
    """Which of a vendor's public APIs, where it has several: they differ in price and in what comes back."""
    params: Mapping[str, str] = field(default_factory=dict)
    """Form fields passed to the vendor as they are, the size tier among them."""
    tools: tuple[Tool, ...] = ()
    """Tools that follow the cut, each a purchase of its own."""
    vendor_side_px: int = 0
    """Longest side that the vendor takes; 0: no limit. Follows from the rest, so it is no part of the digest."""
    max_pixels: int = 0
    """Most pixels that are sent: what the size tier gives back; 0: no limit. No part of the digest either."""
    former: tuple[int, int] | None = None
    """Longest side and most pixels as the older name has them: see `Vendor.former`. None: just what was asked for."""

    @property
    def max_side_px(self) -> int:
        """Longest side that is sent."""
        return min(self.side_px, self.vendor_side_px or self.side_px)

    @property
    def digest(self) -> str:
        """Name of this cut under the present scheme: 64 hex digits."""
        return self.digests[0]

    @property
    def digests(self) -> tuple[str, ...]:
        """Every name that this cut has or had: the present one, then those of older schemes."""
        return identity.cut_digests(
            self.provider,
            {
                "side_px": self.side_px,
                "endpoint": self.endpoint,
                "surface": self.variant,
                "params": dict(self.params),
                "steps": [[tool.name, dict(tool.params)] for tool in self.tools],
            },
            former=self.former or (self.side_px, 0),
        )

    @property
    def stages(self) -> tuple["Cut", ...]:
        """All purchases, in this order: the cut alone, then with each further tool; the last is all of it."""
        return tuple(replace(self, tools=self.tools[:count]) for count in range(len(self.tools) + 1))


AS_IT_IS = Cut("none", 0)
"""No purchase: the source is a cutout already."""


@dataclass(frozen=True, slots=True)
class Rendition:
    """One way to make an output of a master, locally and free."""

    format: Format = Format.PNG
    background: str = ""
    """`#rrggbb` or a CSS colour name; empty for transparent."""
    canvas: tuple[int, int] | None = None
    """Width and height in px that the subject is fitted into; None keeps the original frame."""
    padding: float = 0.0
    """Share of the canvas kept free on each side, 0 to 0.45."""

    @property
    def digest(self) -> str:
        """Name of what the present renderer makes: 64 hex digits."""
        return self.digests[0]

    @property
    def digests(self) -> tuple[str, ...]:
        """Every name that a published output may carry and be accepted as this rendition, the present one first."""
        return rendition_digests(self, RENDERER)

    @property
    def present_digests(self) -> tuple[str, ...]:
        """Those of `digests` that name what the present renderer makes."""
        return present_digests(self, RENDERER)


def present_digests(rendition: Rendition, renderer: int) -> tuple[str, ...]:
    """Names of what this renderer makes. The older scheme named none: the first renderer made what has its names."""
    names = rendition_digests(rendition, renderer)
    return names if renderer == 1 else names[:1]


def rendition_digests(rendition: Rendition, renderer: int) -> tuple[str, ...]:
    """Name a rendition as this renderer makes it, then as older renderers and the older scheme called it."""
    return identity.rendition_digests(
        {
            "format": rendition.format,
            "background": rendition.background,
            "canvas": None if rendition.canvas is None else list(rendition.canvas),
            "padding": float(rendition.padding),
        },
        renderer,
    )


@dataclass(frozen=True, slots=True)
class Recipe:
    """Cuts in the order in which they are tried, and a rendition of whichever was made."""

    cuts: tuple[Cut, ...]
    rendition: Rendition
    keep_cutouts: bool = True
    """A picture that is cut out already is published as it is, unpaid."""

    @property
    def cut(self) -> Cut:
        """The one that is wanted; the others are for when its vendor cannot."""
        return self.cuts[0]

    @property
    def accepted(self) -> tuple[Cut, ...]:
        """Cuts that a published cutout may come from and be as this recipe wants it."""
        return (*self.cuts, AS_IT_IS) if self.keep_cutouts else self.cuts


def digest_of(data: bytes) -> str:
    """Content hash: SHA-256 in hex digits."""
    return hashlib.sha256(data).hexdigest()


def purchase_id(content_hash: str, cut_digest: str) -> str:
    """Name of one purchase: 64 hex digits, the same for the same bytes cut the same way."""
    # `identity.digest` of the two, written out: a first detection names a million, and JSON would be most of its time.
    return hashlib.sha256(f'["{content_hash}","{cut_digest}"]'.encode()).hexdigest()
