"""Give a set on its own clock and on coarser ones, with the calendar of every step."""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from citytune.frame import Clock, SensorFrame, calendar
from citytune.pretraining._source import Source

DAY = dt.timedelta(days=1)
MINUTE = dt.timedelta(minutes=1)
HOUR = dt.timedelta(hours=1)

_WITHIN_HOURS = (MINUTE, 10 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR)
_OF_HOURS = (3 * HOUR,)
_FEWEST_DAILY = 300  # days a set must span to be given on a daily clock
_FEWEST_DAYS = 4  # days of a series: three of past, one to forecast
_FEWEST_DAYS_DAILY = 35  # the same on a daily clock: four weeks of past, one to forecast


class Verdict(NamedTuple):
    """What can be learnt from each sensor; exactly one holds for each (sensor,)."""

    kept: NDArray[np.bool_]
    never: NDArray[np.bool_]  # not one measured value
    short: NDArray[np.bool_]  # measured, for less than half of the shortest history
    constant: NDArray[np.bool_]  # measured for long enough, always the same


def clocks_of(step: dt.timedelta, days: float) -> list[dt.timedelta]:
    """The clocks a set with a clock of `step` is given on; `days` is what it spans.

    >>> [str(one) for one in clocks_of(dt.timedelta(minutes=15), days=60)]
    ['0:15:00', '0:30:00', '1:00:00']
    >>> [str(one) for one in clocks_of(dt.timedelta(hours=1), days=400)]
    ['1:00:00', '3:00:00', '1 day, 0:00:00']
    """
    own = [step] if step >= MINUTE else []
    coarser = [one for one in (_OF_HOURS if step == HOUR else _WITHIN_HOURS) if one > step]
    daily = [DAY] if step < DAY and days >= _FEWEST_DAILY else []
    return [*own, *(one for one in coarser if divides(step, one)), *daily]


def divides(step: dt.timedelta, coarser: dt.timedelta) -> bool:
    """Whether so many steps make a `coarser` one."""
    return coarser % step == dt.timedelta(0)


def fewest_steps(clock: Clock) -> int:
    """Steps below which a series is too short to learn from."""
    return _FEWEST_DAYS_DAILY if clock.steps_per_day == 1 else _FEWEST_DAYS * clock.steps_per_day


def judge(values: NDArray[np.float32], clock: Clock) -> Verdict:
    """Which rows of `values` (sensor, time) can be learnt from, and why the others cannot."""
    measured = np.isfinite(values).sum(1)
    never = measured == 0
    short = ~never & (measured < fewest_steps(clock) / 2)
    constant = np.zeros(len(values), bool)
    rest = np.flatnonzero(~never & ~short)
    constant[rest] = np.nanmax(values[rest], 1) == np.nanmin(values[rest], 1)
    return Verdict(~(never | short | constant), never, short, constant)


def on_clock(
    frame: SensorFrame, step: dt.timedelta, *, name: str, domain: str, most_sensors: int | None
) -> Source | None:
    """The set of `frame` on a clock of `step`; None if nothing is left to learn from.

    At most `most_sensors`, evenly chosen, are given on the frame's own clock; coarser copies are
    small and keep all.
    """
    own = step == frame.clock.step
    values, clock = (frame.values.T, frame.clock) if own else _means(frame, step)
    rows = np.flatnonzero(judge(values, clock).kept)
    if own and most_sensors is not None and len(rows) > most_sensors:
        rows = rows[np.linspace(0, len(rows) - 1, most_sensors).round().astype(int)]
    first, end = measured_span(values[rows])
    if end - first < fewest_steps(clock):
        return None
    when = calendar(clock, first, end - first, frame.country)
    return Source(
        name=name,
        domain=domain,
        values=np.ascontiguousarray(values[rows, first:end]),
        share=(when.slot / clock.steps_per_day).astype(np.float32),
        weekday=when.weekday.astype(np.uint8),
        holiday=when.holiday,
        steps_per_day=clock.steps_per_day,
    )


def measured_span(values: NDArray[np.float32]) -> tuple[int, int]:
    """The first step of `values` (sensor, time) with a measured value, and that after the last."""
    steps = np.flatnonzero(np.isfinite(values).any(0))
    return (int(steps[0]), int(steps[-1]) + 1) if len(steps) else (0, 0)


def _means(frame: SensorFrame, step: dt.timedelta) -> tuple[NDArray[np.float32], Clock]:
    """Means (sensor, time) over the measured values of each coarse step of the wall clock.

    A coarse step of which less than half was measured is missing. The coarse clock runs in wall
    time from local midnight, so the two hours that share a name in autumn are one step.
    """
    local = frame.clock.local(0, len(frame))
    midnight = local.min().astype("datetime64[D]").astype("datetime64[us]")
    where = (local - midnight) // np.timedelta64(step, "us")
    count = int(where.max()) + 1
    fewest = step / frame.clock.step / 2
    means = np.stack([_mean(series, where, count, fewest) for series in frame.values.T])
    return means, Clock(midnight.astype(dt.datetime), step)


def _mean(
    series: NDArray[np.float32], where: NDArray[np.int64], count: int, fewest: float
) -> NDArray[np.float32]:
    """Means (count,) of the measured values of a series (time,), each at its place `where`."""
    measured = np.isfinite(series)
    sums = np.bincount(where[measured], series[measured], count)
    counts = np.bincount(where[measured], minlength=count)
    enough = counts >= fewest
    means = np.full(count, np.nan, np.float32)
    means[enough] = sums[enough] / counts[enough]
    return means
