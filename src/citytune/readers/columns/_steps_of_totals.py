"""Totals side by side with what was added to them, or since midnight: one of them is read."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations

import polars as pl

from citytune.readers.cells._table import SourceTable
from citytune.readers.columns._folded import number_of

MOST_TOTALS_COMPARED, ROWS_OF_TOTALS, FEWEST_TOTALS = 8, 2_000, 24
"""Columns up to which they are compared, rows by which they are, and from which that is seen."""
ROOM_FOR_ROUNDING, MOST_RESETS = 0.1, 0.2
"""Part of the usual rise by which rounding may move one, and share of rows that begin anew."""
SHARE_OF_RISES = 0.95
"""Share of steps in which a total rises by what stands next to it."""
MOST_FALLS_OF_A_TOTAL = 0.2
"""Share of steps in which a total may fall; a reading falls about as often as it rises."""


def without_their_totals(
    table: SourceTable, names: Sequence[str], keys: Sequence[str]
) -> list[str]:
    """Without columns that rise in each row by what another one holds, in the rows' order.

    The total of an interval is read at its end, so that its differences would be a step early. Of a
    total and one that begins anew each day, which rise alike, the former is read.
    """
    if not 2 <= len(names) <= MOST_TOTALS_COMPARED:
        return list(names)
    rows = table.rows.head(ROWS_OF_TOTALS).select(
        *keys, *(number_of(table, n).alias(n) for n in names)
    )
    found = rows.collect(engine="streaming")
    if len(found) < FEWEST_TOTALS:
        return list(names)
    totals = {one for one, other in permutations(names, 2) if _adds(found, one, other, keys)}
    totals |= {two for one, two in permutations(names, 2) if _rise_alike(found, one, two, keys)}
    return [name for name in names if name not in totals]


def _adds(rows: pl.DataFrame, total: str, part: str, keys: Sequence[str]) -> bool:
    falls = float((rows[part] < 0).mean() or 0)  # type: ignore[arg-type]
    if rows[part].n_unique() < FEWEST_TOTALS / 2 or falls > MOST_FALLS_OF_A_TOTAL:
        return False
    for step in (1, -1):
        added = pl.col(total).diff(step)
        added = added.over(keys) if keys else added
        room = 1e-3 * pl.col(part).abs() + 1e-6 * pl.col(total).abs()
        fits = rows.select(((added - pl.col(part)).abs() <= room).alias("fits")).to_series()
        if len(fits.drop_nulls()) >= FEWEST_TOTALS and float(fits.mean() or 0) >= SHARE_OF_RISES:  # type: ignore[arg-type]
            return True
    return False


def _rise_alike(rows: pl.DataFrame, total: str, daily: str, keys: Sequence[str]) -> bool:
    """Whether one column never falls, and another rises as it does but begins anew at times."""
    added = rows.select(
        (pl.col(name).diff().over(keys) if keys else pl.col(name).diff()).alias(name)
        for name in (total, daily)
    ).drop_nulls()
    resets, rising = added.filter(pl.col(daily) < 0), added.filter(pl.col(total) > 0)
    if not len(resets) or len(rising) < FEWEST_TOTALS or added[total].min() < 0:  # type: ignore[operator]
        return False
    rises = rising.filter(pl.col(daily) >= 0)
    usual = float(rises[total].mean() or 0)  # type: ignore[arg-type]
    alike = ((rises[total] - rises[daily]).abs() <= ROOM_FOR_ROUNDING * usual).mean()
    return len(resets) < MOST_RESETS * len(added) and float(alike or 0) >= SHARE_OF_RISES  # type: ignore[arg-type]
