"""Columns that only write the time of a row once more, or a part of it."""

from __future__ import annotations

import polars as pl

from citytune.readers.cells._columns import Column
from citytune.readers.cells._structure import TIME, Moment
from citytune.readers.cells._time_words import TIME as TIME_WORDS
from citytune.readers.cells._vocabulary import tokens

FEWEST_ROWS, FEWEST_STEPS, FEWEST_DAYS = 12, 24, 3
"""From which a column is seen to repeat a part of the moment, to grow evenly with it, and to count
periods of the day."""
WORDS_OF_TIME_COUNTS = frozenset(
    [*TIME_WORDS, "ms", "sec", "seconds", "serial", "julian", "excel", "mjd"]
)
"""Words of the names of columns that count time."""
MOST_UNEVEN_STEPS = 1.001
"""Ratio of the largest to the smallest step up to which they are alike."""


def tells_time(column: Column, moment: Moment) -> bool:
    """Whether a column repeats the moment, or its hour, weekday, day, month or year."""
    if len(moment.rows) < FEWEST_STEPS or column.low < 0:
        return False
    if _runs_with_time(column, moment):
        return True
    if not column.whole or column.high > 2200:
        return False
    number = pl.col(column.name).cast(pl.Float64, strict=False)
    rows = moment.rows.select(TIME, number.fill_nan(None)).drop_nulls()
    if len(rows) < FEWEST_ROWS:
        return False
    if _counts_periods(rows, column):
        return True
    at = pl.from_epoch(pl.col(TIME)).dt
    parts = (at.hour(), at.hour() + 1, at.weekday(), at.weekday() - 1, at.weekday() % 7,
             at.weekday() % 7 + 1, at.day(), at.month(), at.year(), at.ordinal_day(),
             at.week())  # fmt: skip
    found = [(part == number).mean().alias(str(i)) for i, part in enumerate(parts)]
    alike = rows.select(found).row(0)
    return max(alike) > 0.99


def _runs_with_time(column: Column, moment: Moment) -> bool:
    """Whether a column grows evenly with the moment: it is another way to write it."""
    if not {*tokens(column.name)} & WORDS_OF_TIME_COUNTS:
        return False
    number = pl.col(column.name).cast(pl.Float64, strict=False)
    rows = moment.rows.select(TIME, number.fill_nan(None)).drop_nulls().unique(TIME).sort(TIME)
    steps = rows.select(pl.col(column.name).diff() / pl.col(TIME).diff()).to_series().drop_nulls()
    if len(steps) < FEWEST_STEPS or float(steps.min() or 0) <= 0:  # type: ignore[arg-type]
        return False
    return float(steps.max()) < MOST_UNEVEN_STEPS * float(steps.min())  # type: ignore[arg-type]


def _counts_periods(rows: pl.DataFrame, column: Column) -> bool:
    """Whether a column counts the periods of the day, on this clock or that of another zone."""
    if (rows[TIME] // 86_400).n_unique() < FEWEST_DAYS:
        return False
    number = pl.col(column.name)
    for periods in (24, 48, 96, 144, 288):
        span = column.high - column.low + 1
        if not periods / 2 < span <= periods + periods // 24:
            continue
        ahead = (number - pl.col(TIME) * periods // 86_400) % periods
        found = rows.select(ahead.alias("ahead"))["ahead"].value_counts(sort=True)["count"]
        if found.head(2).sum() > 0.99 * len(rows):  # two of them where summer time begins or ends
            return True
    return False
