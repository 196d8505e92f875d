"""Which keys of a source are items."""

import pytest

from bg_pipeline.core.filters import Filter
from bg_pipeline.stores.filters import FilterSettings

SYSTEM = FilterSettings().filter


@pytest.mark.parametrize(
    ("key", "pattern"),
    [
        ("shoes/@eaDir/a.jpg/SYNOPHOTO_THUMB_XL.jpg", "@eaDir/"),
        ("#recycle/old.jpg", "#recycle/"),
        ("$RECYCLE.BIN/S-1-5/R1.jpg", "$RECYCLE.BIN/"),
        ("lost+found/", "lost+found/"),
        ("a/Thumbs.db", "Thumbs.db"),
        ("a/photo.jpg.filepart", "*.filepart"),
        (".DS_Store", ".*"),
        ("shoes/._a.jpg", ".*"),
        (".../a.jpg", ".*"),
        ("shoes/a.jpg", ""),
        ("eaDir/a.jpg", ""),
        ("a.b/c.d.jpg", ""),
        ("\udcff/.a.jpg", ".*"),
        ("a//b.jpg", ""),
        ("", ""),
    ],
)
def test_what_other_programs_leave_is_left_out_by_a_pattern_that_the_settings_show(key: str, pattern: str) -> None:
    assert SYSTEM.leaves_out(key) == pattern


@pytest.mark.parametrize(
    ("exclude", "key", "left_out"),
    [
        (["raw/"], "a/raw/b.jpg", True),
        (["/raw/"], "a/raw/b.jpg", False),
        (["*-300x300.*"], "a/p-300x300.jpg", True),
        (["a/**/x.jpg"], "a/b/c/x.jpg", True),
        (["*.jpg", "!keep.jpg"], "a/keep.jpg", False),
        (["!keep.jpg", "*.jpg"], "a/keep.jpg", True),
        ([".*", "!.../"], ".../a.jpg", False),
        ([".*", "!.../"], ".../.b.jpg", True),
        (["a/", "!a/b.jpg"], "a/b.jpg", True),
        (["*.{jpg}"], "a.{jpg}", True),
    ],
)
def test_the_rules_are_those_of_gitignore(exclude: list[str], key: str, left_out: bool) -> None:
    """Each row as `git check-ignore` answers."""
    assert bool(Filter(exclude=exclude).leaves_out(key)) is left_out


@pytest.mark.parametrize(
    ("key", "left_out"),
    [("shoes/a.jpg", False), ("shoes/b/c.png", False), ("bags/a.jpg", True), ("a.webp", False), ("shoes/.a.jpg", True)],
)
def test_only_what_is_included_is_an_item_unless_it_is_excluded(key: str, left_out: bool) -> None:
    assert bool(Filter(["shoes/", "*.webp"], [".*"]).leaves_out(key)) is left_out


def test_no_folder_is_left_out_because_it_is_not_included() -> None:
    """What is in it may be."""
    assert Filter(["*.jpg"]).leaves_out("shoes/") == ""


@pytest.mark.parametrize("pattern", ["!", "/", "a\\", "[a", "", "*.{jpg"])
def test_a_pattern_that_can_match_nothing_is_refused_by_its_number(pattern: str) -> None:
    with pytest.raises(ValueError, match="pattern 2 "):
        Filter(exclude=["*.gif", pattern])
