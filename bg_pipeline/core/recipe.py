"""All values that alter an output: the cut, which is bought, and the rendition, which is free."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from bg_pipeline.core import identity
from bg_pipeline.core.formats import Format

RENDERER = 4
"""
Version of the renderer, which makes a rendition from a master.

Raise it when the same master and the same rendition yield other bytes. New outputs then use the new renderer;
published outputs stay until a person asks for new ones, because each output is a write.
"""


@dataclass(frozen=True, slots=True)
class Tool:
    """A further tool of the same vendor, applied to the previous result."""

    name: str
    params: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Cut:
    """One kind of purchase. Every value that alters its bytes is part of its digest."""

    provider: str
    side_px: int
    """Requested longest side; larger pictures are shrunk before they are sent."""
    endpoint: str = ""
    """Host, where it is not the vendor's own: a sandbox cut must not count as bought."""
    variant: str = ""
    """The vendor's public API, where it has several: they differ in price and in their results."""
    params: Mapping[str, str] = field(default_factory=dict)
    """Form fields passed to the vendor unchanged, including the size tier."""
    tools: tuple[Tool, ...] = ()
    """Tools that follow the cut, each a purchase of its own."""
    vendor_side_px: int = 0
    """Longest side that the vendor accepts; 0: no limit. Follows from the rest, so it is not part of the digest."""
    max_pixels: int = 0
    """Most pixels to send, as many as the size tier returns; 0: no limit. Not part of the digest either."""
    former: tuple[int, int] | None = None
    """Longest side and most pixels in the older name: see `Vendor.former`. None: the requested values."""

    @property
    def max_side_px(self) -> int:
        """Longest side of the picture to send."""
        return min(self.side_px, self.vendor_side_px or self.side_px)

    @property
    def digest(self) -> str:
        """Name of this cut under the present scheme: 64 hex digits."""
        return self.digests[0]

    @property
    def digests(self) -> tuple[str, ...]:
        """All names of this cut: the present one, then those of older schemes."""
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
        """All purchases, in this order: the cut alone, then with each further tool; the last is the complete cut."""
        return tuple(replace(self, tools=self.tools[:count]) for count in range(len(self.tools) + 1))


AS_IT_IS = Cut("none", 0)
"""No purchase: the source is a cutout already."""


@dataclass(frozen=True, slots=True)
class Rendition:
    """One way to make an output from a master, locally and free."""

    format: Format = Format.PNG
    background: str = ""
    """`#rrggbb` or a CSS colour name; empty for transparent."""
    canvas: tuple[int, int] | None = None
    """Width and height in px that the subject is fitted into; None keeps the original frame."""
    padding: float = 0.0
    """Share of the canvas kept free on each side, 0 to 0.45."""

    @property
    def digest(self) -> str:
        """Name of the present renderer's result: 64 hex digits."""
        return self.digests[0]

    @property
    def digests(self) -> tuple[str, ...]:
        """All names of a published output that are accepted as this rendition, the present one first."""
        return rendition_digests(self, RENDERER)

    @property
    def present_digests(self) -> tuple[str, ...]:
        """The digests in `digests` that name the present renderer's result."""
        return present_digests(self, RENDERER)


def present_digests(rendition: Rendition, renderer: int) -> tuple[str, ...]:
    """Return the names of this renderer's result. Names of the older scheme always mean the first renderer."""
    names = rendition_digests(rendition, renderer)
    return names if renderer == 1 else names[:1]


def rendition_digests(rendition: Rendition, renderer: int) -> tuple[str, ...]:
    """Return the names of a rendition: for this renderer, then for older renderers and the older scheme."""
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
    """Cuts in the order of trial, and a rendition of the one that was made."""

    cuts: tuple[Cut, ...]
    rendition: Rendition
    keep_cutouts: bool = True
    """True to publish a picture that is already a cutout unchanged and unpaid."""
    passed_on: int = 0
    """Number of cuts, from the first, after whose suspicious result the next account is asked. They are free."""

    @property
    def cut(self) -> Cut:
        """The preferred cut; the others serve when its vendor cannot."""
        return self.cuts[0]

    @property
    def accepted(self) -> tuple[Cut, ...]:
        """Cuts that this recipe accepts for a published cutout."""
        return (*self.cuts, AS_IT_IS) if self.keep_cutouts else self.cuts

    @property
    def passed_on_digests(self) -> frozenset[str]:
        """Digests of the cuts after whose suspicious result the next account is asked."""
        return frozenset(digest for cut in self.cuts[: self.passed_on] for digest in cut.digests)


def digest_of(data: bytes) -> str:
    """Return the content hash: SHA-256 in hex digits."""
    return hashlib.sha256(data).hexdigest()


def purchase_id(content_hash: str, cut_digest: str) -> str:
    """Return the name of one purchase: 64 hex digits, equal for equal bytes and equal cuts."""
    # `identity.digest` of the two, written out: a first detection names a million, and JSON would be most of its time.
    return hashlib.sha256(f'["{content_hash}","{cut_digest}"]'.encode()).hexdigest()
