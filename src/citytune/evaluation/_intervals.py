"""Give a baseline intervals from its own past errors, by split conformal."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from citytune.evaluation._arrays import Floats
from citytune.evaluation._baselines import Baseline
from citytune.evaluation._features import clipped, level_and_spread
from citytune.evaluation._holdout import walk
from citytune.frame import SensorFrame
from citytune.tuning import Conformal

MOST_DAYS = 28
"""Longest part of the training rows whose errors are looked at."""
MOST_ORIGINS = 112
"""Most origins of a horizon under half a day."""
MOST_VALUES = 4_000_000
"""Most errors looked at; with very many sensors there are fewer origins."""


def calibration_origins(frame: SensorFrame, horizon: int, train_end: int) -> list[int]:
    """Origins in the last third of the training rows; none if there is no room.

    One a day; for horizons under half a day as many, at hours that walk through the day.
    """
    day = frame.clock.steps_per_day
    span = min(train_end // 3, MOST_DAYS * day)
    first, last = train_end - max(span, horizon), train_end - horizon
    if first < max(day, horizon):
        return []
    most = max(4, MOST_VALUES // (horizon * len(frame.sensors)))
    if 2 * horizon <= day:
        stride = walk(last - first, horizon, day, min(most, MOST_ORIGINS))
    else:
        stride = day if last - first >= 2 * day else min(day, horizon)
    origins = np.arange(last, first - 1, -stride)[::-1]
    chosen = np.unique(
        np.linspace(0, len(origins) - 1, min(most, len(origins))).round().astype(int)
    )
    return [int(origin) for origin in origins[chosen]]


def intervals(
    baseline: Baseline, mean: Floats, frame: SensorFrame, origins: NDArray[np.int64], train_end: int
) -> Floats | None:
    """Quantiles (origin, horizon, sensor, level) around a baseline's forecast.

    Its errors are taken where it has not learnt: at origins late in the training rows, fitted on
    those before them.

    Args:
        baseline: The rule.
        mean: (origin, horizon, sensor), its forecast fitted on rows before `train_end`.
        frame: What was measured.
        origins: (origin,) of `mean`.
        train_end: Rows from here on are not looked at.

    Returns:
        None if the training rows are too few to look back.
    """
    horizon, sensors = mean.shape[1], mean.shape[2]
    past = calibration_origins(frame, horizon, train_end)
    if not past:
        return None
    before = baseline(frame.until(train_end), past, horizon, past[0])
    steps = np.array(past)[:, None] + np.arange(horizon)
    age = (train_end - np.array(past)) / frame.clock.steps_per_day
    fitted = Conformal.fit(
        _examples(frame.values[steps]),
        _examples(before),
        torch.arange(sensors).repeat(len(past)),
        _slots(frame, steps, sensors),
        torch.from_numpy(age.astype(np.float32)).repeat_interleave(sensors),
        frame.clock.steps_per_day,
        spread=torch.from_numpy(level_and_spread(frame.values[:train_end])[1]),
    )
    ahead = _slots(frame, origins[:, None] + np.arange(horizon), sensors)
    found = fitted.quantiles(_examples(mean), torch.arange(sensors).repeat(len(origins)), ahead)
    cube = found.reshape(len(origins), sensors, horizon, -1).movedim(1, 2).numpy()
    return clipped(cube.astype(np.float32, copy=False), frame)


def _examples(cube: Floats) -> Tensor:
    """(origin, horizon, sensor) as examples (origin · sensor, horizon), origin-major."""
    return torch.from_numpy(np.ascontiguousarray(cube.swapaxes(1, 2)).reshape(-1, cube.shape[1]))


def _slots(frame: SensorFrame, steps: NDArray[np.int64], sensors: int) -> Tensor:
    """Slot of the day of each step: (origin, horizon) → (origin · sensor, horizon)."""
    first = int(steps.min())
    slot = frame.calendar(first, int(steps.max()) + 1 - first).slot[steps - first]
    return torch.from_numpy(slot.astype(np.int64)).repeat_interleave(sensors, dim=0)
