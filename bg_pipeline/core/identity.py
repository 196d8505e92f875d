"""
Names of purchases and renditions: digests of explicit, versioned lists of what alters the bytes.

Masters and manifests are found by these names, long after the code that gave them. So nothing here follows the default
of a setting, a price table or a vendor's limit: each list has its own neutral values, and a name leaves out what is
neutral. The schemes with the number 1 are frozen.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode


def digest(value: Any) -> str:
    """SHA-256 of the canonical JSON of a value, in hex digits."""
    return hashlib.sha256(_encode(value).encode()).hexdigest()


CUT: Mapping[str, Any] = {
    "side_px": 2500,
    "endpoint": "",
    "surface": "",
    "params": {},
    "steps": [],
}
"""Scheme cut/2: all that alters what a vendor sells, with the value that a name leaves out."""

RENDITION: Mapping[str, Any] = {
    "format": "png",
    "background": "",
    "canvas": None,
    "padding": 0.0,
}
"""Scheme rendition/2: all that alters what is made of a master, with the value that a name leaves out."""

_NAMED_BY_CUT_1 = frozenset({"side_px", "endpoint", "surface", "params", "steps"})
_NAMED_BY_RENDITION_1 = frozenset({"format", "background", "canvas", "padding"})


def cut_digests(
    provider: str, values: Mapping[str, Any], *, former: tuple[int, int], neutral: Mapping[str, Any] = CUT
) -> tuple[str, ...]:
    """
    Name a cut under the present scheme, then under older ones.

    Args:
        provider: the vendor that sells it.
        values: by the names of the list; `steps` as pairs of a tool and its parameters.
        former: longest side in px and most pixels that the older scheme has for it.
        neutral: the list.
    """
    altered = _altered(values, neutral)
    names = [digest(["cut/2", provider, altered])]
    if altered.keys() <= _NAMED_BY_CUT_1:  # or the older scheme would call two different cuts the same
        names.append(_cut_1(provider, values, former))
    return tuple(names)


def rendition_digests(
    values: Mapping[str, Any], renderer: int, neutral: Mapping[str, Any] = RENDITION
) -> tuple[str, ...]:
    """
    Name a rendition as this renderer makes it, then as older renderers did, then under the older scheme.

    Args:
        values: by the names of the list; `canvas` as a list.
        renderer: version, from 1.
        neutral: the list.
    """
    altered = _altered(values, neutral)
    names = [digest(["rendition/2", version, altered]) for version in range(renderer, 0, -1)]
    if altered.keys() <= _NAMED_BY_RENDITION_1:
        names.append(digest({name: values[name] for name in _NAMED_BY_RENDITION_1}))
    return tuple(names)


def _altered(values: Mapping[str, Any], neutral: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value != neutral[name]}


def _cut_1(provider: str, values: Mapping[str, Any], former: tuple[int, int]) -> str:
    """Scheme cut/1: everything that was on record of a cut, neutral or not, with limits as they were in 2026-11."""
    max_side_px, max_pixels = former
    return digest(
        {
            "provider": provider,
            "max_side_px": max_side_px,
            "max_pixels": max_pixels,
            "endpoint": values["endpoint"],
            "surface": values["surface"],
            "params": values["params"],
            "steps": [{"tool": tool, "params": of_tool} for tool, of_tool in values["steps"]],
        }
    )
