"""A vendor that cuts along the colour of the upper left corner, for one credit."""

import io
from decimal import Decimal

from PIL import Image, ImageChops
from pydantic import Field

from bg_pipeline.core.recipe import Cut
from bg_pipeline.core.vendor import Price, Variant, Vendor
from bg_pipeline.ports.purchasing import CutReply, CutRequest, Remover
from bg_pipeline.ports.running import Call
from bg_pipeline.vendors.plugin import Plugin, VendorSettings


class ScissorsSettings(VendorSettings):
    """Settings of one account."""

    prefix = "scissors"

    balance: Decimal = Field(Decimal(100), ge=0, description="credits that the account begins with")


class Scissors:
    """`ports.Remover` that charges one credit a cut."""

    def __init__(self, balance: Decimal) -> None:
        self._balance = balance

    def cut(self, request: CutRequest) -> CutReply:
        with Image.open(io.BytesIO(request.image)) as opened:
            image = opened.convert("RGB")
        backdrop = Image.new("RGB", image.size, image.getpixel((0, 0)))
        distance = ImageChops.difference(image, backdrop).convert("L")
        image.putalpha(distance.point(lambda value: 255 if value > 24 else 0))
        out = io.BytesIO()
        image.save(out, "PNG")
        self._balance -= 1
        return CutReply(out.getvalue(), Decimal(1))

    def open_answer(self, answer: bytes) -> bytes:
        return answer

    def balance(self) -> Decimal:
        return self._balance


VENDOR = Vendor(name="scissors", title="Scissors", variants={"": Variant(Price(None, "an example"))})


def _cut(_settings: ScissorsSettings, side_px: int) -> Cut:
    return VENDOR.cut(side_px)


def _client(settings: ScissorsSettings, _call: Call) -> Remover:
    return Scissors(settings.balance)


PLUGIN = Plugin(VENDOR, ScissorsSettings, _cut, _client)
