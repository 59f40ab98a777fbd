"""Join the number of a part of the hour, such as the third quarter, to the hour beside it."""

from __future__ import annotations

from collections.abc import Collection

import polars as pl

from citytune.readers._columns import Column, Columns, look
from citytune.readers._findings import Findings
from citytune.readers._table import SourceTable
from citytune.readers._time_words import CLOCK_TIME
from citytune.readers._unfold import SECONDS
from citytune.readers._vocabulary import plain_name, tokens

PARTS = (2, 3, 4, 6, 12)
"""Numbers of equal parts that an hour is counted in."""
HOUR, FULL = 3600, 0.9
"""Length in s, and the share of hours that must have all their parts."""
_WORDS = frozenset(["interval", "quarter", "qtr", "subinterval", "subhour", "viertelstunde"])


def with_parts_of_hours(
    table: SourceTable, told: Collection[str], findings: Findings
) -> SourceTable:
    """The table with the time of the day of each row, if date, hour and part of it are columns.

    Args:
        table: Holds the columns.
        told: Columns to which the person gave a role; a part of the hour among them stays.
        findings: Told what was joined.
    """
    parts = [name for name in table.schema if _WORDS & {*tokens(name)} and name not in told]
    if len(parts) != 1 or SECONDS in table.schema:
        return table
    columns = look(table)
    part = columns.by_name[parts[0]]
    found = _date_and_hour(columns, part)
    if found is None or not _is_part(part) or not _is_full(table, found, part):
        return table
    hour, count = found[1], len(part.cells)
    findings.note(
        "parts-of-hours",
        f"column {part.name!r} was taken as parts of {60 // count} minutes of the hours in "
        f"{hour.name!r}, counted from {part.low:g}",
        "write times such as 14:30 if this is wrong",
    )
    first = 1 if hour.high >= 24 else 0
    seconds = HOUR * (_number(hour) - first) + HOUR // count * (_number(part) - int(part.low))
    return table.with_rows(table.rows.with_columns(seconds.alias(SECONDS)).drop(part.name))


def _date_and_hour(columns: Columns, part: Column) -> tuple[Column, Column] | None:
    """The dates and the hours of a table that has no full times."""
    moments = [c for c in columns.by_name.values() if c.kind in ("moment", "range")]
    hours = [c for c in columns.by_name.values() if c is not part and _is_hour(c)]
    if len(hours) != 1 or not moments or not all(c.date for c in moments):
        return None
    return moments[0], hours[0]


def _is_hour(column: Column) -> bool:
    named = "hour" in plain_name(column.name) or plain_name(column.name) in CLOCK_TIME
    whole = column.kind == "number" and column.whole
    return named and whole and column.low in (0, 1) and 12 <= column.high <= 25


def _is_part(column: Column) -> bool:
    whole = column.kind == "number" and column.whole and column.low in (0, 1)
    return whole and len(column.cells) in PARTS and column.high - column.low + 1 in PARTS


def _is_full(table: SourceTable, found: tuple[Column, Column], part: Column) -> bool:
    """Whether the hours have all their parts."""
    at = [column.name for column in found]
    counts = table.rows.group_by(at).agg(pl.col(part.name).n_unique().alias("n"))
    full = counts.select((pl.col("n") == len(part.cells)).mean())
    return float(full.collect(engine="streaming").item() or 0) > FULL


def _number(column: Column) -> pl.Expr:
    return pl.col(column.name).cast(pl.Float64, strict=False).cast(pl.Int64)
