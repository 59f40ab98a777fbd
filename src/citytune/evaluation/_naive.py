"""Forecasts anyone could make, each given its best chance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from citytune.evaluation._seasons import Floats, Seasons, Steps
from citytune.frame import SensorFrame

Rule: TypeAlias = Callable[[Seasons, Steps, Steps], Floats]


def naive_day(frame: SensorFrame, origins: Sequence[int], horizon: int, train_end: int) -> Floats:
    """The latest known value at the same time of day: (origin, horizon, sensor)."""
    return _ask(Seasons.last_day, frame, origins, horizon)


def naive_week(frame: SensorFrame, origins: Sequence[int], horizon: int, train_end: int) -> Floats:
    """The latest known value at the same time of the week: (origin, horizon, sensor)."""
    return _ask(Seasons.last_week, frame, origins, horizon)


def naive_weeks4(
    frame: SensorFrame, origins: Sequence[int], horizon: int, train_end: int
) -> Floats:
    """Mean of the last four weeks at the same time of the week: (origin, horizon, sensor)."""
    return _ask(Seasons.weeks, frame, origins, horizon)


def historical_average(
    frame: SensorFrame, origins: Sequence[int], horizon: int, train_end: int
) -> Floats:
    """Mean of the training rows at the same weekday and time of day; a holiday is a Sunday.

    Where a sensor has no such row: of the same kind of day (workday or not), of any day, of all
    its rows; without a training row, as `naive_weeks4`.

    Returns:
        (origin, horizon, sensor), in the unit of the data.
    """
    origin, when = _steps(origins, horizon)
    seasons = Seasons.of(frame, until=int(when.max()) + 1)
    slot = seasons.calendar.slot.astype(np.int64)
    weekday = np.where(seasons.calendar.holiday, 6, seasons.calendar.weekday.astype(np.int64))
    day = int(slot.max()) + 1
    found = seasons.weeks(origin, when)
    for group in (np.zeros_like(slot), slot, seasons.off * day + slot, weekday * day + slot):
        means = _group_means(frame.values[:train_end], group)
        known = group[when] < len(means)
        better = means[np.where(known, group[when], 0)]
        found = np.where(known[..., None] & np.isfinite(better), better, found)
    return found


def _group_means(values: Floats, group: NDArray[np.int64]) -> Floats:
    """Mean of each group's rows: (group, sensor); NaN where nothing is known."""
    group = group[: len(values)]
    order = np.argsort(group, kind="stable")
    present, first = np.unique(group[order], return_index=True)
    means = np.full((int(present[-1]) + 1, values.shape[1]), np.nan, np.float32)
    for name, start, end in zip(present, first, [*first[1:], len(order)], strict=True):
        rows = values[order[start:end]]
        known = np.isfinite(rows)
        count = known.sum(0)
        total = np.where(known, rows, 0).sum(0, dtype=np.float64)
        means[name] = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return means


def _ask(rule: Rule, frame: SensorFrame, origins: Sequence[int], horizon: int) -> Floats:
    origin, when = _steps(origins, horizon)
    return rule(Seasons.of(frame, until=int(when.max()) + 1), origin, when)


def _steps(origins: Sequence[int], horizon: int) -> tuple[Steps, Steps]:
    """Origins (origin,) and the steps forecast from them (origin, horizon)."""
    origin = np.asarray(origins, np.int64)
    return origin, origin[:, None] + np.arange(horizon)
