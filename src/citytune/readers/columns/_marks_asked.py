"""Marks behind the numbers of a column as a column of their own, if validity is told by them."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from citytune.readers.cells._brackets import OF_MARKS
from citytune.readers.cells._table import SourceTable

_NUMBER = r"^\s*[<>~]?\s*[+-]?[\d.,' ]*\d[.,]?([eE][+-]?\d+)?\s*"


def with_marks(table: SourceTable, asked: Iterable[str]) -> SourceTable:
    """The table with the marks of each column `x` of which a column `x mark` is asked for.

    A number without one has the mark "", and one in brackets "[]" or "()".
    """
    found = {}
    for name in asked:
        of = name.removesuffix(OF_MARKS)
        if of != name and name not in table.schema and of in table.schema:
            found[name] = of
    if not found or table.exact is None:
        return table
    texts = table.exact(tuple(found.values()))
    marks = [_mark(pl.col(of)).alias(name) for name, of in found.items()]
    rows = table.rows.collect().hstack(texts.select(marks))
    return table.with_other_columns(rows.lazy())


def _mark(cell: pl.Expr) -> pl.Expr:
    bare = cell.str.replace(r"^\s*\[(.*)\]\s*$", "${1}[]").str.replace(
        r"^\s*\(([^()]*)\)\s*$", "${1}()"
    )
    return bare.str.replace(_NUMBER, "").str.strip_chars().fill_null("")
