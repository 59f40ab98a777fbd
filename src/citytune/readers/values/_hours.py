"""Settle between wall time and UTC: which of the two a table's clock runs in."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
from numpy.typing import NDArray

from citytune._errors import TableError
from citytune._text import counted
from citytune.readers.cells._findings import Findings
from citytune.readers.times._times import Moments
from citytune.readers.times._zones import follows_ends, from_midnight, to_utc
from citytune.readers.values._clock import RegularStep, infer_step
from citytune.readers.values._grid import Grid
from citytune.readers.values._readings import Readings

_HOUR, _DAY = 3600, 86_400
_CHANGE_MONTHS = (3, 4, 9, 10, 11)


def settle_time(
    readings: Readings, moments: Moments, timezone: str | None, findings: Findings
) -> tuple[str | None, RegularStep]:
    """Bring the rows' times to UTC where a zone is known; return the zone and the clock's beat.

    Steps longer than an hour keep wall time: a day that summer time makes 23 hours long is still
    one step, and must not slide into the day before.
    """
    step = infer_step(readings, Findings("")).step if moments.ends or moments.from_one else 0
    if moments.ends:
        step = _last_moment(readings.time, step)
        readings.time = readings.time - step
    zone = timezone or moments.zone
    if zone == "UTC" and timezone is None:
        findings.note(
            "utc",
            "the times are in UTC, so days and weekdays are UTC days, not local ones",
            "add timezone= (such as Europe/Oslo) for local days and holidays",
        )
    if zone is not None and _changes(zone, readings.time) and _longer_than_an_hour(readings):
        if moments.aware:
            readings.time = _wall(readings.time, zone)
        findings.note(
            "wall-clock",
            f"the steps are longer than an hour, so they are counted in the wall time of {zone}",
            "nothing needs to be done",
        )
        zone = None
    elif (
        zone is not None and not moments.aware and moments.counted and _changes(zone, readings.time)
    ):
        assert readings.day is not None, "periods are counted from a day"
        readings.time = from_midnight(readings.day, readings.time - readings.day, zone)
    elif zone is not None and not moments.aware:
        filled = _filled(readings)
        late = step and follows_ends(readings.time, step, readings.sensor, filled, zone)
        wall = readings.time + step if late else readings.time
        readings.time, kept = to_utc(wall, readings.sensor, filled, zone, findings)
        readings.time = readings.time - step if late else readings.time
        readings.keep(kept)
    elif moments.counted:
        _through_changes(readings, moments.counted, findings)
    return zone, _step_of_readings(readings, findings)


def _last_moment(ends: NDArray[np.int64], step: int) -> int:
    """Seconds from the begin of an interval to its named end, which may lie within it: 00:14."""
    for before in (60, 1):
        if step >= 300 and (ends % step == step - before).all():
            return step - before
    return step


def _step_of_readings(readings: Readings, findings: Findings) -> RegularStep:
    """The step of the rows that hold a reading, where others only tell what is known ahead."""
    filled = _filled(readings)
    if filled.all() or readings.covariates or filled.sum() < 12:
        return infer_step(readings, findings)
    own = infer_step(_only(readings, filled), Findings(""))
    every = infer_step(readings, findings)
    off = (readings.time[filled] - own.phase) % own.step != 0
    if own.step > every.step and own.step % every.step == 0 and off.mean() < 0.02:
        readings.keep(filled)
        return own
    return every


def _only(readings: Readings, rows: NDArray[np.bool_]) -> Readings:
    sensor = None if readings.sensor is None else readings.sensor[rows]
    return Readings(readings.time[rows], sensor, readings.values[rows], readings.sensors)


def _through_changes(readings: Readings, size: int, findings: Findings) -> None:
    """Without a zone, days of more or fewer periods: the hours around the change are left out.

    Up to 01:00 and from 03:00 on, everywhere in the world where clocks change at one or two at
    night, the wall time is known; between them it hangs on the zone.
    """
    assert readings.day is not None, "periods are counted from a day"
    last = (
        pl.DataFrame({"day": readings.day, "at": readings.time})
        .group_by("day")
        .agg((pl.col("at").max() - pl.col("day").first() + size).alias("length"))
    )
    long = last.filter(pl.col("length") == _DAY + _HOUR)["day"].to_numpy()
    short = last.filter(pl.col("length") == _DAY - _HOUR)["day"].to_numpy()
    short = short[(short > readings.day.min()) & (short < readings.day.max())]
    kept = np.ones(len(readings.time), bool)
    for days, jump in ((long, -_HOUR), (short, _HOUR)):
        there = np.isin(readings.day, days)
        since = readings.time - readings.day
        late = there & (since >= 3 * _HOUR + max(0, -jump))
        readings.time = np.where(late, readings.time + jump, readings.time)
        kept &= ~(there & (since >= _HOUR) & ~late)
    readings.keep(kept)
    if not kept.all():
        findings.warn(
            "clock-change",
            f"{len(long) + len(short)} days have an hour more or less, as when clocks change; "
            f"{int((~kept).sum())} rows around the change were left out",
            "pass timezone= (such as Europe/Oslo) to keep them",
            count=int((~kept).sum()),
        )


def hint_at_summer_time(readings: Readings, grid: Grid, findings: Findings) -> None:
    """Without a zone, say where the rows look as if the clock had been changed."""
    if grid.clock.timezone is not None or grid.clock.steps_per_day < 24:
        return
    moments = grid.clock.moments(0, len(grid.written))
    night = _sunday_nights(moments)
    count = np.bincount(grid.rows, minlength=len(grid.written))
    usual = float(np.median(count[count > 0]))
    twice = count >= 2 * usual
    gaps = _one_hour_gaps(grid.written, grid.clock.steps_per_day // 24)
    for where, what in ((twice, "given twice"), (gaps, "missing")):
        found = night & where
        hours = int(found.sum())
        if hours > 0.5 * where.sum():
            findings.note(
                "summer-time",
                f"{counted(hours, 'hour')} {'is' if hours == 1 else 'are'} {what} on Sunday nights "
                "in spring or autumn, as when clocks change",
                "add timezone= (such as Europe/Oslo) so that these hours can be told apart",
                count=hours,
                first=grid.clock.text(int(found.argmax())),
            )


def _changes(zone: str, time: NDArray[np.int64]) -> bool:
    """Whether a zone's offset differs between the seasons of the years in question."""
    if not len(time):
        return False
    here = ZoneInfo(zone)
    quarters = np.arange(int(time.min()) - 90 * 86_400, int(time.max()) + 90 * 86_400, 45 * 86_400)
    naive = quarters.astype("datetime64[s]").tolist()
    return len({moment.replace(tzinfo=here).utcoffset() for moment in naive}) > 1


def _longer_than_an_hour(readings: Readings) -> bool:
    try:
        return infer_step(readings, Findings("")).step > _HOUR
    except TableError:
        return False  # said aloud when the clock is inferred for good


def _wall(utc: NDArray[np.int64], zone: str) -> NDArray[np.int64]:
    moments = pl.Series("utc", utc * 1_000_000).cast(pl.Datetime("us", "UTC"))
    wall = moments.dt.convert_time_zone(zone).dt.replace_time_zone(None)
    return wall.dt.epoch("s").to_numpy()


def _filled(readings: Readings) -> NDArray[np.bool_]:
    present = ~np.isnan(readings.values)
    return present if present.ndim == 1 else np.asarray(present.any(1), bool)


def _sunday_nights(moments: NDArray[np.datetime64]) -> NDArray[np.bool_]:
    days = moments.astype("datetime64[D]")
    hour = (moments - days).astype("timedelta64[h]").astype(int)
    sunday = (days.astype(np.int64) + 3) % 7 == 6
    month = moments.astype("datetime64[M]").astype(np.int64) % 12 + 1
    return np.asarray(sunday & (hour <= 3) & np.isin(month, _CHANGE_MONTHS), bool)


def _one_hour_gaps(written: NDArray[np.bool_], per_hour: int) -> NDArray[np.bool_]:
    """Steps in a run of unwritten ones that is exactly an hour long."""
    edges = np.flatnonzero(np.diff(np.r_[True, written, True].astype(np.int8)))
    starts, ends = edges[::2], edges[1::2]
    gaps = np.zeros(len(written), bool)
    for start in starts[(ends - starts) == per_hour]:
        gaps[start : start + per_hour] = True
    return gaps
