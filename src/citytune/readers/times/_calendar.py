"""Dates in parts: columns of the year, month and day, or tables that are calendars."""

from __future__ import annotations

import re

import polars as pl

from citytune._text import counted, listed
from citytune.readers.cells._columns import look_at
from citytune.readers.cells._findings import Findings
from citytune.readers.cells._month_names import month_of
from citytune.readers.cells._numbers import cells
from citytune.readers.cells._table import SourceTable
from citytune.readers.cells._time_words import DATE_PARTS, DAY_OF_YEAR
from citytune.readers.cells._vocabulary import plain_name
from citytune.readers.times._clock_times import clock_times

VALUE, DATE = "value", "date"
BUDDHIST = (2400, 2700)
"""Years that are those of the Buddhist era."""
_DAY = re.compile(
    r"^(?:d|day|tag|dia|jour|giorno|dag)?[ _.]*0*([1-9]|[12]\d|3[01])$", re.IGNORECASE
)
_YEARS, _MONTHS, _DAYS = (frozenset(words) for words in DATE_PARTS[:3])


def unfold_calendar(table: SourceTable, findings: Findings) -> SourceTable:
    """The table with a row for each date, if its columns are all months or all days of a month."""
    months = {name: number for name in table.schema if (number := month_of(name))}
    days = {name: int(found[1]) for name in table.schema if (found := _DAY.match(name.strip()))}
    if sorted(months.values()) == [*range(1, 13)]:
        folded, what, words, own = months, "months", _DAYS, _MONTHS
    elif sorted(days.values()) == [*range(1, 32)]:
        folded, what, words, own = days, "days", _MONTHS, _DAYS
    else:
        return table
    beside = _one(table, words, folded)
    if beside is None or any(plain_name(name) in own for name in {*table.schema} - {*folded}):
        return table  # a date has one day and one month: these columns are numbered
    year = _one(table, _YEARS, folded)
    if year is None:
        findings.fail(
            "no-time",
            f"{len(folded)} columns ({listed(list(folded), 2, quoted=True)} and so on) are {what}, "
            "and no column holds the year",
            "add a column called year",
        )
    _refuse_halves(table, year, beside, findings)
    findings.note(
        "unfolded",
        f"{len(folded)} columns ({listed(list(folded), 2, quoted=True)} and so on) are {what}",
        "they were read as a row each",
        count=len(folded),
    )
    rest = [name for name in table.schema if name not in folded]
    numbers = table.rows.with_columns(_number(table, name).alias(name) for name in folded)
    long = numbers.unpivot(list(folded), index=rest, variable_name="_part", value_name=VALUE)
    part = pl.col("_part").replace_strict(folded, return_dtype=pl.Int64)
    month, day = (part, whole(table, beside))[:: 1 if what == "months" else -1]
    date = pl.concat_str(_full(whole(table, year)), month, day, separator="-")
    long = long.with_columns(date.str.to_date("%Y-%m-%d", strict=False).alias(DATE))
    # The 31st of April is no date, and no row.
    return table.with_rows(long.drop_nulls(DATE).drop("_part", year, beside).sort(DATE))


def _refuse_halves(table: SourceTable, year: str, beside: str, findings: Findings) -> None:
    """Refuse rows of which one part of the date is known and the other is not."""
    known = table.rows.select(
        whole(table, name).is_not_null().alias(name) for name in (year, beside)
    )
    for lacking, there in ((year, beside), (beside, year)):
        rows = known.select(pl.arg_where(~pl.col(lacking) & pl.col(there))).collect().to_series()
        if len(rows):
            findings.fail(
                "unreadable-times",
                f"column {lacking!r} holds no number in {counted(len(rows), 'row')}, the first of "
                f"which is row {rows[0] + 1:,}, and so these rows have no date",
                "write it in each row",
            )


def _full(year: pl.Expr) -> pl.Expr:
    """Years of two digits are of this century, 100 to 199 of Taiwan's era, 2400 on Buddhist."""
    buddhist = pl.when(year.is_between(*BUDDHIST)).then(year - 543).otherwise(year)
    taiwan = pl.when(year.is_between(100, 199)).then(year + 1911).otherwise(buddhist)
    return pl.when(year < 100).then(year + 2000).otherwise(taiwan)


def _say_era(table: SourceTable, name: str, findings: Findings) -> None:
    year = whole(table, name)
    first = table.rows.select(year.drop_nulls().first()).collect(engine="streaming").item()
    other = first is not None and (100 <= first < 200 or BUDDHIST[0] <= first <= BUDDHIST[1])
    if other:
        usual = pl.select(_full(pl.lit(first))).item()
        findings.note(
            "guessed-time-format",
            f"the years in column {name!r} are those of another era: {first} was read as {usual}",
            "write the years of the common era if this is wrong",
        )


def _one(table: SourceTable, words: frozenset[str], taken: dict[str, int]) -> str | None:
    """The column called like a part of a date."""
    named = [n for n in table.schema if n not in taken and plain_name(n) in words]
    return named[0] if len(named) == 1 else None


def _number(table: SourceTable, name: str) -> pl.Expr:
    if table.schema[name] == pl.String:
        return cells(name, name in table.commas).number
    return pl.col(name).cast(pl.Float64, strict=False)


def whole(table: SourceTable, name: str) -> pl.Expr:
    """Years, months, days and hours as whole numbers; months by name too."""
    number = _number(table, name).cast(pl.Int64, strict=False)
    if table.schema[name] != pl.String:
        return number
    written = table.rows.select(pl.col(name).drop_nulls().unique()).collect()[name]
    months = {cell: month for cell in written if (month := month_of(cell))}
    if not months:
        return number
    named = pl.col(name).replace_strict(months, default=None, return_dtype=pl.Int64)
    return pl.coalesce(named, number)


def from_parts(table: SourceTable, time: tuple[str, ...], findings: Findings) -> pl.Expr:
    """Seconds since 1970 of columns of the year, the month, the day and more."""
    _say_era(table, time[0], findings)
    if plain_name(time[1]) in DAY_OF_YEAR:
        year, of_year, *rest = (whole(table, name) for name in time)
        first = pl.date(_full(year), 1, 1).dt.epoch("s")
        start = pl.when(of_year.is_between(1, 366)).then(first + (of_year - 1) * 86_400)
        clock = clock_times(table, look_at(table, time[2])) if len(time) == 3 else None
        if clock is not None and clock.words == "HHMM":
            return start + clock.seconds
        return _with_parts(table, start, rest)
    clock = clock_times(table, look_at(table, time[3])) if len(time) == 4 else None
    clock = clock if clock is not None and "times of the day" in clock.words else None
    year, month, day, *rest = (whole(table, name) for name in (time[:3] if clock else time))
    year = _full(year)
    # Months and days out of range give null, which is reported as an unreadable time.
    fits = month.is_between(1, 12) & day.is_between(1, 31)
    text = pl.concat_str(
        [year.cast(pl.String), month.cast(pl.String), day.cast(pl.String)], separator="-"
    )
    seconds = text.str.to_date("%Y-%m-%d", strict=False).dt.epoch("s")
    seconds = _with_parts(table, seconds, rest)
    return pl.when(fits).then(seconds if clock is None else seconds + clock.seconds)


def _with_parts(table: SourceTable, seconds: pl.Expr, rest: list[pl.Expr]) -> pl.Expr:
    """A day's begin with what columns of the hour, the minute and the second add."""
    if not rest:
        return seconds
    hours = table.rows.select(low=rest[0].min(), high=rest[0].max())
    low, high = hours.collect(engine="streaming").row(0)
    hour = rest[0] - 1 if low == 1 and high == 24 else rest[0]
    limits = [(hour, 23, 3600), *zip(rest[1:], (59, 59), (60, 1), strict=False)]
    for part, most, size in limits:
        seconds = pl.when(part.is_between(0, most)).then(seconds + part * size)
    return seconds
