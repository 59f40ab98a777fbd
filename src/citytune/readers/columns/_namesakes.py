"""Tell readings from names where a sensor's column is called "station", "site" or "line".

In a table whose rows each have a moment of their own, on a regular clock, a number that changes
from row to row names no sensor: each sensor would have a few scattered readings.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from citytune.readers.cells._columns import Columns
from citytune.readers.cells._table import SourceTable
from citytune.readers.cells._vocabulary import SENSOR, plain_name

SHARE_OF_USUAL_STEP = 0.9
"""Share of the commonest step from which rows follow a clock."""
SHARE_OF_CHANGES = 0.2
"""Share of rows from which a number changes all the time."""


def namesakes(
    table: SourceTable, seconds: pl.Expr, columns: Columns, told: set[str]
) -> frozenset[str]:
    """Columns that are called like what names the sensors, and hold readings.

    Args:
        table: Holds the columns.
        seconds: Of each row's moment.
        columns: What they hold.
        told: Columns with another role.
    """
    able = [
        name
        for name, column in columns.by_name.items()
        if column.kind == "number" and not column.counter and not column.constant
        and name not in told and plain_name(name) in SENSOR
    ]  # fmt: skip
    if not able:
        return frozenset()
    chosen = table.rows.select(seconds.alias("_moment"), *(pl.col(n) for n in able))
    rows = chosen.drop_nulls("_moment").collect(engine="streaming").sort("_moment")
    if not _one_a_step(rows["_moment"].to_numpy()):
        return frozenset()
    return frozenset(name for name in able if _changes(rows[name]))


def _one_a_step(moments: np.ndarray) -> bool:
    steps = np.diff(moments)
    if len(steps) < 3:
        return False
    values, counts = np.unique(steps, return_counts=True)
    return bool(values[counts.argmax()] > 0 and counts.max() >= SHARE_OF_USUAL_STEP * len(steps))


def _changes(cells: pl.Series) -> bool:
    present = cells.drop_nulls()
    return len(present) > 3 and float((present != present.shift()).mean() or 0) >= SHARE_OF_CHANGES  # type: ignore[arg-type]
