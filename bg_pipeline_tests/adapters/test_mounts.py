"""Which file systems show every change of a file in a listing."""

from pathlib import Path

import pytest

from bg_pipeline.stores.file import mounts
from bg_pipeline.stores.file.mounts import keeps_change_times
from bg_pipeline.stores.file.source import FolderSource

MOUNTS = """\
proc /proc proc rw,relatime 0 0
/dev/sda1 / ext4 rw,relatime 0 0
/dev/sdb1 /data xfs rw 0 0
nas:/shop /data/shop nfs4 rw,vers=4.2 0 0
//nas/our\\040pictures /mnt/our\\040pictures cifs rw 0 0
/dev/sdc1 /media/stick vfat rw 0 0
host /workspace fuse.grpcfuse rw 0 0
/dev/sdd1 /mnt/replaced ext4 rw 0 0
s3fs /mnt/replaced fuse.s3fs rw 0 0
"""


@pytest.mark.parametrize(
    ("folder", "shown"),
    [
        ("/home/shop/images", True),
        ("/data/images", True),
        ("/data/shop/images", False),
        ("/data/shopping", True),
        ("/mnt/our pictures", False),
        ("/media/stick", False),
        ("/workspace/images", False),
        ("/mnt/replaced", False),
    ],
)
def test_a_folder_is_judged_by_the_file_system_that_it_is_on(folder: str, shown: bool) -> None:
    assert keeps_change_times(Path(folder), MOUNTS) is shown


def test_a_share_that_is_mounted_below_a_folder_counts_too() -> None:
    assert not keeps_change_times(Path("/data"), MOUNTS)


def test_without_a_list_of_mounts_a_listing_proves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mounts, "MOUNTS", tmp_path / "missing")
    assert not FolderSource(tmp_path).listing_is_proof
    assert not keeps_change_times(tmp_path, "")


def test_a_link_is_judged_by_the_place_that_it_leads_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "share").mkdir()
    (tmp_path / "images").symlink_to(tmp_path / "share")
    listed = tmp_path / "mounts"
    listed.write_text(f"/dev/sda1 / ext4 rw 0 0\nnas:/shop {tmp_path.resolve()}/share nfs rw 0 0\n")
    monkeypatch.setattr(mounts, "MOUNTS", listed)
    assert not FolderSource(tmp_path / "images").listing_is_proof
    assert FolderSource(tmp_path.parent / "elsewhere").listing_is_proof
