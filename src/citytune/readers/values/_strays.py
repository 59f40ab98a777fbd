"""Rows among or below those of a table that are none of it, and names that only stand in them."""

from __future__ import annotations

import polars as pl

from citytune._text import counted
from citytune.readers.cells._findings import Findings
from citytune.readers.cells._table import SourceTable
from citytune.readers.columns._roles import Roles
from citytune.readers.times._wrong_times import spelt_times

MOST_FOOTER, MOST_STRAYS = 20, 0.01
"""Rows of a table that may be no rows of it: so many, or this share."""
MOST_TOTALS = 3
"""Rows below a table that may hold numbers, such as totals, though no time."""


def without_strays(
    frame: pl.DataFrame, table: SourceTable, roles: Roles, findings: Findings
) -> pl.DataFrame:
    """Leave out rows that hold neither a time nor a reading: titles of parts, totals, a licence.

    So are the last rows without a time that do hold readings, such as totals; what stands in the
    place of their time is quoted.
    """
    values = [name for name in frame.columns if name.startswith("_v")]
    hollow = pl.all_horizontal(pl.col(name).is_null() for name in values)
    below = pl.col("_time").is_not_null().cast(pl.Int32).cum_sum(reverse=True) == 0
    last = below & (pl.int_range(pl.len()) >= pl.len() - MOST_TOTALS)
    lost = frame.select(pl.col("_time").is_null() & (hollow | last)).to_series()
    count = int(lost.sum())
    if not count or count > max(MOST_FOOTER, MOST_STRAYS * len(frame)) or len(frame) < 2 * count:
        return frame
    if frame["_time"].null_count() == len(frame):
        return frame  # of which nothing is left to stray from
    findings.note(
        "footer",
        f"{counted(count, 'row')} without a time, among or below those of the table",
        "left out",
        count=count,
    )
    full = (lost & ~frame.select(hollow).to_series()).arg_true()
    if len(full) and any(map(str.isdigit, cell := spelt_times(table, roles.time, full[0]))):
        findings.warn(
            "unreadable-times",
            f"{cell} in the last rows is no time, so the readings next to it were left out",
            "correct it if it is meant as one",
            count=len(full),
        )
    return frame.filter(~lost)


def without_strangers(
    rows: pl.LazyFrame, frame: pl.DataFrame, names: list[str]
) -> tuple[pl.LazyFrame, pl.DataFrame, list[str]]:
    """Without the names that only stood in rows that were left out, such as those of a licence."""
    met = frame["_sensor"].unique().sort().to_list()
    if len(met) == len(names):
        return rows, frame, names
    place = pl.col("_sensor").replace_strict(met, range(len(met)), default=None)
    there = pl.col("_sensor").is_in(met)
    rows = rows.filter(there).with_columns(_sensor=place.cast(pl.UInt32))
    return rows, frame.with_columns(_sensor=place.cast(pl.UInt32)), [names[i] for i in met]
