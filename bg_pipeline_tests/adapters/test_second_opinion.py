"""A second engine on this machine, as a check of the first."""

from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from bg_pipeline.errors import ConfigurationError, ItemUnreadable
from bg_pipeline.imaging.alpha import overlap
from bg_pipeline.vendors.rembg import vendor
from bg_pipeline.vendors.rembg.second import SecondOpinion
from bg_pipeline.vendors.rembg.vendor import PLUGIN, RembgSettings
from bg_pipeline_tests.adapters.clients import request
from bg_pipeline_tests.fakes import FakeRemover
from bg_pipeline_tests.graph import call_here
from bg_pipeline_tests.pictures import encoded, opened
from bg_pipeline_tests.weights import u2netp


def cutout(*box: int, size: tuple[int, int] = (200, 100)) -> bytes:
    """A cutout whose subject is this box."""
    image = Image.new("RGBA", size, (0, 0, 0, 0))
    if box:
        ImageDraw.Draw(image).rectangle((box[0], box[1], box[2] - 1, box[3] - 1), fill=(200, 30, 30, 255))
    return encoded(image)


def asked(second: bytes | Exception) -> tuple[str, bytes]:
    """What the first engine, whose subject is the left half, says with another opinion; and its cutout."""

    def cut(_picture: bytes) -> bytes:
        if isinstance(second, Exception):
            raise second
        return second

    first = FakeRemover([cutout(0, 0, 100, 100)])
    reply = SecondOpinion(first, cut, "GrabCut", 0.8, call_here).cut(request())
    return reply.suspicion, reply.answer


@pytest.mark.parametrize(
    ("box", "share"),
    [((0, 0, 100, 100), 1.0), ((0, 0, 50, 100), 0.5), ((100, 0, 200, 100), 0.0), ((0, 0, 200, 100), 0.5), ((), 0.0)],
)
def test_the_overlap_is_what_both_share_of_what_either_has(box: tuple[int, ...], share: float) -> None:
    assert overlap(cutout(0, 0, 100, 100), cutout(*box)) == pytest.approx(share, abs=0.01)
    assert overlap(cutout(*box), cutout(0, 0, 100, 100)) == pytest.approx(share, abs=0.01)


def test_two_cutouts_of_different_sizes_are_compared_as_one_picture() -> None:
    assert overlap(cutout(0, 0, 100, 100), cutout(0, 0, 50, 50, size=(100, 50))) == pytest.approx(1.0, abs=0.02)


def test_what_the_other_engine_cuts_alike_is_not_suspicious() -> None:
    assert asked(cutout(0, 0, 90, 100)) == ("", cutout(0, 0, 100, 100))


def test_what_it_cuts_otherwise_is_suspicious_and_stays_the_first_one_s() -> None:
    suspicion, answer = asked(cutout(40, 0, 140, 100))

    assert suspicion == "GrabCut cuts something else: the two subjects overlap by 43%"
    assert answer == cutout(0, 0, 100, 100)


def test_what_it_cannot_cut_is_suspicious() -> None:
    assert "GrabCut could not cut it" in asked(ItemUnreadable("no subject"))[0]


def test_the_two_engines_agree_on_a_plain_product(tmp_path: Path) -> None:
    settings = RembgSettings(model=str(u2netp(tmp_path)), second="grabcut")
    engine = PLUGIN.client(settings, call_here)
    plain = Image.new("RGB", (400, 300), "white")
    ImageDraw.Draw(plain).ellipse((120, 60, 280, 240), fill=(180, 40, 40))
    sent = request(plain.size, image=encoded(plain), media_type="image/png")
    reply = engine.cut(sent)

    assert reply.suspicion == ""
    assert opened(reply.answer).getpixel((200, 150))[3] > 250


def test_without_the_other_extra_the_setting_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(vendor, "find_spec", lambda _name: None)
    with pytest.raises(ConfigurationError, match=r"BG_REMBG_SECOND=grabcut needs the extra `local`"):
        PLUGIN.client(RembgSettings(model=str(u2netp(tmp_path)), second="grabcut"), call_here)


def test_the_setting_alters_no_purchase() -> None:
    cuts = {PLUGIN.cut(RembgSettings(second=second), 2500).digest for second in ("", "grabcut")}
    assert len(cuts) == 1
