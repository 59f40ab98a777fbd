"""Find the columns that together say when each row was measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import polars as pl

from citytune._text import listed
from citytune.readers.cells._columns import Column, Columns
from citytune.readers.cells._findings import Findings
from citytune.readers.cells._month_names import month_of
from citytune.readers.cells._ranges import are_hours
from citytune.readers.cells._table import SourceTable
from citytune.readers.cells._time_words import (
    CLOCK_TIME,
    DATE_PARTS,
    DAY_OF_YEAR,
    END_WORDS,
    EXTREME_WORDS,
    LATER_WORDS,
    TIME,
)
from citytune.readers.cells._vocabulary import SENSOR, SENSOR_PARTS, plain_name, tokens
from citytune.readers.times._clock_times import clock_times, fills_a_day
from citytune.readers.times._decimal_times import PERIOD_COUNTS
from citytune.readers.times._rivals import FEWEST_OF_A_BLOCK, choose

SECONDS_OF_A_DAY = 86_400
PART_LIMITS = ((0, 2700), (1, 12), (1, 31), (0, 24), (0, 59), (0, 59))
"""Of year, month, day, hour, minute and second."""
WHOLE_DAYS = (24, 25, 48, 50, 96, 100)
"""Periods of a day, and of the day that has an hour more."""
_RECORD = frozenset(["record", "data", "local", "lst", "obs", "of", "the"])
Time: TypeAlias = tuple[str, ...]


def guess_time(table: SourceTable, columns: Columns, findings: Findings) -> Time:
    """The columns of the time, the likeliest first reading of them; empty if there are none."""
    found = candidates(table, columns)
    if not found:
        return _none(columns, findings)
    changing = [name for name in columns.numbers() if not columns.by_name[name].constant]
    chosen, others = choose(table, _telling(table, found), changing, findings)
    together = " together" if len(chosen) > 1 else ""
    findings.note(
        "guessed-time",
        f"the time was read from {listed(list(chosen), quoted=True)}{together}"
        + (f", not from {others}" if others else ""),
        "pass time= if this is wrong",
    )
    return chosen


def candidates(table: SourceTable, columns: Columns) -> list[Time]:
    """Every reading of the time, by how likely the names make it."""
    moments = [c for c in columns.by_name.values() if c.kind in ("moment", "range")]
    full = [(c.name,) for c in moments if not c.date and not c.constant]
    dates = [c for c in moments if c.date]
    pairs = [pair for date in dates for pair in _with_clock(table, columns, date)]
    alone = [(c.name,) for c in dates if not c.constant and not any(p[0] == c.name for p in pairs)]
    parts = _with_clock_text(_parts(columns), columns) if not dates else ()
    found = [*full, *pairs, *([parts] if parts else []), *alone]
    return sorted(found, key=lambda time: (_rank(time[0]), len(time) == 1 and time in alone))


def _with_clock(table: SourceTable, columns: Columns, date: Column) -> list[Time]:
    """A column of dates with the column that holds the time of the day, the likeliest one."""
    found = []
    for column in columns.by_name.values():
        if column.name == date.name or column.constant:
            continue
        if EXTREME_WORDS & set(tokens(column.name)):
            continue
        if column.kind in ("clock", "clock-range") or (
            column.kind == "number"
            and (
                _may_be_clock(column)
                or _may_be_decimal(column)
                or are_hours(column.cells.cast(pl.Float64, strict=False).drop_nulls())
            )
        ):
            found.append(column)
    fitting = [c for c in found if c.kind != "number" or clock_times(table, c) is not None]
    fitting = fitting or _whole_days(table, columns, date)
    # What is called an hour and holds no hours is refused by name, not passed over.
    found = fitting or [c for c in found if plain_name(c.name) in ("hour", "hr", "hora", "stunde")]
    found.sort(key=lambda column: _clock_rank(column, date))
    return [(date.name, found[0].name)] if found else []


def _may_be_clock(column: Column) -> bool:
    """Whether a number's name says time of the day, or its cells can be nothing else."""
    words = set(tokens(column.name))
    named = bool(words & set(CLOCK_TIME)) or plain_name(column.name) in CLOCK_TIME
    return column.whole and named and not words & {"id", "code", "count"}


def _may_be_decimal(column: Column) -> bool:
    """Whether numbers with decimals may be parts of a day or hours: few, and none above 24."""
    few = len(column.cells) <= 2 * max(PERIOD_COUNTS)
    return not column.whole and few and column.low >= 0 and column.high <= 24


def _whole_days(table: SourceTable, columns: Columns, date: Column) -> list[Column]:
    """Columns of unknown names that hold all hours of each day, or all quarters of them."""
    able = [c for c in columns.by_name.values() if c.name != date.name and _is_day(c)]
    if not able:
        return []
    rows = table.rows.select(pl.len() / pl.col(date.name).n_unique())
    a_day = float(rows.collect(engine="streaming").item())
    return [c for c in able if a_day >= 0.8 * len(c.cells)]


def _is_day(column: Column) -> bool:
    plain, words = plain_name(column.name), set(tokens(column.name))
    if (
        column.kind != "number"
        or not column.whole
        or column.counter
        or column.high > SECONDS_OF_A_DAY
    ):
        return False
    if plain in SENSOR or words & {*SENSOR, *SENSOR_PARTS}:
        return False
    span = column.high - column.low + 1
    if column.low in (0, 1) and span in WHOLE_DAYS and len(column.cells) == span:
        return True
    numbers = column.cells.cast(pl.Float64, strict=False).drop_nulls().cast(pl.Int64)
    return fills_a_day(numbers.unique().sort().to_numpy())


def _clock_rank(column: Column, date: Column) -> tuple[int, int, int]:
    shared = set(tokens(column.name)) & set(tokens(date.name)) - {"date", "time"}
    ends = bool(set(tokens(column.name)) & END_WORDS)
    named = plain_name(column.name) in CLOCK_TIME
    return -len(shared), int(ends), int(not named and column.kind == "number")


def _rank(name: str) -> tuple[int, int]:
    """Names that say time come first, in the order of the vocabulary; ends and sending last."""
    plain, words = plain_name(name), set(tokens(name))
    ends = int(bool(words & END_WORDS) and not words & {"start", "begin", "from"})
    ends = 2 if words & LATER_WORDS else ends
    if plain in TIME:
        return ends, TIME.index(plain)
    known = [TIME.index(word) for word in words if word in TIME]
    return ends, len(TIME) + (min(known) if known else len(TIME))


def _parts(columns: Columns) -> Time:
    """Year, month, day and perhaps hour, minute, second, in any of the languages known."""
    plain = {
        _part_name(name): name
        for name, column in columns.by_name.items()
        if column.kind == "number" or _is_part(column)
    }
    of_year = next((plain[word] for word in plain if word in DAY_OF_YEAR), None)
    found: list[str] = []
    for place, (words, (low, high)) in enumerate(zip(DATE_PARTS, PART_LIMITS, strict=True)):
        if of_year and "month" not in plain and place in (1, 2):
            found += [of_year] * (place == 1 and len(found) == 1)
            continue
        fitting = [
            plain[word]
            for word in words
            if word in plain
            and plain[word] not in found
            and (
                columns.kind(plain[word]) == "text"
                or (
                    low <= columns.by_name[plain[word]].low
                    and columns.by_name[plain[word]].high <= high
                )
            )
        ]
        if not fitting:
            break
        found.append(fitting[0])
    if of_year and len(found) == 2:
        found += [name for name in columns.numbers() if plain_name(name) in CLOCK_TIME][:1]
    return tuple(found) if len(found) >= 3 else ()


def _with_clock_text(parts: Time, columns: Columns) -> Time:
    """Year, month and day with the only column of times of the day such as 14:30."""
    clocks = [c.name for c in columns.by_name.values() if c.kind in ("clock", "clock-range")]
    return (*parts, clocks[0]) if len(parts) == 3 and len(clocks) == 1 else parts


def _part_name(name: str) -> str:
    """A name without the words that only say whose part of a date it is: year_record."""
    words = [word for word in tokens(name) if word not in _RECORD]
    return "_".join(words) or plain_name(name)


def _is_part(column: Column) -> bool:
    """Whether words are names of months, or codes parts of a date such as 02."""
    few = 1 <= len(column.cells) <= 31 and column.kind == "text"
    return few and (
        all(month_of(cell) for cell in column.cells)
        or all(cell.isdigit() and len(cell) == 2 for cell in column.cells)
    )


def _telling(table: SourceTable, found: Sequence[Time]) -> list[Time]:
    """The readings that have about as many different moments as any: others only repeat.

    One that has few since it fills few rows, each with another moment, repeats nothing.
    """
    if len(found) == 1:
        return list(found)
    some = found[:8]
    filled, counts = (
        table.rows.select(how(time).alias(str(i)) for i, time in enumerate(some))
        .collect(engine="streaming")
        .row(0)
        for how in (lambda time: pl.col(time[0]).count(), lambda time: pl.struct(time).n_unique())
    )
    most = max(counts)
    return [
        time
        for time, rows, count in zip(some, filled, counts, strict=True)
        if count >= 0.3 * most or (FEWEST_OF_A_BLOCK <= rows < count and len(time) == 1)
    ]


def _none(columns: Columns, findings: Findings) -> Time:
    named = [name for name in columns.kinds if plain_name(name) in TIME]
    if named:
        return (named[0],)  # its cells will be shown as the times that could not be read
    findings.error(
        "no-time",
        f"no column holds times (columns: {listed(list(columns.kinds), 8, quoted=True)})",
        "add a column of timestamps such as 2024-03-31 14:00, or name it with time=",
    )
    return ()
