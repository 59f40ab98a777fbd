"""Read moments that are written as plain numbers: seconds since 1970, or 20240331."""

from __future__ import annotations

from typing import NamedTuple

import polars as pl

_DAY = 86_400


class Epoch(NamedTuple):
    """What the numbers of a time column count, or spell."""

    words: str
    pattern: str | None = None
    """For numbers that spell a date, such as 2024033114."""
    per_second: int = 1
    """For numbers that count."""
    begin: int = 0
    """When they begin to, in seconds before 1970."""
    first: float | None = None
    """For wall times counted in days: 1970 in days."""
    later: int = 0
    """For dates of another era: what is added to them, such as 19110000."""
    utc: bool = False
    """Whether they are UTC though they begin elsewhere."""
    leaps: bool = False
    """Whether they count leap seconds, as GPS does."""

    @property
    def is_utc(self) -> bool:
        """Whether the numbers count from a moment in UTC; other clocks are those of a wall."""
        return self.utc or (self.pattern is None and self.first is None and not self.begin)


_SPELT = (
    (6, Epoch("dates such as 240331", "%y%m%d")),
    (7, Epoch("dates such as 2024091, a year and the day of it", "%Y%j")),
    (7, Epoch("dates such as 1130331, of Taiwan's era", "%Y%m%d", later=1911_0000)),
    (8, Epoch("dates such as 20240331", "%Y%m%d")),
    (8, Epoch("dates such as 25670331, of the Buddhist era", "%Y%m%d", later=-543_0000)),
    (10, Epoch("hours such as 2024033114", "%Y%m%d%H")),
    (11, Epoch("minutes such as 20240911405, of the day of a year", "%Y%j%H%M")),
    (13, Epoch("seconds such as 2024091140500, of the day of a year", "%Y%j%H%M%S")),
    (12, Epoch("minutes such as 202403311405", "%Y%m%d%H%M")),
    (14, Epoch("seconds such as 20240331140500", "%Y%m%d%H%M%S")),
)
_COUNTED = (
    (6.2e17, 6.6e17, Epoch("ticks of .NET", per_second=10_000_000, begin=62_135_596_800)),
    (
        1.2e17,
        1.45e17,
        Epoch(
            "ticks of Windows since 1601 (UTC)",
            per_second=10_000_000,
            begin=11_644_473_600,
            utc=True,
        ),
    ),
    (1e8, 1e10, Epoch("seconds since 1970 (UTC)", per_second=1)),
    (1e11, 1e13, Epoch("milliseconds since 1970 (UTC)", per_second=1_000)),
    (1e14, 1e16, Epoch("microseconds since 1970 (UTC)", per_second=1_000_000)),
    (1e17, 1e19, Epoch("nanoseconds since 1970 (UTC)", per_second=1_000_000_000)),
)
OF_SPREADSHEETS = Epoch("days since 1900, as spreadsheets count them", first=25_569)
_DAYS = (
    (25_000, 75_000, OF_SPREADSHEETS),
    (2_445_000, 2_475_000, Epoch("Julian days", first=2_440_587.5)),
    (712_000, 767_000, Epoch("days since the year 0, as MATLAB counts them", first=719_529)),
)
GPS_BEGIN = -315_964_800
"""Seconds before 1970 at which GPS begins to count: 1980-01-06."""
_LEAPS = ((1_483_228_800, 18), (1_435_708_800, 17), (1_341_100_800, 16), (1_230_768_000, 15),
          (1_136_073_600, 14))  # fmt: skip
"""From when on (in s since 1970) GPS is so many seconds ahead of UTC; 13 s before."""
_LEAST_SPELT = 1e7
"""Below it no number spells a year of four digits, a month and a day."""
_FEWEST_STEPS, _SHORTEST = 24, 30
"""Steps from which one is seen to be kept, and the shortest one in seconds."""
_CENTURY = (946_684_800, 4_102_444_800)
_GRID = 5
"""Seconds to which days with decimals are rounded."""


def epoch_unit(numbers: pl.Series) -> Epoch | None:
    """What a column of numbers counts or spells as moments; None if they are no moments."""
    present = numbers.drop_nulls().drop_nans() if numbers.dtype.is_float() else numbers.drop_nulls()
    if not len(present) or (present != present.round(0)).any():
        return (_counted(present) or _days(present)) if len(present) else None
    for digits, epoch in _SPELT:
        few = present.head(200)
        if few.min() >= 10 ** (digits - 1) and few.max() < 10**digits and _all_spell(few, epoch):
            return epoch
    return _counted(present) or _days(present)


def epoch_seconds(column: pl.Expr, epoch: Epoch) -> pl.Expr:
    """Seconds since 1970: UTC if counted, wall time if spelt; null where that fails."""
    if epoch.first is not None:
        since_1970 = (column - epoch.first) * (_DAY // _GRID)
        return since_1970.round().cast(pl.Int64, strict=False) * _GRID
    if epoch.pattern is None:
        at = (column / epoch.per_second).floor().cast(pl.Int64, strict=False) - epoch.begin
        return at - _leap_seconds(at) if epoch.leaps else at
    text = (column.cast(pl.Int64, strict=False) + epoch.later).cast(pl.String)
    if epoch.pattern == "%Y%m%d%H":  # hours of which the last may be called 24
        hour = text.str.slice(8).cast(pl.Int64, strict=False)
        text = text.str.slice(0, 8)
        since: pl.Expr = pl.when(hour <= 24).then(hour * 3600)
    else:
        since = pl.lit(0)
    pattern = epoch.pattern.removesuffix("%H") if epoch.pattern == "%Y%m%d%H" else epoch.pattern
    moment = text.str.to_datetime(pattern, strict=False, time_unit="us")
    return pl.when(moment.dt.year().is_between(1900, 2200)).then(moment.dt.epoch("s") + since)


def _leap_seconds(at: pl.Expr) -> pl.Expr:
    ahead = (pl.when(at >= begin + count).then(count) for begin, count in _LEAPS)
    return pl.coalesce(*ahead, 13)


def spells_moments(numbers: pl.Series) -> bool:
    """Whether long numbers can hardly be anything but hours, minutes or seconds of a calendar."""
    if float(numbers.max() or 0) < _LEAST_SPELT:  # type: ignore[arg-type]
        return False
    present = numbers.drop_nulls().head(5000)
    if present.dtype.is_float() and not bool((present == present.round()).all()):
        return False
    epoch = epoch_unit(present)
    if epoch is not None and epoch.pattern is None and epoch.first is None:
        return _beats(_spelt(present, epoch))
    if epoch is None or epoch.pattern is None or epoch.pattern == "%y%m%d":
        return False
    days = _spelt(present, epoch) // _DAY
    if epoch.pattern == "%Y%m%d":
        steps = days.unique().sort().diff().drop_nulls()
        return len(steps) > 8 and float((steps == 1).mean() or 0) > 0.8  # type: ignore[arg-type]
    return bool(days.is_between(7_300, 30_000).all()) and present.n_unique() > 24


def counts_days(numbers: pl.Series) -> bool:
    """Whether numbers are dates as spreadsheets and MATLAB count them, without times of the day."""
    whole = bool((numbers == numbers.round()).all())
    return whole and (epoch := epoch_unit(numbers)) is not None and epoch.first is not None


def _beats(seconds: pl.Series) -> bool:
    """Whether moments are of this century and follow one another in one step."""
    steps = seconds.unique().sort().diff().drop_nulls()
    if len(steps) < _FEWEST_STEPS or not bool(seconds.is_between(*_CENTURY).all()):
        return False
    usual = float(steps.median() or 0)  # type: ignore[arg-type]
    return usual >= _SHORTEST and float((steps == usual).mean() or 0) > 0.9  # type: ignore[arg-type]


def _spelt(numbers: pl.Series, epoch: Epoch) -> pl.Series:
    frame = numbers.rename("cell").to_frame()
    return frame.select(epoch_seconds(pl.col("cell"), epoch)).to_series()


def _all_spell(few: pl.Series, epoch: Epoch) -> bool:
    """Whether numbers spell moments; of dates with two digits of the year, days that follow."""
    seconds = _spelt(few, epoch)
    if seconds.null_count():
        return False
    if epoch.pattern != "%y%m%d":
        return True
    days = (seconds.unique().sort() // _DAY).diff().drop_nulls()
    return len(days) > 2 and bool(days.median() == 1)  # else they are written in another order


def _days(present: pl.Series) -> Epoch | None:
    """Days with the time of the day as decimals; if they follow one another in one step."""
    low, high = float(present.min()), float(present.max())  # type: ignore[arg-type]
    found = next((epoch for least, most, epoch in _DAYS if least <= low and high < most), None)
    if found is None:
        return None
    days = present.cast(pl.Float64).unique(maintain_order=True)
    steps = (days.diff().drop_nulls().abs() * (_DAY // _GRID)).round()
    if len(steps) < 8:
        return None
    alike = float((steps == steps.median()).mean() or 0)  # type: ignore[arg-type]
    whole = bool((days == days.round()).all())
    return found if alike > 0.8 and (not whole or steps.median() == _DAY // _GRID) else None


def _counted(present: pl.Series) -> Epoch | None:
    low, high = float(present.min()), float(present.max())  # type: ignore[arg-type]
    return next((epoch for least, most, epoch in _COUNTED if least <= low and high < most), None)
