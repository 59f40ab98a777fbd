"""Tuned model + frame → forecast: mean and quantiles per sensor, with clock and unit."""

from citytune.forecasting._exceedance import chance_above, chance_below
from citytune.forecasting._fitting import (
    BACKBONE,
    STRATEGY,
    check_strategy,
    fit_model,
    fit_task,
    fit_with,
    refit,
    task_of,
    task_with,
)
from citytune.forecasting._forecast import Forecast
from citytune.forecasting._model import Prediction, TunedModel
from citytune.forecasting._plot import plot_forecast
from citytune.forecasting._store import load
from citytune.forecasting._updating import Update, update
from citytune.tuning import LEVELS

__all__ = [
    "BACKBONE",
    "Forecast",
    "LEVELS",
    "Prediction",
    "STRATEGY",
    "TunedModel",
    "Update",
    "chance_above",
    "chance_below",
    "check_strategy",
    "fit_model",
    "fit_task",
    "fit_with",
    "load",
    "plot_forecast",
    "refit",
    "task_of",
    "task_with",
    "update",
]
