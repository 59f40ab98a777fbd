"""Moments that count from an origin which the name of their column says: days since 1970-01-01.

So the CF conventions write times, and so any other origin can be said. Numbers without such a name
are checked: readings that all lie in the future, or in the last century, are hardly what was meant.
"""

from __future__ import annotations

import datetime as dt
import re
import time
from typing import NamedTuple

import polars as pl

from citytune.readers.cells._epochs import Epoch, epoch_seconds
from citytune.readers.cells._findings import Findings

_SINCE = re.compile(
    r"\b(?P<unit>(?:milli|micro)?(?:seconds?|secs?)|ms|s|min(?:ute)?s?|h(?:ou)?rs?|h|days?|d)"
    r"[ _]since[ _]"
    r"(?P<date>\d{4}[-_/.]\d{1,2}[-_/.]\d{1,2})(?:[ T_](?P<clock>\d{1,2}[:h]\d{2}(?::\d{2})?))?",
    re.IGNORECASE,
)
_SIZES = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_GRID = 5
"""Seconds to which hours and days with decimals are rounded."""
_YEARS = (1900, 1904, 1960, 1980, 2000, 2001)
"""In which other clocks begin: NTP, Macintosh, SAS, GPS, PostgreSQL, Apple."""
_DAY, _AHEAD = 86_400, 370 * 86_400
_FIRST = int(dt.datetime(1995, 1, 1, tzinfo=dt.UTC).timestamp())


class Origin(NamedTuple):
    """From when, and in what, numbers count."""

    begin: int
    """Seconds since 1970."""
    size: float
    """Seconds of one."""
    words: str


def origin_said(*texts: str) -> Origin | None:
    """The origin that a name or a unit says; None if neither does.

    >>> origin_said("time (hours since 1900-01-01 00:00)")
    Origin(begin=-2208988800, size=3600, words='hours since 1900-01-01 00:00')
    >>> origin_said("days_since_1970-01-02").begin, origin_said("since 1900")
    (86400, None)
    """
    found = next(filter(None, map(_SINCE.search, texts)), None)
    if found is None:
        return None
    unit, clock = found["unit"].lower(), (found["clock"] or "0:00").lower().replace("h", ":")
    size = {"milli": 1e-3, "micro": 1e-6}.get(unit[:5], 1e-3 if unit == "ms" else 0)
    hour, minute, *second = (int(part) for part in clock.split(":"))
    year, month, day = (int(part) for part in re.split(r"[-_/.]", found["date"]))
    try:
        midnight = dt.datetime(year, month, day, tzinfo=dt.UTC)
    except ValueError:
        return None
    begin = int(midnight.timestamp()) + 3600 * hour + 60 * minute + sum(second)
    return Origin(begin, size or _SIZES[unit[0]], found[0].replace("_", " "))


def seconds_since(number: pl.Expr, origin: Origin) -> pl.Expr:
    """Int64 seconds since 1970 of numbers that count from an origin."""
    since = number.cast(pl.Float64, strict=False) * origin.size
    grid = _GRID if origin.size > 1 else 1
    return (since / grid).round().cast(pl.Int64, strict=False) * grid + origin.begin


def refuse_other_origin(name: str, numbers: pl.Series, epoch: Epoch, findings: Findings) -> None:
    """Raise the error of numbers that would count to hardly any time of a reading.

    Args:
        name: Of the column.
        numbers: Some of its cells.
        epoch: What they were taken for.
        findings: Told what else they may be.
    """
    cells = numbers.rename("cell").to_frame()
    there = cells.select(epoch_seconds(pl.col("cell"), epoch)).to_series().drop_nulls()
    if epoch.pattern is not None or not len(there):
        return
    now = int(time.time())
    first, last = there.sort().gather([0, -1]).to_list()
    begins = {year: int(dt.datetime(year, 1, 1, tzinfo=dt.UTC).timestamp()) for year in _YEARS}
    if epoch.first is not None or epoch.begin:
        begins = {}
    able = {y: b for y, b in begins.items() if first + b >= _FIRST and last + b <= now + _DAY}
    if first <= now + _AHEAD and (last >= _FIRST or 2000 not in able):
        return
    other = "".join(f", and from {_text(first + b)} since {year}" for year, b in able.items())
    findings.fail(
        "which-origin",
        f"the numbers in column {name!r}, read as {epoch.words}, are times from {_text(first)} to "
        f"{_text(last)}, which can hardly be those of readings{other}",
        "say in the column's name from when they count, as in "
        f"'{epoch.words.partition(' ')[0]} since {next(iter(able), 1970)}-01-01', or write times "
        "such as 2024-03-31 14:00",
    )


def _text(seconds: int) -> str:
    return f"{dt.datetime.fromtimestamp(seconds, dt.UTC):%Y-%m-%d}"
