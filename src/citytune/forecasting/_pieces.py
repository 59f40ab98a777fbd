"""Parts of a forecast: its first steps, one of its sensors, any of its quantiles and chances."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from citytune._errors import InputError
from citytune.tuning import chance_above, chance_below, values_at

if TYPE_CHECKING:
    from citytune.forecasting._forecast import Forecast


def first_steps(forecast: Forecast, steps: int) -> Forecast:
    """The forecast of its first steps only."""
    return replace(
        forecast,
        mean=forecast.mean[:steps],
        quantiles=forecast.quantiles[:steps],
        moved=None if forecast.moved is None else forecast.moved[:steps],
        quality=forecast.quality[:steps],
    )


def one_sensor(forecast: Forecast, column: int) -> Forecast:
    """The forecast of the sensor in a column only."""
    one = slice(column, column + 1)
    own = (replace(watch, thresholds=watch.thresholds[one]) for watch in forecast.alerts)
    return replace(
        forecast,
        mean=forecast.mean[:, one],
        quantiles=forecast.quantiles[:, one],
        sensors=forecast.sensors[one],
        moved=None if forecast.moved is None else forecast.moved[:, one],
        quality=forecast.quality[:, one],
        alerts=tuple(own),
        copula=None if forecast.copula is None else forecast.copula.take([column]),
    )


def quantile_of(forecast: Forecast, level: object) -> NDArray[np.float32]:
    """(horizon, sensor) the quantile at any level; a level that is none is refused."""
    at = float(level) if isinstance(level, int | float) else math.nan
    if not 0 < at < 1:
        raise InputError(f"a quantile's level is between 0 and 1, such as 0.9; got {level!r}")
    low, high = forecast.quantity.low, forecast.quantity.high
    return values_at(np.array([at]), forecast.quantiles, low=low, high=high)[0]


def chance_of(
    forecast: Forecast, thresholds: NDArray[np.float32], *, above: bool
) -> NDArray[np.float32]:
    """(horizon, sensor) how likely values are above thresholds, or below; NaN if unknown."""
    chance = chance_above if above else chance_below
    low, high = forecast.quantity.low, forecast.quantity.high
    return chance(forecast.quantiles, thresholds, low=low, high=high)
