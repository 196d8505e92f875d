"""The demo's catalogue holds what it says, and its pictures can be trusted as a measure."""

import hashlib
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from bg_pipeline.demo import catalogue
from bg_pipeline.demo.catalogue import Catalogue, Changes, change_catalogue, make_catalogue, truth_path
from bg_pipeline.errors import ConfigurationError


@dataclass(frozen=True)
class Shelves:
    """A catalogue on disk."""

    folder: Path
    truth: Path
    catalogue: Catalogue

    @property
    def pictures(self) -> list[str]:
        broken = {self.catalogue.corrupt, self.catalogue.not_a_picture}
        return [key for key in self.catalogue.keys if key not in broken]


def contents(folder: Path) -> Mapping[str, str]:
    """Digest of every file by key."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def shelves(tmp_path_factory: pytest.TempPathFactory) -> Shelves:
    """Written once; tests only read it."""
    home = tmp_path_factory.mktemp("catalogue")
    return Shelves(home / "in", home / "truth", make_catalogue(home / "in", home / "truth"))


@pytest.fixture(scope="module")
def next_day(shelves: Shelves, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Changes]:
    """A copy of the catalogue, one day later."""
    home = tmp_path_factory.mktemp("next_day")
    for original in (shelves.folder, shelves.truth):
        for path in original.rglob("*.*"):
            copy = home / path.relative_to(original.parent)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
            os.utime(copy, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    folder, truth = home / "in", home / "truth"
    return folder, truth, change_catalogue(folder, truth, seed=11)


def test_the_keys_are_the_files(shelves: Shelves) -> None:
    assert list(contents(shelves.folder)) == sorted(shelves.catalogue.keys)
    assert len(shelves.catalogue.keys) == 54


def test_at_least_48_pictures_are_different_and_whole(shelves: Shelves) -> None:
    digests = contents(shelves.folder)
    assert len({digests[key] for key in shelves.pictures}) == 49


def test_there_are_three_collections_of_some_size(shelves: Shelves) -> None:
    folders = [key.rpartition("/")[0] for key in shelves.catalogue.keys]
    assert {folder: folders.count(folder) >= 15 for folder in folders} == dict.fromkeys(
        ("fashion", "home", "kitchen"), True
    )


def test_formats_and_shapes_are_mixed_and_suffixes_tell_the_truth(shelves: Shelves) -> None:
    formats, upright = set(), set()
    for key in shelves.pictures:
        with Image.open(shelves.folder / key) as image:
            assert {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp"}[str(image.format)] == Path(key).suffix
            assert min(image.size) >= 440
            assert max(image.size) <= 910
            formats.add(image.format)
            upright.add(image.height > image.width)
    assert formats == {"JPEG", "PNG", "WEBP"}
    assert upright == {True, False}


def test_no_two_names_differ_only_in_their_suffix(shelves: Shelves) -> None:
    """The catalogue has its special cases by intention; a collision of output names is not among them."""
    assert len({key.rpartition(".")[0] for key in shelves.catalogue.keys}) == len(shelves.catalogue.keys)


def test_every_picture_has_a_true_alpha_of_its_shown_size(shelves: Shelves) -> None:
    for key in shelves.pictures:
        with Image.open(shelves.folder / key) as image, Image.open(truth_path(shelves.truth, key)) as alpha:
            assert alpha.mode == "L"
            assert alpha.size == ImageOps.exif_transpose(image).size
            share = np.asarray(alpha).mean() / 255
            assert 0.05 < share < 0.6
            assert np.asarray(alpha)[[0, -1]].max() == np.asarray(alpha)[:, [0, -1]].max() == 0


def test_the_true_alpha_lies_on_the_product(shelves: Shelves) -> None:
    """Where alpha is 0 the paper is smooth; along the outline it is not."""
    for key in shelves.pictures[::5]:
        with Image.open(shelves.folder / key) as image, Image.open(truth_path(shelves.truth, key)) as mask:
            grey = np.asarray(ImageOps.exif_transpose(image).convert("L"), float)
            alpha = np.asarray(mask, float)
        steps = np.hypot(*np.gradient(grey))
        outline = np.hypot(*np.gradient(alpha)) > 60
        assert np.median(steps[outline]) > 4 * np.median(steps[alpha == 0])


def test_duplicates_are_byte_identical_and_one_lies_in_another_collection(shelves: Shelves) -> None:
    digests = contents(shelves.folder)
    copies = shelves.catalogue.duplicates
    assert len(copies) == 2
    assert all(digests[copy] == digests[original] for copy, original in copies.items())
    assert any(copy.partition("/")[0] != original.partition("/")[0] for copy, original in copies.items())


def test_the_renamed_copy_is_a_copy_by_its_bytes_and_a_rename_by_its_name(shelves: Shelves) -> None:
    digests = contents(shelves.folder)
    key = shelves.catalogue.renamed_copy
    assert list(digests.values()).count(digests[key]) == 2
    assert "RENAMED" in key


def test_the_rotated_jpeg_is_stored_on_its_side_and_shown_upright(shelves: Shelves) -> None:
    """A lamp is higher than wide, and its truth is the picture as people see it."""
    key = shelves.catalogue.rotated
    with Image.open(shelves.folder / key) as image, Image.open(truth_path(shelves.truth, key)) as alpha:
        assert image.getexif()[ExifTags.Base.Orientation] == 6
        assert image.width > image.height
        shown = ImageOps.exif_transpose(image)
        assert shown.size == alpha.size
        assert shown.height > shown.width
        around = np.asarray(shown.convert("L"), float)[np.asarray(alpha) == 0]
        assert around.std() < 25  # paper only: the truth is not turned against the picture


def test_the_corrupt_jpeg_opens_and_does_not_load(shelves: Shelves) -> None:
    """As after an interrupted upload: its header is fine, which is why headers are no check."""
    with Image.open(shelves.folder / shelves.catalogue.corrupt) as image:
        assert image.format == "JPEG"
        with pytest.raises(OSError, match="truncated"):
            image.load()
    assert not truth_path(shelves.truth, shelves.catalogue.corrupt).exists()


def test_the_web_page_named_jpg_is_not_a_picture(shelves: Shelves) -> None:
    path = shelves.folder / shelves.catalogue.not_a_picture
    assert path.suffix == ".jpg"
    assert path.read_bytes().startswith(b"<!DOCTYPE html>")
    with pytest.raises(UnidentifiedImageError):
        Image.open(path)


def test_a_seed_gives_the_same_bytes_and_another_seed_does_not(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whole catalogues and their next day, of pictures a quarter as wide, which take a third of the time."""
    small = {family: (width // 4, height // 4) for family, (width, height) in catalogue._SIZES.items()}
    monkeypatch.setattr(catalogue, "_SIZES", small)

    def two_days(name: str, seed: int) -> tuple[Mapping[str, str], ...]:
        folder, truth = tmp_path / name / "in", tmp_path / name / "truth"
        make_catalogue(folder, truth, seed=seed)
        first = contents(folder)
        change_catalogue(folder, truth, seed=seed)
        return first, contents(folder), contents(truth)

    once, again, other = two_days("once", 1), two_days("again", 1), two_days("other", 2)
    assert once == again
    page = set(once[0].values()) & set(other[0].values())
    assert len(page) == 1


def test_the_next_day_differs_by_exactly_what_is_told(shelves: Shelves, next_day: tuple[Path, Path, Changes]) -> None:
    folder, _, changes = next_day
    before, after = contents(shelves.folder), contents(folder)
    ((old, new),) = changes.renamed.items()
    assert after.keys() - before.keys() == {*changes.added, new}
    assert before.keys() - after.keys() == {*changes.deleted, old}
    assert before[old] == after[new]
    both = before.keys() & after.keys()
    assert {key for key in both if before[key] != after[key]} == set(changes.changed)
    assert (len(changes.added), len(changes.changed), len(changes.deleted), len(changes.touched)) == (4, 2, 1, 1)
    assert not {after[key] for key in changes.added} & set(before.values())


def test_what_was_touched_has_a_new_time_and_the_same_bytes(
    shelves: Shelves, next_day: tuple[Path, Path, Changes]
) -> None:
    folder, _, changes = next_day
    (key,) = changes.touched
    assert (folder / key).read_bytes() == (shelves.folder / key).read_bytes()
    assert (folder / key).stat().st_mtime > (shelves.folder / key).stat().st_mtime


def test_the_next_day_leaves_the_special_files_alone(shelves: Shelves, next_day: tuple[Path, Path, Changes]) -> None:
    folder, _, changes = next_day
    special = shelves.catalogue
    names = {*special.duplicates, *special.duplicates.values(), special.renamed_copy}
    names |= {special.rotated, special.corrupt, special.not_a_picture}
    moved = {*changes.changed, *changes.renamed, *changes.deleted, *changes.touched}
    assert not names & moved
    assert all((folder / key).read_bytes() == (shelves.folder / key).read_bytes() for key in names)


def test_the_truth_follows_the_next_day(shelves: Shelves, next_day: tuple[Path, Path, Changes]) -> None:
    folder, truth, changes = next_day
    broken = {shelves.catalogue.corrupt, shelves.catalogue.not_a_picture}
    assert set(contents(truth)) == {f"{key}.png" for key in contents(folder) if key not in broken}
    for key in (*changes.added, *changes.changed):
        with Image.open(folder / key) as image, Image.open(truth_path(truth, key)) as alpha:
            assert image.size == alpha.size


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "numpy", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'bg-pipeline\[local\]'"):
        make_catalogue(tmp_path / "in", tmp_path / "truth")
