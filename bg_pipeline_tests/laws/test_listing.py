"""A bucket listed in several places at once is listed as by one request after the other."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bg_pipeline.core.keys import key_bytes
from bg_pipeline.stores.s3.buckets import BucketError, Objects
from bg_pipeline.stores.s3.location import Bucket
from bg_pipeline.stores.s3.page import Page, Rows

PAGE = 3

KEYS = st.lists(st.text("ab/é", min_size=1, max_size=4).filter(lambda k: not k.endswith("/")), max_size=40, unique=True)


class Shelf(Objects):
    """A server with these keys, three on a page."""

    def __init__(self, keys: list[str]) -> None:
        self._bucket = Bucket("shop", "img/")
        self._keys = sorted((f"img/{key}" for key in keys), key=key_bytes)
        self.requests = 0

    def _page(self, **location: str) -> Page:
        self.requests += 1
        after = key_bytes(location.get("ContinuationToken") or location.get("StartAfter") or "")
        left = [key for key in self._keys if key_bytes(key) > after]
        rows = Rows(left[:PAGE], [b""] * len(left[:PAGE]))
        more = len(left) > PAGE
        return Page(rows, "true" if more else "false", rows.keys[-1] if more else "", len(rows))


def listed(shelf: Shelf, split_points: list[str]) -> list[str]:
    return [key for rows in shelf.list(sorted(split_points, key=key_bytes)) for key in rows.keys]


@given(KEYS, KEYS)
def test_landmarks_change_neither_what_is_listed_nor_its_order(keys: list[str], split_points: list[str]) -> None:
    assert listed(Shelf(keys), split_points) == sorted(keys, key=key_bytes)


@given(KEYS, st.integers(1, 4))
def test_where_nothing_changed_landmarks_cost_no_further_request(keys: list[str], pages: int) -> None:
    alone, helped = Shelf(keys), Shelf(keys)
    every = pages * PAGE
    listed(alone, [])
    listed(helped, sorted(keys, key=key_bytes)[every - 1 :: every])

    assert helped.requests <= alone.requests + 1


def test_a_server_that_begins_elsewhere_than_asked_is_not_believed() -> None:
    class Deaf(Shelf):
        def _page(self, **location: Any) -> Page:
            location.pop("StartAfter", None)
            return super()._page(**location)

    with pytest.raises(BucketError, match="came after"):
        listed(Deaf(list("abcdefgh")), ["c"])
