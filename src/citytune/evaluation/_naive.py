"""Forecasts anyone could make, each given its best chance.

They are the seasonal rules of the stack (`citytune.windows.Seasonal`), holidays included.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from citytune.evaluation._arrays import Floats, Steps
from citytune.frame import SensorFrame
from citytune.windows import History, Seasonal

MOST_AT_ONCE = 100_000
"""Values forecast at once, of as many origins: with thousands of sensors each one is large."""


def naive_day(frame: SensorFrame, origins: Sequence[int], horizon: int, train_end: int) -> Floats:
    """The latest known value at the same time of day: (origin, horizon, sensor)."""
    return _ask("last_day", frame, origins, horizon)


def naive_week(frame: SensorFrame, origins: Sequence[int], horizon: int, train_end: int) -> Floats:
    """The latest known value at the same time of the week: (origin, horizon, sensor)."""
    return _ask("last_week", frame, origins, horizon)


def naive_weeks4(
    frame: SensorFrame, origins: Sequence[int], horizon: int, train_end: int
) -> Floats:
    """Mean of the last four weeks at the same time of the week: (origin, horizon, sensor)."""
    return _ask("weeks", frame, origins, horizon)


def historical_average(
    frame: SensorFrame, origins: Sequence[int], horizon: int, train_end: int
) -> Floats:
    """Mean of the training rows at the same weekday and time of day; a holiday is a Sunday.

    Where a sensor has no such row: of the same kind of day (workday or not), of any day, of all
    its rows; without a training row, as `naive_weeks4`.

    Returns:
        (origin, horizon, sensor), in the unit of the data.
    """
    when = np.asarray(origins, np.int64)[:, None] + np.arange(horizon)
    calendar = frame.calendar(0, max(int(when.max()) + 1, train_end))
    slot, day = calendar.slot.astype(np.int64), frame.clock.steps_per_day
    weekday = np.where(calendar.holiday, 6, calendar.weekday.astype(np.int64))
    found = naive_weeks4(frame, origins, horizon, train_end)
    for group in (0 * slot, slot, (weekday > 4) * day + slot, weekday * day + slot):
        means = _group_means(frame.values[:train_end], group[:train_end], int(group.max()) + 1)
        found = np.where(np.isfinite(means[group[when]]), means[group[when]], found)
    return found


def mean_known(values: Floats) -> Floats:
    """Mean of what is known in each column; NaN where nothing is."""
    known = np.isfinite(values)
    total, count = np.where(known, values, 0).sum(0, dtype=np.float64), known.sum(0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)


def _group_means(values: Floats, group: Steps, groups: int) -> Floats:
    """Mean of each group's rows: (group, sensor); NaN where nothing is known."""
    means = np.full((groups, values.shape[1]), np.nan, np.float32)
    for one in np.unique(group):
        means[one] = mean_known(values[group == one])
    return means


def in_groups(origins: Sequence[int], size: int) -> list[Steps]:
    """Origins, each of so many values, as many together as memory allows."""
    many, asked = max(1, MOST_AT_ONCE // size), np.asarray(origins, np.int64)
    return [asked[first : first + many] for first in range(0, len(asked), many)]


def _ask(rule: str, frame: SensorFrame, origins: Sequence[int], horizon: int) -> Floats:
    """One rule's forecasts."""
    ahead = max(0, max(origins) + horizon - len(frame))
    seasonal = Seasonal(History.of(frame, ahead=ahead))
    groups = in_groups(origins, horizon * len(frame.sensors))
    asked = (seasonal.every_sensor(torch.from_numpy(group), horizon) for group in groups)
    return np.concatenate([getattr(at, rule).movedim(-1, 1).numpy() for at in asked])
