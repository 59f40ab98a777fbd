"""Measure forecasts against what happened; what was not measured does not count.

Every function returns NaN where there is nothing to measure, and never warns.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


METRICS = ("mae", "rmse", "mase", "wql", "coverage_90", "width_90")
"""What every model is measured by."""


def mae(actual: Array, mean: Array) -> float:
    """Mean absolute error, in the unit of the data.

    Args:
        actual: What happened, any shape; NaN is missing.
        mean: What was forecast, the same shape.
    """
    return _average(np.abs(_error(actual, mean)))


def rmse(actual: Array, mean: Array) -> float:
    """Root of the mean squared error, in the unit of the data."""
    return float(np.sqrt(_average(np.square(_error(actual, mean)))))


def day_scale(values: Array, steps_per_day: int) -> NDArray[np.float64]:
    """How far a sensor is from its own value a day earlier, on average: the unit of `mase`.

    Args:
        values: (time, sensor), the rows used for fitting and no others.
        steps_per_day: Steps of a day on the clock of the rows.

    Returns:
        (sensor,) mean of |y[t] − y[t − day]| where both were measured; NaN where there is none.
    """
    if len(values) <= steps_per_day:
        return np.full(values.shape[1], np.nan)
    change = np.abs(values[steps_per_day:] - values[:-steps_per_day])
    return _average_by_sensor(change)


def mase(actual: Array, mean: Array, scale: NDArray[np.float64]) -> float:
    """Mean absolute scaled error: below 1 beats "the same as a day ago" on the training rows.

    The convention of Hyndman and Koehler (2006, doi:10.1016/j.ijforecast.2006.03.001), with a day
    as the season: each sensor's mean absolute error is divided by its own `day_scale`, and the
    mean is taken over sensors, so that a quiet street counts as much as a busy one. A sensor that
    never changed in training has no scale and is left out.

    Args:
        actual: (origin, horizon, sensor).
        mean: The same shape.
        scale: (sensor,), from `day_scale`.
    """
    error = np.abs(_error(actual, mean)).reshape(-1, actual.shape[-1])
    usable = np.isfinite(scale) & (scale > 0)
    return _average(_average_by_sensor(error)[usable] / scale[usable])


def wql(actual: Array, quantiles: Array, levels: Sequence[float]) -> float:
    """Mean weighted quantile loss, as used for Chronos and GluonTS; smaller is better.

    For each level, twice the summed pinball loss over the summed |actual|; then the mean over
    levels.

    Args:
        actual: Any shape.
        quantiles: The same shape with an axis of `levels` behind.
        levels: Each between 0 and 1.
    """
    losses = []
    for i, level in enumerate(levels):
        error = _error(actual, quantiles[..., i])
        known = np.isfinite(error)
        pinball = np.where(error >= 0, level * error, (level - 1) * error)[known].sum()
        weight = np.abs(actual[known].astype(np.float64)).sum()
        losses.append(2 * pinball / weight if weight > 0 else np.nan)
    return float(np.mean(losses)) if losses else float("nan")


def coverage(actual: Array, low: Array, high: Array) -> float:
    """Share of what was measured that lies within [low, high], ends included."""
    known = np.isfinite(actual) & np.isfinite(low) & np.isfinite(high)
    inside = (actual >= low) & (actual <= high) & known
    return float(inside.sum() / known.sum()) if known.any() else float("nan")


def width(actual: Array, low: Array, high: Array) -> float:
    """Mean width of the interval where something was measured, in the unit of the data."""
    return _average(np.where(np.isfinite(actual), _error(high, low), np.nan))


def _error(actual: Array, forecast: Array) -> NDArray[np.float64]:
    return actual.astype(np.float64) - forecast


def _average(values: NDArray[np.float64]) -> float:
    known = np.isfinite(values)
    return float(values[known].mean()) if known.any() else float("nan")


def _average_by_sensor(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Mean over the first axis of what is known (sensor,); NaN where nothing is."""
    known = np.isfinite(values)
    count = known.sum(0)
    total = np.where(known, values, 0).sum(0, dtype=np.float64)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
