"""Between a forecast and the table in which it leaves and comes back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from citytune._errors import InputError
from citytune.tuning import LEVELS
from citytune.writers import ForecastTable

if TYPE_CHECKING:
    from citytune.forecasting._forecast import Forecast


def table_of(
    forecast: Forecast,
    sensors: Sequence[str],
    times: NDArray[np.datetime64],
    values: Mapping[str, Any],
) -> ForecastTable:
    """The table of a forecast, given its columns, all steps of a sensor after each other."""
    import polars as pl

    rows = pl.DataFrame({"sensor": sensors, "time": times} | dict(values))
    return ForecastTable(rows, forecast.clock, forecast.quantity, forecast.run, forecast.model)


def parts_of(table: ForecastTable) -> dict[str, Any]:
    """The fields of the forecast in a table."""
    rows = table.rows
    sensors = tuple(rows["sensor"].unique(maintain_order=True))
    names = [f"q{round(100 * level):02d}" for level in LEVELS]
    if lacking := [name for name in names if name not in rows.columns]:
        raise InputError(f"the table has no column {lacking[0]!r}; it is no forecast of citytune")

    def laid(name: str) -> NDArray[Any]:
        return rows[name].to_numpy().reshape(len(sensors), -1).T

    return {
        "mean": laid("mean"),
        "quantiles": np.stack([laid(name) for name in names], -1),
        "clock": table.clock,
        "sensors": sensors,
        "quantity": table.quantity,
        "moved": laid("point") if "point" in rows.columns else None,
        "quality": laid("quality").astype(object),
        "model": table.model,
        "run": table.run,
    }
