"""All values that alter an output: the cut, which is bought, and the renditions, which are free."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from bg_pipeline.core import identity
from bg_pipeline.core.formats import Alignment, Format, Metadata
from bg_pipeline.core.naming import PLAIN, name_template
from bg_pipeline.core.records import MAIN

RENDERER = 5
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


@dataclass(frozen=True)
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
    tools_only: bool = False
    """True if no cut comes before the tools: the first one is given the picture itself."""
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

    @cached_property
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
                "tools_only": self.tools_only,
            },
            former=self.former or (self.side_px, 0),
        )

    @property
    def stages(self) -> tuple["Cut", ...]:
        """
        All purchases, in this order: the cut alone, then with each further tool; the last is the complete cut.

        Without a cut before the tools, the first one is that of the first tool.
        """
        first = min(len(self.tools), int(self.tools_only))
        return tuple(replace(self, tools=self.tools[:count]) for count in range(first, len(self.tools) + 1))


AS_IT_IS = Cut("none", 0)
"""No purchase: the source is a cutout already."""


@dataclass(frozen=True, slots=True)
class Rendition:
    """One way to make an output from a master, locally and free."""

    format: Format = Format.PNG
    background: str = ""
    """`#rrggbb` or a CSS colour name; empty for transparent."""
    canvas: tuple[int, int] | None = None
    """Width and height in px of a frame that the subject is fitted into; None keeps the original frame."""
    padding: float = 0.0
    """Share of the canvas kept free on each side, 0 to 0.45."""
    background_image: bytes = field(default=b"", repr=False)
    """File of a picture that covers the frame behind the subject; empty for none."""
    longest_side: int = 0
    """Longest side in px to scale the original frame to; 0 keeps its size."""
    alignment: Alignment = Alignment.CENTER
    upscale: bool = True
    """False to leave smaller what is smaller than its canvas or longest side."""
    shadow: float = 0.0
    """Opacity of a drop shadow, 0 to 1; 0 for none."""
    quality: int = 0
    """Quality from 1 to 100 on the scale of the encoder; 0 for the format's own here."""
    metadata: Metadata = Metadata.NONE
    output_name: str = PLAIN
    """Template of its name; see `core.naming`."""

    def name_of(self, stem: str) -> str:
        """Return the output name of an item, from its plain name without extension."""
        return f"{name_template(self.output_name).name_of(stem)}{self.format.extension}"

    @property
    def is_as_large_as_its_source(self) -> bool:
        return self.canvas is None and not self.longest_side

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
            "background_image": digest_of(rendition.background_image) if rendition.background_image else "",
            "longest_side": rendition.longest_side,
            "alignment": rendition.alignment,
            "upscale": rendition.upscale,
            "shadow": float(rendition.shadow),
            "quality": rendition.quality,
            "metadata": rendition.metadata,
            "output_name": rendition.output_name,
        },
        renderer,
    )


@dataclass(frozen=True, slots=True)
class Recipe:
    """Cuts in the order of trial, and the renditions of the one that was made."""

    cuts: tuple[Cut, ...]
    rendition: Rendition
    """That of the main output."""
    keep_cutouts: bool = True
    """True to publish a picture that is already a cutout unchanged and unpaid."""
    others: Mapping[str, Rendition] = field(default_factory=dict)
    """Those of further outputs, by name."""
    passed_on: int = 0
    """Number of cuts, from the first, after whose suspicious result the next account is asked. They are free."""

    @property
    def renditions(self) -> Mapping[str, Rendition]:
        """All renditions by their name on record, the main one first."""
        return {MAIN: self.rendition, **self.others}

    @property
    def rendition_digests(self) -> tuple[str, ...]:
        """All names of a published item's outputs that are accepted, those of the present renderer first."""
        if not self.others:
            return self.rendition.digests
        digests = {name: each.digests for name, each in self.others.items()}
        return tuple(
            identity.set_digest(main, {name: each[number] for name, each in digests.items()})
            for number, main in enumerate(self.rendition.digests[:RENDERER])
        )

    @property
    def present_rendition_digests(self) -> tuple[str, ...]:
        """The names in `rendition_digests` that mean the present renderer."""
        return self.rendition_digests[:1] if self.others else self.rendition.present_digests

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
