"""A page of a bucket's listing says the same however its server writes it, and its lines are told by their bytes."""

from collections.abc import Callable
from urllib.parse import quote_plus
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bg_pipeline.stores.s3.page import ListedObject, Page, digest_of_rows, parse_page
from bg_pipeline_tests.s3 import page

KEYS = st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), min_size=1))
Listed = list[tuple[str, int, str, str]]

WRITTEN: dict[str, Callable[[bytes], bytes]] = {
    "as AWS does": lambda body: body,
    "over many lines": lambda body: body.replace(b"><", b">\n  <"),
    "without a namespace": lambda body: body.replace(b' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"', b""),
    "with a prefix": lambda body: (
        body.replace(b"<", b"<s3:")
        .replace(b"<s3:/", b"</s3:")
        .replace(b"<s3:?", b"<?")
        .replace(b" xmlns=", b" xmlns:s3=")
    ),
    "with attributes": lambda body: body.replace(b"<Contents>", b'<Contents class="row">'),
    "with something between the lines": lambda body: body.replace(b"</Contents>", b"</Contents><!-- next -->"),
}


def read(body: bytes) -> Page:
    parsed = parse_page(body)
    assert parsed is not None
    return parsed


def by_elements(body: bytes) -> Listed:
    """As a parser of the whole page finds its lines; keys as they were sent."""
    found = [row for row in ET.fromstring(body).iter() if row.tag.rpartition("}")[2] == "Contents"]
    fields = [{each.tag.rpartition("}")[2]: each.text or "" for each in row} for row in found]
    return [(row["Key"], int(row["Size"]), row["ETag"], row["LastModified"]) for row in fields]


@pytest.mark.parametrize("written", WRITTEN.values(), ids=list(WRITTEN))
@given(keys=KEYS)
def test_a_page_has_the_lines_that_a_parser_of_all_of_it_finds(
    written: Callable[[bytes], bytes], keys: list[str]
) -> None:
    body = written(page(keys, token="next"))
    parsed = read(body)

    assert list(parsed.rows.keys) == keys
    assert list(parsed.rows.objects()) == [
        ListedObject(key, *rest) for key, (_, *rest) in zip(keys, by_elements(body), strict=True)
    ]
    assert (parsed.truncated, parsed.token, parsed.count) == ("true", "next", len(keys))


@given(keys=KEYS)
def test_a_key_that_is_not_encoded_is_read_as_it_is(keys: list[str]) -> None:
    body = page([f"{number}" for number in range(len(keys))]).replace(b"<EncodingType>url</EncodingType>", b"")
    for number, key in enumerate(keys):
        body = body.replace(b"<Key>%d</Key>" % number, f"<Key>{escape(key)}</Key>".encode(), 1)
    expected = [key for key, *_ in by_elements(body)]

    assert list(read(body).rows.keys) == expected


@pytest.mark.parametrize("name", ["ETag", "Size", "LastModified", "Key"])
def test_a_line_that_changes_in_anything_has_another_digest(name: str) -> None:
    body = page(["a", "b", "c"])
    start = body.index(f"<{name}>".encode(), body.index(b"<Key>b<")) if name != "Key" else body.index(b"<Key>b<")
    at = start + len(name) + 2
    other = body[:at] + (b"9" if body[at : at + 1] != b"9" else b"8") + body[at + 1 :]
    before, after = read(body).rows, read(other).rows

    assert digest_of_rows([before]) != digest_of_rows([after])
    assert digest_of_rows([before.part(0, 1)]) == digest_of_rows([after.part(0, 1)])
    assert digest_of_rows([before.part(0, 2), before.part(2, None)]) == digest_of_rows([before])


def test_what_stands_for_a_folder_is_left_out_with_its_line() -> None:
    rows = read(page(["img/", "img/a", "img/b/", "img/c"])).rows.below("img/")

    assert list(rows.keys) == [each.key for each in rows.objects()] == ["a", "c"]
    assert [quote_plus(key) in line.decode() for key, line in zip(rows.keys, rows.sent, strict=True)] == [True, True]


@pytest.mark.parametrize("damage", [b"<Size>x</Size>", b"<Size>&#1;</Size>", b"<Size></Size>"])
def test_a_malformed_line_is_an_error_when_it_is_read(damage: bytes) -> None:
    rows = read(page(["a"]).replace(b"<Size>7</Size>", damage)).rows

    with pytest.raises(ValueError, match=r"malformed|invalid"):
        list(rows.objects())
