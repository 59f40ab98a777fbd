"""Tuned model + data → forecast: mean and quantiles per sensor, with clock and unit."""

from citytune.forecasting._alert import Watch, alerts_of, watches
from citytune.forecasting._copula import Copula
from citytune.forecasting._door import Admitted, admit
from citytune.forecasting._fitting import (
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
from citytune.forecasting._known_ahead import check_known_ahead
from citytune.forecasting._load import load
from citytune.forecasting._model import TunedModel
from citytune.forecasting._outlook import Outlook, SensorOutlook, outlook
from citytune.forecasting._past import Past, days_to_ask, learn_copula, past_of
from citytune.forecasting._plot import plot_forecast
from citytune.forecasting._predict import Prediction
from citytune.forecasting._quality import is_dead, is_safe
from citytune.forecasting._structure import Builder, Misfit, parse, take_apart, within
from citytune.forecasting._table import table_of
from citytune.forecasting._updating import Update, update
from citytune.settings import USUAL, Alert
from citytune.tuning import LEVELS, chance_above, chance_below

__all__ = [
    "Admitted",
    "Alert",
    "Builder",
    "Copula",
    "Forecast",
    "LEVELS",
    "Misfit",
    "Outlook",
    "Past",
    "Prediction",
    "STRATEGY",
    "SensorOutlook",
    "TunedModel",
    "USUAL",
    "Update",
    "Watch",
    "admit",
    "alerts_of",
    "chance_above",
    "chance_below",
    "check_known_ahead",
    "check_strategy",
    "days_to_ask",
    "fit_model",
    "fit_task",
    "fit_with",
    "is_dead",
    "is_safe",
    "learn_copula",
    "load",
    "outlook",
    "parse",
    "past_of",
    "plot_forecast",
    "refit",
    "table_of",
    "take_apart",
    "task_of",
    "task_with",
    "update",
    "watches",
    "within",
]
