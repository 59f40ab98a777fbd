"""Read a time of the day that stands in a column of its own, however it is written.

A time of the day is text (14:30, 2:30 PM, 24:00), a range of two, or a number: an hour 0 to 23 or
1 to 24, HHMM, HHMMSS, minutes or seconds since midnight, or the number of a period of the day.
Which of them the numbers are follows from all of them together, never from one cell.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from citytune.readers.cells._columns import Column
from citytune.readers.cells._findings import Findings
from citytune.readers.cells._numbers import cells
from citytune.readers.cells._ranges import BARE_HOUR, are_hours, begin_of_hours
from citytune.readers.cells._table import SourceTable
from citytune.readers.cells._vocabulary import tokens
from citytune.readers.times._decimal_times import DAY, PERIOD_COUNTS, ClockTimes, decimal_times

HHMM, HHMMSS = 0, -1
"""What stands for the length of what is counted, where digits spell the time of the day."""
MANY_TIMES, MOST_DAYS = 6, 0.9
"""Times of a day whose order tells where it ends, and the share of days that must agree."""
PERIOD_WORDS = frozenset(
    ["period", "periodo", "periode", "interval", "settlement", "quarter", "slot", "block", "sp"]
)
HOUR_WORDS = frozenset(
    ["hour", "hours", "hr", "hh", "hora", "ora", "heure", "heures", "uhrzeit", "stunde", "time"]
)


def clock_times(table: SourceTable, column: Column) -> ClockTimes | None:
    """How a column writes times of the day; None if it does not."""
    name = column.name
    if column.kind == "clock":
        return _of_text(table, name)
    if column.kind == "clock-range":
        return ClockTimes(_of_ranges(table, name), "the begin of ranges of the day")
    if column.kind != "number":
        return None
    if not column.whole:
        return decimal_times(_number(table, name), _present(table, name).to_numpy())
    values = _distinct(table, name)
    if are_hours(values):
        begin = _number(table, name) // 100 * 3600
        return ClockTimes(begin.cast(pl.Int64), "hours from and to, such as 0102")
    found = numbered(values, tokens(name))
    if found is None:
        return None
    size, first, words, ends, counted = found
    number = _number(table, name)
    begin = _since_midnight(number, size, first).cast(pl.Int64)
    return ClockTimes(begin, words, ends, counted, from_one=size > 0 and first == 1)


def _since_midnight(number: Any, size: int, first: int) -> Any:
    """Seconds since midnight of numbers, as an expression or an array."""
    left, right = number // 100, number % 100
    if size == HHMM:
        return left * 3600 + right * 60
    if size == HHMMSS:
        return left // 100 * 3600 + left % 100 * 60 + right
    return (number - first) * size


def numbered(values: NDArray[np.int64], words: list[str]) -> tuple[int, int, str, bool, int] | None:
    """What whole numbers count as times of the day; None if they are none.

    Seconds each (or `HHMM`, `HHMMSS`), the first one, in words, whether they name ends, and the
    length of counted periods.

    >>> numbered(np.arange(1, 25), ["hour"])[:3]
    (3600, 1, 'hours 1 to 24')
    >>> numbered(np.array([0, 15, 30, 45, 100, 115, 2345]), ["time"])[2]
    'HHMM'
    >>> numbered(np.arange(24) * 10_000, ["time"])[2]
    'HHMMSS'
    >>> numbered(np.arange(9) * 10_000, ["time"])[2], numbered(np.arange(4) * 21_600, ["time"])[2]
    ('HHMMSS', 'seconds since midnight')
    """
    if not len(values) or values[0] < 0:
        return None
    low, high, count = int(values[0]), int(values[-1]), len(values)
    named = set(words)
    if high <= 25 and low in (0, 1) and count >= 6 and not named & PERIOD_WORDS:
        return _hours(low, high)
    for periods in PERIOD_COUNTS:
        longest = periods + periods // 24
        if low in (0, 1) and 0.6 * periods <= count and periods * 0.9 <= high - low + 1 <= longest:
            if periods == 24 and not named & PERIOD_WORDS:
                break
            size = DAY // periods
            return size, low, f"periods of {size // 60} minutes, counted from midnight", False, size
    if high <= 25 and low in (0, 1) and count >= 6:
        return _hours(low, high)
    if high <= 23 and named & HOUR_WORDS:
        return 3600, 0, f"hours {low} to {high}", False, 0
    if high <= 2400 and bool((values % 100 < 60).all()) and (high > 1440 or high >= 100 * 9):
        return HHMM, 0, "HHMM", high == 2400, 0
    step = int(np.gcd.reduce(values)) or 1
    odd = high > DAY or DAY % step or step % 60  # 0, 21600, 43200 and 64800 are seconds
    if odd and 10_000 <= high <= 240_000 and _spell_seconds(values):
        return HHMMSS, 0, "HHMMSS", high == 240_000, 0
    if DAY / 2 < high <= DAY and step >= 60:
        return 1, 0, "seconds since midnight", False, 0
    if 720 < high <= 1440 and step in (1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60):
        return 60, 0, "minutes since midnight", False, 0
    return None


def _spell_seconds(values: NDArray[np.int64]) -> bool:
    """Whether the last four digits of numbers are minutes and seconds."""
    return bool((values % 100 < 60).all() and (values // 100 % 100 < 60).all())


def fills_a_day(values: NDArray[np.int64]) -> bool:
    """Whether whole numbers spell or count times of a day that follow one another all through it.

    >>> fills_a_day(np.arange(24) * 3600), fills_a_day(np.arange(24) * 3600 + 7)
    (True, False)
    """
    found = numbered(values, []) if len(values) >= MANY_TIMES and values[0] == 0 else None
    if found is None:
        return False
    times = _since_midnight(values, found[0], 0)
    steps = np.diff(times)
    return bool((steps == steps[0]).all()) and int(times[-1] + steps[0]) == DAY


def _hours(low: int, high: int) -> tuple[int, int, str, bool, int] | None:
    if low == 0 and high <= 23:
        return 3600, 0, "hours 0 to 23", False, 0
    if low == 0 and high == 24:
        return None  # both names of midnight: nobody knows whose day is meant
    if high >= 24:
        return 3600, 1, f"hours 1 to {high}", False, 3600 if high == 25 else 0
    return 3600, 0, f"hours {low} to {high}", False, 0


def _distinct(table: SourceTable, name: str) -> NDArray[np.int64]:
    return _present(table, name).cast(pl.Int64).to_numpy()


def _present(table: SourceTable, name: str) -> pl.Series:
    """The distinct numbers of a column; none if they are too many or too large."""
    number = _number(table, name).cast(pl.Float64)
    found = table.rows.select(number.alias("n")).unique().collect(engine="streaming")["n"]
    found = found.drop_nulls().drop_nans().sort()
    few = len(found) <= 100_000 and bool(found.is_between(-1e9, 1e9).all())
    return found if few else found.clear()


def _number(table: SourceTable, name: str) -> pl.Expr:
    if table.schema[name] == pl.String:
        return cells(name, name in table.commas).number
    return pl.col(name).cast(pl.Float64, strict=False)


def _of_text(table: SourceTable, name: str) -> ClockTimes:
    if table.schema[name] == pl.Time:
        return ClockTimes(pl.col(name).cast(pl.Int64) // 1_000_000_000, "times of the day")
    seconds = _from_text(pl.col(name))
    last = table.rows.select(seconds.max()).collect(engine="streaming").item()
    return ClockTimes(seconds, "times of the day", ends=last == DAY)


def _of_ranges(table: SourceTable, name: str) -> pl.Expr:
    """The begin of each range, of which there are few: each is read once."""
    begin = _from_text(begin_of_hours(pl.col(name)))
    cells = table.rows.select(pl.col(name).unique()).drop_nulls()
    found = cells.select(name, at=begin).collect(engine="streaming")
    return pl.col(name).replace_strict(
        found[name], found["at"], default=None, return_dtype=pl.Int64
    )


def _from_text(column: pl.Expr) -> pl.Expr:
    text = column.cast(pl.String).str.strip_chars()
    text = text.str.replace("(?i)^noon$", "12:00").str.replace("(?i)^midnight$", "0:00")
    text = text.str.replace(r"^(\d{1,2}) ?[时時시点點][台대]?$", "${1}:00")
    text = text.str.replace(r"^(\d{1,2}) ?[时時시点點](\d{1,2}) ?[分분]$", "${1}:${2}")
    text = text.str.replace(r"(?i)^(\d{1,2}) ?([ap]\.?m\.?)$", "${1}:00 ${2}")
    text = text.str.replace(r"^(\d{2})(\d{2}) ?(?:UTC|GMT|Uhr|h)$", "${1}:${2}")
    text = text.str.replace(f"^{BARE_HOUR}$", "${1}:00")
    part = r"^(\d{1,2})[:.h](\d{2})(?:[:.](\d{2}))?"
    hour, minute, second = (text.str.extract(part, i).cast(pl.Int64) for i in (1, 2, 3))
    late = text.str.contains(r"(?i)p\.?(m\.?)?$").cast(pl.Int64)
    named = text.str.contains(r"(?i)[ap]\.?(m\.?)?$")
    hour = pl.when(named).then(hour % 12 + 12 * late).otherwise(hour)
    seconds = hour * 3600 + minute * 60 + second.fill_null(0)
    legal = (minute < 60) & (second.fill_null(0) < 60) & (seconds <= DAY)
    return pl.when(legal).then(seconds)


def begin_of_days(table: SourceTable, seconds: pl.Expr) -> int:
    """The time at which the rows of all dates begin anew, such as 6:00 for gas; 0 if at midnight.

    Told by their order: the hours before it stand below 23:00 of their date.
    """
    rows = table.rows.select((seconds // DAY).alias("d"), (seconds % DAY).alias("s")).drop_nulls()
    days = rows.unique(maintain_order=True).group_by("d", maintain_order=True).agg(
        first=pl.col("s").first(),
        turns=(pl.col("s").diff() < 0).sum(),
        late=pl.col("s").last() < pl.col("s").first(),
        many=pl.col("s").n_unique() >= MANY_TIMES,
    )  # fmt: skip
    found = days.filter("many").collect(engine="streaming")[1:-1]
    wraps = found.filter((pl.col("turns") == 1) & pl.col("late") & (pl.col("first") > 0))
    if len(found) < 3 or len(wraps) <= MOST_DAYS * len(found) or wraps["first"].n_unique() > 1:
        return 0
    return int(wraps["first"][0])


def from_morning(table: SourceTable, seconds: pl.Expr, date: str, findings: Findings) -> pl.Expr:
    """Moments in s, those before the time at which all dates begin moved to the next date."""
    first = begin_of_days(table, seconds)
    if not first:
        return seconds
    findings.warn(
        "day-begins-later",
        f"the rows of each date in {date!r} begin at {first // 3600}:{first % 3600 // 60:02d} and "
        "end on the next morning, as those of gas days do",
        "earlier times were taken as those of the next date; write full times if this is wrong",
    )
    return seconds + pl.when(seconds % DAY < first).then(DAY).otherwise(0)


def midnight_is_last(table: SourceTable, seconds: pl.Expr) -> bool:
    """Whether the rows of a date run from 1:00 over 23:00 to 0:00, or the other way round."""
    rows = table.rows.select((seconds // DAY).alias("d"), (seconds % DAY).alias("s")).drop_nulls()
    time = pl.col("s")
    low, high = (
        pl.min_horizontal(time.first(), time.last()),
        pl.max_horizontal(time.first(), time.last()),
    )
    days = rows.group_by("d", maintain_order=True).agg(
        turned=(low == 0) & (high == time.filter(time > 0).min()),
        many=time.n_unique() >= MANY_TIMES,
    )
    found = days.filter("many").select(pl.len(), pl.col("turned").mean())
    count, share = found.collect(engine="streaming").row(0)
    return count > 1 and share > MOST_DAYS


def end_of_day(seconds: pl.Expr) -> pl.Expr:
    """Moments in s, of which midnight is the end of its date."""
    return pl.when(seconds % DAY == 0).then(seconds + DAY).otherwise(seconds)
