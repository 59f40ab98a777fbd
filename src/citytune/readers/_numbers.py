"""Tell numbers, missing values and words apart in cells that are text."""

from __future__ import annotations

import re
from typing import NamedTuple

import polars as pl

MISSING = ("", "-", "--", "---", ".", "?", "na", "n/a", "NA", "N/A", "#N/A", "nan", "NaN", "NAN",
           "null", "NULL", "Null", "none", "None", "nil", "missing", "nodata", "no data", "No data",
           "NoData", "*", "#NV", "<NA>", "NaT")  # fmt: skip
PLAIN = re.compile(r"^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$")
COMMA = re.compile(r"^\s*[+-]?(\d+(,\d*)?|,\d+)([eE][+-]?\d+)?\s*$")
_WORDS = frozenset(word.lower() for word in MISSING)
_GROUPED = r"^[+-]?\d{1,3}([ ,'\u00a0\u202f]\d{3})+(\.\d+)?$"
_GROUPED_COMMA = r"^[+-]?\d{1,3}([ .'\u00a0\u202f]\d{3})+(,\d+)?$"


class Cells(NamedTuple):
    """Two expressions over one text column."""

    number: pl.Expr  # Float64; null where missing or not a number
    wrong: pl.Expr  # Boolean; neither a number nor a word for a missing one  # fmt: skip


def is_missing(cell: str) -> bool:
    """Whether a cell says that there is no value.

    >>> is_missing(" n/a "), is_missing("0")
    (True, False)
    """
    return cell.strip().lower() in _WORDS


def cells(column: str, decimal_comma: bool) -> Cells:
    """How to read a text column as numbers, and where that fails."""
    text = pl.col(column).str.strip_chars()
    number = _parse(text, decimal_comma)
    missing = pl.col(column).is_null() | text.str.to_lowercase().is_in(sorted(_WORDS))
    return Cells(number.fill_nan(None), ~missing & number.is_null())


def numeric_share(values: pl.Series, decimal_comma: bool) -> float:
    """Which part of a text column's values are numbers, of those that are not missing."""
    name = values.name or "cells"
    both = cells(name, decimal_comma)
    found = (
        values.rename(name)
        .to_frame()
        .select(number=both.number.is_not_null().sum(), wrong=both.wrong.sum())
    )
    number, wrong = found.row(0)
    return float(number / (number + wrong)) if number + wrong else 0.0


def _parse(text: pl.Expr, decimal_comma: bool) -> pl.Expr:
    grouped = text.str.contains(_GROUPED_COMMA if decimal_comma else _GROUPED)
    marks = r"[ .'\u00a0\u202f]" if decimal_comma else r"[ ,'\u00a0\u202f]"
    plain = pl.when(grouped).then(text.str.replace_all(marks, "")).otherwise(text)
    # 1,5 can only be one and a half, whatever the rest of the file writes.
    halves = plain.str.contains(r"^[+-]?\d+,\d{1,2}$|^[+-]?\d+,\d{4,}$") | pl.lit(decimal_comma)
    point = pl.when(halves).then(plain.str.replace(",", ".", literal=True)).otherwise(plain)
    return point.cast(pl.Float64, strict=False)
