"""Read the forecast of a run back from its table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from citytune._errors import RunError

if TYPE_CHECKING:
    from citytune.forecasting import Forecast, TunedModel


def stored_forecast(path: Path, model: TunedModel) -> Forecast:
    """The forecast in a table that `Forecast.write_csv` wrote, by the clock of its model.

    Raises:
        RunError: the table no longer holds every step of every sensor.
    """
    import numpy as np
    import polars as pl

    from citytune.forecasting import LEVELS, Forecast

    columns = ["mean", *(f"q{round(100 * level):02d}" for level in LEVELS)]
    columns += ["point"] if model.rare is not None else []
    shape = len(model.sensors), model.spec.horizon, len(columns)
    try:
        table = pl.read_csv(path, schema_overrides=dict.fromkeys(columns, pl.Float32))
        values = table.select(columns).to_numpy().reshape(shape).transpose(1, 0, 2)
        quality = table["quality"].to_numpy().astype(object).reshape(shape[:2]).T
    except (pl.exceptions.PolarsError, ValueError) as error:
        raise RunError(
            f"{path} is no longer the forecast that was written; forecast from a file, or tune anew"
        ) from error
    values = values.astype(np.float32)  # (horizon, sensor, column)
    return Forecast(
        mean=values[:, :, 0],
        quantiles=values[:, :, 1 : 1 + len(LEVELS)],
        clock=model.clock.shifted(model.clock.index(model.trained_until) + 1),
        sensors=model.sensors,
        quantity=model.predictor.quantity_of(model.sensors),
        moved=values[:, :, -1] if model.rare is not None else None,
        quality=quality,
        model=f"{model.card.name}, {model.strategy}",
        copula=model.copula,
    )
