"""Dates in parts of weeks: columns of the year, the week and the day of the week."""

from __future__ import annotations

import polars as pl

from citytune._text import listed
from citytune.readers.cells._columns import Column, Columns, look
from citytune.readers.cells._findings import Findings
from citytune.readers.cells._month_names import WEEKDAYS, weekday_of
from citytune.readers.cells._table import SourceTable
from citytune.readers.cells._time_words import DATE_PARTS, DAY_OF_YEAR
from citytune.readers.cells._vocabulary import plain_name

DATE = "date"
_LAST_WEEK = 52
_YEARS, _MONTHS, _DAYS = (frozenset(words) for words in DATE_PARTS[:3])
_OF_ISO = frozenset(
    ["iso_week", "isoweek", "week_iso", "kw", "kalenderwoche", "semaine", "uke", "ukenr", "vecka",
     "veckonr", "uge", "viikko"]
)  # fmt: skip
"""Weeks that begin on Monday, as the standard or the country has it."""
_WEEKS = _OF_ISO | {"week", "week_number", "week_no", "weeknum", "wk", "woche", "semana"}
_WEEKDAYS = frozenset(
    ["weekday", "iso_weekday", "isoweekday", "day_of_week", "dayofweek", "dow", "wochentag",
     "week_day", "ukedag", "veckodag", "ugedag", "viikonpaiva", "jour_semaine"]
)  # fmt: skip


def with_dates_of_weeks(
    table: SourceTable, columns: Columns, findings: Findings
) -> tuple[SourceTable, Columns]:
    """The table with a date for each year, week and day of the week, if it has no other time.

    Days that are numbers count from Monday only where the name of the week says so; of days that
    are named, the rows show where weeks begin.
    """
    parts = None if columns.times else _parts(columns)
    if parts is None:
        return table, columns
    year, week, day = parts
    named = day.kind == "text"
    if not named and plain_name(week.name) not in _OF_ISO and "iso" not in plain_name(day.name):
        findings.fail(
            "which-week",
            f"{listed([one.name for one in parts], quoted=True)} are dates by the week, and "
            "nothing tells whether a week begins on Monday (ISO 8601) or on Sunday",
            "call the column of weeks iso_week if on Monday, or write dates such as 2024-03-31",
        )
    whole = [pl.col(one.name).cast(pl.Float64, strict=False).cast(pl.Int64) for one in (year, week)]
    _refuse_calendar_years(table, whole[0], whole[1], findings)
    cell = pl.col(day.name).cast(pl.String).str.strip_chars(" .").str.to_lowercase()
    number = cell.replace_strict(WEEKDAYS, default=None, return_dtype=pl.Int64) + 1 if named \
        else pl.col(day.name).cast(pl.Float64, strict=False).cast(pl.Int64)  # fmt: skip
    _refuse_weeks_from_sunday(table, whole[1], number, findings)
    texts = (whole[0].cast(pl.String), whole[1].cast(pl.String).str.zfill(2), number)
    date = pl.format("{}-W{}-{}", *texts)
    rows = table.rows.with_columns(date.str.to_date("%G-W%V-%u", strict=False).alias(DATE))
    found = table.with_other_columns(rows.drop(one.name for one in parts))
    return found, look(found)


def _refuse_calendar_years(
    table: SourceTable, year: pl.Expr, week: pl.Expr, findings: Findings
) -> None:
    """Refuse weeks with the year of each date: week 1 of the old year is then one of the new."""
    later, late = year - year.shift(), week.shift() >= _LAST_WEEK
    turns = (late & (week == 1) & (later == 0)) | (late & (week >= _LAST_WEEK) & (later == 1))
    if table.rows.select(turns.any()).collect(engine="streaming").item():
        findings.fail(
            "which-week",
            "the year changes within a week, so it is that of the calendar and not of the week",
            "write the year that the week belongs to (ISO 8601), or dates such as 2024-03-31",
        )


def _refuse_weeks_from_sunday(
    table: SourceTable, week: pl.Expr, day: pl.Expr, findings: Findings
) -> None:
    """Refuse weeks of which another begins between a Saturday and the Sunday next to it."""
    later, sunday = week - week.shift(), (day.shift() == 6) & (day == 7)
    before = (day.shift() == 7) & (day == 6)  # the newest first
    begins = (sunday & (later == 1)) | (before & (later == -1))
    if table.rows.select(begins.any()).collect(engine="streaming").item():
        findings.fail(
            "which-week",
            "the weeks begin on Sunday, and those that citytune reads on Monday (ISO 8601)",
            "write dates such as 2024-03-31",
        )


def _parts(columns: Columns) -> tuple[Column, Column, Column] | None:
    plain = {plain_name(name): one for name, one in columns.by_name.items()}
    year = next((plain[n] for n in plain if n in _YEARS or n in ("iso_year", "isoyear")), None)
    week = next((plain[n] for n in plain if n in _WEEKS), None)
    day = next((plain[n] for n in plain if n in _WEEKDAYS | _DAYS), None)
    other = {DATE, *_MONTHS, *DAY_OF_YEAR} & {*plain}
    if year is None or week is None or day is None or other:
        return None
    fits = year.kind == week.kind == "number" and year.low >= 1900 and year.high <= 2200 \
        and week.low >= 1 and week.high <= 53 and year.whole and week.whole  # fmt: skip
    if day.kind == "number":
        fits = fits and day.whole and day.low >= 1 and day.high <= 7
    else:
        names = day.kind == "text" and all(weekday_of(str(c)) is not None for c in day.cells)
        fits = fits and names
    return (year, week, day) if fits else None
