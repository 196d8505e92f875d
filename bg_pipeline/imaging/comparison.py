"""The page of a comparison: one self-contained HTML page, with pictures inline and no script."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from jinja2 import Template

from bg_pipeline.imaging.page import load_template
from bg_pipeline.imaging.sheet import printable


@dataclass(frozen=True, slots=True)
class Cell:
    """One result."""

    picture: bytes | None
    """WebP; None if there is none, and then `note` gives the reason."""
    note: str
    is_doubtful: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One picture, and its results in the order of the columns."""

    label: str
    source: bytes | None
    """WebP; None if it cannot be shown."""
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Grid:
    """A table of texts."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def comparison_html(
    *, title: str, grids: Sequence[Grid], notes: Sequence[str], columns: Sequence[str], rows: Sequence[Row]
) -> str:
    """
    Return the page. All texts may hold anything: they are escaped.

    Args:
        title: heading and window title.
        grids: tables above the pictures; the first column of each names the row.
        notes: sentences below these tables.
        columns: names of the columns of results.
        rows: the pictures.
    """
    return _template().render(
        title=printable(title),
        grids=[
            {
                "columns": [printable(cell) for cell in grid.columns],
                "rows": [[printable(cell) for cell in row] for row in grid.rows],
            }
            for grid in grids
        ],
        notes=[printable(note) for note in notes],
        columns=[printable(name) for name in columns],
        rows=[
            {
                "label": printable(row.label),
                "source": _inline(row.source),
                "cells": [
                    {"src": _inline(cell.picture), "note": printable(cell.note), "is_doubtful": cell.is_doubtful}
                    for cell in row.cells
                ],
            }
            for row in rows
        ],
    )


@cache
def _template() -> Template:
    return load_template("comparison.html")


def _inline(picture: bytes | None) -> str:
    return "" if picture is None else f"data:image/webp;base64,{base64.b64encode(picture).decode()}"
