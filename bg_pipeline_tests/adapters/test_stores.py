"""Locations: which kind of store takes one, what is said about wrong ones, and stores that other packages bring."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bg_pipeline.errors import ConfigurationError
from bg_pipeline.settings.reader import RawSettings, read
from bg_pipeline.stores.locations import CatalogueLocations, MastersLocation, NamedLocation, require_separate
from bg_pipeline.stores.registry import SQL, Installed, installed
from bg_pipeline_tests.plugin import plugin, plugin_site  # noqa: F401  fixtures

QUERY = "SELECT key, image FROM items"
Bring = Callable[..., None]


def catalogue(source: str = "./images", output: str = "./cutouts", query: str = "") -> CatalogueLocations:
    set_here = {"bg_source": source, "bg_output": output, "bg_source_query": query}
    return RawSettings({name: value for name, value in set_here.items() if value}).part(CatalogueLocations)


def masters(location: str = ".bg_pipeline/masters") -> MastersLocation:
    return RawSettings({"bg_masters": location}).part(MastersLocation)


@pytest.fixture
def bring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bring:
    """Installs a package whose entry points bring stores, or whatever else the group is for: name to object."""

    def install(package: str, group: str = "bg_pipeline.stores", **stores: str) -> None:
        info = tmp_path / f"{package}-2.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 2.0\n")
        lines = [f"{scheme} = {where}" for scheme, where in stores.items()]
        (info / "entry_points.txt").write_text("\n".join([f"[{group}]", *lines, ""]))

    monkeypatch.syspath_prepend(tmp_path)
    return install


@pytest.mark.parametrize(
    ("location", "query", "kind"),
    [
        ("./images", "", "FolderSource"),
        ("file:///srv/images", "", "FolderSource"),
        ("s3://shop/img", "", "S3Source"),
        ("sqlite:///shop.db", QUERY, "SqlSource"),
        ("postgresql+psycopg://me@host/shop", QUERY, "SqlSource"),
    ],
)
def test_a_source_is_chosen_by_how_its_location_is_written(location: str, query: str, kind: str) -> None:
    assert type(catalogue(location, query=query).open_source(RawSettings())).__name__ == kind


@pytest.mark.parametrize(
    ("location", "kind"), [("./cut", "FolderStore"), ("file:///srv/cut", "FolderStore"), ("s3://shop/cut", "S3Store")]
)
def test_a_store_is_chosen_by_how_its_location_is_written(location: str, kind: str) -> None:
    assert type(catalogue(output=location).open_output(RawSettings())).__name__ == kind
    assert type(masters(location).open_masters(RawSettings())).__name__ == kind


def test_masters_in_a_bucket_are_written_once() -> None:
    assert masters("s3://shop").open_masters(RawSettings())._write_once  # type: ignore[attr-defined]
    assert not catalogue(output="s3://shop").open_output(RawSettings())._write_once  # type: ignore[attr-defined]


def test_what_a_catalogue_s_table_sets_for_its_folder_is_used() -> None:
    found = RawSettings(tables={"catalogue": {"shop": {"follow_links": True, "stable_s": 5}}})
    source = found.part(CatalogueLocations, "catalogue", "shop").open_source(found)

    assert (source._follow_links, source._stable_s) == (True, 5.0)  # type: ignore[attr-defined]


def test_a_file_url_names_a_folder_with_any_name(tmp_path: Path) -> None:
    folder = tmp_path / "a #1?"
    location = f"file://{tmp_path}/a%20%231%3F"
    catalogue(output=location).open_output(RawSettings()).write("a.png", b"1")
    masters(location).open_masters(RawSettings()).write("ab/abc", b"1")

    assert (folder / "a.png").read_bytes() == b"1"
    assert [(folder / name).stat().st_mode & 0o077 for name in ("a.png", "ab/abc")] == [0o044, 0]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"source": "s3://"}, "BG_SOURCE: must be s3://BUCKET"),
        ({"source": "gs://bucket/images"}, "BG_SOURCE: must be a folder, s3://BUCKET/PREFIX, or the URL of a database"),
        ({"source": "S3://bucket"}, "BG_SOURCE: must be a folder, s3://BUCKET/PREFIX, or"),
        ({"source": "postgresql+nodriver://me:canary@host/shop", "query": QUERY}, "BG_SOURCE: must be .* is installed"),
        ({"source": "sqlite:///shop.db"}, "BG_SOURCE_QUERY must be set if BG_SOURCE is a database"),
        ({"query": QUERY}, "BG_SOURCE_QUERY must be set if BG_SOURCE is a database"),
        ({"output": "sqlite:///shop.db"}, "BG_OUTPUT: must be a folder or s3://BUCKET/PREFIX"),
        ({"output": "https://me:canary@shop.example.com"}, "BG_OUTPUT: must be a folder or s3://"),
        ({"output": "file://server/share"}, "BG_OUTPUT: must be file:///FOLDER"),
        ({"output": "file:///srv/a#1"}, "BG_OUTPUT: must be file:///FOLDER"),
    ],
)
def test_a_location_that_no_store_takes_is_named_and_not_quoted(settings: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said) as caught:
        catalogue(**settings)
    assert "canary" not in str(caught.value)


def test_masters_are_refused_where_bytes_cannot_be_kept() -> None:
    with pytest.raises(ConfigurationError, match="BG_MASTERS: must be a folder or s3://BUCKET/PREFIX"):
        masters("sqlite:///shop.db")


def separate(catalogue: CatalogueLocations, masters: MastersLocation) -> None:
    require_separate(
        [NamedLocation("BG_SOURCE", catalogue.source.get_secret_value())],
        [NamedLocation("BG_OUTPUT", catalogue.output), NamedLocation("BG_MASTERS", masters.masters)],
    )


@pytest.mark.parametrize(
    ("source", "output", "paid", "said"),
    [
        ("./images", "./images", "", "BG_OUTPUT and BG_SOURCE"),
        ("./images", "./images/cutouts", "", "BG_OUTPUT and BG_SOURCE"),
        (".", "./cutouts", "", "BG_OUTPUT and BG_SOURCE"),
        ("file:///srv/shop", "/srv/shop/cutouts", "", "BG_OUTPUT and BG_SOURCE"),
        ("./images", "./cutouts", "./cutouts/masters", "BG_MASTERS and BG_OUTPUT"),
        ("s3://shop/img", "s3://shop/img/cut", "", "BG_OUTPUT and BG_SOURCE"),
        ("s3://shop/img", "s3://shop", "", "BG_OUTPUT and BG_SOURCE"),
        ("s3://shop", "./cutouts", "s3://shop/masters", "BG_MASTERS and BG_SOURCE"),
        ("./images", "s3://shop/cut", "s3://shop/cut/", "BG_MASTERS and BG_OUTPUT"),
    ],
)
def test_locations_that_overlap_are_refused(source: str, output: str, paid: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{said} must not overlap"):
        separate(catalogue(source, output), masters(paid or ".bg_pipeline/masters"))


@pytest.mark.parametrize(
    ("source", "output", "paid"),
    [
        ("s3://shop/img", "s3://shop/cut", "s3://shop/masters"),
        ("s3://shop/img", "s3://shop/img-cut", ".bg_pipeline/masters"),
        ("./images", "s3://shop", "s3://masters"),
        ("s3://shop", "./cutouts", ".bg_pipeline/masters"),
    ],
)
def test_locations_of_every_kind_go_together(source: str, output: str, paid: str) -> None:
    separate(catalogue(source, output), masters(paid))


def test_a_database_is_shown_without_its_password() -> None:
    locations = catalogue("postgresql+psycopg://me:canary-1@host/shop?password=canary-2", query=QUERY)

    assert locations.source_name == "postgresql+psycopg://me:***@host/shop"
    assert "canary" not in repr(locations)


def test_neither_boto3_nor_a_driver_is_loaded_for_folders_or_to_judge_a_location() -> None:
    """Each would take half a second of every start."""
    code = (
        "import sys; from bg_pipeline.stores.locations import CatalogueLocations as Locations;"
        "from bg_pipeline.settings.reader import RawSettings;"
        "Locations().open_source(RawSettings()); Locations().open_output(RawSettings()); Locations(output='s3://shop/cut');"
        "print(sorted({'boto3', 'botocore', 'requests', 'psycopg'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"


def test_a_store_of_another_package_is_source_output_and_masters(
    plugin: Path,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SHELF_WAIT_S", "7")
    locations, paid = catalogue(f"shelf://{tmp_path}/a", f"shelf://{tmp_path}/b"), masters(f"shelf://{tmp_path}/c")
    separate(locations, paid)
    opened = [locations.open_source(read()).shelf, locations.open_output(read()), paid.open_masters(read())]  # type: ignore[attr-defined]

    assert [(shelf.file.name, shelf._wait_s) for shelf in opened] == [("a", 7.0), ("b", 7.0), ("c", 7.0)]
    with pytest.raises(ConfigurationError, match="BG_OUTPUT and BG_SOURCE"):
        separate(catalogue(f"shelf://{tmp_path}/a", f"shelf://{tmp_path}/a"), paid)
    with pytest.raises(ConfigurationError, match="BG_SOURCE: must be shelf:///FILE"):
        catalogue("shelf://here")


def test_stores_are_listed_with_the_package_that_brings_them(plugin: Path) -> None:  # noqa: F811
    assert list(installed()) == [
        Installed(("file",), "a folder", "built in"),
        Installed(("s3",), "s3://BUCKET/PREFIX", "built in"),
        Installed(SQL.schemes, "the URL of a database", "built in"),
        Installed(("shelf",), "shelf:///FILE", "bgp-example 1.0"),
    ]
    with pytest.raises(ConfigurationError, match=r"must be a folder, s3://BUCKET/PREFIX, or shelf://…"):
        catalogue(output="gs://shop")


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("no_such_module:KIND", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("bg_pipeline.stores.s3.store:S3", "is not a StoreKind with this scheme"),
        ("json:loads", "is not a StoreKind with this scheme"),
    ],
)
def test_a_store_that_cannot_be_loaded_names_its_package_and_stops_nothing_else(
    where: str,
    said: str,
    bring: Bring,
) -> None:
    bring("broken-store", gs=where)

    for asked in (lambda: catalogue("gs://shop"), lambda: masters("gs://shop")):
        with pytest.raises(
            ConfigurationError, match=f"BG_.*: the store .* broken-store 2.0 cannot be loaded: .*{said}"
        ):
            asked()
    assert said in list(installed())[-1].problem
    catalogue("s3://shop")


def test_a_scheme_that_two_packages_bring_is_refused(bring: Bring) -> None:
    bring("one", gs="bg_pipeline.stores.s3.store:S3")
    bring("two", gs="bg_pipeline.stores.s3.store:S3")

    with pytest.raises(ConfigurationError, match=r"(one|two) 2.0 is also brought by (one|two) 2.0: uninstall"):
        catalogue("gs://shop")
    assert "uninstall" in list(installed())[-1].problem


def test_what_is_built_in_cannot_be_replaced(bring: Bring) -> None:
    bring("hijack", s3="no_such_module:KIND")

    assert type(catalogue("s3://shop").open_source(RawSettings())).__name__ == "S3Source"
    assert "hijack 2.0 is never used" in list(installed())[-1].problem


def test_a_database_whose_dialect_another_package_brings_is_a_source(bring: Bring, tmp_path: Path) -> None:
    (tmp_path / "shopdb.py").write_text(
        "from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite as Shop"
    )
    bring("shopdb", "sqlalchemy.dialects", shopdb="shopdb:Shop")

    assert type(catalogue("shopdb:///shop.db", query=QUERY).open_source(RawSettings())).__name__ == "SqlSource"
