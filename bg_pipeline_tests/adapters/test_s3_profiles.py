"""Source, output, masters and pages in buckets, each with the endpoint, region and credentials of its own profile."""

from pathlib import Path
from typing import Any

import pytest

from bg_pipeline.errors import ConfigurationError
from bg_pipeline.pipeline.settings import CatalogueSettings
from bg_pipeline.settings.reader import RawSettings
from bg_pipeline.stores.locations import MastersLocation
from bg_pipeline_tests.pictures import product
from bg_pipeline_tests.s3 import S3Server

NOWHERE = "http://127.0.0.1:9"
PLACES = {"source": "eu-north-1", "output": "eu-west-3", "masters": "us-west-2"}


@pytest.fixture
def raw(s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RawSettings:
    """Three buckets, each with a profile; what the environment says of servers and regions is for others."""
    profiles = (
        f"[profile of-{place}]\nregion = {region}\nendpoint_url = {s3.endpoint}\n"
        f"aws_access_key_id = key-of-{place}\naws_secret_access_key = secret\n"
        for place, region in PLACES.items()
    )
    (tmp_path / "config").write_text("".join(profiles))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_ENDPOINT_URL", NOWHERE)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "sa-east-1")
    return RawSettings(
        {
            "bg_s3_endpoint": NOWHERE,
            "bg_s3_acl": "public-read",
            "bg_gallery": f"s3://{s3.new_bucket().name}/pages",
            **{f"bg_{place}": str(s3.new_bucket()) for place in PLACES},
            **{f"bg_{place}_profile": f"of-{place}" for place in PLACES},
        }
    )


def signed_by(store: Any) -> list[str]:
    """Key and region of each request from now on."""
    signed: list[str] = []

    def note(request: Any, **_: Any) -> None:
        credential = request.headers["Authorization"].decode().partition("Credential=")[2].split("/")
        signed.append(f"{credential[0]} {credential[2]}")

    store._objects._client.meta.events.register("before-send.s3", note)
    return signed


def test_each_place_has_the_endpoint_the_region_and_the_key_of_its_profile(raw: RawSettings) -> None:
    catalogue, masters = raw.part(CatalogueSettings), raw.part(MastersLocation)
    source: Any = catalogue.open_source(raw)
    signed = {"source": signed_by(source)}
    assert list(source.list()) == []
    for place, store in (("output", catalogue.open_output(raw)), ("masters", masters.open_masters(raw))):
        signed[place] = signed_by(store)
        store.write("a.png", product(1))
        assert store.read("a.png") == product(1)

    assert {place: set(each) for place, each in signed.items()} == {
        place: {f"key-of-{place} {region}"} for place, region in PLACES.items()
    }


def test_pages_in_a_bucket_are_private_can_be_replaced_and_are_shown_by_browsers(
    raw: RawSettings, s3: S3Server
) -> None:
    pages = raw.part(CatalogueSettings).open_gallery(raw)
    for html in (b"<p>1</p>", b"<p>2</p>"):
        pages.write("shoes.html", html)
    bucket = str(raw.short["bg_gallery"]).removeprefix("s3://").removesuffix("/pages")
    stored = s3.client.get_object(Bucket=bucket, Key="pages/shoes.html")
    grants = s3.client.get_object_acl(Bucket=bucket, Key="pages/shoes.html")["Grants"]

    assert (stored["Body"].read(), stored["ContentType"]) == (b"<p>2</p>", "text/html")
    assert [grant for grant in grants if "URI" in grant["Grantee"]] == []


def test_a_profile_that_is_not_there_is_named(raw: RawSettings) -> None:
    wrong = RawSettings({**raw.short, "bg_output_profile": "of-a-stranger"})

    with pytest.raises(ConfigurationError, match="of-a-stranger"):
        wrong.part(CatalogueSettings).open_output(wrong)
