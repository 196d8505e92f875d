"""Paid results on real disks, with a vendor that was written from its documentation."""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from PIL import Image

from bg_pipeline_tests.e2e.shop import Shop
from bg_pipeline_tests.pictures import encoded, opened, product
from bg_pipeline_tests.radosgw import RadosGateway
from bg_pipeline_tests.stub_vendor import Answer, StubVendor

PICTURES = 24


@pytest.fixture
def shop(tmp_path: Path, vendor: StubVendor) -> Shop:
    made = Shop(tmp_path, vendor, vendor.base_url)
    for n in range(PICTURES):
        made.put(f"bags/{n:02}.png", product(n))
    made.env["BG_CONCURRENCY"] = "4"
    return made


def published(shop: Shop) -> int:
    return len(list((shop.home / "cutouts").rglob("*.png")))


def mount(folder: Path, size: str) -> None:
    folder.mkdir(exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("only root can mount a file system")


def fill_up(folder: Path) -> None:
    descriptor = os.open(folder / "fill", os.O_CREAT | os.O_WRONLY)
    with suppress(OSError):
        while True:
            os.write(descriptor, bytes(1 << 12))
    os.close(descriptor)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    mount(tmp_path / "disk", "64k")
    try:
        yield tmp_path / "disk"
    finally:
        subprocess.run(["umount", "--lazy", str(tmp_path / "disk")], check=True)


def test_nothing_is_bought_for_masters_on_a_full_disk_and_all_is_published_once_there_is_room(
    shop: Shop, vendor: StubVendor, disk: Path
) -> None:
    shop.env["BG_MASTERS"] = str(disk / "masters")
    for _ in range(3):
        shop.run("sync", code=7)
    assert "No space left" in shop.err
    assert vendor.sold == []

    subprocess.run(["mount", "-o", "remount,size=20m", str(disk)], check=True)
    shop.run("sync")
    assert (published(shop), len(vendor.charges)) == (PICTURES, PICTURES)


def test_masters_that_fill_up_in_the_middle_of_a_run_cost_nothing(shop: Shop, vendor: StubVendor, disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=20m", str(disk)], check=True)
    shop.env["BG_MASTERS"] = str(disk / "masters")
    vendor.latency_s = 0.3
    running = shop.start("sync")
    while len(vendor.charges) < 6:
        time.sleep(0.02)
    fill_up(disk)
    _, err = shop.end(running, 60)
    bought = len(vendor.charges)

    assert running.returncode == 7, err
    assert "Traceback" not in err
    assert bought < PICTURES
    spool = shop.home / ".bg_pipeline" / "spool"
    kept = [*spool.glob("[0-9a-f]*"), *(disk / "masters").rglob("[0-9a-f]*")]
    assert sum(path.is_file() for path in kept) >= bought

    (disk / "fill").unlink()
    shop.run("sync")
    assert (published(shop), len(vendor.charges), vendor.bought_twice) == (PICTURES, PICTURES, [])
    assert list(spool.glob("[0-9a-f]*")) == []


@pytest.mark.processes
@pytest.mark.parametrize(("status", "ready_after_s"), [(404, 1.0), (503, 5.0)])
def test_a_result_that_is_not_ready_at_once_is_waited_for(
    shop: Shop, vendor: StubVendor, status: int, ready_after_s: float
) -> None:
    vendor.results = lambda age_s: 200 if age_s > ready_after_s else status
    shop.run("sync")

    assert (published(shop), len(vendor.charges)) == (PICTURES, PICTURES)


def test_a_result_host_that_is_down_for_a_whole_run_costs_nothing(shop: Shop, vendor: StubVendor) -> None:
    vendor.results = lambda _age_s: 503
    process = shop.start("sync")
    while len(vendor.charges) < 8:
        time.sleep(0.05)
    process.terminate()
    shop.end(process, 60)
    vendor.results = lambda _age_s: 200
    shop.run("sync")

    assert (published(shop), vendor.bought_twice) == (PICTURES, [])


@pytest.mark.processes
def test_a_killed_run_pays_at_most_once_more_for_each_request_in_flight(shop: Shop, vendor: StubVendor) -> None:
    """Large pictures: looking at an answer takes longer than the vendor does."""
    for n in range(16):
        shop.put(f"large/{n:02}.png", product(100 + n, size=(2400, 2400)))
    vendor.latency_s = 0.05
    process = shop.start("sync", "--collection", "large")
    while len(vendor.charges) < 10:
        time.sleep(0.01)
    process.kill()
    process.communicate()
    shop.run("sync")

    assert published(shop) == PICTURES + 16
    assert len(vendor.charges) - PICTURES - 16 <= 4


def charged_500(_number: int, _image: bytes) -> Answer:
    return Answer(500, b"internal error", charged=True)


def test_errors_that_are_charged_keep_to_the_cap(shop: Shop, vendor: StubVendor) -> None:
    vendor.answers = charged_500
    shop.end(shop.start("sync", "--max-credits", "10"))

    assert 0 < len(vendor.charges) <= 10


@pytest.mark.processes
def test_a_picture_whose_errors_are_charged_waits_after_three_until_a_person_asks(
    shop: Shop, vendor: StubVendor
) -> None:
    shop.put("hats/0.png", product(200))
    vendor.answers = charged_500
    for _ in range(4):
        shop.end(shop.start("sync", "--collection", "hats"))
    assert len(vendor.charges) == 3
    assert "may have been charged" in " ".join(shop.run("why", "hats/0.png").split())
    shop.run("retry", "hats/0.png")
    assert len(vendor.charges) == 3

    vendor.answers = lambda _number, _image: None
    shop.run("gate", "open", "bgeraser")
    shop.run("retry", "--again", "hats/0.png")
    assert "buys 1 items again: 1 credits" in shop.err
    assert (shop.home / "cutouts" / "hats" / "0.png").exists()


@pytest.mark.radosgw
def test_a_bucket_whose_quota_ends_in_the_middle_of_a_run_costs_nothing(
    shop: Shop, vendor: StubVendor, radosgw: RadosGateway
) -> None:
    pictures = 3 * PICTURES  # radosgw counts a quota with a delay of several pictures
    for n in range(pictures):
        grain = Image.effect_noise((200, 200), 80).convert("RGB")
        shop.put(f"bags/{n:02}.png", encoded(Image.blend(opened(product(n, (200, 200))), grain, 0.1), "PNG"))
    shop.env |= {
        "BG_MASTERS": f"s3://{radosgw.new_bucket().name}",
        "BG_S3_ENDPOINT": radosgw.endpoint,
        "AWS_ACCESS_KEY_ID": radosgw.access_key,
        "AWS_SECRET_ACCESS_KEY": radosgw.secret_key,
    }
    with radosgw.quota(1 << 20):
        shop.run("sync", code=7)
        bought = len(vendor.charges)
        assert 0 < bought < pictures
        assert "QuotaExceeded" in shop.err
        shop.run("sync", code=7)
        assert len(vendor.charges) == bought

    shop.run("sync")
    assert (published(shop), len(vendor.charges), vendor.bought_twice) == (pictures, pictures, [])
