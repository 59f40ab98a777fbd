"""What a column tells of the readings that says the same in every row: their quantity."""

from __future__ import annotations

from citytune.readers.cells._columns import Column, Columns
from citytune.readers.cells._units import unit_in
from citytune.readers.cells._vocabulary import (
    GENERIC,
    PARAMETER,
    is_quantity,
    plain_name,
    target_rank,
    tokens,
)


def quantity_said(columns: Columns, target: str) -> str:
    """What all rows measure, where the column of readings is called a value; else nothing."""
    words = {*tokens(target)}
    if not words & {*GENERIC} or (is_quantity(target) and target_rank(target) is not None):
        return ""
    return next((cell for one in columns.by_name.values() if (cell := _said(one))), "")


def _said(column: Column) -> str:
    """A known quantity, or one with a unit, that a column names in every row."""
    named = plain_name(column.name) in PARAMETER or tokens(column.name)[-1] == "type"
    if not (named and column.constant and column.kind == "text"):
        return ""
    cell = str(column.cells[0])
    return cell if is_quantity(cell) or unit_in(cell) else ""
