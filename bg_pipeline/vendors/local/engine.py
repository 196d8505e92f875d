"""Classical computer vision on this machine: free and private, but less capable than a vendor's model."""

import io
from decimal import Decimal

from PIL import Image

from bg_pipeline.imaging.alpha import with_alpha
from bg_pipeline.imaging.grabcut import cut_alpha
from bg_pipeline.ports.purchasing import CutReply, CutRequest
from bg_pipeline.ports.running import Call


class GrabCutEngine:
    """
    `ports.Remover` by border-seeded GrabCut.

    Good for one subject on a plain backdrop that it does not touch. It fails on clutter, hair, glass, a subject
    in the colour of its backdrop, and pictures cropped into the subject: use a vendor for those.
    """

    def __init__(self, call: Call) -> None:
        self._call = call

    def cut(self, request: CutRequest) -> CutReply:
        return CutReply(self._call(grabcut, request.image), Decimal(0))

    def open_answer(self, answer: bytes) -> bytes:
        return answer

    def balance(self) -> Decimal | None:
        return None


def grabcut(image: bytes) -> bytes:
    """Return a picture as a cutout, RGBA."""
    with Image.open(io.BytesIO(image)) as opened:
        return with_alpha(image, cut_alpha(opened.convert("RGB")))
