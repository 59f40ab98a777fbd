"""Unfold a table that has a row for each day and a column for each time of it."""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection
from dataclasses import replace

import polars as pl

from citytune._errors import InputError
from citytune._text import listed
from citytune.readers.cells._columns import Column, look, look_at
from citytune.readers.cells._findings import Findings
from citytune.readers.cells._formats import looks_like_moments
from citytune.readers.cells._table import SourceTable
from citytune.readers.cells._time_words import CLOCK_TIME
from citytune.readers.cells._vocabulary import plain_name
from citytune.readers.columns._doubled_columns import (
    doubled_hours,
    marked_again,
    without_first_letters,
)
from citytune.readers.columns._folded import (
    DAY,
    VALUE,
    Folded,
    in_rows,
    number_of,
)
from citytune.readers.columns._hour_names import part_of_day, span_of, twice_twelve
from citytune.readers.columns._hours_of_groups import with_groups_in_rows, with_parts_in_rows
from citytune.readers.containers._label_rows import TIME_LIKE
from citytune.readers.times._calendar import unfold_calendar
from citytune.readers.times._clock_times import clock_times

FEWEST_MOMENTS_ACROSS = 20
"""Columns of times of the day from which they are unfolded."""
MOST_KEYS = 6
"""Columns among the first of which one holds the date, if none has a name."""
WHEN = "time"
_NUMBERED = re.compile(
    r"^(?P<word>[a-z _.]*?)[\s_.]*0*(?P<number>\d{1,4})(?P<half>[:.]?00|:30|\.5)?"
    r"(?P<unit>[\s_]*([\[(].*[\])]|k?wh|mwh?|kw)?)$",
    re.IGNORECASE,
)
_WITHIN = re.compile(r"^([A-Za-z]\w*\.)+(?=[A-Za-z])")
"""Objects of JSON in which a value stands: Values.Hour01."""
_WORDS = frozenset(
    ["", "h", "he", "hr", "hour", "hours", "hor", "hora", "heure", "ora", "stunde", "std", "uur",
     "time", "v", "p", "period", "periodo", "q", "qh", "i", "int", "interval", "hour ending", "t",
     "kl", "kwh", "value", "val", "hh", "tp",
     "trading period", "hhr", "slot", "e", "u", "uhr"]
)  # fmt: skip
"""What may stand before the number of a time of the day."""
_HOUR_WORDS = frozenset(["hour", "hora", "heure", "stunde", "uur", "hr"])
"""What may stand there behind other words: Values_Hour01."""
_HOURS = re.compile(r"h(e|r|or|ora|our|ours|eure)?[\s_.]*\d|ora|stunde|std|uur", re.IGNORECASE)
_FLAG = re.compile(r"^(v|valid|flag|f|q|s|status)[\s_.]*0*(?P<number>\d{1,2})$", re.IGNORECASE)


def unfold(table: SourceTable, target: tuple[str, ...], findings: Findings) -> SourceTable:
    """The table with a row for each time of the day, if its columns are times of the day."""
    table = unfold_calendar(_upright(_with_hours(table, findings), findings), findings)
    plain = without_first_letters(table, _time_said)
    names = tuple(plain.schema)
    marked = {} if twice_twelve(names) else marked_again(names, _time_said)
    found = find_folded(tuple(name for name in names if name not in marked))
    table = plain if found else table
    if found is None:
        table = with_groups_in_rows(with_parts_in_rows(table, findings), find_folded, findings)
        found = find_folded(tuple(table.schema))
    if found is None:
        _refuse_half_days(table, findings)
    if found is None or not _rows_are_days(table, found, marked):
        return table
    if told := [name for name in target if name in found.names]:
        raise InputError(
            f"{table.name}: {told[0]!r} is one of {len(found.names)} columns that hold the times "
            "of a day, which are read together; leave it out of target="
        )
    findings.note(
        "unfolded",
        f"each row is a day, and {len(found.names)} columns "
        f"({listed(list(found.names), 2, quoted=True)}) are times of it",
        f"they were read as {len(found.names)} rows each",
        count=len(found.names),
    )
    # A 25th hour, which has no place on a day of 24, would otherwise pass for a column of its own.
    spare = {name for name in table.schema if find_spare(name, found)}
    found = replace(found, doubled=doubled_hours(table, found, marked, _time_said, findings))
    return table.with_rows(in_rows(table, found, spare))


def _time_said(name: str) -> tuple[str, int] | None:
    """The word and the number, or the seconds since midnight, by which a name says a time."""
    if span := span_of(name):
        return "", span[1]
    return (one["word"].strip().lower(), int(one["number"])) if (one := _numbered(name)) else None


def _with_hours(table: SourceTable, findings: Findings) -> SourceTable:
    """A table without a header with a date and a day's numbers in each row, named by time.

    A flag follows each number; without one nothing tells times from sensors.
    """
    names = [*table.schema]
    dated = names.index("day") if {"year", "month", "day"} <= {*names} else -1
    if any(name != f"column_{i + 1}" for i, name in enumerate(names) if i > dated) \
            or len(names) > 2 * 96 + MOST_KEYS + 3:  # fmt: skip
        return table
    columns = [*look(table).by_name.values()]
    date = next((i for i, one in enumerate(columns[:MOST_KEYS]) if one.date), len(columns))
    rest = columns[(date if dated < 0 else dated) + 1 :]
    values, flags = rest[::2], rest[1::2]
    if len(values) == len(flags) and len(values) in (24, 48, 96) \
            and all(map(_is_filled, values)) and all(map(_is_mark, flags)):  # fmt: skip
        new = {one.name: f"{'HV'[i % 2]}{i // 2:02d}" for i, one in enumerate(rest)}
        return table.with_rows(table.rows.rename(new))
    if len(rest) in (24, 48, 96) and all(map(_is_filled, rest)):
        findings.fail(
            "no-header",
            f"each row holds a date and {len(rest)} numbers without a header: times of the day, or "
            "sensors",
            "add a header: the date, then H00, H01, … for times, or the sensors' names",
        )
    return table


def _is_filled(column: Column) -> bool:
    return column.kind in ("number", "empty")


def _is_mark(column: Column) -> bool:
    """Whether a column holds small whole numbers or a few letters."""
    if column.kind == "number":
        return column.whole and column.low >= -9 and column.high <= 9
    short = all(len(str(cell)) <= 2 for cell in column.cells)
    return column.kind == "empty" or (column.kind == "text" and short and len(column.cells) < 10)


def _upright(table: SourceTable, findings: Findings) -> SourceTable:
    """The table with a row for each moment, if its columns are moments and its rows sensors."""
    names = [name for name in table.schema if TIME_LIKE.match(name)]
    rest = [name for name in table.schema if name not in names]
    few = len(names) < 2 if _are_times(table, rest) else len(names) < FEWEST_MOMENTS_ACROSS
    if few or not looks_like_moments(pl.Series(names)):
        return table
    findings.note(
        "unfolded",
        f"{len(names)} columns ({listed(names, 2, quoted=True)}) are the moments of each row",
        "they were read as a row each",
        count=len(names),
    )
    numbers = table.rows.with_columns(number_of(table, name).alias(name) for name in names)
    return table.with_rows(numbers.unpivot(names, index=rest, variable_name=WHEN, value_name=VALUE))


def _are_times(table: SourceTable, names: list[str]) -> bool:
    """Whether a table's only other column holds the times of the day of each row."""
    column = look_at(table, names[0]) if len(names) == 1 else None
    return column is not None and clock_times(table, column) is not None


def _refuse_half_days(table: SourceTable, findings: Findings) -> None:
    """Twelve hours across, whose other half stands in rows of its own."""
    some = [name for name in table.schema if (one := _numbered(name)) and one["word"].strip()]
    numbers = [int(_numbered(name)["number"]) for name in some]  # type: ignore[index]
    if numbers not in ([*range(1, 13)], [*range(12)]) or not all(map(_HOURS.match, some)):
        return
    rest = [name for name in table.schema if name not in some]
    if any(column.date for column in look(table, rest).by_name.values()):
        findings.fail(
            "half-days",
            f"each row holds twelve hours of a day ({listed(some, 2, quoted=True)}), and nothing "
            "tells which rows go on with the other twelve",
            "put the 24 hours of a day into one row, or a row for each hour",
        )


def _rows_are_days(table: SourceTable, folded: Folded, marked: Collection[str]) -> bool:
    """Whether the times in the other columns are dates; whole days may come without.

    Next to times of the day the numbers of a part of it are something else, such as harmonics.
    """
    rest = [n for n in table.schema if n not in {*folded.names, *folded.flags, *marked}]
    looked = look(table, rest).by_name.values()
    moments = [one for one in looked if one.kind == "moment"]
    if len(folded.names) * folded.step > DAY - 3600:
        return not moments or any(one.date for one in moments)
    clocks = any(
        one.kind in ("clock", "clock-range") or plain_name(one.name) in CLOCK_TIME for one in looked
    )
    return any(one.date for one in moments) and not clocks


def find_folded(names: tuple[str, ...]) -> Folded | None:
    """The columns that are times of the day: evenly spaced, and a day's worth of them.

    >>> find_folded(("day", *(f"H{i:02d}" for i in range(1, 25)))).seconds[:2]
    (0, 3600)
    """
    found = [(name, span[1]) for name in names if (span := span_of(name))]
    if len(found) >= FEWEST_MOMENTS_ACROSS and (even := _even(found)):
        return even
    if clock := twice_twelve(names):
        return clock
    groups: dict[tuple[str, str], list[tuple[str, int]]] = {}
    for name in names:
        if match := _numbered(name):
            word, unit = (match[part].lower().strip() for part in ("word", "unit"))
            groups.setdefault((word, unit), []).append((name, int(match["number"])))
    fitting = [folded for group in groups.values() if (folded := _counted(group) or _digits(group))]
    if not fitting:
        return part_of_day(names)
    best = _readings_first(fitting)
    return _with_flags(best, names)


def _even(found: list[tuple[str, int]]) -> Folded | None:
    """Times such as 00:15 … 24:00, 00:00 … 23:45, or 00:00-01:00 … 23:00-00:00."""
    names, seconds = map(list, zip(*found, strict=True))
    if seconds[-1] == 0:
        seconds[-1] = DAY
    steps = {b - a for a, b in itertools.pairwise(seconds)}
    if len(steps) != 1 or (step := steps.pop()) <= 0 or abs(len(names) * step - DAY) > 3600:
        return None
    ends = seconds[-1] >= DAY
    begins = tuple(s - step for s in seconds) if ends else tuple(seconds)
    return Folded(tuple(names), begins, ends)


def _numbered(name: str) -> re.Match[str] | None:
    """A name such as H01, hour 1, kWh_0015 or H01//H01, which says a number of the day."""
    found = _NUMBERED.match(_WITHIN.sub("", name.partition("//")[0].strip()))
    if found is None:
        return None
    before, word = re.split(r"[\s_.]+", f" {found['word'].strip()}")[-2:]
    return found if word.lower() in (_HOUR_WORDS if before else _WORDS) else None


def _digits(group: list[tuple[str, int]]) -> Folded | None:
    """Times without a colon such as 0015 … 2400."""
    clocks = [(name, number // 100 * 3600 + number % 100 * 60) for name, number in group]
    legal = all(number % 100 < 60 and number <= 2400 for _, number in group)
    return _even(clocks) if legal and len(group) >= FEWEST_MOMENTS_ACROSS else None


def _counted(group: list[tuple[str, int]]) -> Folded | None:
    """Numbers such as 1 … 24 (25 on the long day) or 0 … 95."""
    group = sorted(group, key=lambda one: one[1])
    names = tuple(name for name, _ in group)
    numbers = [number for _, number in group]
    first, count = numbers[0], len(numbers)
    if numbers != list(range(first, first + count)) or first not in (0, 1):
        return None
    usual = next((n for n in (24, 48, 96, 144, 288) if n <= count <= n + n // 24), None)
    if usual is None:
        return None
    step = DAY // usual
    begins = tuple(step * i for i in range(usual))
    return Folded(names[:usual], begins, ends=first == 1, further=names[usual:])


def _readings_first(found: list[Folded]) -> Folded:
    """Of readings H01 … and flags V01 …, the readings; a V alone is a value."""
    flags = [one for one in found if _FLAG.match(one.names[0])]
    rest = [one for one in found if one not in flags]
    return (rest or flags)[0]


def _with_flags(folded: Folded, names: tuple[str, ...]) -> Folded:
    beside = [name for name in names if _FLAG.match(name.strip()) and name not in folded.names]
    if len(beside) < len(folded.names):
        return folded
    return replace(folded, flags=tuple(beside[: len(folded.names)]))


def find_spare(name: str, folded: Folded) -> bool:
    """Whether a column is the further hour of the day on which the clock goes back."""
    one, other = _numbered(name), _numbered(folded.names[0])
    return bool(
        one and other and name not in folded.names
        and one["word"].lower() == other["word"].lower()
        and int(one["number"]) > len(folded.names)
    )  # fmt: skip
