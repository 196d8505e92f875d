"""
Names of purchases and renditions: digests of explicit, versioned lists of the values that alter the bytes.

Masters and manifests are looked up by these names long after the code has changed. So nothing here uses the default
of a setting, a price table or a vendor's limit: each list has its own neutral values, and a name leaves these
out. The schemes with the number 1 are frozen.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode


def digest(value: Any) -> str:
    """Return the SHA-256 of the canonical JSON of a value, in hex digits."""
    return hashlib.sha256(_encode(value).encode()).hexdigest()


CUT: Mapping[str, Any] = {
    "side_px": 2500,
    "endpoint": "",
    "surface": "",
    "params": {},
    "steps": [],
    "tools_only": False,
}
"""Scheme cut/2: all values that alter a vendor's result, each with its neutral value, which a name leaves out."""

RENDITION: Mapping[str, Any] = {
    "format": "png",
    "background": "",
    "canvas": None,
    "padding": 0.0,
    "background_image": "",
    "longest_side": 0,
    "alignment": "center",
    "upscale": True,
    "shadow": 0.0,
    "quality": 0,
    "metadata": "none",
    "output_name": "{stem}",
}
"""Scheme rendition/2: all values that alter a rendition, each with its neutral value, which a name leaves out."""

_NAMED_BY_CUT_1 = frozenset({"side_px", "endpoint", "surface", "params", "steps"})
_NAMED_BY_RENDITION_1 = frozenset({"format", "background", "canvas", "padding"})


def cut_digests(
    provider: str, values: Mapping[str, Any], *, former: tuple[int, int], neutral: Mapping[str, Any] = CUT
) -> tuple[str, ...]:
    """
    Return the names of a cut under the present scheme, then under older ones.

    Args:
        provider: the vendor that sells it.
        values: values by their name in the list; `steps` as pairs of a tool and its parameters.
        former: longest side in px and most pixels in the older scheme.
        neutral: the list with its neutral values.
    """
    altered = _altered(values, neutral)
    names = [digest(["cut/2", provider, altered])]
    if altered.keys() <= _NAMED_BY_CUT_1:  # or the older scheme would give two different cuts one name
        names.append(_cut_1(provider, values, former))
    return tuple(names)


def rendition_digests(
    values: Mapping[str, Any], renderer: int, neutral: Mapping[str, Any] = RENDITION
) -> tuple[str, ...]:
    """
    Return the names of a rendition: for this renderer, for older renderers, then under the older scheme.

    Args:
        values: values by their name in the list; `canvas` as a list.
        renderer: version, from 1.
        neutral: the list with its neutral values.
    """
    altered = _altered(values, neutral)
    names = [digest(["rendition/2", version, altered]) for version in range(renderer, 0, -1)]
    if altered.keys() <= _NAMED_BY_RENDITION_1:
        names.append(digest({name: values[name] for name in _NAMED_BY_RENDITION_1}))
    return tuple(names)


def set_digest(main: str, others: Mapping[str, str]) -> str:
    """
    Return the name of several renditions of one item; that of the only one, if there are no others.

    Args:
        main: name of the first.
        others: names of the others, by the name of their table.
    """
    return digest(["renditions/1", main, dict(others)]) if others else main


def _altered(values: Mapping[str, Any], neutral: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value != neutral[name]}


def _cut_1(provider: str, values: Mapping[str, Any], former: tuple[int, int]) -> str:
    """Return the name under scheme cut/1: all values of a cut, neutral or not, with the limits of 2026-11."""
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
