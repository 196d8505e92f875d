"""One picture, one name or one folder that is wrong, in a night of the real command line."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL.PngImagePlugin import PngInfo

from bg_pipeline_tests.e2e.shop import COMMAND, Shop
from bg_pipeline_tests.pictures import encoded, opened, product
from bg_pipeline_tests.stub_vendor import Answer, StubVendor, stub_vendor

CANARY = b"taken by the canary; "


@pytest.fixture
def vendor() -> Iterator[StubVendor]:
    with stub_vendor(StubVendor()) as running:
        yield running


@pytest.fixture
def shop(tmp_path: Path, vendor: StubVendor) -> Shop:
    made = Shop(tmp_path, vendor, vendor.base_url)  # type: ignore[arg-type]
    for n, folder in enumerate(("aaa", "bbb", "ccc")):
        made.put(f"{folder}/{n}.png", product(n))
    return made


def published(shop: Shop) -> list[str]:
    outputs = shop.home / "cutouts"
    return sorted(path.relative_to(outputs).as_posix() for path in outputs.rglob("*.png") if path.is_file())


def commented(mode: str, name: str) -> bytes:
    info = PngInfo()
    info.add_text(name, CANARY.decode() * 4000)
    return encoded(opened(product(30)).convert(mode), "PNG", pnginfo=info)


@pytest.mark.parametrize(("mode", "name"), [("RGB", "comment"), ("P", "icc_profile"), ("RGB", "icc_profile")])
def test_a_long_comment_ends_no_night_and_leaves_the_machine_in_no_way(
    shop: Shop, vendor: StubVendor, mode: str, name: str
) -> None:
    sent: list[bytes] = []

    def see(_number: int, image: bytes) -> Answer | None:
        sent.append(image)

    vendor.answers = see
    shop.put("aaa/0.png", commented(mode, name))
    shop.env |= {"BG_FORMAT": "jpg", "BG_BACKGROUND": "white"}
    facts = shop.json("sync")

    assert (facts["published"], facts["failed"]) == (3, 0)
    cutouts = [path.read_bytes() for path in (shop.home / "cutouts").rglob("*.jpg")]
    assert len(sent) == len(cutouts) == 3
    assert not any(CANARY in data for data in (*sent, *cutouts))


def test_an_output_in_whose_place_is_a_folder_costs_nothing_and_no_other_its_night(
    shop: Shop, vendor: StubVendor
) -> None:
    blocked = shop.home / "cutouts/aaa/0.png"
    blocked.mkdir(parents=True)
    for _ in range(3):
        shop.json("sync", code=1)
    (failure,) = shop.json("failures")

    assert published(shop) == ["bbb/1.png", "ccc/2.png"]
    assert (failure["key"], failure["state"], len(vendor.sold)) == ("aaa/0.png", "pending", 2)
    assert "a folder has this name; remove what is in its way" in failure["why"]

    blocked.rmdir()
    shop.json("sync")
    assert (len(published(shop)), len(vendor.sold)) == (3, 3)
    assert shop.json("failures") == []


def test_a_link_that_leads_to_itself_is_named_and_the_others_have_their_night(shop: Shop) -> None:
    (shop.home / "images/bbb/loop").symlink_to("loop")
    shop.env["BG_FOLLOW_LINKS"] = "true"
    facts = shop.json("sync", code=1)

    assert (facts["published"], set(facts["not_looked"])) == (3, {"bbb/loop", "bbb/loop/"})
    assert sorted((row["key"], row["state"]) for row in shop.json("failures")) == [
        ("bbb/loop", "not looked at"),
        ("bbb/loop/", "not looked at"),
    ]


def test_a_locked_folder_is_named_and_keeps_what_is_known_of_it(shop: Shop) -> None:
    """A disk's own `lost+found`, or another department's folder."""
    if os.geteuid() == 0 and shutil.which("setpriv") is None:
        pytest.skip("root opens every folder")
    shop.json("sync")
    locked = shop.home / "images/bbb"
    shop.put("ddd/3.png", product(3))
    if os.geteuid() == 0:
        os.chown(locked, 65534, 65534)
    locked.chmod(0)
    without = "-dac_override,-dac_read_search"
    prefix = ["setpriv", "--bounding-set", without] if os.geteuid() == 0 else []
    try:
        done = subprocess.run(
            [*prefix, COMMAND, "sync"], cwd=shop.home, env=shop.env, capture_output=True, text=True, check=False
        )
    finally:
        locked.chmod(0o755)

    assert done.returncode == 1, (done.stdout, done.stderr)
    assert "could not look at bbb/: Permission denied" in done.stdout
    assert "0 gone" in done.stdout
    assert published(shop) == ["aaa/0.png", "bbb/1.png", "ccc/2.png", "ddd/3.png"]
