"""Cells that hold more than a number: tenths with a code (NOAA's "+0123,1" is 12.3), JSON."""

from __future__ import annotations

import re
from collections.abc import Sequence

import polars as pl

from citytune._text import listed
from citytune.readers.cells._columns import Columns
from citytune.readers.cells._findings import Findings
from citytune.readers.cells._texts import CELL, Texts, by_name

TENTHS = ("TMP", "DEW", "SLP")
"""Columns of air temperature and dew point in °C, and pressure in hPa, each in tenths."""
_CELL = r"^([+-]\d{4}|\d{5}),([0-9A-Z])$"
_JSON = r"""^\s*(\{\s*['"]|\[\s*[\[{])"""
_NONE = (9999, 99999)
_WRONG = ("3", "7")
"""Codes of values that were found to be wrong."""


def are_coded(name: str, cells: Sequence[str]) -> bool:
    """Whether a column is one of these, and its cells are so.

    >>> are_coded("TMP", ["+0123,1"]), are_coded("TMP", ["12,1"]), are_coded("value", ["+0123,1"])
    (True, False, False)
    """
    return name in TENTHS and bool(cells) and all(re.match(_CELL, cell) for cell in cells)


def without_codes(texts: Texts, findings: Findings) -> Texts:
    """The numbers of cells with a code behind a comma, in whole units, in columns known by name."""
    cells = by_name(texts.of(TENTHS), CELL).rows()
    found = [name for name, some in cells if are_coded(name, some)]
    if found:
        findings.note(
            "coded-cells",
            f"the cells of {listed(found, quoted=True)} are tenths with a code of quality",
            "they were read in whole units; values of codes 3 and 7 are missing",
            count=len(found),
        )
    return texts.changed([_number(name) for name in found])


def refuse_json(columns: Columns, findings: Findings) -> bool:
    """Say that the readings may stand in objects of JSON in the cells of a column."""
    texts = [one for one in columns.by_name.values() if one.kind == "text" and len(one.cells)]
    found = [one for one in texts if all(re.match(_JSON, cell) for cell in one.cells.head(20))]
    for column in found[:1]:
        findings.error(
            "no-numeric-target",
            f"the cells of column {column.name!r} hold JSON, such as {column.cells[0][:60]!r}",
            "write each of its values into a column of its own, or pass the JSON itself, a list of "
            "objects with a time and a value each",
        )
    return bool(found)


def _number(name: str) -> pl.Expr:
    tenths = pl.col(name).str.extract(_CELL, 1).cast(pl.Int64)
    good = ~tenths.abs().is_in(_NONE) & ~pl.col(name).str.extract(_CELL, 2).is_in(_WRONG)
    return pl.when(good).then(tenths / 10).alias(name)
