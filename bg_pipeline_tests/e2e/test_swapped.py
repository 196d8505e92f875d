"""A vendor answers two requests with each other's cutout, and a person swaps them back on the command line."""

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bg_pipeline.sandbox.state import SandboxState
from bg_pipeline_tests.corpus.drawn import visible
from bg_pipeline_tests.e2e.shop import Shop
from bg_pipeline_tests.e2e.test_maintenance import ShopInHere
from bg_pipeline_tests.pictures import encoded, opened
from bg_pipeline_tests.stub_vendor import Answer, StubVendor, stub_vendor

CASES = (visible(1), visible(9))
KEYS = ["bags/0.png", "bags/1.png"]


def number_of(picture: bytes) -> int:
    sent = np.asarray(Image.open(io.BytesIO(picture)).convert("RGB"), np.float32)
    return min(range(2), key=lambda n: float(np.abs(sent - np.asarray(CASES[n].sent, np.float32)).mean()))


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    def answers(_number: int, picture: bytes) -> Answer:
        other = CASES[1 - number_of(picture)].answer
        return Answer(200, encoded(other), {"Content-Type": "image/png"}, charged=True)

    with stub_vendor(StubVendor(answers=answers)) as vendor:
        made = ShopInHere(tmp_path, SandboxState(), vendor.base_url)
        made.env |= {"BG_PROVIDER": "removebg", "BG_PARAMS": "format=png", "REMOVEBG_API_KEY": "canary-key"}
        made.env |= {"REMOVEBG_BASE_URL": vendor.base_url}
        for key, case in zip(KEYS, CASES, strict=True):
            made.put(key, encoded(case.sent))
        yield made


def test_the_command_that_the_review_names_swaps_them_back(shop: Shop) -> None:
    assert shop.json("sync", code=1)["quarantined"] == 2
    (why, _) = (waiting["why"] for waiting in shop.json("review"))
    assert "bg-pipeline review swap bags/" in why
    shop.run("review", "swap", KEYS[0], code=2)
    shop.run("review", "swap", KEYS[0], KEYS[0], code=2)
    shop.run("review", "swap", KEYS[0], "bags/none.png", code=2)

    swapped = shop.json("review", "swap", *KEYS, "--why", "the colours")
    assert (swapped["decision"], sorted(swapped["keys"])) == ("swap", KEYS)
    done = shop.json("sync")
    assert (done["published"], done["purchases"]) == (2, 0)
    for key, case in zip(KEYS, CASES, strict=True):
        alpha = opened((shop.home / "cutouts" / key).read_bytes()).getchannel("A")
        assert alpha.tobytes() == case.answer.getchannel("A").tobytes()
    (made,) = shop.json("why", KEYS[0])["decisions"]
    assert (made["decision"], made["reason"]) == ("swap", "the colours")


def test_a_swap_that_does_not_help_is_told(shop: Shop) -> None:
    shop.json("sync", code=1)
    shop.run("review", "swap", *KEYS)
    for number, case in enumerate(CASES):
        shop.put(f"hats/{number}.png", encoded(case.sent.rotate(180)))
    assert shop.json("sync", code=1)["quarantined"] == 2

    assert "both stay in quarantine" in shop.run("review", "swap", "hats/0.png", "hats/1.png")
