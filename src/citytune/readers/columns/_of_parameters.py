"""Columns that say something of each quantity, such as its limit, and never change with time."""

from __future__ import annotations

import polars as pl

from citytune.readers.cells._columns import Columns
from citytune.readers.cells._table import SourceTable
from citytune.readers.columns._parameters import Parameter

FEWEST_ROWS = 12
"""Rows of each quantity from which a column of one value is no reading of it."""


def of_parameters(table: SourceTable, columns: Columns, parameter: Parameter) -> set[str]:
    """Columns of numbers of which each quantity has one value, and another has another one."""
    most = len(columns.by_name[parameter.column].cells)
    able = [
        name
        for name in columns.numbers({parameter.column})
        if 1 < len(columns.by_name[name].cells) <= most
    ]
    if not able or parameter.stage:
        return set()
    each = table.rows.group_by(parameter.column).agg(pl.len(), pl.col(able).n_unique())
    found = each.collect(engine="streaming")
    if found["len"].min() < FEWEST_ROWS:  # type: ignore[operator]
        return set()
    return {name for name in able if found[name].max() == 1}
