"""How names of sensors are written in cells."""

from __future__ import annotations

import polars as pl

_EXACT = 2**53
"""Whole numbers below it are what a float says they are."""


def name_in(column: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """The name as text, without blanks around it; whole numbers without a point, "" as missing."""
    if dtype.is_float():
        whole = column.cast(pl.Int64, strict=False)
        exact = (column == whole.cast(pl.Float64)) & (column.abs() < _EXACT)
        text = pl.when(exact).then(whole.cast(pl.String)).otherwise(column.cast(pl.String))
    else:
        text = column.cast(pl.String).str.strip_chars()
    return pl.when(text != "").then(text)
