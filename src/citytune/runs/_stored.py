"""Read the forecast of a run back from its table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from citytune._errors import RunError
from citytune.runs._folder import FORECASTS, check_model

if TYPE_CHECKING:
    import polars as pl

    from citytune.forecasting import Forecast, TunedModel


def stored_of(run: Path, model: TunedModel) -> Forecast | None:
    """The forecast of a run by groups, all of it at once; None where there is no such."""
    import polars as pl

    folder = run / FORECASTS
    if not folder.is_dir():
        return None
    known = {*model.sensors}
    try:
        table = pl.concat(map(pl.read_parquet, sorted(folder.glob("*.parquet"))))
        there = dict.fromkeys(table["sensor"])
        names = [name for name in model.sensors if name in there]
        names += [name for name in there if name not in known]
        place = {name: i for i, name in enumerate(names)}
        order = pl.col("sensor").replace_strict(place, return_dtype=pl.UInt32)
        return _forecast(table.sort(order, "time"), folder, model, tuple(names))
    except pl.exceptions.PolarsError as error:
        raise RunError(f"{folder} is no longer the forecast that was written: {error}") from error


def stored_model(path: Path) -> TunedModel:
    """The model of a run.

    Raises:
        RunError: it is damaged, or one of its files is a link.
    """
    from citytune.forecasting import load

    check_model(path)
    try:
        return load(path)
    except (RecursionError, IsADirectoryError, NotADirectoryError) as error:
        raise RunError(
            f"{path} is damaged ({error}); tune anew, or restore it from a copy"
        ) from error


def stored_forecast(path: Path, model: TunedModel) -> Forecast:
    """The forecast in a table that `Forecast.write_csv` wrote, by the clock of its model.

    Raises:
        RunError: the table no longer holds every step of every sensor.
    """
    import polars as pl

    names = dict.fromkeys(_columns(model), pl.Float32)
    try:
        table = pl.read_csv(path, schema_overrides=names)
    except (pl.exceptions.PolarsError, ValueError) as error:
        raise _no_longer(path) from error
    return _forecast(table, path, model, model.sensors)


def _columns(model: TunedModel) -> list[str]:
    from citytune.forecasting import LEVELS

    columns = ["mean", *(f"q{round(100 * level):02d}" for level in LEVELS)]
    return columns + (["point"] if model.rare is not None else [])


def _no_longer(path: Path) -> RunError:
    return RunError(
        f"{path} is no longer the forecast that was written; forecast from a file, or tune anew"
    )


def _forecast(
    table: pl.DataFrame, path: Path, model: TunedModel, sensors: tuple[str, ...]
) -> Forecast:
    """From a table with the steps of a sensor after each other, in this order of the sensors."""
    import numpy as np
    import polars as pl

    from citytune.forecasting import LEVELS, Forecast

    columns = _columns(model)
    where = {name: i for i, name in enumerate(model.sensors)}
    shape = len(sensors), model.spec.horizon, len(columns)
    try:
        values = table.select(columns).to_numpy().reshape(shape).transpose(1, 0, 2)
        quality = table["quality"].to_numpy().astype(object).reshape(shape[:2]).T
    except (pl.exceptions.PolarsError, ValueError) as error:
        raise _no_longer(path) from error
    values = values.astype(np.float32)  # (horizon, sensor, column)
    return Forecast(
        mean=values[:, :, 0],
        quantiles=values[:, :, 1 : 1 + len(LEVELS)],
        clock=model.clock.shifted(model.clock.index(model.trained_until) + 1),
        sensors=sensors,
        quantity=model.predictor.quantity_of(sensors),
        moved=values[:, :, -1] if model.rare is not None else None,
        quality=quality,
        model=f"{model.card.name}, {model.strategy}",
        copula=model.copula and model.copula.take([where.get(name) for name in sensors]),
    )
