"""Keys, partitions and output names."""

import pytest
from dagster import DynamicPartitionsDefinition

from bg_pipeline.core import keys
from bg_pipeline_tests.core.deltas import stems_given


@pytest.mark.parametrize(
    ("key", "depth", "collection"),
    [
        ("a.jpg", 1, ""),
        ("shoes/a.jpg", 1, "shoes"),
        ("shoes/red/a.jpg", 1, "shoes"),
        ("shoes/red/a.jpg", 2, "shoes/red"),
        ("shoes/a.jpg", 2, "shoes"),
    ],
)
def test_a_collection_is_the_first_folders_of_a_key(key: str, depth: int, collection: str) -> None:
    assert keys.collection_of(key, depth) == collection


@pytest.mark.parametrize(
    ("collection", "partition_key"),
    [("", "."), (".", "%2E"), ("shoes", "shoes"), ("Schuhe für Ärzte", "Schuhe für Ärzte"), ("a...b", "a.%2E%2Eb")],
)
def test_a_partition_key_stays_readable(collection: str, partition_key: str) -> None:
    assert keys.encode_partition(collection) == partition_key
    assert keys.decode_partition(partition_key) == collection
    DynamicPartitionsDefinition(name="collections")


@pytest.mark.parametrize(
    "key",
    [
        *("/etc/passwd", "../a.jpg", "a/../../b.jpg", "a//b.jpg", "a/./b.jpg", "a\0b.jpg", "", "..", "a/..", "a/"),
        *(
            "C:\\a.jpg",
            "C:/a.jpg",
            "c:a.jpg",
            "\\a.jpg",
            "\\\\server\\a.jpg",
            "..\\a.jpg",
            "a\\..\\..\\b.jpg",
            "a\\.\\b.jpg",
        ),
    ],
)
def test_a_key_that_could_leave_its_folder_is_refused(key: str) -> None:
    assert keys.unsafe(key)


@pytest.mark.parametrize(
    "key", ["a.jpg", "a/b..c.jpg", "ä ö/ü.jpg", "...jpg", "a/ .jpg", "a\\b.jpg", "ab:c.jpg", "CON.jpg"]
)
def test_an_odd_but_harmless_key_is_allowed(key: str) -> None:
    assert keys.unsafe(key) == ""


@pytest.mark.parametrize(
    ("key", "stem"),
    [
        ("c/a.jpg", "c/a"),
        ("c/a.b.jpg", "c/a.b"),
        ("c/a", "c/a"),
        ("c/.png", "c/_.png"),
        ("c.d/a.JPG", "c.d/a"),
        ("10.250.01", "10.250.01"),
        ("100.1", "100.1"),
        ("art.10.2.jpg", "art.10.2"),
        ("art.10.2", "art.10.2"),
        ("a.TIFF", "a"),
        ("a\nb\x7f.jpg", "a%0Ab%7F"),
        ("png/a", "png/a"),
    ],
)
def test_an_output_keeps_its_folders_and_loses_its_extension(key: str, stem: str) -> None:
    assert keys.preferred_stem(key) == stem


@pytest.mark.parametrize(
    "twins",
    [
        pytest.param(("a.jpg", "a.png"), id="extension"),
        pytest.param(("A.jpg", "a.jpg"), id="case"),
        pytest.param(("caf\u00e9.jpg", "cafe\u0301.jpg"), id="Unicode form"),
        pytest.param(("stra\u00dfe.jpg", "STRASSE.jpg"), id="folded letters"),
        pytest.param(("a./b.jpg", "a/b.jpg"), id="dot after a folder"),
        pytest.param(("a /b.jpg", "a/b.jpg"), id="space after a folder"),
    ],
)
def test_twins_get_names_that_differ_everywhere(twins: tuple[str, str]) -> None:
    stems = stems_given(twins)

    assert len({keys.fold(stem) for stem in stems.values()}) == 2


@pytest.mark.parametrize("twin", ["A/b", "a./b", "a /b", "a. ./b"])
def test_names_that_are_one_on_some_file_system_are_one_when_compared(twin: str) -> None:
    assert keys.fold(twin) == keys.fold("a/b")
    assert stems_given([f"{twin}.jpg"], taken=lambda folded: folded == "a/b")[f"{twin}.jpg"].startswith(f"{twin}~")


def test_a_name_that_is_taken_stays_with_its_owner() -> None:
    stems = stems_given(["a.jpg"], taken=lambda folded: folded == "a")

    assert stems["a.jpg"].startswith("a~")


def test_an_over_long_name_is_cut_and_stays_unlike_its_neighbour() -> None:
    first, second = ("ö" * 127 + end + ".jpg" for end in "ab")
    stems = stems_given([first, second])

    assert len({*stems.values()}) == 2
    assert all(len(stem.encode()) < 230 for stem in stems.values())


def test_a_whole_name_is_cut_where_s3_would_refuse_it() -> None:
    """Each part fits; together they are longer than the 1,024 bytes of a key."""
    first, second = ("/".join(["f" * 190] * 6 + [end]) + ".jpg" for end in "ab")
    stems = stems_given([first, second])

    assert len({*stems.values()}) == 2
    assert all(len(stem) < 850 for stem in stems.values())


@pytest.mark.parametrize(
    ("key", "stem"),
    [(".a/b.jpg", "_.a/b"), ("a/.b.jpg", "a/_.b"), ("a.png/b.jpg", "a.png_/b"), ("A.JPG/b", "A.JPG_/b")],
)
def test_no_output_is_hidden_or_in_the_way_of_another(key: str, stem: str) -> None:
    assert keys.preferred_stem(key) == stem


def test_names_do_not_depend_on_what_was_listed_first() -> None:
    twins = ["a.jpg", "a.png", "A.webp"]
    stems = stems_given(sorted(twins, key=keys.key_bytes))

    assert stems["A.webp"] == "A"
    assert {key: stem.partition("~")[0] for key, stem in stems.items()} == {"a.jpg": "a", "a.png": "a", "A.webp": "A"}
    for key in ("a.jpg", "a.png"):
        assert stems[key] == stems_given([key], taken=lambda folded: folded == "a")[key]


def test_a_gallery_page_has_a_name_that_every_file_system_takes() -> None:
    """Three Cyrillic folders are longer than 255 bytes."""
    long = "/".join(["Обувь для всей семьи " * 3] * 3)
    pages = [keys.gallery_page(name) for name in (long, f"{long}!", "shoes/red", "")]

    assert pages[2:] == ["shoes%2Fred.html", "..html"]
    assert len(set(pages)) == 4
    assert max(len(page.encode()) for page in pages) <= 255
