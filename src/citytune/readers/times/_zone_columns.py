"""Columns that say in which zone, or how far ahead of UTC, each time is."""

from __future__ import annotations

from citytune.readers.cells._columns import Column, Columns
from citytune.readers.cells._vocabulary import tokens
from citytune.readers.cells._zone_names import COMMON, OFFSET, ZONE_NAMES
from citytune.readers.times._offset_columns import offset_seconds


def zone_columns(columns: Columns) -> set[str]:
    """Columns that say of each time whether it is summer: CET and CEST, EST and EDT."""
    return {
        name
        for name, column in columns.by_name.items()
        if len(column.cells) and (offset_seconds(column) or _are_zones(column))
    }


def _are_zones(column: Column) -> bool:
    """Whether cells are names of zones: the common ones, or any that the column is called after."""
    cells = {*map(str, column.cells)} if column.kind == "text" else {""}
    if cells <= COMMON:
        return True
    named = {"zone", "tz", "timezone", "zeitzone", "offset"} & {*tokens(column.name)}
    return bool(named) and all(cell in ZONE_NAMES or OFFSET.fullmatch(cell) for cell in cells)
