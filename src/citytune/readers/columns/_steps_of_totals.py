"""A total next to what was added to it: of the two, what was added is read."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations

import polars as pl

from citytune.readers.cells._table import SourceTable
from citytune.readers.columns._folded import number_of

MOST, ROWS, FEW = 8, 2_000, 24
"""Columns up to which they are compared, rows by which they are, and from which that is seen."""
NEARLY = 0.95
"""Share of steps in which a total rises by what stands next to it."""


def without_their_totals(
    table: SourceTable, names: Sequence[str], keys: Sequence[str]
) -> list[str]:
    """Without columns that rise in each row by what another one holds, in the rows' order.

    The total of an interval is read at its end, so that its differences would be a step early.
    """
    if not 2 <= len(names) <= MOST:
        return list(names)
    rows = table.rows.head(ROWS).select(*keys, *(number_of(table, n).alias(n) for n in names))
    found = rows.collect(engine="streaming")
    if len(found) < FEW:
        return list(names)
    totals = {one for one, other in permutations(names, 2) if _adds(found, one, other, keys)}
    return [name for name in names if name not in totals]


def _adds(rows: pl.DataFrame, total: str, part: str, keys: Sequence[str]) -> bool:
    if rows[part].n_unique() < FEW / 2:
        return False
    for step in (1, -1):
        added = pl.col(total).diff(step)
        added = added.over(keys) if keys else added
        room = 1e-3 * pl.col(part).abs() + 1e-6 * pl.col(total).abs()
        fits = rows.select(((added - pl.col(part)).abs() <= room).alias("fits")).to_series()
        if len(fits.drop_nulls()) >= FEW and float(fits.mean() or 0) >= NEARLY:  # type: ignore[arg-type]
            return True
    return False
