"""Tuned model + frame → forecast: mean and quantiles per sensor, with clock and unit."""

from citytune.forecasting._exceedance import chance_above, chance_below
from citytune.forecasting._fitting import (
    DEFAULT,
    check_horizon,
    check_strategy,
    fit_model,
    fit_task,
    refit,
    task_of,
)
from citytune.forecasting._forecast import Forecast
from citytune.forecasting._model import Prediction, TunedModel
from citytune.forecasting._plot import plot_forecast
from citytune.forecasting._store import load
from citytune.tuning import LEVELS

__all__ = [
    "DEFAULT",
    "Forecast",
    "LEVELS",
    "Prediction",
    "TunedModel",
    "chance_above",
    "chance_below",
    "check_horizon",
    "check_strategy",
    "fit_model",
    "fit_task",
    "load",
    "plot_forecast",
    "refit",
    "task_of",
]
