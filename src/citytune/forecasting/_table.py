"""Between a forecast and the table in which it leaves and comes back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from citytune._errors import InputError
from citytune.tuning import LEVELS
from citytune.writers import ForecastTable

if TYPE_CHECKING:
    from citytune.forecasting._forecast import Forecast

CHANCE_DIGITS = 6
"""Decimals of a chance in a table; what lies beyond says nothing (1e-45)."""


def columns_of(forecast: Forecast) -> dict[str, Any]:
    """Columns of the long table, all steps of a sensor after each other; moments in UTC."""
    steps, count = forecast.mean.shape
    columns: dict[str, Any] = {
        "sensor": [name for name in forecast.sensors for _ in range(steps)],
        "time": np.tile(forecast.clock.moments(0, steps), count),
        "mean": forecast.mean.T.reshape(-1),
    }
    for i, level in enumerate(LEVELS):
        columns[_name(level)] = forecast.quantiles[:, :, i].T.reshape(-1)
    columns["quality"] = forecast.quality.T.reshape(-1).tolist()
    if forecast.moved is not None:
        columns["point"] = forecast.moved.T.reshape(-1)
    for watch in forecast.alerts:
        columns[watch.alert.column] = forecast.chance(watch).T.reshape(-1).round(CHANCE_DIGITS)
    return columns


def table_of(forecast: Forecast) -> ForecastTable:
    """The table of a forecast."""
    import polars as pl

    rows = pl.DataFrame(columns_of(forecast))
    return ForecastTable(rows, forecast.clock, forecast.quantity, forecast.run, forecast.model)


def parts_of(table: ForecastTable) -> dict[str, Any]:
    """The fields of the forecast in a table."""
    rows = table.rows
    sensors = tuple(rows["sensor"].unique(maintain_order=True))
    names = [_name(level) for level in LEVELS]
    if lacking := [name for name in names if name not in rows.columns]:
        raise InputError(f"the table has no column {lacking[0]!r}; it is no forecast of citytune")

    # In a table that other forecasts share, the column may be there and empty.
    moved = "point" in rows.columns and not rows["point"].fill_null(np.nan).is_nan().all()

    def laid(name: str) -> NDArray[Any]:
        return rows[name].to_numpy().reshape(len(sensors), -1).T

    return {
        "mean": laid("mean"),
        "quantiles": np.stack([laid(name) for name in names], -1),
        "clock": table.clock,
        "sensors": sensors,
        "quantity": table.quantity,
        "moved": laid("point") if moved else None,
        "quality": laid("quality").astype(object),
        "model": table.model,
        "run": table.run,
    }


def _name(level: float) -> str:
    return f"q{round(100 * level):02d}"
