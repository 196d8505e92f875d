"""Names, waits and merges, whatever they are fed."""

from collections.abc import Iterator

import dagster as dg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bg_pipeline.core.keys import decode_partition, encode_partition, fold, key_bytes
from bg_pipeline.core.merge import merge_join
from bg_pipeline.core.retry import LONGEST_WAIT_S, MAX_WAIT_S, parse_retry_after, wait_s
from bg_pipeline_tests.core.deltas import stems_given
from bg_pipeline_tests.laws.strategies import collections, keys


@given(collection=collections)
def test_a_partition_key_gives_its_collection_back(collection: str) -> None:
    assert decode_partition(encode_partition(collection)) == collection


@pytest.fixture(scope="module")
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


@given(collection=collections)
def test_dagster_accepts_every_partition_key(instance: dg.DagsterInstance, collection: str) -> None:
    instance.add_dynamic_partitions("collections", [encode_partition(collection)])

    assert instance.has_dynamic_partition("collections", encode_partition(collection))


@given(st.lists(collections, unique=True))
def test_distinct_collections_are_distinct_partitions(several: list[str]) -> None:
    assert len({encode_partition(collection) for collection in several}) == len(several)


@given(st.lists(keys, unique=True))
def test_allocated_stems_are_distinct_even_where_case_and_form_are_ignored(several: list[str]) -> None:
    stems = stems_given(several)

    assert len({fold(stem) for stem in stems.values()}) == len(several)


@given(retry=st.integers(0, 10_000), jitter=st.floats(0, 1))
def test_a_wait_is_between_nothing_and_the_cap(retry: int, jitter: float) -> None:
    assert 0 <= wait_s(retry, None, jitter) <= MAX_WAIT_S


@given(asked=st.floats(0, 1e6), retry=st.integers(0, 10), jitter=st.floats(0, 1))
def test_a_wait_is_what_was_asked_for_or_an_hour(asked: float, retry: int, jitter: float) -> None:
    assert wait_s(retry, asked, jitter) == min(asked, LONGEST_WAIT_S)


@given(st.text(), st.none() | st.text())
def test_no_retry_after_header_breaks_the_client(value: str, date: str | None) -> None:
    parsed = parse_retry_after(value, date)

    assert parsed is None or parsed >= 0


@given(st.sets(keys), st.sets(keys))
def test_a_merge_tells_apart_what_is_on_one_side_or_both(left: set[str], right: set[str]) -> None:
    def ascending(names: set[str]) -> list[str]:
        return sorted(names, key=key_bytes)

    pairs = list(merge_join(ascending(left), ascending(right), key_bytes, key_bytes))

    assert {a for a, b in pairs if a and not b} == left - right
    assert {b for a, b in pairs if b and not a} == right - left
    assert {a for a, b in pairs if a and b} == left & right
