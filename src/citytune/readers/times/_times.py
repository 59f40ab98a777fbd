"""Turn the time columns of a table, however written, into seconds since 1970."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias
from zoneinfo import ZoneInfo, available_timezones

import polars as pl

from citytune._errors import UnknownName
from citytune._text import listed
from citytune.readers.cells._columns import look_at
from citytune.readers.cells._epochs import epoch_seconds, epoch_unit
from citytune.readers.cells._findings import Findings
from citytune.readers.cells._formats import find_format, with_bare_midnights
from citytune.readers.cells._origins import Origin, origin_said, refuse_other_origin, seconds_since
from citytune.readers.cells._ranges import begin_of
from citytune.readers.cells._said_clocks import as_said
from citytune.readers.cells._table import SourceTable
from citytune.readers.cells._time_words import END_WORDS
from citytune.readers.cells._usual_dates import is_of_other_era, usual
from citytune.readers.cells._vocabulary import plain_name
from citytune.readers.times._calendar import from_parts
from citytune.readers.times._clear_months import with_clear_months
from citytune.readers.times._clock_times import (
    clock_times,
    end_of_day,
    from_morning,
    midnight_is_last,
)
from citytune.readers.times._date_order import Order, settle_order
from citytune.readers.times._named_zones import of_cells, zone_at, zone_of_offsets

Stamp: TypeAlias = Literal["begin", "end"]
"""Whether a time names the begin or the end of the interval that was measured."""
SANE_SECONDS = (-2_208_988_800, 7_258_118_400)
"""From 1900 to 2200; beyond it is no reading of a sensor."""
_END = re.compile(
    rf"\b(ending|he|{'|'.join(sorted(END_WORDS))}|end( ((date)?time(stamp)?|date|at|of hour))?)"
    r"( utc| gmt| local)?$|^(end|ende|fin|fine|fim|einde|slut) ?(of|de[rs]?|du|van|del|della|av) ?"
)
_IN_BRACKETS = re.compile(r"\((he|hour[- ]?ending)\)", re.IGNORECASE)
_NAMED_OFFSET = re.compile(r"(?:UTC|GMT)\s*([+−-])\s*(\d{1,2})(?::?([0-5]\d))?(?!\d)", re.I)
_JOINED_UTC = re.compile(
    r"[a-z](UTC|GMT)($|[^A-Za-z])|^(UTC|GMT)(?=[A-Z][a-z])|[(\[] ?(UTC|GMT) ?[)\]]"
)
"""UTC within a word, or in brackets behind it."""
_BEGIN = re.compile(r"\b(start|begin|from|von|fra|desde)")


@dataclass(frozen=True)
class Moments:
    """How to compute each row's moment, and what kind of moment that is."""

    seconds: pl.Expr
    """Int64; UTC if `aware`, wall time as written otherwise; null where a cell is no time."""
    aware: bool = False
    zone: str | None = None
    """The zone the file itself names, if aware."""
    ends: bool = False
    """Whether it is the end of the interval that was measured."""
    counted: int = 0
    """Length in s of periods counted from local midnight, through a change of the clock."""
    day: pl.Expr | None = None
    """Int64, midnight of each row's date, where periods are counted from it."""
    from_one: bool = False
    """Whether intervals are numbered from 1: hour ending 1 begins at midnight, and is shown so."""

    def in_zones(self, ahead: pl.Expr, zone: str) -> Moments:
        """Wall times brought to UTC, as they are so many seconds ahead of it."""
        if self.aware:
            return self
        seconds = self.seconds - ahead
        return replace(self, seconds=seconds, aware=True, zone=zone, counted=0, day=None)


def check_timezone(timezone: str) -> None:
    """Raise `UnknownName` if `timezone` is no IANA name."""
    try:
        ZoneInfo(timezone)
    except (KeyError, ValueError, OSError):
        raise UnknownName("time zone", timezone, available_timezones()) from None


def plan_moments(
    table: SourceTable,
    time: tuple[str, ...],
    timezone: str | None,
    findings: Findings,
    stamp: Stamp | None = None,
    order: Order | None = None,
) -> Moments:
    """Find out how the time columns are written; the rows are read later.

    Args:
        table: Holds the columns.
        time: One column of moments, two (date and time of the day), or year, month, day and more.
        timezone: Zone of times without an offset, if known.
        findings: Told what was guessed.
        stamp: Whether times name the begin or the end of an interval; None is a guess.
        order: Whether the day or the month comes first in dates; None is a guess.
    """
    if len(time) >= 3:
        first = Moments(from_parts(table, time, findings))
    else:
        first = _plan_column(table, time[0], timezone, order, findings)
    if len(time) == 2:
        first = _with_clock(table, time, first, findings)
    if not first.ends and not first.aware and len(time) < 3:
        first = _with_last_midnight(table, time, first, findings)
    ends = first.ends or (_named_end(time) and not first.from_one)
    if not first.aware and (ahead := _named_offset(time)) is not None:
        first = replace(first, seconds=first.seconds - ahead, aware=True, zone=zone_at(ahead))
    if stamp is not None:
        ends = stamp == "end" and not first.from_one
    elif ends:
        findings.note(
            "interval-end",
            f"the times in {listed(list(time), quoted=True)} were taken as the end of each "
            "interval",
            "they are shown by its begin; pass stamp='begin' if they name that already",
        )
    seconds = first.seconds
    return replace(
        first, seconds=pl.when(seconds.is_between(*SANE_SECONDS)).then(seconds), ends=ends
    )


def _with_last_midnight(
    table: SourceTable, time: tuple[str, ...], plan: Moments, findings: Findings
) -> Moments:
    """The same times, where 0:00 stands below 23:00 of its date: it is the date's 24:00."""
    written = len(time) == 2 or table.schema[time[0]] == pl.String
    if not (written and midnight_is_last(table, plan.seconds)):
        if len(time) == 2 and not plan.ends:
            plan = replace(plan, seconds=from_morning(table, plan.seconds, time[0], findings))
        return plan
    findings.note(
        "midnight-last",
        f"the rows of a day end with 0:00 of its date in {listed(list(time), quoted=True)}: it was "
        "taken as 24:00",
        "write 24:00, or the date of the next day, if this is wrong",
    )
    return replace(plan, seconds=end_of_day(plan.seconds), ends=True)


def _named_end(time: tuple[str, ...]) -> bool:
    """Whether a name says hour ending, interval end or until."""
    if any(map(_IN_BRACKETS.search, time)):
        return True
    said = " ".join(plain_name(name) for name in time).replace("_", " ")
    return bool(_END.search(said)) and not _BEGIN.search(said)


def _named_offset(time: tuple[str, ...]) -> int | None:
    """How many seconds the times are ahead of UTC as their names say; None if they do not.

    >>> _named_offset(("Date Time, GMT-05:00",)), _named_offset(("date", "hour UTC"))
    (-18000, 0)
    """
    if told := next(filter(None, map(_NAMED_OFFSET.search, time)), None):
        ahead = 3600 * int(told[2]) + 60 * int(told[3] or 0)
        return -ahead if told[1] in "-−" else ahead
    words = {word for name in time for word in plain_name(name).split("_")}
    said = words & {"utc", "gmt", "zulu"} or any(map(_JOINED_UTC.search, time))
    return 0 if said and "local" not in words else None


def _with_clock(
    table: SourceTable, time: tuple[str, ...], date: Moments, findings: Findings
) -> Moments:
    found = clock_times(table, look_at(table, time[1]))
    if found is None:
        findings.error(
            "no-time-of-day",
            f"column {time[1]!r} accompanies the dates in {time[0]!r}, but its cells are not "
            "times of the day",
            "it takes 14:30, hours 0 to 23 or 1 to 24, HHMM, minutes or seconds since midnight, or "
            "the number of a period of the day; correct the cells, or pass another time=",
        )
        findings.stop_on_errors()
    assert found is not None, "an error was just added"
    if table.schema[time[1]] != pl.Time and "times of the day" not in found.words:
        findings.note(
            "guessed-time-of-day",
            f"column {time[1]!r} was taken as {found.words}",
            "write times such as 14:30 if this is wrong",
        )
    return replace(
        date,
        seconds=date.seconds + found.seconds,
        ends=found.ends,
        counted=found.counted,
        from_one=found.from_one,
        day=date.seconds if found.counted else None,
    )


def wall_text(seconds: int, zone: str | None = None) -> str:
    """A moment for a message: "2024-03-31 14:00"."""
    moment = dt.datetime.fromtimestamp(int(seconds), dt.UTC)
    return moment.astimezone(ZoneInfo(zone) if zone else dt.UTC).strftime("%Y-%m-%d %H:%M")


def _plan_column(
    table: SourceTable, name: str, timezone: str | None, order: Order | None, findings: Findings
) -> Moments:
    dtype = table.schema[name]
    if isinstance(dtype, pl.Datetime):
        aware = dtype.time_zone is not None
        return Moments(pl.col(name).dt.epoch("s"), aware, dtype.time_zone)
    if dtype == pl.Date:
        return Moments(pl.col(name).dt.epoch("s"))
    if dtype.is_numeric():
        return _plan_numbers(table, name, findings)
    if dtype in (pl.String, pl.Categorical, pl.Enum):
        return _plan_text(table, name, timezone, order, findings)
    return Moments(pl.lit(None, pl.Int64))


def _plan_numbers(table: SourceTable, name: str, findings: Findings) -> Moments:
    if origin := origin_said(name, table.units.get(name, "")):
        return Moments(_since(origin, name, findings), aware=True, zone="UTC")
    sample = table.rows.select(name).head(20_000).collect().to_series()
    epoch = epoch_unit(sample)
    if epoch is None:
        return Moments(pl.lit(None, pl.Int64))
    epoch = as_said(epoch, sample, name, table, findings)
    refuse_other_origin(name, sample, epoch, findings)
    findings.note(
        "guessed-time-format",
        f"the numbers in column {name!r} were read as {epoch.words}",
        "write them as 2024-03-31 14:00 if this is wrong",
    )
    counted = epoch.is_utc
    ends = epoch.pattern == "%Y%m%d%H" and bool((sample.drop_nulls() % 100 == 24).any())
    seconds = epoch_seconds(pl.col(name), epoch)
    return Moments(seconds, counted, "UTC" if counted else None, ends)


def _plan_text(
    table: SourceTable, name: str, timezone: str | None, order: Order | None, findings: Findings
) -> Moments:
    """Parse each distinct text once; the rows then only look it up."""
    if origin := origin_said(name, table.units.get(name, "")):
        return Moments(_since(origin, name, findings), aware=True, zone="UTC")
    cell = pl.col(name).cast(pl.String).alias("cell")
    found = table.rows.select(cell).unique(maintain_order=True)
    written = found.drop_nulls().collect(engine="streaming")
    distinct = with_clear_months(written.select(begin_of(pl.col("cell"))).to_series(), findings)
    numbers = distinct.cast(pl.Float64, strict=False)
    few = numbers.null_count() <= 0.02 * len(distinct)  # such as a total below the table
    if len(distinct) and few and (epoch := epoch_unit(numbers.drop_nulls())):
        epoch = as_said(epoch, numbers, name, table, findings)
        refuse_other_origin(name, numbers, epoch, findings)
        counted = epoch.is_utc
        number = epoch_seconds(pl.col("cell").cast(pl.Float64, strict=False), epoch)
        return Moments(
            _looked_up(name, written, distinct, number), counted, "UTC" if counted else None
        )
    form = find_format(distinct)
    if form is None:
        return Moments(pl.lit(None, pl.Int64))
    if form.odd and (other := next(filter(is_of_other_era, distinct.drop_nulls()), None)):
        findings.note(
            "guessed-time-format",
            f"the years in column {name!r} are those of another era: {other!r} was read as "
            f"{usual(other)!r}",
            "write the year first (2024-03-31) if this is wrong",
        )
    form = settle_order(table, name, distinct, form, order, timezone, findings)
    at = with_bare_midnights(distinct, form)
    zone = zone_of_offsets(distinct, timezone, findings) if form.aware else None
    named = None if form.aware else of_cells(distinct, name, timezone, findings)
    ahead, zone = named or (pl.lit(0), zone)
    seconds = _looked_up(name, written, distinct, pl.lit(at) - ahead)
    ends = bool(distinct.str.contains(r"[ T]24([:.]00|$)").any())
    return Moments(seconds, form.aware or named is not None, zone, ends)


def _since(origin: Origin, name: str, findings: Findings) -> pl.Expr:
    findings.note(
        "guessed-time-format",
        f"the numbers in column {name!r} were read as {origin.words} (UTC)",
        "write them as 2024-03-31 14:00 if this is wrong",
    )
    return seconds_since(pl.col(name), origin)


def _looked_up(name: str, written: pl.DataFrame, distinct: pl.Series, found: pl.Expr) -> pl.Expr:
    """What an expression finds in each distinct text, for every row of a column."""
    once = distinct.to_frame().select(found).to_series()
    return (
        pl.col(name)
        .cast(pl.String)
        .replace_strict(written["cell"], once, default=None, return_dtype=pl.Int64)
    )
