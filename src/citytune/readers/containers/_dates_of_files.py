"""Files that hold times of the day alone, and the date in their name: flow_2024-03-01.csv."""

from __future__ import annotations

import datetime as dt
import re

import polars as pl

from citytune.readers.cells._columns import Columns, look
from citytune.readers.cells._findings import Findings
from citytune.readers.cells._table import SourceTable
from citytune.readers.cells._time_words import CLOCK_TIME, DATE_PARTS
from citytune.readers.cells._vocabulary import plain_name

DATE = "date"
_DATE = re.compile(
    r"(?<!\d)((?:19|20)\d\d)([-_. ]?)(0[1-9]|1[0-2])\2(0[1-9]|[12]\d|3[01])"
    r"(?!\d)(?![-_. ]\d\d(?!\d))"
)
"""A day of a year; with an hour behind it, it would be that of the export."""
_ROWS = 200
"""That are looked at."""
_PARTS = frozenset(word for words in DATE_PARTS[:3] for word in words)


def with_date_of_file(table: SourceTable, findings: Findings) -> SourceTable:
    """The table with the only date that its file's name says, if it has times of the day alone."""
    said = [*_DATE.finditer(table.stem)]
    if len(said) != 1:
        return table
    try:
        day = dt.date(*(int(said[0][i]) for i in (1, 3, 4)))
    except ValueError:
        return table
    if DATE in table.schema or not _has_times_alone(look(table.with_rows(table.rows.head(_ROWS)))):
        return table
    findings.note(
        "date-of-file",
        f"the rows hold times of the day alone, and the file's name the date {day}",
        "they were read as times of that day",
    )
    return table.with_other_columns(table.rows.select(pl.lit(day).alias(DATE), pl.all()))


def _has_times_alone(columns: Columns) -> bool:
    """Whether there is a time of the day, and nothing of a date."""
    plain = {plain_name(name): one for name, one in columns.by_name.items()}
    if columns.times or {*plain} & _PARTS:
        return False
    return any(
        one.kind in ("clock", "clock-range")
        or (name in CLOCK_TIME and one.kind == "number" and one.whole)
        for name, one in plain.items()
    )
